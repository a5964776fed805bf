//! Lists of texts in a configuration.

use super::{ErrorMode, contexts};
use collector_config::{Node, Section, Value};
use collector_ottl::{CompileErrors, Condition, Context, Statement, Text, infer_context};
use collector_pdata::Signal;

/// Texts of one context that are evaluated together.
#[derive(Debug)]
pub struct Group {
    /// What they are evaluated on.
    pub context: Context,
    /// What happens on an error.
    pub error_mode: ErrorMode,
    /// One of them must hold for the statements to be run; none at all is no condition.
    pub conditions: Vec<Condition>,
    /// Run in order.
    pub statements: Vec<Statement>,
}

/// The conditions in the list `key`, all of `context`.
pub fn read_conditions(section: &mut Section<'_, '_>, key: &'static str, context: Context) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (index, (node, text)) in texts(section, key).into_iter().enumerate() {
        conditions.extend(checked(section, key, index, node, Condition::compile(context, text)));
    }
    conditions
}

/// The groups in the list `key`, whose elements are texts or mappings with `context`, `conditions`, `error_mode` and, if
/// they are statements, `statements`. Texts in a row are one group, as long as one context can be found for all.
pub fn read_groups(section: &mut Section<'_, '_>, key: &'static str, kind: GroupKind, mode: ErrorMode) -> Vec<Group> {
    let mut flat = Vec::new();
    let mut nested = false;
    for node in elements(section, key) {
        match node.text() {
            Some(text) => flat.push((node, text)),
            None => nested = true,
        }
    }
    if nested && !flat.is_empty() {
        section.error(key, "is either a list of texts or a list of mappings, not both");
        return Vec::new();
    }
    if nested {
        let groups = section.sections(key, |section| read_group(section, kind, mode));
        return groups.into_iter().flatten().collect();
    }
    flat_group(section, key, kind, mode, &flat).into_iter().collect()
}

/// What a list of groups is for.
#[derive(Debug, Clone, Copy)]
pub struct GroupKind {
    /// Of what.
    pub signal: Signal,
    /// Whether there are statements, and not conditions alone.
    pub statements: bool,
}

type Written<'a> = (&'a Node, &'a str);

fn flat_group(
    section: &mut Section<'_, '_>,
    key: &'static str,
    kind: GroupKind,
    mode: ErrorMode,
    written: &[Written<'_>],
) -> Option<Group> {
    if written.is_empty() {
        return None;
    }
    let texts = written.iter().map(|(_, text)| match kind.statements {
        true => Text::Statement(text),
        false => Text::Condition(text),
    });
    let context = found_context(section, key, kind, infer_context(texts))?;
    let mut group = Group::empty(context, mode);
    group.read(section, key, written, kind.statements);
    Some(group)
}

fn read_group(section: &mut Section<'_, '_>, kind: GroupKind, mode: ErrorMode) -> Option<Group> {
    let error_mode = ErrorMode::read(section, mode);
    let named = section.text("context");
    let conditions = texts(section, "conditions");
    let statements = if kind.statements {
        texts(section, "statements")
    } else {
        Vec::new()
    };
    let context = match named {
        Some(name) => named_context(section, kind, name),
        None => {
            let conditions = conditions.iter().map(|(_, text)| Text::Condition(text));
            let statements = statements.iter().map(|(_, text)| Text::Statement(text));
            let inferred = infer_context(conditions.chain(statements));
            found_context(
                section,
                if kind.statements { "statements" } else { "conditions" },
                kind,
                inferred,
            )
        }
    };
    let mut group = Group::empty(context?, error_mode);
    group.read(section, "conditions", &conditions, false);
    group.read(section, "statements", &statements, true);
    Some(group)
}

impl Group {
    fn empty(context: Context, error_mode: ErrorMode) -> Self {
        Group {
            context,
            error_mode,
            conditions: Vec::new(),
            statements: Vec::new(),
        }
    }

    fn read(&mut self, section: &mut Section<'_, '_>, key: &'static str, written: &[Written<'_>], statements: bool) {
        for (index, (node, text)) in written.iter().enumerate() {
            if statements {
                let compiled = Statement::compile(self.context, text);
                self.statements.extend(checked(section, key, index, node, compiled));
            } else {
                let compiled = Condition::compile(self.context, text);
                self.conditions.extend(checked(section, key, index, node, compiled));
            }
        }
    }
}

/// The context of that name, if the signal has it.
fn named_context(section: &mut Section<'_, '_>, kind: GroupKind, name: &str) -> Option<Context> {
    let known = contexts(kind.signal);
    let found = Context::named(name).filter(|context| known.contains(context));
    if found.is_none() {
        let known: Vec<_> = known.iter().map(|context| context.name()).collect();
        let message = format!("expected {}, found \"{}\"", known.join(", "), name.escape_debug());
        section.error("context", message);
    }
    found
}

fn found_context(
    section: &mut Section<'_, '_>,
    key: &'static str,
    kind: GroupKind,
    inferred: Result<Option<Context>, CompileErrors>,
) -> Option<Context> {
    let known = contexts(kind.signal);
    let message = match inferred {
        Ok(Some(context)) if known.contains(&context) => return Some(context),
        Ok(Some(context)) => format!("the context {context} is not one of this signal"),
        Ok(None) => {
            let known: Vec<_> = known.iter().map(|context| context.name()).collect();
            format!(
                "begin a path with its context ({}), so that it is known",
                known.join(", ")
            )
        }
        Err(errors) => errors.to_string(),
    };
    section.error(key, message);
    None
}

fn elements<'a>(section: &mut Section<'a, '_>, key: &'static str) -> &'a [Node] {
    match section.any(key) {
        None => &[],
        Some(node) => match &node.value {
            Value::List(nodes) => nodes,
            Value::Null => &[],
            other => {
                section.error(key, format!("expected a list, found {}", other.kind()));
                &[]
            }
        },
    }
}

/// The texts in the list `key`, each with its place.
fn texts<'a>(section: &mut Section<'a, '_>, key: &'static str) -> Vec<Written<'a>> {
    let mut texts = Vec::new();
    for (index, node) in elements(section, key).iter().enumerate() {
        match node.text() {
            Some(text) => texts.push((node, text)),
            None => {
                let message = format!("expected text, found {}", node.value.kind());
                section.error_in_list(key, index, node, message);
            }
        }
    }
    texts
}

fn checked<T>(
    section: &mut Section<'_, '_>,
    key: &'static str,
    index: usize,
    node: &Node,
    compiled: Result<T, CompileErrors>,
) -> Option<T> {
    match compiled {
        Ok(compiled) => Some(compiled),
        Err(errors) => {
            for error in errors.0 {
                section.error_in_list(key, index, node, error.to_string());
            }
            None
        }
    }
}
