//! Does actions to the attributes of encoded messages.

use super::action::{Action, Source, Work};
use super::convert::Target;
use super::hash;
use collector_pdata::attributes::{Editor, Open, modify, put_text};
use collector_pdata::edit::Change;
use collector_pdata::traces::AnyValue;
use collector_pdata::{Malformed, Value};
use regex::Regex;
use std::sync::Arc;

/// Does actions to one message after the other.
pub(crate) struct Applier {
    actions: Arc<[Action]>,
    editor: Editor,
    scratch: Vec<u8>,
}

/// What becomes of one attribute whose key is known; it needs to see no other.
enum Single<'a> {
    Set(&'a [u8]),
    Delete,
    Hash,
    Convert(Target),
}

impl Applier {
    pub(super) fn new(actions: Arc<[Action]>) -> Self {
        Applier {
            actions,
            editor: Editor::default(),
            scratch: Vec::new(),
        }
    }

    /// Does all actions to the attributes in field `number` of `message`, and appends the new message to `out` if that
    /// has changed it.
    pub(crate) fn apply(&mut self, message: &[u8], number: u32, out: &mut Vec<u8>) -> Result<Change, Malformed> {
        // One action is what is configured most, and several times as fast alone.
        if let [action] = &*self.actions
            && let Some(single) = Single::of(action)
        {
            return modify(message, number, &action.key, out, |old, out| single.edit(old, out));
        }
        let mut open = self.editor.open(message, number)?;
        for action in &*self.actions {
            action.apply(&mut open, &mut self.scratch)?;
        }
        Ok(open.finish(out))
    }
}

impl<'a> Single<'a> {
    fn of(action: &'a Action) -> Option<Self> {
        match &action.work {
            Work::Update(Source::Value(value)) => Some(Single::Set(value)),
            Work::Delete(None) => Some(Single::Delete),
            Work::Hash(None) => Some(Single::Hash),
            Work::Convert(target) => Some(Single::Convert(*target)),
            _ => None,
        }
    }

    fn edit(&self, old: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        match self {
            Single::Set(value) => {
                out.extend_from_slice(value);
                Ok(Change::Replace)
            }
            Single::Delete => Ok(Change::Drop),
            Single::Hash => hash::put(old, out),
            Single::Convert(target) => target.put(old, out),
        }
    }
}

impl Action {
    fn apply(&self, open: &mut Open<'_, '_>, scratch: &mut Vec<u8>) -> Result<(), Malformed> {
        let key = &self.key;
        match &self.work {
            Work::Insert(source) => source.give(open, scratch, |open, value| {
                open.insert(key, value);
            }),
            Work::Update(source) => source.give(open, scratch, |open, value| {
                open.update(key, value);
            }),
            Work::Upsert(source) => source.give(open, scratch, |open, value| open.upsert(key, value)),
            Work::Delete(pattern) => delete(open, key, pattern.as_ref()),
            Work::Hash(pattern) => return hash_all(open, key, pattern.as_ref()),
            Work::Extract(pattern) => return extract(open, key, pattern, scratch),
            Work::Convert(target) => return open.modify(key, |old, out| target.put(old, out)),
        }
        Ok(())
    }
}

impl Source {
    /// Gives the value to `take`, if there is one.
    fn give(&self, open: &mut Open<'_, '_>, scratch: &mut Vec<u8>, take: impl FnOnce(&mut Open<'_, '_>, &[u8])) {
        match self {
            Source::Value(value) => take(open, value),
            Source::Attribute { key, default } => {
                if let Some(value) = open.get(key).or(default.as_deref()) {
                    scratch.clear();
                    scratch.extend_from_slice(value);
                    take(open, scratch);
                }
            }
        }
    }
}

fn delete(open: &mut Open<'_, '_>, key: &[u8], pattern: Option<&Regex>) {
    open.delete(key);
    if let Some(pattern) = pattern {
        open.retain(|key, _| !matches(pattern, key));
    }
}

/// A key that is named and matches as well is hashed twice, as upstream does it.
fn hash_all(open: &mut Open<'_, '_>, key: &[u8], pattern: Option<&Regex>) -> Result<(), Malformed> {
    open.modify(key, hash::put)?;
    let Some(pattern) = pattern else { return Ok(()) };
    open.for_each(|key, old, out| match matches(pattern, key) {
        true => hash::put(old, out),
        false => Ok(Change::Keep),
    })
}

fn matches(pattern: &Regex, key: &[u8]) -> bool {
    pattern.is_match(&String::from_utf8_lossy(key))
}

fn extract(open: &mut Open<'_, '_>, key: &[u8], pattern: &Regex, scratch: &mut Vec<u8>) -> Result<(), Malformed> {
    let value = open.get(key).map(AnyValue::read).transpose()?.flatten();
    let Some(AnyValue::Text(text)) = value else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(text).into_owned();
    let Some(groups) = pattern.captures(&text) else {
        return Ok(());
    };
    for name in pattern.capture_names().flatten() {
        scratch.clear();
        put_text(scratch, groups.name(name).map_or("", |group| group.as_str()));
        open.upsert(name.as_bytes(), scratch);
    }
    Ok(())
}

/// Appends a value as an encoded `AnyValue`.
pub(super) fn replace(value: &Value, out: &mut Vec<u8>) -> Change {
    value.put(out);
    Change::Replace
}
