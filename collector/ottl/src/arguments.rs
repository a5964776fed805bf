//! The arguments of one call, bound to the function's parameters, and taken out as what the function needs.

use crate::ast::{Argument, Call, Expr, Kind};
use crate::compile::{Compiler, keyed_shape};
use crate::converter::{ONES, One};
use crate::editor::Replacement;
use crate::error::hint;
use crate::operand::Operand;
use crate::path::{Context, Path, Shape};
use crate::pattern::{Template, glob, regex};
use collector_pdata::Value;
use regex::Regex;

/// A parameter's name, and whether it must be given.
pub(crate) type Parameter = (&'static str, bool);

pub(crate) struct Arguments<'c, 'a> {
    pub(crate) compiler: &'c mut Compiler,
    call: &'a Call,
    /// One for each parameter.
    bound: Vec<Option<&'a Expr>>,
    target: Option<Context>,
}

impl<'c, 'a> Arguments<'c, 'a> {
    /// Binds by position, then by name.
    pub(crate) fn bind(compiler: &'c mut Compiler, call: &'a Call, parameters: &[Parameter]) -> Option<Self> {
        let mut bound = vec![None; parameters.len()];
        let mut sound = true;
        let mut named = false;
        for (position, argument) in call.arguments.iter().enumerate() {
            named |= argument.name.is_some();
            match place(argument, position, named, parameters) {
                Ok(index) if bound[index].is_none() => bound[index] = Some(&argument.value),
                Ok(index) => {
                    let message = format!("`{}` is given twice", parameters[index].0);
                    sound = compiler.error(argument.value.column, message).unwrap_or(false);
                }
                Err(message) => {
                    let message = format!("{}: {message}", call.name);
                    sound = compiler.error(argument.value.column, message).unwrap_or(false);
                }
            }
        }
        for ((name, required), value) in parameters.iter().zip(&bound) {
            if *required && value.is_none() && sound {
                let message = format!("{} needs the argument `{name}`", call.name);
                sound = compiler.error(call.column, message).unwrap_or(false);
            }
        }
        sound.then_some(Arguments {
            compiler,
            call,
            bound,
            target: None,
        })
    }

    /// The context that the target belongs to.
    pub(crate) fn target_context(&self) -> Option<Context> {
        self.target
    }

    pub(crate) fn column(&self) -> usize {
        self.call.column
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.bound[index].is_some()
    }

    /// A value of any type.
    pub(crate) fn value(&mut self, index: usize) -> Option<Operand> {
        let expr = self.bound[index]?;
        self.compiler.operand(expr)
    }

    /// A value of one type, as far as that is known.
    pub(crate) fn typed(&mut self, index: usize, shape: Shape) -> Option<Operand> {
        let expr = self.bound[index]?;
        let operand = self.compiler.operand(expr)?;
        let found = operand.shape();
        if fits(shape, found) {
            return Some(operand);
        }
        let message = format!("{} takes {} here, not {}", self.call.name, shape.name(), found.name());
        self.compiler.error(expr.column, message)
    }

    /// A path to be written, and what it holds.
    pub(crate) fn target(&mut self, index: usize) -> Option<(Path, Shape)> {
        let expr = self.bound[index]?;
        let Kind::Path(segments) = &expr.kind else {
            let message = format!("{} needs a path here", self.call.name);
            return self.compiler.error(expr.column, message);
        };
        let (path, entry) = self.compiler.path(segments, expr.column)?;
        if !entry.settable {
            let message = format!("`{}` can only be read", entry.name);
            return self.compiler.error(expr.column, message);
        }
        self.target = Some(path.context);
        let shape = keyed_shape(entry.shape, &path.keys);
        Some((path, shape))
    }

    /// A path to be written that holds a map.
    pub(crate) fn map(&mut self, index: usize) -> Option<Path> {
        let column = self.bound[index]?.column;
        let (path, shape) = self.target(index)?;
        if fits(Shape::Map, shape) {
            return Some(path);
        }
        let message = format!("{} needs a path to a map here, not to {}", self.call.name, shape.name());
        self.compiler.error(column, message)
    }

    /// A value that `target` can hold.
    pub(crate) fn value_for(&mut self, index: usize, target: Option<Shape>) -> Option<Operand> {
        match target {
            Some(shape) => self.typed(index, shape),
            None => self.value(index),
        }
    }

    /// What an argument is that must be known beforehand.
    fn literal<T>(&mut self, index: usize, wanted: &str, read: impl Fn(&Kind) -> Option<T>) -> Option<T> {
        let expr = self.bound[index]?;
        if let Some(value) = read(&expr.kind) {
            return Some(value);
        }
        let message = format!("{} needs {wanted} here", self.call.name);
        self.compiler.error(expr.column, message)
    }

    pub(crate) fn literal_text(&mut self, index: usize) -> Option<&'a str> {
        let expr = self.bound[index]?;
        match &expr.kind {
            Kind::Text(text) => Some(text),
            _ => {
                let message = format!("{} needs a text in quotes here", self.call.name);
                self.compiler.error(expr.column, message)
            }
        }
    }

    /// A whole number of at least 0.
    pub(crate) fn literal_size(&mut self, index: usize) -> Option<usize> {
        self.literal(index, "a whole number of at least 0", |kind| match kind {
            Kind::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        })
    }

    pub(crate) fn literal_bool(&mut self, index: usize) -> Option<bool> {
        self.literal(index, "true or false", |kind| match kind {
            Kind::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn literal_texts(&mut self, index: usize) -> Option<Vec<String>> {
        let text = |expr: &Expr| match &expr.kind {
            Kind::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.literal(index, "a list of texts in quotes", |kind| match kind {
            Kind::List(values) => values.iter().map(text).collect(),
            _ => None,
        })
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, index: usize, words: &[(&str, T)]) -> Option<T> {
        let column = self.bound[index]?.column;
        let text = self.literal_text(index)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("{} knows {} here, not \"{text}\"", self.call.name, known.join(", "));
        self.compiler.error(column, message)
    }

    pub(crate) fn regex(&mut self, index: usize) -> Option<Regex> {
        self.pattern(index, regex)
    }

    pub(crate) fn glob(&mut self, index: usize) -> Option<Regex> {
        self.pattern(index, glob)
    }

    fn pattern(&mut self, index: usize, compile: fn(&str) -> Result<Regex, String>) -> Option<Regex> {
        let column = self.bound[index]?.column;
        let pattern = self.literal_text(index)?;
        match compile(pattern) {
            Ok(pattern) => Some(pattern),
            Err(message) => self.compiler.error(column, message),
        }
    }

    /// The replacement, the function and the format, from `index` on.
    pub(crate) fn replacement(&mut self, index: usize) -> Option<Replacement> {
        let text = self.typed(index, Shape::Text);
        let function = if self.has(index + 1) {
            Some(self.function(index + 1))
        } else {
            None
        };
        let format = if self.has(index + 2) {
            Some(self.format(index + 2))
        } else {
            None
        };
        let text = text?;
        Some(Replacement {
            template: match &text {
                Operand::Literal(Value::Text(text)) => Some(Template::new(text)),
                _ => None,
            },
            text,
            function: match function {
                Some(function) => Some(function?),
                None => None,
            },
            format: match format {
                Some(format) => Some(format?),
                None => None,
            },
        })
    }

    /// The name of a converter of one text that gives text.
    fn function(&mut self, index: usize) -> Option<One> {
        let expr = self.bound[index]?;
        let texts = || ONES.iter().filter(|one| matches!(one.gives, Shape::Text | Shape::Any));
        let Kind::Symbol(name) = &expr.kind else {
            let message = format!("{} needs the name of a converter here, such as SHA256", self.call.name);
            return self.compiler.error(expr.column, message);
        };
        if let Some(one) = texts().find(|one| one.name == name) {
            return Some(*one);
        }
        let hint = hint(name, texts().map(|one| one.name));
        let message = format!("there is no converter `{name}` from a text to a text{hint}");
        self.compiler.error(expr.column, message)
    }

    /// What stands before and after the only `%s`.
    fn format(&mut self, index: usize) -> Option<(String, String)> {
        let column = self.bound[index]?.column;
        let format = self.literal_text(index)?;
        let halves = format.split_once("%s");
        match halves.filter(|(before, after)| !before.contains('%') && !after.contains('%')) {
            Some((before, after)) => Some((before.to_owned(), after.to_owned())),
            None => {
                let message = "a format has `%s` once, and no other `%`";
                self.compiler.error(column, message.to_owned())
            }
        }
    }
}

/// The index of an argument's parameter.
fn place(argument: &Argument, position: usize, named: bool, parameters: &[Parameter]) -> Result<usize, String> {
    match &argument.name {
        Some(name) => parameters.iter().position(|(known, _)| known == name).ok_or_else(|| {
            let hint = hint(name, parameters.iter().map(|(known, _)| *known));
            format!("there is no argument `{name}`{hint}")
        }),
        None if named => Err("after an argument with a name, all have one".to_owned()),
        None if position >= parameters.len() => Err(match parameters.len() {
            0 => "takes no argument".to_owned(),
            1 => "takes one argument".to_owned(),
            count => format!("takes {count} arguments at most"),
        }),
        None => Ok(position),
    }
}

fn fits(wanted: Shape, found: Shape) -> bool {
    let text = |shape| matches!(shape, Shape::Text | Shape::TraceState);
    wanted == found || wanted == Shape::Any || found == Shape::Any || (text(wanted) && text(found))
}
