//! What a program is evaluated on.

use crate::error::EvalError;
use crate::path::Path;
use crate::value::{Map, ValueRef};
use collector_pdata::Value;
use std::borrow::Cow;

/// A span, a log record, a metric...: something whose fields can be read and written by a path of its [`Context`] or of
/// one that this reaches.
///
/// [`Context`]: crate::Context
pub trait Record {
    /// The value at `path`. `Nil` if a map has no such key; an error if this record has no such field or a key leads into
    /// something that has none.
    fn get(&self, path: &Path) -> Result<ValueRef<'_>, EvalError>;

    /// Writes the value at `path`. `value` is of the field's shape unless that depends on the record.
    fn set(&mut self, path: &Path, value: Value) -> Result<(), EvalError>;

    /// The map at `path`, to be changed. An error if what is there is no map.
    fn map_mut(&mut self, path: &Path) -> Result<&mut Map, EvalError>;

    /// Removes the keys of the map at `path` that are not to be kept. An error if what is there is no map.
    fn retain(&mut self, path: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
        self.map_mut(path)?.retain(|(key, _)| keep(key));
        Ok(())
    }

    /// Shows each entry of the map at `path` to `visit` until that is content and gives `false`. An error if what is there
    /// is no map. A record that holds its maps encoded shows them without building one.
    fn each(&self, path: &Path, visit: &mut dyn FnMut(&str, &ValueRef<'_>) -> bool) -> Result<(), EvalError> {
        each_entry(&expect_map(self.get(path)?)?, visit);
        Ok(())
    }
}

/// Shows entries to `visit` until it gives `false`.
pub(crate) fn each_entry(entries: &[(String, Value)], visit: &mut dyn FnMut(&str, &ValueRef<'_>) -> bool) {
    for (key, value) in entries {
        if !visit(key, &ValueRef::from(value)) {
            return;
        }
    }
}

/// The entries of `value` if it is a map.
pub(crate) fn expect_map(value: ValueRef<'_>) -> Result<Cow<'_, [(String, Value)]>, EvalError> {
    match value {
        ValueRef::Map(entries) => Ok(entries),
        other => Err(EvalError::Type {
            what: "the editor",
            expected: "a map",
            found: other.type_name(),
        }),
    }
}
