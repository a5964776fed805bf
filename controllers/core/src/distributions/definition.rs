//! What a distribution's file says.

use super::{AGENTS, Range};
use collector_config::{Errors, Node, Section};
use controllers_api::signals::Signal;
use controllers_api::workload::ProgrammingLanguage;
use std::collections::BTreeMap;

/// An agent for a language, or for any.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// `otelDistroName`; the file's name.
    pub name: String,
    /// What a person calls it.
    pub display_name: String,
    /// Where the facts come from: public documentation.
    pub sources: Vec<String>,
    /// What it is for; [`ProgrammingLanguage::Any`] for every language.
    pub language: ProgrammingLanguage,
    /// The versions of the runtime that it can be in.
    pub versions: Range,
    /// The languages whose containers get it if nobody says otherwise.
    pub default_for: Vec<ProgrammingLanguage>,
    /// The distribution to take for a version that this one does not support.
    pub fallback: Option<String>,
    /// Where it runs.
    pub kind: Kind,
    /// Whether a process must be started anew for it.
    pub restart: bool,
    /// Raised whenever its files change, so that pods that run with the earlier ones are replaced.
    pub revision: u64,
    /// What it makes.
    pub signals: Vec<Signal>,
    /// The extended resource that a container asks for, `instrumentation.odigos.io/...`. None if pods stay as they are.
    pub device: Option<String>,
    /// Folders below [`AGENTS`] that the container must see.
    pub directories: Vec<String>,
    /// What must be known of a container.
    pub parameters: Vec<Parameter>,
    /// Whether the library that the dynamic loader loads first may set its environment, in place of the pod's manifest.
    pub loader: bool,
    /// Whether its runtime reads the environment in a process that runs with raised privileges.
    pub secure_execution: bool,
    /// The environment by which the runtime loads it.
    pub environment: Vec<Variable>,
}

/// Where an agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the process, loaded by its runtime.
    Native,
    /// In the kernel; the process is only looked at.
    Ebpf,
}

/// What a distribution must know of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// The C library: `glibc` or `musl`.
    LibC,
    /// The first two numbers of the runtime's version, such as `8.3`.
    RuntimeVersionMajorMinor,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value, with `{{agents}}` and the names of parameters in double braces; see [`Variable::value`].
    pub value: String,
    /// What happens to a value that the user has.
    pub merge: Merge,
}

/// What happens to a value that the user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// It stays, and ours is left out.
    Keep,
    /// Ours is added at its end.
    Append {
        /// What stands between both.
        separator: String,
        /// Whether it stands before ours also where the user has no value.
        when_alone: bool,
    },
}

impl Parameter {
    const ALL: [(&'static str, Self); 2] = [
        ("LIBC_TYPE", Self::LibC),
        ("RUNTIME_VERSION_MAJOR_MINOR", Self::RuntimeVersionMajorMinor),
    ];

    /// The key in `distroParams`, and the placeholder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LibC => "LIBC_TYPE",
            Self::RuntimeVersionMajorMinor => "RUNTIME_VERSION_MAJOR_MINOR",
        }
    }
}

impl Variable {
    /// The value for a container with these parameters; a placeholder whose parameter is missing stays.
    pub fn value(&self, parameters: &BTreeMap<String, String>) -> String {
        let value = self.value.replace("{{agents}}", AGENTS);
        parameters.iter().fold(value, |value, (name, parameter)| {
            value.replace(&format!("{{{{{name}}}}}"), parameter)
        })
    }
}

impl Distribution {
    /// Whether it can be in a process of `language`.
    pub fn is_for(&self, language: ProgrammingLanguage) -> bool {
        self.language == ProgrammingLanguage::Any || self.language == language
    }

    /// Whether anything of it has to be in a pod.
    pub fn is_injected(&self) -> bool {
        self.kind == Kind::Native
    }

    /// Reads a file; `name` is what errors call it.
    pub fn parse(text: &str, name: &str) -> Result<Distribution, Errors> {
        let node = Node::parse(text, name)?;
        let mut errors = Errors::default();
        let mut section = Section::open("", &node, &mut errors);
        let distribution = read(&mut section);
        section.finish();
        errors.unless_any(distribution)
    }
}

fn read(section: &mut Section<'_, '_>) -> Distribution {
    let kind = section.choice("kind", &[("native", Kind::Native), ("ebpf", Kind::Ebpf)]);
    if kind.is_none() {
        section.error("kind", "is required");
    }
    let language = section.required_text("language").unwrap_or_default();
    Distribution {
        name: owned(section, "name"),
        display_name: owned(section, "display_name"),
        sources: owned_list(section, "sources"),
        language: one(section, "language", language).unwrap_or(ProgrammingLanguage::Unknown),
        versions: versions(section),
        default_for: each(section, "default_for"),
        fallback: section.text("fallback").map(str::to_owned),
        kind: kind.unwrap_or(Kind::Native),
        restart: section.flag("restart", true),
        revision: section.count("revision", 1),
        signals: each_signal(section),
        device: section.text("device").map(str::to_owned),
        directories: owned_list(section, "directories"),
        parameters: parameters(section),
        loader: section.flag("loader", false),
        secure_execution: section.flag("secure_execution", true),
        environment: section.sections("environment", variable),
    }
}

fn owned(section: &mut Section<'_, '_>, key: &'static str) -> String {
    section.required_text(key).unwrap_or_default().to_owned()
}

fn owned_list(section: &mut Section<'_, '_>, key: &'static str) -> Vec<String> {
    section.texts_list(key).into_iter().map(str::to_owned).collect()
}

fn versions(section: &mut Section<'_, '_>) -> Range {
    let text = section.required_text("versions").unwrap_or("*");
    Range::parse(text).unwrap_or_else(|error| {
        section.error("versions", error.to_string());
        Range::default()
    })
}

/// A language by the name that it has in the API.
fn one(section: &mut Section<'_, '_>, key: &str, name: &str) -> Option<ProgrammingLanguage> {
    let language = serde_json::from_value(name.into()).ok();
    if language.is_none() {
        section.error(key, format!("\"{name}\" is no language"));
    }
    language
}

fn each(section: &mut Section<'_, '_>, key: &'static str) -> Vec<ProgrammingLanguage> {
    let names = section.texts_list(key);
    names.into_iter().filter_map(|name| one(section, key, name)).collect()
}

fn each_signal(section: &mut Section<'_, '_>) -> Vec<Signal> {
    let mut signals = Vec::new();
    for name in section.texts_list("signals") {
        match name {
            "traces" => signals.push(Signal::Traces),
            "metrics" => signals.push(Signal::Metrics),
            "logs" => signals.push(Signal::Logs),
            _ => section.error("signals", format!("\"{name}\" is none of traces, metrics, logs")),
        }
    }
    signals
}

fn parameters(section: &mut Section<'_, '_>) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for name in section.texts_list("parameters") {
        match Parameter::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, parameter)) => parameters.push(*parameter),
            None => section.error("parameters", format!("\"{name}\" is no parameter")),
        }
    }
    parameters
}

fn variable(section: &mut Section<'_, '_>) -> Variable {
    let name = owned(section, "name");
    let value = owned(section, "value");
    let appends = section.choice("merge", &[("keep", false), ("append", true)]) == Some(true);
    let separator = section.text("separator").map(str::to_owned);
    let when_alone = section.flag("separator_when_alone", false);
    let merge = match (appends, separator) {
        (true, Some(separator)) => Merge::Append { separator, when_alone },
        (true, None) => {
            section.error("separator", "is required where values are appended");
            Merge::Keep
        }
        (false, separator) => {
            if separator.is_some() || when_alone {
                section.error("separator", "has no meaning unless merge is append");
            }
            Merge::Keep
        }
    };
    Variable { name, value, merge }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        let errors = Distribution::parse(text, "x.yaml").unwrap_err();
        errors.to_string()
    }

    #[test]
    fn what_a_file_says_wrongly_is_named() {
        let rest = "name: x\ndisplay_name: X\nsources: []\n";
        let found = errors(&format!(
            "{rest}kind: native\nlanguage: cobol\nversions: '> x'\nsignals: [smoke]\nparameters: [MOON]"
        ));
        for word in [
            "\"cobol\" is no language",
            "\"smoke\" is none of",
            "\"MOON\" is no parameter",
            "versions",
        ] {
            assert!(found.contains(word), "{word}: {found}");
        }
        let found = errors(&format!(
            "{rest}kind: ebpf\nlanguage: go\nversions: '*'\nenvironment: [{{name: A, value: b, merge: append}}]"
        ));
        assert!(found.contains("is required where values are appended"), "{found}");
    }

    #[test]
    fn placeholders_become_what_is_known_of_the_container() {
        let variable = Variable {
            name: "A".to_owned(),
            value: "{{agents}}/x/{{LIBC_TYPE}}".to_owned(),
            merge: Merge::Keep,
        };
        let parameters = BTreeMap::from([("LIBC_TYPE".to_owned(), "musl".to_owned())]);
        assert_eq!(variable.value(&parameters), "/var/odigos/x/musl");
        assert_eq!(variable.value(&BTreeMap::new()), "/var/odigos/x/{{LIBC_TYPE}}");
    }
}
