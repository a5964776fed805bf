//! A value that borrows from a record, how two are compared, and how entries of nested values are reached.

use crate::ast::{CompareOp, Key};
use crate::error::EvalError;
use collector_pdata::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

/// The farthest that an assignment to an index may lengthen a list.
const MAX_GROWN_LIST: usize = 1024;

/// The entries of a map, in their order.
pub type Map = Vec<(String, Value)>;

/// A value of a record or of a program, borrowed where that is possible.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ValueRef<'a> {
    /// `nil`: there is no value.
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A double.
    Double(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes; ids are bytes too.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    List(Cow<'a, [Value]>),
    /// A map.
    Map(Cow<'a, [(String, Value)]>),
}

impl<'a> ValueRef<'a> {
    /// A text that was encoded as `bytes`. What is not UTF-8 in it is replaced.
    pub fn text(bytes: &'a [u8]) -> Self {
        ValueRef::Text(String::from_utf8_lossy(bytes))
    }

    /// Its type, in the language's words.
    pub fn type_name(&self) -> &'static str {
        match self {
            ValueRef::Nil => "nil",
            ValueRef::Bool(_) => "bool",
            ValueRef::Int(_) => "int",
            ValueRef::Double(_) => "double",
            ValueRef::Text(_) => "text",
            ValueRef::Bytes(_) => "bytes",
            ValueRef::List(_) => "list",
            ValueRef::Map(_) => "map",
        }
    }

    /// A value that borrows nothing.
    pub fn into_value(self) -> Value {
        match self {
            ValueRef::Nil => Value::Null,
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::Int(value) => Value::Int(value),
            ValueRef::Double(value) => Value::Double(value),
            ValueRef::Text(text) => Value::Text(text.into_owned()),
            ValueRef::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
            ValueRef::List(values) => Value::List(values.into_owned()),
            ValueRef::Map(entries) => Value::Map(entries.into_owned()),
        }
    }

    /// The entry that `keys` lead to; `Nil` if a map on the way has no such key.
    pub fn entry(self, keys: &[Key]) -> Result<ValueRef<'a>, EvalError> {
        match (self, keys) {
            (value, []) => Ok(value),
            (ValueRef::Map(Cow::Borrowed(entries)), [Key::Text(key), rest @ ..]) => match find(entries, key) {
                Some(value) => ValueRef::from(value).entry(rest),
                None => Ok(ValueRef::Nil),
            },
            (ValueRef::List(Cow::Borrowed(values)), [Key::Index(index), rest @ ..]) => {
                ValueRef::from(element(values, *index)?).entry(rest)
            }
            (value, keys) => {
                let owned = value.into_value();
                match ValueRef::from(&owned) {
                    view @ (ValueRef::Map(_) | ValueRef::List(_)) if fits(&view, keys) => {
                        Ok(owned_ref(view.entry(keys)?.into_value()))
                    }
                    view => Err(not_indexable(&view, &keys[0])),
                }
            }
        }
    }
}

fn fits(value: &ValueRef<'_>, keys: &[Key]) -> bool {
    matches!(
        (value, keys),
        (ValueRef::Map(_), [Key::Text(_), ..]) | (ValueRef::List(_), [Key::Index(_), ..])
    )
}

fn not_indexable(value: &ValueRef<'_>, key: &Key) -> EvalError {
    EvalError::Index {
        key: key.to_string(),
        found: value.type_name(),
    }
}

fn element(values: &[Value], index: usize) -> Result<&Value, EvalError> {
    let length = values.len();
    values.get(index).ok_or(EvalError::OutOfRange { index, length })
}

/// The value under `key`.
pub fn find<'a>(entries: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    let entry = entries.iter().find(|(name, _)| name == key);
    entry.map(|(_, value)| value)
}

/// From so many entries on, a map is given an index where many of its keys are looked up.
const FEW: usize = 32;

/// A map whose keys are looked up many times: small ones are looked through, the others, which a hostile message may have
/// a million entries in, have an index.
pub(crate) struct Indexed<'a> {
    entries: &'a mut Map,
    index: HashMap<String, usize>,
}

impl<'a> Indexed<'a> {
    pub(crate) fn new(entries: &'a mut Map) -> Self {
        let index = HashMap::new();
        let mut indexed = Indexed { entries, index };
        indexed.take_into_index();
        indexed
    }

    /// Takes all entries into the index, once there are enough.
    fn take_into_index(&mut self) {
        if self.entries.len() > FEW {
            for (at, (key, _)) in self.entries.iter().enumerate().rev() {
                self.index.insert(key.clone(), at);
            }
        }
    }

    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        match self.index.is_empty() {
            true => self.entries.iter().position(|(name, _)| name == key),
            false => self.index.get(key).copied(),
        }
    }

    /// Puts `value` under `key`, in place of what was there.
    pub(crate) fn insert(&mut self, key: String, value: Value) {
        match self.position(&key) {
            Some(at) => self.entries[at].1 = value,
            None if self.index.is_empty() => {
                self.entries.push((key, value));
                self.take_into_index();
            }
            None => {
                self.index.insert(key.clone(), self.entries.len());
                self.entries.push((key, value));
            }
        }
    }
}

/// Where the value under `key` is, or, if there was none, now can be.
fn slot<'a>(entries: &'a mut Map, key: &str) -> &'a mut Value {
    let at = entries.iter().position(|(name, _)| name == key);
    let at = at.unwrap_or_else(|| {
        entries.push((key.to_owned(), Value::Null));
        entries.len() - 1
    });
    &mut entries[at].1
}

/// The entry of `target` that `keys` lead to, to be written; made on the way where there is nothing yet.
pub fn entry_mut<'a>(target: &'a mut Value, keys: &[Key]) -> Result<&'a mut Value, EvalError> {
    let Some((key, rest)) = keys.split_first() else {
        return Ok(target);
    };
    if *target == Value::Null {
        *target = match key {
            Key::Text(_) => Value::Map(Vec::new()),
            Key::Index(_) => Value::List(Vec::new()),
        };
        if let (Value::List(values), Key::Index(index)) = (&mut *target, key) {
            grow(values, *index)?;
        }
    }
    let found = ValueRef::from(&*target).type_name();
    let entry = match (target, key) {
        (Value::Map(entries), Key::Text(key)) => slot(entries, key),
        (Value::List(values), Key::Index(index)) => {
            let length = values.len();
            let out_of_range = EvalError::OutOfRange { index: *index, length };
            values.get_mut(*index).ok_or(out_of_range)?
        }
        (_, key) => {
            let key = key.to_string();
            return Err(EvalError::Index { key, found });
        }
    };
    entry_mut(entry, rest)
}

fn grow(values: &mut Vec<Value>, index: usize) -> Result<(), EvalError> {
    if index >= MAX_GROWN_LIST {
        return Err(EvalError::OutOfRange { index, length: 0 });
    }
    values.resize(index + 1, Value::Null);
    Ok(())
}

/// As [`entry_mut`], from a map on.
pub fn map_entry_mut<'a>(entries: &'a mut Map, keys: &[Key]) -> Result<&'a mut Value, EvalError> {
    match keys {
        [Key::Text(key), rest @ ..] => entry_mut(slot(entries, key), rest),
        _ => Err(EvalError::Index {
            key: keys.first().map_or(String::new(), Key::to_string),
            found: "map",
        }),
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => ValueRef::Nil,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Double(value) => ValueRef::Double(*value),
            Value::Text(text) => ValueRef::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => ValueRef::Bytes(Cow::Borrowed(bytes)),
            Value::List(values) => ValueRef::List(Cow::Borrowed(values)),
            Value::Map(entries) => ValueRef::Map(Cow::Borrowed(entries)),
        }
    }
}

/// A value for itself.
pub(crate) fn owned_ref(value: Value) -> ValueRef<'static> {
    match value {
        Value::Null => ValueRef::Nil,
        Value::Bool(value) => ValueRef::Bool(value),
        Value::Int(value) => ValueRef::Int(value),
        Value::Double(value) => ValueRef::Double(value),
        Value::Text(text) => ValueRef::Text(Cow::Owned(text)),
        Value::Bytes(bytes) => ValueRef::Bytes(Cow::Owned(bytes)),
        Value::List(values) => ValueRef::List(Cow::Owned(values)),
        Value::Map(entries) => ValueRef::Map(Cow::Owned(entries)),
    }
}

impl CompareOp {
    /// Whether `left` and `right` compare so. Values of types that have no order with each other are only unequal; `nil`
    /// equals `nil`; an int and a double compare as doubles.
    pub fn holds(self, left: &ValueRef<'_>, right: &ValueRef<'_>) -> bool {
        match (left, right) {
            (ValueRef::Nil, ValueRef::Nil) => self.allows(Some(Ordering::Equal)),
            (ValueRef::Bool(a), ValueRef::Bool(b)) => self.allows(Some(a.cmp(b))),
            (ValueRef::Int(a), ValueRef::Int(b)) => self.allows(Some(a.cmp(b))),
            (ValueRef::Int(a), ValueRef::Double(b)) => self.allows((*a as f64).partial_cmp(b)),
            (ValueRef::Double(a), ValueRef::Int(b)) => self.allows(a.partial_cmp(&(*b as f64))),
            (ValueRef::Double(a), ValueRef::Double(b)) => self.allows(a.partial_cmp(b)),
            (ValueRef::Text(a), ValueRef::Text(b)) => self.allows(Some(a.cmp(b))),
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => self.allows(Some(a.cmp(b))),
            (ValueRef::List(a), ValueRef::List(b)) => self.equality(lists_equal(a, b)),
            (ValueRef::Map(a), ValueRef::Map(b)) => self.equality(maps_equal(a, b)),
            _ => self == CompareOp::NotEqual,
        }
    }

    fn allows(self, ordering: Option<Ordering>) -> bool {
        match self {
            CompareOp::Equal => ordering == Some(Ordering::Equal),
            CompareOp::NotEqual => ordering != Some(Ordering::Equal),
            CompareOp::Less => ordering == Some(Ordering::Less),
            CompareOp::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            CompareOp::Greater => ordering == Some(Ordering::Greater),
            CompareOp::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        }
    }

    fn equality(self, equal: bool) -> bool {
        match self {
            CompareOp::Equal => equal,
            CompareOp::NotEqual => !equal,
            _ => false,
        }
    }
}

fn lists_equal(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
}

fn maps_equal(a: &[(String, Value)], b: &[(String, Value)]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let same = |value: &Value, other: Option<&Value>| other.is_some_and(|other| same_value(value, other));
    if a.len() <= FEW {
        return a.iter().all(|(key, value)| same(value, find(b, key)));
    }
    let b: HashMap<&str, &Value> = b.iter().map(|(key, value)| (key.as_str(), value)).collect();
    a.iter().all(|(key, value)| same(value, b.get(key.as_str()).copied()))
}

/// Whether two values are of one type and the same. The order of a map's entries makes no difference.
pub fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => lists_equal(a, b),
        (Value::Map(a), Value::Map(b)) => maps_equal(a, b),
        _ => a == b,
    }
}
