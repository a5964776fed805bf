//! The tree of a parsed text, and how it is printed. Names in it are not looked up yet.

use std::fmt;

/// An editor, and the condition on which it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The editor.
    pub editor: Call,
    /// What follows `where`.
    pub condition: Option<Expr>,
}

/// An expression: a value or a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Where it begins, in characters from 1.
    pub column: usize,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// A text.
    Text(String),
    /// `0x...`.
    Bytes(Vec<u8>),
    /// An enum's symbol, or the name of a converter that is handed to a function.
    Symbol(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{"a": b}`.
    Map(Vec<(String, Expr)>),
    /// A path.
    Path(Vec<Segment>),
    /// A converter, and the keys into what it gives.
    Call(Call, Vec<Key>),
    /// `-a`.
    Negate(Box<Expr>),
    /// Operations of one precedence, from the left.
    Math(Box<Expr>, Vec<(MathOp, Expr)>),
    /// A comparison.
    Compare(Box<Expr>, CompareOp, Box<Expr>),
    /// `not a`.
    Not(Box<Expr>),
    /// `a and b`.
    And(Vec<Expr>),
    /// `a or b`.
    Or(Vec<Expr>),
}

/// A part of a path between dots.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// Keys after it.
    pub keys: Vec<Key>,
}

/// What stands in square brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Of a map.
    Text(String),
    /// Of a list.
    Index(usize),
}

/// A function's name and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Where it begins, in characters from 1.
    pub column: usize,
    /// The function.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// The parameter's name if it was given.
    pub name: Option<String>,
    /// The value.
    pub value: Expr,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MathOp {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl CompareOp {
    /// As it is written.
    pub const ALL: [(&'static str, CompareOp); 6] = [
        ("==", CompareOp::Equal),
        ("!=", CompareOp::NotEqual),
        ("<", CompareOp::Less),
        ("<=", CompareOp::LessOrEqual),
        (">", CompareOp::Greater),
        (">=", CompareOp::GreaterOrEqual),
    ];
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = CompareOp::ALL.iter().find(|(_, op)| op == self);
        f.write_str(sign.map_or("", |(sign, _)| sign))
    }
}

impl MathOp {
    fn level(self) -> u8 {
        match self {
            MathOp::Add | MathOp::Subtract => SUM,
            MathOp::Multiply | MathOp::Divide => PRODUCT,
        }
    }
}

impl fmt::Display for MathOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MathOp::Add => "+",
            MathOp::Subtract => "-",
            MathOp::Multiply => "*",
            MathOp::Divide => "/",
        })
    }
}

// How tightly a kind binds: an operand that binds looser than its place needs parentheses.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const NEGATE: u8 = 7;
const PRIMARY: u8 = 8;

impl Kind {
    fn level(&self) -> u8 {
        match self {
            Kind::Or(_) => OR,
            Kind::And(_) => AND,
            Kind::Not(_) => NOT,
            Kind::Compare(..) => COMPARE,
            Kind::Math(_, rest) => rest.first().map_or(PRIMARY, |(op, _)| op.level()),
            Kind::Negate(_) => NEGATE,
            Kind::Int(value) if *value < 0 => NEGATE,
            Kind::Float(value) if value.is_sign_negative() => NEGATE,
            _ => PRIMARY,
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.editor)?;
        match &self.condition {
            Some(condition) => write!(f, " where {condition}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        join(f, &self.arguments, ", ", |f, argument| {
            if let Some(name) = &argument.name {
                write!(f, "{name} = ")?;
            }
            write!(f, "{}", argument.value)
        })?;
        f.write_str(")")
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Nil => f.write_str("nil"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Int(value) => write!(f, "{value}"),
            Kind::Float(value) => f.write_str(&float(*value)),
            Kind::Text(text) => quote(f, text),
            Kind::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Kind::Symbol(name) => f.write_str(name),
            Kind::List(values) => bracketed(f, "[", values, "]", |f, value| write!(f, "{value}")),
            Kind::Map(entries) => bracketed(f, "{", entries, "}", |f, (key, value)| {
                quote(f, key)?;
                write!(f, ": {value}")
            }),
            Kind::Path(segments) => join(f, segments, ".", |f, segment| {
                f.write_str(&segment.name)?;
                write_keys(f, &segment.keys)
            }),
            Kind::Call(call, keys) => {
                write!(f, "{call}")?;
                write_keys(f, keys)
            }
            _ => self.write_operation(f),
        }
    }
}

impl Expr {
    fn write_operation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Negate(value) => {
                // A number right after a sign would be read as one number.
                let number = matches!(value.kind, Kind::Int(_) | Kind::Float(_));
                f.write_str("-")?;
                value.write_operand(f, if number { PRIMARY + 1 } else { PRIMARY })
            }
            Kind::Math(first, rest) => {
                let inner = self.kind.level() + 1;
                first.write_operand(f, inner)?;
                rest.iter().try_for_each(|(op, operand)| {
                    write!(f, " {op} ")?;
                    operand.write_operand(f, inner)
                })
            }
            Kind::Compare(left, op, right) => {
                left.write_operand(f, SUM)?;
                write!(f, " {op} ")?;
                right.write_operand(f, SUM)
            }
            Kind::Not(value) => {
                f.write_str("not ")?;
                value.write_operand(f, COMPARE)
            }
            Kind::And(values) => join(f, values, " and ", |f, value| value.write_operand(f, NOT)),
            Kind::Or(values) => join(f, values, " or ", |f, value| value.write_operand(f, AND)),
            _ => Ok(()),
        }
    }

    fn write_operand(&self, f: &mut fmt::Formatter<'_>, level: u8) -> fmt::Result {
        if self.kind.level() < level {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

/// With a point, which the language needs to tell it from a whole number.
fn float(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        match self {
            Key::Text(text) => quote(f, text)?,
            Key::Index(index) => write!(f, "{index}")?,
        }
        f.write_str("]")
    }
}

fn write_keys(f: &mut fmt::Formatter<'_>, keys: &[Key]) -> fmt::Result {
    keys.iter().try_for_each(|key| write!(f, "{key}"))
}

fn bracketed<T>(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[T],
    close: &str,
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str(open)?;
    join(f, items, ", ", write)?;
    f.write_str(close)
}

fn join<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    separator: &str,
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}
