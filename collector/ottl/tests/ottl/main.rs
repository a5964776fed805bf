//! The language as its users meet it: texts in, values and errors out.

mod editors;
mod encoded;
mod errors;
mod evaluate;
mod patterns;
mod record;
mod syntax;
