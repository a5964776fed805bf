//! What is written to the attributes of a message, over those that it has.

use super::wire::any_value;
use crate::ast::Key;
use crate::error::EvalError;
use crate::value::{Map, ValueRef, find, map_entry_mut};
use collector_pdata::Value;
use collector_pdata::attributes as encoded;
use collector_pdata::proto::{Malformed, fields};
use std::collections::HashSet;

/// The most keys that are looked through one after the other.
const FEW: usize = 32;

/// Attributes that lie over encoded ones.
#[derive(Debug)]
pub(super) enum Overlay {
    /// Single attributes that were written, or, without a value, deleted; each key once.
    Changes(Vec<(String, Option<Value>)>),
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

impl<'a> Base<'a> {
    /// Keys and encoded values, in order.
    fn entries(self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> {
        let attributes = fields(self.message).filter(move |field| match field {
            Ok(field) => field.number == self.number,
            Err(_) => true,
        });
        attributes.map(|field| key_and_value(field?.bytes()?))
    }
}

fn key_and_value(attribute: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in fields(attribute) {
        let field = field?;
        match field.number {
            1 => key = field.bytes()?,
            2 => value = field.bytes()?,
            _ => {}
        }
    }
    Ok((key, value))
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
        self.each(base, &mut |key, value| {
            map.push((key.to_owned(), value.clone().into_value()));
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
        let mut deleted = Vec::new();
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

    fn each_key(&self, base: Base<'_>, visit: &mut dyn FnMut(&str)) -> Result<(), EvalError> {
        for entry in base.entries() {
            visit(&String::from_utf8_lossy(entry?.0));
        }
        if let Overlay::Changes(changes) = self {
            changes.iter().for_each(|(key, _)| visit(key));
        }
        Ok(())
    }

    /// Shows attributes to `visit` until it gives `false`. Of several with one key the first counts.
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
        let mut seen = Seen::default();
        for entry in base.entries() {
            let (raw_key, value) = entry?;
            if !seen.is_first(raw_key) {
                continue;
            }
            let key = String::from_utf8_lossy(raw_key);
            let go_on = match changes.iter().find(|(changed, _)| *changed == key) {
                Some((_, Some(value))) => visit(&key, &ValueRef::from(value)),
                Some((_, None)) => true,
                None => visit(&key, &any_value(value)?),
            };
            if !go_on {
                return Ok(());
            }
        }
        let added = changes.iter().filter(|(key, _)| !seen.has(key.as_bytes()));
        let mut added = added.filter_map(|(key, value)| Some((key, value.as_ref()?)));
        added.all(|(key, value)| visit(key, &ValueRef::from(value)));
        Ok(())
    }

    /// Appends all attributes, as fields of a message.
    pub(super) fn put(&self, base: Base<'_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let mut value = Vec::new();
        match self {
            Overlay::All(map) => map.iter().for_each(|(key, written)| {
                put_value(out, base.number, key, written, &mut value);
            }),
            Overlay::Changes(changes) => {
                let mut seen = Seen::default();
                for entry in base.entries() {
                    let (key, kept) = entry?;
                    let first = seen.is_first(key);
                    match changes.iter().find(|(changed, _)| changed.as_bytes() == key) {
                        None => encoded::put(out, base.number, key, kept),
                        Some((key, Some(written))) if first => put_value(out, base.number, key, written, &mut value),
                        Some(_) => {}
                    }
                }
                for (key, written) in changes.iter().filter(|(key, _)| !seen.has(key.as_bytes())) {
                    if let Some(written) = written {
                        put_value(out, base.number, key, written, &mut value);
                    }
                }
            }
        }
        Ok(())
    }
}

fn change(changes: &mut Vec<(String, Option<Value>)>, key: &str, value: Option<Value>) {
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

/// Keys that were seen: a few are looked through, many are hashed, since a hostile message may have millions.
#[derive(Debug, Default)]
struct Seen<'a> {
    few: Vec<&'a [u8]>,
    many: HashSet<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn has(&self, key: &[u8]) -> bool {
        self.few.contains(&key) || self.many.contains(key)
    }

    fn is_first(&mut self, key: &'a [u8]) -> bool {
        if self.has(key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        true
    }
}
