//! What a text was compiled to.

use crate::ast::{Argument, Expr, Kind};
use crate::editor::Editor;
use crate::error::{CompileError, CompileErrors, EvalError};
use crate::operand::Test;
use crate::parse::{parse_condition, parse_statement};
use crate::path::Context;
use crate::record::Record;

/// A condition, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Condition(pub(crate) Test);

impl Condition {
    /// Whether it holds for `record`.
    pub fn holds(&self, record: &dyn Record) -> Result<bool, EvalError> {
        self.0.holds(record)
    }
}

/// A statement, ready to be run.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) editor: Editor,
    pub(crate) test: Option<Test>,
    pub(crate) writes: Context,
}

impl Statement {
    /// Runs the editor if the condition holds, and says whether it did. After an error the record may be changed in part.
    pub fn run(&self, record: &mut dyn Record) -> Result<bool, EvalError> {
        let holds = match &self.test {
            Some(test) => test.holds(record)?,
            None => true,
        };
        if holds {
            self.editor.run(record)?;
        }
        Ok(holds)
    }

    /// Whose field it writes: the context that it was compiled for, or one that this reaches.
    pub fn writes(&self) -> Context {
        self.writes
    }
}

/// A text whose context is to be found.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// A condition.
    Condition(&'a str),
    /// A statement.
    Statement(&'a str),
}

/// The context that reaches all whose names begin the paths of `texts`: the innermost of them. `None` if no path begins
/// with a context's name. Texts that cannot be read count for nothing here; compiling them says what is wrong.
pub fn infer_context<'a>(texts: impl IntoIterator<Item = Text<'a>>) -> Result<Option<Context>, CompileErrors> {
    let mut named = Vec::new();
    for text in texts {
        match text {
            Text::Condition(text) => parse_condition(text).iter().for_each(|tree| contexts(tree, &mut named)),
            Text::Statement(text) => {
                if let Ok(tree) = parse_statement(text) {
                    argument_contexts(&tree.editor.arguments, &mut named);
                    tree.condition.iter().for_each(|tree| contexts(tree, &mut named));
                }
            }
        }
    }
    let inner = named.iter().max_by_key(|(context, _)| context.reaches().len()).copied();
    let Some((inner, _)) = inner else {
        return Ok(None);
    };
    match named.iter().find(|(context, _)| !inner.reaches().contains(context)) {
        Some((other, column)) => Err(CompileErrors(vec![CompileError {
            column: *column,
            message: format!("`{other}` and `{inner}` do not go together; give each a group of its own"),
        }])),
        None => Ok(Some(inner)),
    }
}

type Named = Vec<(Context, usize)>;

fn contexts(expr: &Expr, named: &mut Named) {
    match &expr.kind {
        Kind::Path(segments) if segments.len() > 1 => {
            named.extend(Context::named(&segments[0].name).map(|context| (context, expr.column)));
        }
        Kind::Call(call, _) => argument_contexts(&call.arguments, named),
        Kind::List(values) | Kind::And(values) | Kind::Or(values) => {
            values.iter().for_each(|value| contexts(value, named));
        }
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| contexts(value, named)),
        Kind::Negate(value) | Kind::Not(value) => contexts(value, named),
        Kind::Math(first, rest) => {
            contexts(first, named);
            rest.iter().for_each(|(_, value)| contexts(value, named));
        }
        Kind::Compare(left, _, right) => {
            contexts(left, named);
            contexts(right, named);
        }
        _ => {}
    }
}

fn argument_contexts(arguments: &[Argument], named: &mut Named) {
    arguments.iter().for_each(|argument| contexts(&argument.value, named));
}
