//! The editors: what a statement does to a record.

use crate::converter::One;
use crate::error::EvalError;
use crate::operand::{Operand, mismatch};
use crate::path::Path;
use crate::pattern::{Template, replace_all};
use crate::record::Record;
use crate::value::{Indexed, Map, ValueRef};
use collector_pdata::Value;
use regex::Regex;
use std::borrow::Cow;

/// A call of an editor.
#[derive(Debug, Clone)]
pub(crate) enum Editor {
    Set(Path, Operand),
    Append(Path, Vec<Operand>),
    DeleteKey(Path, Operand),
    /// Of the keys that match, those are kept or those go.
    MatchingKeys {
        target: Path,
        pattern: Regex,
        keep: bool,
    },
    KeepKeys(Path, Operand),
    Limit {
        target: Path,
        limit: usize,
        priority: Vec<String>,
    },
    MergeMaps {
        target: Path,
        source: Operand,
        strategy: Strategy,
    },
    TruncateAll {
        target: Path,
        limit: usize,
        utf8_safe: bool,
        marker: String,
    },
    Replace {
        target: Path,
        what: Matched,
        with: Replacement,
    },
    ReplaceAll {
        target: Path,
        side: Side,
        what: Matched,
        with: Replacement,
    },
}

/// What [`Editor::MergeMaps`] does with a key that is there, and with one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Insert,
    Update,
    Upsert,
}

/// Which half of an entry is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

/// What is replaced.
#[derive(Debug, Clone)]
pub(crate) enum Matched {
    /// A text that the glob covers.
    Whole(Regex),
    /// Every part that matches.
    Parts(Regex),
}

/// What it is replaced by.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    pub(crate) text: Operand,
    /// `text` if it is a literal, with its groups found.
    pub(crate) template: Option<Template>,
    /// Applied to the replacement.
    pub(crate) function: Option<One>,
    /// What follows and precedes the function's result in place of `%s`.
    pub(crate) format: Option<(String, String)>,
}

type Done = Result<(), EvalError>;

impl Editor {
    pub(crate) fn run(&self, record: &mut dyn Record) -> Done {
        match self {
            Editor::Set(target, value) => {
                let value = value.owned(record)?;
                record.set(target, value)
            }
            Editor::Append(target, values) => append(record, target, values),
            Editor::DeleteKey(target, key) => {
                let key = key.text(record, "delete_key")?.into_owned();
                record.remove(target, &key)
            }
            Editor::MatchingKeys { target, pattern, keep } => {
                record.retain(target, &|key| pattern.is_match(key) == *keep)
            }
            Editor::KeepKeys(target, keys) => {
                let keys = texts(keys, record, "keep_keys")?;
                record.retain(target, &|key| keys.iter().any(|kept| kept == key))
            }
            Editor::Limit {
                target,
                limit,
                priority,
            } => keep_at_most(record, target, *limit, priority),
            Editor::MergeMaps {
                target,
                source,
                strategy,
            } => merge(record, target, source, *strategy),
            Editor::TruncateAll {
                target,
                limit,
                utf8_safe,
                marker,
            } => truncate_all(
                record,
                target,
                &Cut {
                    limit: *limit,
                    utf8_safe: *utf8_safe,
                    marker,
                },
            ),
            Editor::Replace { target, what, with } => replace(record, target, what, with),
            Editor::ReplaceAll {
                target,
                side,
                what,
                with,
            } => replace_in_map(record, target, *side, what, with),
        }
    }
}

/// Changes the map at `target`, but only if an entry is `touched`: a map that stays as it is need not be built.
fn change(
    record: &mut dyn Record,
    target: &Path,
    mut touched: impl FnMut(&str, &ValueRef<'_>) -> bool,
    change: impl FnOnce(&mut Map) -> Done,
) -> Done {
    let mut any = false;
    record.each(target, &mut |key, value| {
        any = touched(key, value);
        !any
    })?;
    if any { change(record.map_mut(target)?) } else { Ok(()) }
}

fn texts(list: &Operand, record: &dyn Record, what: &'static str) -> Result<Vec<String>, EvalError> {
    let list = match list.evaluate(record)? {
        ValueRef::List(list) => list.into_owned(),
        other => return Err(mismatch(what, "a list of texts", &other)),
    };
    let texts = list.into_iter().map(|value| match value {
        Value::Text(text) => Ok(text),
        other => Err(mismatch(what, "a list of texts", &ValueRef::from(&other))),
    });
    texts.collect()
}

/// The entries that go are the last ones that are not of priority.
fn keep_at_most(record: &mut dyn Record, target: &Path, limit: usize, priority: &[String]) -> Done {
    let mut count = 0;
    let over = |_: &str, _: &ValueRef<'_>| {
        count += 1;
        count > limit
    };
    change(record, target, over, |map| {
        let is_priority = |key: &str| priority.iter().any(|kept| kept == key);
        let mut room = limit.saturating_sub(map.iter().filter(|(key, _)| is_priority(key)).count());
        map.retain(|(key, _)| {
            let fits = is_priority(key) || room > 0;
            room -= usize::from(fits && !is_priority(key));
            fits
        });
        Ok(())
    })
}

fn merge(record: &mut dyn Record, target: &Path, source: &Operand, strategy: Strategy) -> Done {
    let source = match source.evaluate(record)? {
        ValueRef::Map(source) => source.into_owned(),
        other => return Err(mismatch("merge_maps", "a map as its source", &other)),
    };
    let mut map = Indexed::new(record.map_mut(target)?);
    for (key, value) in source {
        let wanted = match strategy {
            Strategy::Upsert => true,
            Strategy::Insert => map.position(&key).is_none(),
            Strategy::Update => map.position(&key).is_some(),
        };
        if wanted {
            map.insert(key, value);
        }
    }
    Ok(())
}

/// What is there becomes the first element, or elements, of a list.
fn append(record: &mut dyn Record, target: &Path, values: &[Operand]) -> Done {
    let mut list = match record.get(target)? {
        ValueRef::Nil => Vec::new(),
        ValueRef::List(list) => list.into_owned(),
        scalar => vec![scalar.into_value()],
    };
    for value in values {
        match value.owned(record)? {
            Value::List(values) => list.extend(values),
            value => list.push(value),
        }
    }
    record.set(target, Value::List(list))
}

struct Cut<'a> {
    limit: usize,
    utf8_safe: bool,
    marker: &'a str,
}

fn truncate_all(record: &mut dyn Record, target: &Path, cut: &Cut<'_>) -> Done {
    let too_long = |_: &str, value: &ValueRef<'_>| matches!(value, ValueRef::Text(text) if text.len() > cut.limit);
    change(record, target, too_long, |map| {
        for (_, value) in map {
            match value {
                Value::Text(text) if text.len() > cut.limit => cut.truncate(text),
                _ => {}
            }
        }
        Ok(())
    })
}

impl Cut<'_> {
    /// A text here is UTF-8 always, so without `utf8_safe` a character that is cut in two is replaced, if that fits.
    fn truncate(&self, text: &mut String) {
        let room = self.limit - self.marker.len();
        let end = text.floor_char_boundary(room);
        let cut_off = room - end;
        text.truncate(end);
        if !self.utf8_safe && cut_off >= '\u{fffd}'.len_utf8() {
            text.push('\u{fffd}');
        }
        text.push_str(self.marker);
    }
}

fn replace(record: &mut dyn Record, target: &Path, what: &Matched, with: &Replacement) -> Done {
    let replaced = match record.get(target)? {
        ValueRef::Text(text) => what.replace(&text, &with.ready(record)?)?,
        _ => None,
    };
    match replaced {
        Some(text) => record.set(target, Value::Text(text)),
        None => Ok(()),
    }
}

fn replace_in_map(record: &mut dyn Record, target: &Path, side: Side, what: &Matched, with: &Replacement) -> Done {
    let with = with.ready(record)?;
    let touched = |key: &str, value: &ValueRef<'_>| match (side, value) {
        (Side::Key, _) => what.is_in(key),
        (Side::Value, ValueRef::Text(text)) => what.is_in(text),
        (Side::Value, _) => false,
    };
    change(record, target, touched, |map| match side {
        Side::Key => replace_keys(map, what, &with),
        Side::Value => replace_values(map, what, &with),
    })
}

fn replace_values(map: &mut Map, what: &Matched, with: &Ready<'_>) -> Done {
    for (_, value) in map {
        if let Value::Text(text) = value
            && let Some(replaced) = what.replace(text, with)?
        {
            *text = replaced;
        }
    }
    Ok(())
}

/// Of two entries that come to have one key, the later one's value stays.
fn replace_keys(map: &mut Map, what: &Matched, with: &Ready<'_>) -> Done {
    let mut renamed = Map::with_capacity(map.len());
    let mut indexed = Indexed::new(&mut renamed);
    for (key, value) in std::mem::take(map) {
        let key = what.replace(&key, with)?.unwrap_or(key);
        indexed.insert(key, value);
    }
    *map = renamed;
    Ok(())
}

/// A replacement whose text was evaluated on a record.
struct Ready<'a> {
    text: Cow<'a, str>,
    template: Cow<'a, Template>,
    function: Option<One>,
    format: Option<&'a (String, String)>,
}

impl Replacement {
    /// Borrows nothing of the record, so that this can be changed.
    fn ready<'a>(&'a self, record: &dyn Record) -> Result<Ready<'a>, EvalError> {
        let text = match &self.text {
            Operand::Literal(Value::Text(text)) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(other.text(record, "the replacement")?.into_owned()),
        };
        let template = match &self.template {
            Some(template) => Cow::Borrowed(template),
            None => Cow::Owned(Template::new(&text)),
        };
        Ok(Ready {
            text,
            template,
            function: self.function,
            format: self.format.as_ref(),
        })
    }
}

impl Ready<'_> {
    fn through_function(&self, text: String) -> Result<String, EvalError> {
        let Some(function) = &self.function else {
            return Ok(text);
        };
        let result = match (function.call)(ValueRef::Text(Cow::Owned(text)))? {
            ValueRef::Text(text) => text.into_owned(),
            other => return Err(mismatch("a replacement", "a function that gives text", &other)),
        };
        Ok(match self.format {
            Some((before, after)) => format!("{before}{result}{after}"),
            None => result,
        })
    }
}

impl Matched {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Matched::Whole(pattern) | Matched::Parts(pattern) => pattern.is_match(text),
        }
    }

    /// The new text; `None` if nothing matches.
    fn replace(&self, text: &str, with: &Ready<'_>) -> Result<Option<String>, EvalError> {
        if !self.is_in(text) {
            return Ok(None);
        }
        match self {
            Matched::Whole(_) => with.through_function(with.text.clone().into_owned()).map(Some),
            Matched::Parts(pattern) => replace_all(pattern, text, |groups, out| match with.function {
                None => with.template.expand(groups, out),
                Some(_) => {
                    let mut expanded = String::new();
                    with.template.expand(groups, &mut expanded)?;
                    out.push_str(&with.through_function(expanded)?);
                    Ok(())
                }
            })
            .map(Some),
        }
    }
}
