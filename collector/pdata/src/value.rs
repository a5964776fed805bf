//! An attribute's value that belongs to nobody's buffer: for those who compute with values.

/// An `AnyValue`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Text. Bytes that were not UTF-8 are replaced when a value is read.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An `ArrayValue`.
    List(Vec<Value>),
    /// A `KeyValueList`, in its order. A key is there once.
    Map(Vec<(String, Value)>),
}
