//! The table of functions: their parameters, named as upstream names them, and what is made of a call.

use crate::arguments::{Arguments, Parameter};
use crate::converter::Converter;
use crate::editor::{Editor, Matched, Side, Strategy};
use crate::path::{Context, Field, Path, Shape};

/// An editor.
pub(crate) struct EditorFunction {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) build: fn(&mut Arguments<'_, '_>) -> Option<Editor>,
}

/// A converter that is not one of a single value.
pub(crate) struct ConverterFunction {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) gives: Shape,
    pub(crate) build: fn(&mut Arguments<'_, '_>) -> Option<Converter>,
}

const fn editor(
    name: &'static str,
    parameters: &'static [Parameter],
    build: fn(&mut Arguments<'_, '_>) -> Option<Editor>,
) -> EditorFunction {
    EditorFunction {
        name,
        parameters,
        build,
    }
}

const fn converter(
    name: &'static str,
    parameters: &'static [Parameter],
    gives: Shape,
    build: fn(&mut Arguments<'_, '_>) -> Option<Converter>,
) -> ConverterFunction {
    ConverterFunction {
        name,
        parameters,
        gives,
        build,
    }
}

const TARGET: Parameter = ("target", true);
const FUNCTION: Parameter = ("function", false);
const FORMAT: Parameter = ("replacement_format", false);

/// Every editor.
pub(crate) const EDITORS: &[EditorFunction] = &[
    editor("append", &[TARGET, ("value", false), ("values", false)], append),
    editor("delete_key", &[TARGET, ("key", true)], |arguments| {
        let (target, key) = (arguments.map(0), arguments.typed(1, Shape::Text));
        Some(Editor::DeleteKey(target?, key?))
    }),
    editor("delete_matching_keys", &[TARGET, ("pattern", true)], |arguments| {
        matching_keys(arguments, false)
    }),
    editor("keep_keys", &[TARGET, ("keys", true)], |arguments| {
        let (target, keys) = (arguments.map(0), arguments.typed(1, Shape::List));
        Some(Editor::KeepKeys(target?, keys?))
    }),
    editor("keep_matching_keys", &[TARGET, ("pattern", true)], |arguments| {
        matching_keys(arguments, true)
    }),
    editor("limit", &[TARGET, ("limit", true), ("priority_keys", true)], limit),
    editor(
        "merge_maps",
        &[TARGET, ("source", true), ("strategy", true)],
        merge_maps,
    ),
    editor(
        "replace_all_matches",
        &[TARGET, ("pattern", true), ("replacement", true), FUNCTION, FORMAT],
        |arguments| {
            let (target, what, with) = (arguments.map(0), arguments.glob(1), arguments.replacement(2));
            Some(Editor::ReplaceAll {
                target: target?,
                side: Side::Value,
                what: Matched::Whole(what?),
                with: with?,
            })
        },
    ),
    editor(
        "replace_all_patterns",
        &[
            TARGET,
            ("mode", true),
            ("regex_pattern", true),
            ("replacement", true),
            FUNCTION,
            FORMAT,
        ],
        |arguments| {
            let sides = [("key", Side::Key), ("value", Side::Value)];
            let (target, side) = (arguments.map(0), arguments.word(1, &sides));
            let (what, with) = (arguments.regex(2), arguments.replacement(3));
            Some(Editor::ReplaceAll {
                target: target?,
                side: side?,
                what: Matched::Parts(what?),
                with: with?,
            })
        },
    ),
    editor(
        "replace_match",
        &[TARGET, ("pattern", true), ("replacement", true), FUNCTION, FORMAT],
        |arguments| {
            let (target, what, with) = (arguments.target(0), arguments.glob(1), arguments.replacement(2));
            Some(Editor::Replace {
                target: target?.0,
                what: Matched::Whole(what?),
                with: with?,
            })
        },
    ),
    editor(
        "replace_pattern",
        &[TARGET, ("regex_pattern", true), ("replacement", true), FUNCTION, FORMAT],
        |arguments| {
            let (target, what, with) = (arguments.target(0), arguments.regex(1), arguments.replacement(2));
            Some(Editor::Replace {
                target: target?.0,
                what: Matched::Parts(what?),
                with: with?,
            })
        },
    ),
    editor("set", &[TARGET, ("value", true)], |arguments| {
        let target = arguments.target(0);
        let value = arguments.value_for(1, target.as_ref().map(|(_, shape)| *shape));
        Some(Editor::Set(target?.0, value?))
    }),
    editor(
        "truncate_all",
        &[
            TARGET,
            ("limit", true),
            ("utf8_safe", false),
            ("truncation_marker", false),
        ],
        truncate_all,
    ),
];

fn append(arguments: &mut Arguments<'_, '_>) -> Option<Editor> {
    let target = arguments.target(0);
    let mut values = Vec::new();
    for index in [1, 2] {
        if arguments.has(index) {
            values.push(arguments.value(index));
        }
    }
    if values.is_empty() {
        let message = "append needs the argument `value` or `values`";
        return arguments.compiler.error(arguments.column(), message.to_owned());
    }
    Some(Editor::Append(target?.0, values.into_iter().collect::<Option<_>>()?))
}

fn matching_keys(arguments: &mut Arguments<'_, '_>, keep: bool) -> Option<Editor> {
    let (target, pattern) = (arguments.map(0), arguments.regex(1));
    Some(Editor::MatchingKeys {
        target: target?,
        pattern: pattern?,
        keep,
    })
}

fn limit(arguments: &mut Arguments<'_, '_>) -> Option<Editor> {
    let (target, limit) = (arguments.map(0), arguments.literal_size(1));
    let priority = arguments.literal_texts(2);
    let (target, limit, priority) = (target?, limit?, priority?);
    if priority.len() > limit {
        let message = format!(
            "limit: {} priority keys are more than the limit of {limit}",
            priority.len()
        );
        return arguments.compiler.error(arguments.column(), message);
    }
    Some(Editor::Limit {
        target,
        limit,
        priority,
    })
}

fn merge_maps(arguments: &mut Arguments<'_, '_>) -> Option<Editor> {
    let strategies = [
        ("insert", Strategy::Insert),
        ("update", Strategy::Update),
        ("upsert", Strategy::Upsert),
    ];
    let (target, source) = (arguments.map(0), arguments.typed(1, Shape::Map));
    let strategy = arguments.word(2, &strategies);
    Some(Editor::MergeMaps {
        target: target?,
        source: source?,
        strategy: strategy?,
    })
}

fn truncate_all(arguments: &mut Arguments<'_, '_>) -> Option<Editor> {
    let (target, limit) = (arguments.map(0), arguments.literal_size(1));
    let utf8_safe = if arguments.has(2) {
        arguments.literal_bool(2)
    } else {
        Some(true)
    };
    let marker = if arguments.has(3) {
        arguments.literal_text(3)
    } else {
        Some("")
    };
    let (target, limit, utf8_safe, marker) = (target?, limit?, utf8_safe?, marker?.to_owned());
    if marker.len() > limit {
        let message = format!(
            "truncate_all: the marker has {} bytes and the limit is {limit}",
            marker.len()
        );
        return arguments.compiler.error(arguments.column(), message);
    }
    Some(Editor::TruncateAll {
        target,
        limit,
        utf8_safe,
        marker,
    })
}

/// Every converter but those of one value, which are [`crate::converter::ONES`].
pub(crate) const CONVERTERS: &[ConverterFunction] = &[
    converter(
        "Coalesce",
        &[("values", true)],
        Shape::Any,
        |arguments| match arguments.typed(0, Shape::List)? {
            crate::operand::Operand::List(values) => Some(Converter::Coalesce(values)),
            other => Some(Converter::Coalesce(vec![other])),
        },
    ),
    converter(
        "Concat",
        &[("vals", true), ("delimiter", true)],
        Shape::Text,
        |arguments| {
            let (values, delimiter) = (arguments.typed(0, Shape::List), arguments.typed(1, Shape::Text));
            Some(Converter::Concat(values?, delimiter?))
        },
    ),
    converter("HasPrefix", &[TARGET, ("prefix", true)], Shape::Bool, |arguments| {
        let (target, prefix) = (arguments.typed(0, Shape::Text), arguments.typed(1, Shape::Text));
        Some(Converter::HasPrefix(target?, prefix?))
    }),
    converter("HasSuffix", &[TARGET, ("suffix", true)], Shape::Bool, |arguments| {
        let (target, suffix) = (arguments.typed(0, Shape::Text), arguments.typed(1, Shape::Text));
        Some(Converter::HasSuffix(target?, suffix?))
    }),
    converter("IsMatch", &[TARGET, ("pattern", true)], Shape::Bool, |arguments| {
        let (target, pattern) = (arguments.value(0), arguments.regex(1));
        Some(Converter::IsMatch(target?, pattern?))
    }),
    converter("IsRootSpan", &[], Shape::Bool, is_root_span),
    converter("Split", &[TARGET, ("delimiter", true)], Shape::List, |arguments| {
        let (target, delimiter) = (arguments.typed(0, Shape::Text), arguments.typed(1, Shape::Text));
        Some(Converter::Split(target?, delimiter?))
    }),
    converter(
        "Substring",
        &[TARGET, ("start", true), ("length", true)],
        Shape::Text,
        |arguments| {
            let (target, start) = (arguments.typed(0, Shape::Text), arguments.typed(1, Shape::Int));
            let length = arguments.typed(2, Shape::Int);
            Some(Converter::Substring(target?, start?, length?))
        },
    ),
];

fn is_root_span(arguments: &mut Arguments<'_, '_>) -> Option<Converter> {
    let context = arguments.compiler.context();
    if !context.reaches().contains(&Context::Span) {
        let message = format!("IsRootSpan needs a span, and the context is {context}");
        return arguments.compiler.error(arguments.column(), message);
    }
    Some(Converter::IsRootSpan(Path {
        context: Context::Span,
        field: Field::ParentSpanId,
        keys: Vec::new(),
    }))
}
