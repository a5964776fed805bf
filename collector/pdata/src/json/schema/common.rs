//! `common.proto` and `resource.proto`.

use super::{Field, Kind, Message, Rule, field};

pub(in crate::json) static RESOURCE: Message = Message::new(&[
    attributes(1),
    dropped_attributes_count(2),
    field(3, "entity_refs", "entityRefs", Kind::Message(&ENTITY_REF)).repeated(),
]);

static ENTITY_REF: Message = Message::new(&[
    schema_url(1),
    field(2, "type", "type", Kind::Text),
    field(3, "id_keys", "idKeys", Kind::Text).repeated(),
    field(4, "description_keys", "descriptionKeys", Kind::Text).repeated(),
]);

static SCOPE: Message = Message::new(&[
    field(1, "name", "name", Kind::Text),
    field(2, "version", "version", Kind::Text),
    attributes(3),
    dropped_attributes_count(4),
]);

pub(in crate::json) static KEY_VALUE: Message = Message::new(&[
    field(1, "key", "key", Kind::Text).always(),
    field(2, "value", "value", Kind::Message(&ANY_VALUE)).always(),
]);

pub(in crate::json) static ANY_VALUE: Message = Message {
    fields: &[
        field(1, "string_value", "stringValue", Kind::Text).rule(Rule::OneOf),
        field(2, "bool_value", "boolValue", Kind::Bool).rule(Rule::OneOf),
        field(3, "int_value", "intValue", Kind::Int64).rule(Rule::OneOf),
        field(4, "double_value", "doubleValue", Kind::Double).rule(Rule::OneOf),
        field(5, "array_value", "arrayValue", Kind::Message(&ARRAY_VALUE)).rule(Rule::OneOf),
        field(6, "kvlist_value", "kvlistValue", Kind::Message(&KEY_VALUE_LIST)).rule(Rule::OneOf),
        field(7, "bytes_value", "bytesValue", Kind::Bytes).rule(Rule::OneOf),
    ],
    nests: false,
    nullable: true,
};

static ARRAY_VALUE: Message = nesting(&[field(1, "values", "values", Kind::Message(&ANY_VALUE))
    .repeated()
    .always()]);
static KEY_VALUE_LIST: Message = nesting(&[field(1, "values", "values", Kind::Message(&KEY_VALUE))
    .repeated()
    .always()]);

const fn nesting(fields: &'static [Field]) -> Message {
    Message {
        fields,
        nests: true,
        nullable: false,
    }
}

pub(super) const fn resource() -> Field {
    field(1, "resource", "resource", Kind::Message(&RESOURCE)).always()
}

pub(super) const fn scope() -> Field {
    field(1, "scope", "scope", Kind::Message(&SCOPE)).always()
}

pub(super) const fn schema_url(number: u32) -> Field {
    field(number, "schema_url", "schemaUrl", Kind::Text)
}

pub(super) const fn attributes(number: u32) -> Field {
    field(number, "attributes", "attributes", Kind::Message(&KEY_VALUE)).repeated()
}

pub(super) const fn metadata(number: u32) -> Field {
    field(number, "metadata", "metadata", Kind::Message(&KEY_VALUE)).repeated()
}

pub(super) const fn filtered_attributes(number: u32) -> Field {
    field(
        number,
        "filtered_attributes",
        "filteredAttributes",
        Kind::Message(&KEY_VALUE),
    )
    .repeated()
}

pub(super) const fn dropped_attributes_count(number: u32) -> Field {
    field(
        number,
        "dropped_attributes_count",
        "droppedAttributesCount",
        Kind::Uint32,
    )
}

pub(super) const fn time(number: u32) -> Field {
    field(number, "time_unix_nano", "timeUnixNano", Kind::Fixed64).always()
}

pub(super) const fn start_time(number: u32) -> Field {
    field(number, "start_time_unix_nano", "startTimeUnixNano", Kind::Fixed64)
}

pub(super) const fn trace_id(number: u32) -> Field {
    field(number, "trace_id", "traceId", Kind::Id(16))
}

pub(super) const fn span_id(number: u32) -> Field {
    field(number, "span_id", "spanId", Kind::Id(8))
}
