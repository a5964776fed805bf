//! A record of plain values.

use collector_ottl::value::{Map, map_entry_mut};
use collector_ottl::{Condition, Context, EvalError, Field, Path, Record, Statement, ValueRef};
use collector_pdata::Value;
use std::collections::HashMap;

#[derive(Debug, Clone, Default)]
pub struct Plain {
    pub fields: HashMap<(Context, Field), Value>,
}

impl Record for Plain {
    fn get(&self, path: &Path) -> Result<ValueRef<'_>, EvalError> {
        match self.fields.get(&(path.context, path.field)) {
            Some(value) => ValueRef::from(value).entry(&path.keys),
            None => Ok(ValueRef::Nil),
        }
    }

    fn set(&mut self, path: &Path, value: Value) -> Result<(), EvalError> {
        let field = self.fields.entry((path.context, path.field)).or_default();
        *collector_ottl::value::entry_mut(field, &path.keys)? = value;
        Ok(())
    }

    fn map_mut(&mut self, path: &Path) -> Result<&mut Map, EvalError> {
        let field = self.fields.entry((path.context, path.field)).or_default();
        let target = match (field, path.keys.as_slice()) {
            (field, []) => field,
            (Value::Map(map), keys) => map_entry_mut(map, keys)?,
            (field, _) => field,
        };
        match target {
            Value::Map(map) => Ok(map),
            _ => Err(EvalError::NoField("map")),
        }
    }
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

/// A span with values of every type.
pub fn span() -> Plain {
    let attributes = map(&[
        ("text", text("GET /user/42")),
        ("int", Value::Int(7)),
        ("double", Value::Double(2.5)),
        ("yes", Value::Bool(true)),
        ("bytes", Value::Bytes(vec![1, 0xab])),
        ("list", Value::List(vec![text("a"), Value::Int(2)])),
        (
            "map",
            map(&[("inner", text("deep")), ("list", Value::List(vec![Value::Int(1)]))]),
        ),
        ("null", Value::Null),
    ]);
    let of_span = |field, value| ((Context::Span, field), value);
    Plain {
        fields: HashMap::from([
            of_span(Field::Attributes, attributes),
            of_span(Field::Name, text("checkout")),
            of_span(Field::Kind, Value::Int(2)),
            of_span(Field::StatusCode, Value::Int(2)),
            of_span(Field::StartTimeUnixNano, Value::Int(1_000)),
            of_span(Field::EndTimeUnixNano, Value::Int(3_000)),
            of_span(Field::TraceId, Value::Bytes((1..=16).collect())),
            of_span(Field::ParentSpanId, Value::Bytes(vec![0; 8])),
            of_span(Field::Cache, map(&[])),
            ((Context::Resource, Field::Attributes), map(&[("host", text("node-1"))])),
            ((Context::Scope, Field::Name), text("http")),
        ]),
    }
}

pub fn holds(condition: &str) -> Result<bool, EvalError> {
    let condition = Condition::compile(Context::Span, condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    condition.holds(&span())
}

/// The span's attributes after `statement`.
pub fn attributes_after(attributes: &[(&str, Value)], statement: &str) -> Value {
    let mut record = span();
    let key = (Context::Span, Field::Attributes);
    record.fields.insert(key, map(attributes));
    let statement = Statement::compile(Context::Span, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    statement.run(&mut record).expect("runs");
    record.fields[&key].clone()
}
