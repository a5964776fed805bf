//! One encoded message, and what was written over it.

use super::attributes::{Base, Fate, Overlay};
use super::derived;
use super::tables::{METRIC, RESOURCE, SCOPE, SPAN_EVENT, Table, of_item};
use super::wire::Slot;
use crate::ast::Key;
use crate::error::EvalError;
use crate::operand::mismatch;
use crate::path::{Context, Field};
use crate::record::{each_entry, expect_map};
use crate::value::{Map, ValueRef, entry_mut, owned_ref};
use collector_pdata::edit::Change;
use collector_pdata::proto::{FIXED32, FieldValue};
use collector_pdata::proto::{Malformed, fields, put_bytes, put_fixed64, put_key, put_varint_field};
use collector_pdata::{ItemKind, Value};
use std::borrow::Cow;

/// One encoded message as fields to read and to write.
#[derive(Debug)]
pub struct Layer<'m> {
    table: &'static Table,
    message: Cow<'m, [u8]>,
    written: Vec<(&'static Slot, Value)>,
    attributes: Overlay,
    /// What is known of the message and does not stand in it as it is asked for.
    facts: Vec<(Field, Value)>,
    cache: Value,
}

impl<'m> Layer<'m> {
    fn new(table: &'static Table, message: Cow<'m, [u8]>) -> Self {
        Layer {
            table,
            message,
            written: Vec::new(),
            attributes: Overlay::default(),
            facts: Vec::new(),
            cache: Value::Map(Vec::new()),
        }
    }

    /// A `Resource`, of which a copy is kept.
    pub fn resource(message: &[u8]) -> Layer<'static> {
        Layer::new(RESOURCE, Cow::Owned(message.to_vec()))
    }

    /// An `InstrumentationScope`, of which a copy is kept.
    pub fn scope(message: &[u8]) -> Layer<'static> {
        Layer::new(SCOPE, Cow::Owned(message.to_vec()))
    }

    /// A `Metric` with its points. A copy is kept of what describes it: the fields name, description, unit and metadata,
    /// which is also what [`Layer::finish`] gives.
    pub fn metric(message: &[u8]) -> Result<Layer<'static>, Malformed> {
        let mut head = Vec::new();
        let mut facts = (0, None, None);
        for field in fields(message) {
            let field = field?;
            match field.number {
                1..=3 | 12 => put_bytes(&mut head, field.number, field.bytes()?),
                5 | 7 | 9 | 10 | 11 => facts = metric_facts(field.number, field.bytes()?)?,
                _ => {}
            }
        }
        let (kind, temporality, monotonic) = facts;
        let mut layer = Layer::new(METRIC, Cow::Owned(head));
        layer.facts = vec![(Field::Type, Value::Int(kind))];
        let temporality = temporality.map(|number| (Field::AggregationTemporality, Value::Int(number)));
        let monotonic = monotonic.map(|is_monotonic| (Field::IsMonotonic, Value::Bool(is_monotonic)));
        layer.facts.extend(temporality.into_iter().chain(monotonic));
        Ok(layer)
    }

    /// A span, a log record or a data point.
    pub fn item(kind: ItemKind, message: &'m [u8]) -> Self {
        Layer::new(of_item(kind), Cow::Borrowed(message))
    }

    /// A span's `Event`.
    pub fn span_event(message: &'m [u8]) -> Self {
        Layer::new(SPAN_EVENT, Cow::Borrowed(message))
    }

    /// Whose fields it has.
    pub fn context(&self) -> Context {
        self.table.context
    }

    /// Forgets what was put in the cache.
    pub fn clear_cache(&mut self) {
        self.cache = Value::Map(Vec::new());
    }

    /// Takes another message in place of its own. What was written lies over this one then; fields that the layer does
    /// not know, such as a span's events, may differ.
    pub fn rebase(&mut self, message: Vec<u8>) {
        self.message = Cow::Owned(message);
    }

    /// Whether something was written.
    pub fn is_changed(&self) -> bool {
        !self.written.is_empty() || !self.attributes.is_untouched()
    }

    /// Appends the new message to `out` if something was written. Fields that are not known stay.
    pub fn finish(&self, out: &mut Vec<u8>) -> Result<Change, EvalError> {
        if !self.is_changed() {
            return Ok(Change::Keep);
        }
        out.reserve(self.message.len() + 64);
        let mut attributes = self.attributes.placing();
        let mut copied = 0;
        let mut walk = fields(&self.message);
        let mut start = 0;
        while let Some(field) = walk.next() {
            let field = field?;
            let end = self.message.len() - walk.remaining();
            let fate = match (
                self.table.attributes == Some(field.number),
                self.is_replaced(field.number),
            ) {
                (true, _) => attributes.fate(field.bytes()?)?,
                (false, true) => Fate::Goes,
                (false, false) => Fate::Stays,
            };
            if !matches!(fate, Fate::Stays) {
                out.extend_from_slice(&self.message[copied..start]);
                copied = end;
            }
            if let Fate::Becomes(change) = fate {
                attributes.put(out, field.number, change);
            }
            start = end;
        }
        out.extend_from_slice(&self.message[copied..]);
        if let Some(number) = self.table.attributes {
            attributes.put_rest(out, number);
        }
        self.put_written(out)?;
        Ok(Change::Replace)
    }

    /// Whether fields of this number are written anew.
    fn is_replaced(&self, number: u32) -> bool {
        self.written.iter().any(|(slot, _)| match slot.within {
            Some(within) => within == number,
            None => slot.number == number || slot.instead_of == Some(number),
        })
    }

    fn put_written(&self, out: &mut Vec<u8>) -> Result<(), EvalError> {
        for (index, (slot, value)) in self.written.iter().enumerate() {
            match slot.within {
                None => slot.put(out, value),
                Some(within)
                    if self.written[..index]
                        .iter()
                        .any(|(slot, _)| slot.within == Some(within)) => {}
                Some(within) => put_bytes(out, within, &self.inner_message(within)?),
            }
        }
        Ok(())
    }

    /// A message within the message, with what was written in it.
    fn inner_message(&self, within: u32) -> Result<Vec<u8>, EvalError> {
        let written = || self.written.iter().filter(|(slot, _)| slot.within == Some(within));
        let mut inner = Vec::new();
        for outer in fields(&self.message) {
            let outer = outer?;
            if outer.number != within {
                continue;
            }
            for field in fields(outer.bytes()?) {
                let field = field?;
                if !written().any(|(slot, _)| slot.number == field.number) {
                    put_field(&mut inner, field.number, field.value);
                }
            }
        }
        written().for_each(|(slot, value)| slot.put(&mut inner, value));
        Ok(inner)
    }

    fn base(&self) -> Option<Base<'_>> {
        let message = &self.message;
        self.table.attributes.map(|number| Base { message, number })
    }

    fn slot(&self, field: Field) -> Option<&'static Slot> {
        self.table.slots.iter().find(|slot| slot.field == field)
    }

    /// A field's value. A field that this kind of message does not have is `nil`.
    pub(super) fn get(&self, field: Field, keys: &[Key]) -> Result<ValueRef<'_>, EvalError> {
        match (field, keys) {
            (Field::Cache, keys) => ValueRef::from(&self.cache).entry(keys),
            (Field::Attributes, keys) => self.attribute(keys),
            (Field::TraceState, [Key::Text(key)]) => Ok(derived::member(self.scalar(field)?, key)),
            (field, keys) => match derived::source(field) {
                Some(source) => Ok(derived::read(field, self.scalar(source)?)),
                None => self.scalar(field)?.entry(keys),
            },
        }
    }

    fn attribute(&self, keys: &[Key]) -> Result<ValueRef<'_>, EvalError> {
        match (self.base(), keys) {
            (None, _) => Ok(ValueRef::Nil),
            (Some(base), [Key::Text(key), rest @ ..]) => self.attributes.get(base, key, rest),
            (Some(base), _) => self.attributes.to_map(base).map(|map| owned_ref(Value::Map(map))),
        }
    }

    fn scalar(&self, field: Field) -> Result<ValueRef<'_>, EvalError> {
        if let Some((_, value)) = self.facts.iter().find(|(fact, _)| *fact == field) {
            return Ok(ValueRef::from(value));
        }
        let Some(slot) = self.slot(field) else {
            return Ok(ValueRef::Nil);
        };
        if let Some((_, value)) = self.written.iter().find(|(written, _)| *written == slot) {
            return Ok(ValueRef::from(value));
        }
        // Of two fields that share a place, writing one has removed the other.
        let gone = self
            .written
            .iter()
            .any(|(written, _)| written.instead_of == Some(slot.number));
        Ok(slot.read(if gone { &[] } else { &self.message })?)
    }

    /// Writes a field. A field that this kind of message does not have is an error.
    pub(super) fn set(&mut self, field: Field, keys: &[Key], value: Value) -> Result<(), EvalError> {
        match (field, keys) {
            (Field::Cache, []) if value == Value::Null => self.cache = Value::Map(Vec::new()),
            (Field::Cache, keys) => *self.cache_entry(keys)? = value,
            (Field::Attributes, []) => match value {
                Value::Map(map) => self.attributes = Overlay::All(map),
                Value::Null => self.attributes = Overlay::All(Map::new()),
                other => return Err(mismatch("attributes", "a map", &ValueRef::from(&other))),
            },
            (Field::Attributes, keys) => {
                return self.edit_attributes(|attributes, base| attributes.set(base, keys, value));
            }
            (Field::TraceState, [Key::Text(key)]) => self.set_member(key, value)?,
            (field, keys) => match derived::source(field) {
                Some(source) => self.set_scalar(source, &[], derived::write(field, value)?)?,
                None => self.set_scalar(field, keys, value)?,
            },
        }
        Ok(())
    }

    fn set_member(&mut self, key: &str, value: Value) -> Result<(), EvalError> {
        let Value::Text(text) = &value else {
            return Err(mismatch("trace_state", "a text", &ValueRef::from(&value)));
        };
        let state = derived::with_member(&self.scalar(Field::TraceState)?, key, text)?;
        self.set_scalar(Field::TraceState, &[], Value::Text(state))
    }

    fn set_scalar(&mut self, field: Field, keys: &[Key], value: Value) -> Result<(), EvalError> {
        let slot = self.slot(field).ok_or(EvalError::NoField("such field to be set"))?;
        let value = match keys {
            [] => slot.check(value)?,
            keys => {
                let mut whole = self.scalar(field)?.into_value();
                *entry_mut(&mut whole, keys)? = value;
                whole
            }
        };
        self.written
            .retain(|(written, _)| *written != slot && Some(written.number) != slot.instead_of);
        self.written.push((slot, value));
        Ok(())
    }

    fn cache_entry(&mut self, keys: &[Key]) -> Result<&mut Value, EvalError> {
        entry_mut(&mut self.cache, keys)
    }

    /// The map in a field, to be changed.
    pub(super) fn map_mut(&mut self, field: Field, keys: &[Key]) -> Result<&mut Map, EvalError> {
        let (target, keys) = match field {
            Field::Cache => (&mut self.cache, keys),
            Field::Attributes => return self.attributes_mut(keys),
            _ => (self.written_mut(field)?, keys),
        };
        as_map(entry_mut(target, keys)?)
    }

    fn attributes_mut(&mut self, keys: &[Key]) -> Result<&mut Map, EvalError> {
        let message = &self.message;
        let number = self.table.attributes.ok_or(EvalError::NoField("attributes"))?;
        let map = self.attributes.map_mut(Base { message, number })?;
        match keys {
            [] => Ok(map),
            keys => as_map(crate::value::map_entry_mut(map, keys)?),
        }
    }

    /// A field's value among those that were written.
    fn written_mut(&mut self, field: Field) -> Result<&mut Value, EvalError> {
        let value = self.scalar(field)?.into_value();
        let slot = self.slot(field).ok_or(EvalError::NoField("map"))?;
        let at = self.written.iter().position(|(written, _)| *written == slot);
        let at = at.unwrap_or_else(|| {
            self.written.push((slot, value));
            self.written.len() - 1
        });
        Ok(&mut self.written[at].1)
    }

    /// Removes attributes that are not to be kept.
    pub(super) fn retain_attributes(&mut self, keep: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
        self.edit_attributes(|attributes, base| attributes.retain(base, keep))
    }

    /// Removes one attribute.
    pub(super) fn remove_attribute(&mut self, key: &str) -> Result<(), EvalError> {
        self.edit_attributes(|attributes, base| attributes.remove(base, key))
    }

    fn edit_attributes(
        &mut self,
        edit: impl FnOnce(&mut Overlay, Base<'_>) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let message = &self.message;
        match self.table.attributes {
            Some(number) => edit(&mut self.attributes, Base { message, number }),
            None => Err(EvalError::NoField("attributes")),
        }
    }

    /// Shows the entries of the map in a field.
    pub(super) fn each(
        &self,
        field: Field,
        keys: &[Key],
        visit: &mut dyn FnMut(&str, &ValueRef<'_>) -> bool,
    ) -> Result<(), EvalError> {
        match (field, keys, self.base()) {
            (Field::Attributes, [], Some(base)) => self.attributes.each(base, visit),
            _ => {
                each_entry(&expect_map(self.get(field, keys)?)?, visit);
                Ok(())
            }
        }
    }
}

fn as_map(value: &mut Value) -> Result<&mut Map, EvalError> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(mismatch("the editor", "a map", &ValueRef::from(&*other))),
    }
}

/// Type, and where that has one temporality and monotonicity, by the field that holds a metric's data.
fn metric_facts(number: u32, data: &[u8]) -> Result<(i64, Option<i64>, Option<bool>), Malformed> {
    let kind = match number {
        5 => 1,
        7 => 2,
        9 => 3,
        10 => 4,
        _ => 5,
    };
    let (mut temporality, mut monotonic) = (0, false);
    if matches!(number, 7 | 9 | 10) {
        for field in fields(data) {
            let field = field?;
            match field.number {
                2 => temporality = field.varint()? as i64,
                3 if number == 7 => monotonic = field.varint()? != 0,
                _ => {}
            }
        }
    }
    let has_temporality = matches!(number, 7 | 9 | 10);
    Ok((
        kind,
        has_temporality.then_some(temporality),
        (number == 7).then_some(monotonic),
    ))
}

fn put_field(out: &mut Vec<u8>, number: u32, value: FieldValue<'_>) {
    match value {
        FieldValue::Varint(value) => put_varint_field(out, number, value),
        FieldValue::Fixed64(value) => put_fixed64(out, number, value),
        FieldValue::Bytes(bytes) => put_bytes(out, number, bytes),
        FieldValue::Fixed32(value) => {
            put_key(out, number, FIXED32);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}
