//! The list of destinations in `docs/destinations.md` is made of the files, and of nothing else.

use controllers_core::destinations::{self, Definition, Field, Support};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// All that follows is written by this test.
const BEGIN: &str =
    "<!-- From here on made of the files, by the test `docs` of controllers-core with UPDATE_SNAPSHOTS=1. -->\n";

fn names(fields: &[&Field]) -> String {
    let name = |field: &&Field| {
        let text = match (field.required, &field.initial) {
            (true, None) => format!("**`{}`**", field.name),
            _ => format!("`{}`", field.name),
        };
        let initial = field.initial.as_ref().filter(|initial| *initial != "false");
        text + &initial.map_or_else(String::new, |initial| format!(" = `{initial}`"))
    };
    fields.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn entry(definition: &Definition) -> String {
    let mut text = format!("### {} (`{}`)\n", definition.display_name, definition.kind);
    let signals: Vec<String> = definition.signals.iter().map(ToString::to_string).collect();
    let _ = write!(text, "Takes {}.", signals.join(", "));
    if let Some(hint) = &definition.hint {
        let _ = write!(text, " {hint}");
    }
    text.push('\n');
    match &definition.support {
        Support::NotSupported(around) => {
            let _ = writeln!(text, "- **Not supported yet**: {around}.");
        }
        Support::Rendered { without, .. } => {
            for (signal, around) in without {
                let _ = writeln!(text, "- **Without {signal}**: {around}.");
            }
        }
    }
    for (place, is_secret) in [("data", false), ("Secret", true)] {
        let fields: Vec<&Field> = definition
            .fields
            .iter()
            .filter(|field| field.secret == is_secret)
            .collect();
        if !fields.is_empty() {
            let _ = writeln!(text, "- {place}: {}", names(&fields));
        }
    }
    let links: Vec<String> = definition.sources.iter().map(|source| format!("<{source}>")).collect();
    let _ = writeln!(text, "- From: {}", links.join(" "));
    text
}

#[test]
fn the_list_of_destinations_is_that_of_the_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/destinations.md");
    let written = fs::read_to_string(&path).unwrap();
    let (head, list) = written.split_once(BEGIN).expect("the line after which the list begins");
    let mut definitions: Vec<&Definition> = destinations::all().collect();
    definitions.sort_by_key(|definition| definition.display_name.to_lowercase());
    let entries: Vec<String> = definitions.into_iter().map(entry).collect();
    let made = format!("\n{}", entries.join("\n"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{made}")).unwrap();
        return;
    }
    assert_eq!(list, made, "run the test with UPDATE_SNAPSHOTS=1");
}

#[test]
fn each_file_says_where_its_facts_are_from_and_what_a_user_needs() {
    for definition in destinations::all() {
        let kind = &definition.kind;
        assert!(!definition.sources.is_empty(), "{kind}: no source");
        for source in &definition.sources {
            assert!(source.starts_with("https://"), "{kind}: {source}");
        }
        let is_rendered = matches!(definition.support, Support::Rendered { .. });
        assert!(!is_rendered || definition.hint.is_some(), "{kind}: no hint");
    }
}
