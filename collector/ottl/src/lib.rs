//! The OpenTelemetry Transformation Language: conditions and statements over telemetry, a first subset, which
//! `docs/ottl.md` writes down.
//!
//! A text becomes a tree ([`parse_condition`], [`parse_statement`]), and the tree a checked program ([`Condition`],
//! [`Statement`]), in which paths are fields, patterns are compiled and all names are known. A program is evaluated on a
//! [`Record`]; [`otlp`] makes one of encoded messages. This crate knows no configuration.

#![forbid(unsafe_code)]

mod arguments;
pub mod ast;
mod compile;
mod converter;
mod editor;
mod error;
mod functions;
mod go;
mod lex;
mod operand;
pub mod otlp;
mod parse;
mod path;
mod pattern;
mod program;
mod record;
mod symbols;
pub mod value;

pub use ast::Key;
pub use error::{CompileError, CompileErrors, EvalError};
pub use go::go_float;
pub use lex::MAX_LENGTH;
pub use parse::{MAX_DEPTH, parse_condition, parse_statement};
pub use path::{Context, Field, Path, PathEntry, Shape};
pub use pattern::regex as go_regex;
pub use program::{Condition, Statement, Text, infer_context};
pub use record::Record;
pub use value::ValueRef;
