//! What is written to the attributes of a message, over those that it has.

use super::wire::any_value;
use crate::ast::Key;
use crate::error::EvalError;
use crate::value::{Map, ValueRef, find, map_entry_mut};
use collector_pdata::Value;
use collector_pdata::attributes as encoded;
use collector_pdata::proto::Malformed;
use std::collections::HashSet;

/// The most keys that are looked through one after the other.
const FEW: usize = 32;

/// A key and its new value; without one it is deleted.
pub(super) type Change = (String, Option<Value>);

/// Attributes that lie over encoded ones.
#[derive(Debug)]
pub(super) enum Overlay {
    /// Single attributes that were written, or, without a value, deleted; each key once.
    Changes(Vec<Change>),
    /// All attributes, in place of the encoded ones.
    All(Map),
}

impl Default for Overlay {
    fn default() -> Self {
        Overlay::Changes(Vec::new())
    }
}

/// The encoded attributes of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) message: &'a [u8],
    pub(super) number: u32,
}

impl Overlay {
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self, Overlay::Changes(changes) if changes.is_empty())
    }

    /// The value of one attribute, or of something within it.
    pub(super) fn get<'a>(&'a self, base: Base<'a>, key: &str, rest: &[Key]) -> Result<ValueRef<'a>, EvalError> {
        let written = match self {
            Overlay::All(map) => Some(find(map, key)),
            Overlay::Changes(changes) => {
                let change = changes.iter().find(|(changed, _)| changed == key);
                change.map(|(_, value)| value.as_ref())
            }
        };
        let value = match written {
            Some(value) => value.map(ValueRef::from),
            None => match encoded::find(base.message, base.number, key.as_bytes())? {
                Some(value) => Some(any_value(value)?),
                None => None,
            },
        };
        value.map_or(Ok(ValueRef::Nil), |value| value.entry(rest))
    }

    /// All attributes.
    pub(super) fn to_map(&self, base: Base<'_>) -> Result<Map, EvalError> {
        if let Overlay::All(map) = self {
            return Ok(map.clone());
        }
        let mut map = Map::new();
        let mut seen = HashSet::new();
        self.each(base, &mut |key, value| {
            // A few are looked through; a hostile message may have millions.
            let first = match map.len() <= FEW {
                true => find(&map, key).is_none(),
                false => {
                    if seen.is_empty() {
                        seen.extend(map.iter().map(|(key, _)| key.clone()));
                    }
                    seen.insert(key.to_owned())
                }
            };
            if first {
                map.push((key.to_owned(), value.clone().into_value()));
            }
            true
        })?;
        Ok(map)
    }

    /// All attributes, to be changed.
    pub(super) fn map_mut(&mut self, base: Base<'_>) -> Result<&mut Map, EvalError> {
        if let Overlay::Changes(_) = self {
            *self = Overlay::All(self.to_map(base)?);
        }
        match self {
            Overlay::All(map) => Ok(map),
            Overlay::Changes(_) => Err(EvalError::NoField("attributes")),
        }
    }

    pub(super) fn set(&mut self, base: Base<'_>, keys: &[Key], value: Value) -> Result<(), EvalError> {
        match (self, keys) {
            (Overlay::Changes(changes), [Key::Text(key)]) => {
                change(changes, key, Some(value));
                Ok(())
            }
            (overlay, keys) => {
                *map_entry_mut(overlay.map_mut(base)?, keys)? = value;
                Ok(())
            }
        }
    }

    /// Deletes the attributes whose keys are not to be kept.
    pub(super) fn retain(&mut self, base: Base<'_>, keep: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
        if let Overlay::All(map) = self {
            map.retain(|(key, _)| keep(key));
            return Ok(());
        }
        let mut deleted: Vec<String> = Vec::new();
        self.each_key(base, &mut |key| {
            if !keep(key) {
                deleted.push(key.to_owned());
            }
        })?;
        match self {
            Overlay::Changes(changes) if deleted.len() <= FEW => {
                deleted.iter().for_each(|key| change(changes, key, None));
            }
            // Every change is looked through for every attribute.
            overlay => overlay.map_mut(base)?.retain(|(key, _)| keep(key)),
        }
        Ok(())
    }

    /// Deletes one attribute, if it is there.
    pub(super) fn remove(&mut self, base: Base<'_>, key: &str) -> Result<(), EvalError> {
        match self {
            Overlay::All(map) => map.retain(|(found, _)| found != key),
            Overlay::Changes(changes) => {
                let written = changes.iter().any(|(changed, _)| changed == key);
                if written || encoded::find(base.message, base.number, key.as_bytes())?.is_some() {
                    change(changes, key, None);
                }
            }
        }
        Ok(())
    }

    fn each_key(&self, base: Base<'_>, visit: &mut dyn FnMut(&str)) -> Result<(), EvalError> {
        for pair in encoded::pairs(base.message, base.number) {
            visit(&String::from_utf8_lossy(pair?.0));
        }
        if let Overlay::Changes(changes) = self {
            changes.iter().for_each(|(key, _)| visit(key));
        }
        Ok(())
    }

    /// Shows attributes to `visit` until it gives `false`; one that was encoded twice is shown twice.
    pub(super) fn each(
        &self,
        base: Base<'_>,
        visit: &mut dyn FnMut(&str, &ValueRef<'_>) -> bool,
    ) -> Result<(), EvalError> {
        let changes = match self {
            Overlay::All(map) => {
                map.iter().all(|(key, value)| visit(key, &ValueRef::from(value)));
                return Ok(());
            }
            Overlay::Changes(changes) => changes,
        };
        for pair in encoded::pairs(base.message, base.number) {
            let (key, value) = pair?;
            let key = String::from_utf8_lossy(key);
            let go_on = match changes.iter().find(|(changed, _)| *changed == key) {
                Some((_, Some(value))) => visit(&key, &ValueRef::from(value)),
                Some((_, None)) => true,
                None => visit(&key, &any_value(value)?),
            };
            if !go_on {
                return Ok(());
            }
        }
        for (key, value) in changes {
            let Some(value) = value else { continue };
            let is_new = encoded::find(base.message, base.number, key.as_bytes())?.is_none();
            if is_new && !visit(key, &ValueRef::from(value)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Begins to write the attributes into a copy of their message.
    pub(super) fn placing(&self) -> Placing<'_> {
        let changes = match self {
            Overlay::Changes(changes) => changes.len(),
            Overlay::All(_) => 0,
        };
        Placing {
            overlay: self,
            placed: vec![false; changes],
            scratch: Vec::new(),
        }
    }
}

/// Attributes on their way into a copy of their message, field by field.
pub(super) struct Placing<'o> {
    overlay: &'o Overlay,
    /// Which of the changes have come by.
    placed: Vec<bool>,
    scratch: Vec<u8>,
}

/// What becomes of an encoded attribute.
pub(super) enum Fate<'o> {
    /// It stays as it is.
    Stays,
    /// It goes, and nothing takes its place.
    Goes,
    /// It goes, and this takes its place.
    Becomes(&'o Change),
}

impl<'o> Placing<'o> {
    /// What becomes of the next attribute of the message.
    pub(super) fn fate(&mut self, attribute: &[u8]) -> Result<Fate<'o>, Malformed> {
        let Overlay::Changes(changes) = self.overlay else {
            return Ok(Fate::Goes);
        };
        if changes.is_empty() {
            return Ok(Fate::Stays);
        }
        // A key that is not UTF-8 is known by what programs see of it.
        let (key, _) = encoded::pair(attribute)?;
        let key = String::from_utf8_lossy(key);
        let Some(at) = changes.iter().position(|(changed, _)| *changed == key) else {
            return Ok(Fate::Stays);
        };
        Ok(match std::mem::replace(&mut self.placed[at], true) {
            true => Fate::Goes,
            false => Fate::Becomes(&changes[at]),
        })
    }

    /// Appends a change, unless it is a deletion.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, number: u32, (key, value): &Change) {
        if let Some(value) = value {
            put_value(out, number, key, value, &mut self.scratch);
        }
    }

    /// Appends what has had no place yet.
    pub(super) fn put_rest(mut self, out: &mut Vec<u8>, number: u32) {
        match self.overlay {
            Overlay::All(map) => {
                for (key, value) in map {
                    put_value(out, number, key, value, &mut self.scratch);
                }
            }
            Overlay::Changes(changes) => {
                for (at, change) in changes.iter().enumerate() {
                    if !self.placed[at] {
                        self.put(out, number, change);
                    }
                }
            }
        }
    }
}

fn change(changes: &mut Vec<Change>, key: &str, value: Option<Value>) {
    match changes.iter_mut().find(|(changed, _)| changed == key) {
        Some((_, slot)) => *slot = value,
        None => changes.push((key.to_owned(), value)),
    }
}

fn put_value(out: &mut Vec<u8>, number: u32, key: &str, value: &Value, scratch: &mut Vec<u8>) {
    scratch.clear();
    value.put(scratch);
    encoded::put(out, number, key.as_bytes(), scratch);
}
