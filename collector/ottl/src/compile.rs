//! From a tree to a checked program: names are looked up, arguments bound, types compared, patterns compiled. All errors of
//! a text are found at once.

use crate::arguments::Arguments;
use crate::ast::{Call, Expr, Key, Kind, MathOp, Segment, Statement as Tree};
use crate::converter::{Converter, ONES};
use crate::error::{CompileError, CompileErrors, hint};
use crate::functions::{CONVERTERS, EDITORS};
use crate::operand::{Operand, Test, constant};
use crate::parse::{parse_condition, parse_statement};
use crate::path::{Context, Path, PathEntry, Shape};
use crate::program::{Condition, Statement};
use crate::symbols;
use collector_pdata::Value;

impl Condition {
    /// Reads and checks a condition.
    pub fn compile(context: Context, text: &str) -> Result<Self, CompileErrors> {
        let tree = parse_condition(text).map_err(one_error)?;
        let mut compiler = Compiler::new(context);
        let test = compiler.test(&tree);
        compiler.finish(test).map(Condition)
    }
}

impl Statement {
    /// Reads and checks a statement.
    pub fn compile(context: Context, text: &str) -> Result<Self, CompileErrors> {
        let Tree { editor, condition } = parse_statement(text).map_err(one_error)?;
        let mut compiler = Compiler::new(context);
        let test = condition.as_ref().map(|tree| compiler.test(tree));
        let editor = compiler.editor(&editor);
        let writes = editor.as_ref().map(|(_, context)| *context);
        let statement = match (test, editor) {
            (None, Some((editor, _))) => Some((editor, None)),
            (Some(Some(test)), Some((editor, _))) => Some((editor, Some(test))),
            _ => None,
        };
        let (editor, test) = compiler.finish(statement)?;
        Ok(Statement {
            editor,
            test,
            writes: writes.unwrap_or(context),
        })
    }
}

fn one_error(error: CompileError) -> CompileErrors {
    CompileErrors(vec![error])
}

pub(crate) struct Compiler {
    context: Context,
    errors: Vec<CompileError>,
}

impl Compiler {
    fn new(context: Context) -> Self {
        Compiler {
            context,
            errors: Vec::new(),
        }
    }

    fn finish<T>(self, compiled: Option<T>) -> Result<T, CompileErrors> {
        match compiled {
            Some(compiled) if self.errors.is_empty() => Ok(compiled),
            _ => Err(CompileErrors(self.errors)),
        }
    }

    pub(crate) fn context(&self) -> Context {
        self.context
    }

    /// Notes an error, and gives nothing.
    pub(crate) fn error<T>(&mut self, column: usize, message: String) -> Option<T> {
        self.errors.push(CompileError { column, message });
        None
    }

    fn editor(&mut self, call: &Call) -> Option<(crate::editor::Editor, Context)> {
        let Some(function) = EDITORS.iter().find(|function| function.name == call.name) else {
            let hint = hint(&call.name, EDITORS.iter().map(|function| function.name));
            return self.error(call.column, format!("there is no editor `{}`{hint}", call.name));
        };
        let mut arguments = Arguments::bind(self, call, function.parameters)?;
        let editor = (function.build)(&mut arguments)?;
        let writes = arguments.target_context();
        Some((editor, writes.unwrap_or(self.context)))
    }

    fn converter(&mut self, call: &Call) -> Option<(Converter, Shape)> {
        if let Some(one) = ONES.iter().find(|one| one.name == call.name) {
            let parameters = [(one.parameter, true)];
            let value = Arguments::bind(self, call, &parameters)?.value(0)?;
            return Some((Converter::One(*one, value), one.gives));
        }
        let Some(function) = CONVERTERS.iter().find(|function| function.name == call.name) else {
            let known = CONVERTERS.iter().map(|function| function.name);
            let hint = hint(&call.name, known.chain(ONES.iter().map(|one| one.name)));
            return self.error(call.column, format!("there is no converter `{}`{hint}", call.name));
        };
        let mut arguments = Arguments::bind(self, call, function.parameters)?;
        Some(((function.build)(&mut arguments)?, function.gives))
    }

    /// Compiles a value.
    pub(crate) fn operand(&mut self, expr: &Expr) -> Option<Operand> {
        Some(match &expr.kind {
            Kind::Nil => Operand::Literal(Value::Null),
            Kind::Bool(value) => Operand::Literal(Value::Bool(*value)),
            Kind::Int(value) => Operand::Literal(Value::Int(*value)),
            Kind::Float(value) => Operand::Literal(Value::Double(*value)),
            Kind::Text(text) => Operand::Literal(Value::Text(text.clone())),
            Kind::Bytes(bytes) => Operand::Literal(Value::Bytes(bytes.clone())),
            Kind::Symbol(symbol) => Operand::Literal(Value::Int(self.symbol(symbol, expr.column)?)),
            Kind::Path(segments) => {
                let (path, entry) = self.path(segments, expr.column)?;
                let shape = keyed_shape(entry.shape, &path.keys);
                Operand::Path(path, shape)
            }
            Kind::List(values) => constant(Operand::List(self.operands(values)?)),
            Kind::Map(entries) => constant(self.map(entries)?),
            Kind::Call(call, keys) => {
                let (converter, gives) = self.converter(call)?;
                Operand::Converter(Box::new(converter), keys.clone(), gives)
            }
            Kind::Negate(value) => Operand::Negate(Box::new(self.number(value)?)),
            Kind::Math(first, rest) => self.math(first, rest)?,
            Kind::Compare(..) | Kind::Not(_) | Kind::And(_) | Kind::Or(_) => {
                let message = "a condition stands here where a value is needed";
                return self.error(expr.column, message.to_owned());
            }
        })
    }

    pub(crate) fn operands(&mut self, values: &[Expr]) -> Option<Vec<Operand>> {
        let compiled: Vec<_> = values.iter().map(|value| self.operand(value)).collect();
        compiled.into_iter().collect()
    }

    fn map(&mut self, entries: &[(String, Expr)]) -> Option<Operand> {
        let compiled: Vec<_> = entries
            .iter()
            .map(|(key, value)| Some((key.clone(), self.operand(value)?)))
            .collect();
        let mut map: Vec<(String, Operand)> = Vec::with_capacity(compiled.len());
        for (key, value) in compiled.into_iter().collect::<Option<Vec<_>>>()? {
            map.retain(|(known, _)| *known != key);
            map.push((key, value));
        }
        Some(Operand::Map(map))
    }

    fn number(&mut self, expr: &Expr) -> Option<Operand> {
        let operand = self.operand(expr)?;
        match operand.shape() {
            Shape::Int | Shape::Double | Shape::Any => Some(operand),
            other => {
                let message = format!("arithmetic takes numbers, and this is of type {}", other.name());
                self.error(expr.column, message)
            }
        }
    }

    fn math(&mut self, first: &Expr, rest: &[(MathOp, Expr)]) -> Option<Operand> {
        let first = self.number(first);
        let rest: Vec<_> = rest
            .iter()
            .map(|(op, operand)| Some((*op, self.number(operand)?)))
            .collect();
        Some(Operand::Math(
            Box::new(first?),
            rest.into_iter().collect::<Option<_>>()?,
        ))
    }

    fn symbol(&mut self, symbol: &str, column: usize) -> Option<i64> {
        if let Some(number) = symbols::number(symbol) {
            return Some(number);
        }
        let hint = hint(symbol, symbols::all().map(|(name, _)| name));
        self.error(column, format!("there is no enum symbol `{symbol}`{hint}"))
    }

    fn test(&mut self, expr: &Expr) -> Option<Test> {
        Some(match &expr.kind {
            Kind::Bool(value) => Test::Constant(*value),
            Kind::Call(..) => self.converter_test(expr)?,
            Kind::Compare(left, op, right) => {
                let (left, right) = (self.operand(left), self.operand(right));
                Test::Compare(left?, *op, right?)
            }
            Kind::Not(test) => Test::Not(Box::new(self.test(test)?)),
            Kind::And(tests) => Test::All(self.tests(tests)?),
            Kind::Or(tests) => Test::Any(self.tests(tests)?),
            _ => {
                self.operand(expr)?;
                let message =
                    "a value stands here where a condition is needed; compare it, for instance with `== true`";
                return self.error(expr.column, message.to_owned());
            }
        })
    }

    fn tests(&mut self, tests: &[Expr]) -> Option<Vec<Test>> {
        let tests: Vec<_> = tests.iter().map(|test| self.test(test)).collect();
        tests.into_iter().collect()
    }

    fn converter_test(&mut self, expr: &Expr) -> Option<Test> {
        let operand = self.operand(expr)?;
        match operand.shape() {
            Shape::Bool | Shape::Any => Some(Test::Converter(operand)),
            other => {
                let message = format!(
                    "a condition needs true or false, and this converter gives {}",
                    other.name()
                );
                self.error(expr.column, message)
            }
        }
    }

    /// Looks a path up.
    pub(crate) fn path(&mut self, segments: &[Segment], column: usize) -> Option<(Path, &'static PathEntry)> {
        let (context, rest) = self.split_context(segments);
        let name: Vec<&str> = rest.iter().map(|segment| segment.name.as_str()).collect();
        let name = name.join(".");
        let Some(entry) = context.paths().iter().find(|entry| entry.name == name) else {
            return self.unknown_path(context, segments, &name, column);
        };
        let (last, before) = rest.split_last()?;
        if before
            .iter()
            .chain(&segments[..segments.len() - rest.len()])
            .any(|segment| !segment.keys.is_empty())
        {
            return self.error(column, "keys stand at the end of a path".to_owned());
        }
        if let Some(message) = wrong_keys(entry, &last.keys) {
            return self.error(column, message);
        }
        let path = Path {
            context,
            field: entry.field,
            keys: last.keys.clone(),
        };
        Some((path, entry))
    }

    /// A path begins with the name of a context, or is one of the text's own context.
    fn split_context<'a>(&self, segments: &'a [Segment]) -> (Context, &'a [Segment]) {
        let named = match segments {
            [first, rest @ ..] if !rest.is_empty() => Context::named(&first.name).map(|context| (context, rest)),
            _ => None,
        };
        let reached = named.filter(|(context, _)| self.context.reaches().contains(context));
        reached.unwrap_or((self.context, segments))
    }

    fn unknown_path<T>(&mut self, context: Context, segments: &[Segment], name: &str, column: usize) -> Option<T> {
        let first = segments.first().map_or("", |segment| segment.name.as_str());
        if segments.len() > 1
            && let Some(other) = Context::named(first)
            && !self.context.reaches().contains(&other)
        {
            let own = self.context;
            return self.error(column, format!("`{other}` cannot be reached from the context {own}"));
        }
        let own = context.paths().iter().map(|entry| entry.name);
        let contexts = self.context.reaches().iter().map(|context| context.name());
        let hint = hint(name, own.chain(contexts));
        self.error(column, format!("the context {context} has no path `{name}`{hint}"))
    }
}

fn wrong_keys(entry: &PathEntry, keys: &[Key]) -> Option<String> {
    let name = entry.name;
    match (entry.shape, keys) {
        (_, []) | (Shape::Any, _) | (Shape::Map, [Key::Text(_), ..]) | (Shape::TraceState, [Key::Text(_)]) => None,
        (Shape::List, [Key::Index(_)]) => None,
        (Shape::Map, [Key::Index(_), ..]) => Some(format!("the first key of `{name}` is a text in quotes")),
        _ => Some(format!("`{name}` does not take these keys")),
    }
}

/// What an entry of a field holds.
pub(crate) fn keyed_shape(shape: Shape, keys: &[Key]) -> Shape {
    match shape {
        _ if keys.is_empty() => shape,
        Shape::TraceState => Shape::Text,
        _ => Shape::Any,
    }
}
