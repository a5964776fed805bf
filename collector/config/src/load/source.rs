use super::reference::split_scheme;
use super::{Provider, merge};
use crate::parse::parse;
use crate::{Errors, Node, Position};
use std::sync::Arc;

/// Where a configuration, or a part of one, comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, by its path.
    File(String),
    /// YAML in an environment variable, by its name.
    Env(String),
    /// YAML on the command line.
    Yaml(String),
    /// `key.key=value` on the command line.
    Set {
        /// The key's path, with `::` in it.
        key: String,
        /// The value, as YAML.
        value: String,
    },
}

impl Source {
    /// Reads a path, or `file:PATH`, `env:NAME` or `yaml:TEXT`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Source, String> {
        let source = match split_scheme(text) {
            None => Source::File(text.to_owned()),
            Some(("file", path)) => Source::File(path.to_owned()),
            Some(("env", name)) => Source::Env(name.to_owned()),
            Some(("yaml", text)) => Source::Yaml(text.to_owned()),
            Some((scheme, _)) => {
                return Err(format!("the scheme \"{scheme}\" is none of file, env, yaml"));
            }
        };
        match &source {
            Source::File(name) | Source::Env(name) if name.is_empty() => Err("the name is missing".to_owned()),
            _ => Ok(source),
        }
    }

    /// Reads `key.key=value`; the error says what is wrong with it.
    pub fn parse_set(text: &str) -> Result<Source, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Source::Set {
                key: key.trim().replace('.', merge::SEPARATOR),
                value: value.trim().to_owned(),
            }),
            _ => Err("expected key=value, for example processors.batch.timeout=2s".to_owned()),
        }
    }

    /// What errors call it.
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Source::File(path) => path.as_str().into(),
            Source::Env(name) => format!("env:{name}").into(),
            Source::Yaml(_) => "--config yaml".into(),
            Source::Set { .. } => "--set".into(),
        }
    }

    pub(super) fn read(&self, provider: &dyn Provider) -> Result<Node, Errors> {
        let name = self.name();
        match self {
            Source::File(path) => {
                let text = provider.file(path);
                let text = text.map_err(|error| failure(name.clone(), format!("cannot read it: {error}")))?;
                parse(&text, &name)
            }
            Source::Env(variable) => {
                let text = provider.env(variable);
                let text = text.ok_or_else(|| failure(name.clone(), "the environment variable is not set"))?;
                parse(&text, &name)
            }
            Source::Yaml(text) => parse(text, &name),
            Source::Set { key, value } => {
                let mut node = Node::map([(key.as_str(), parse(value, &name)?)]);
                node.place(&Position { file: name, line: 1 });
                Ok(node)
            }
        }
    }
}

fn failure(file: Arc<str>, message: impl Into<String>) -> Errors {
    let mut errors = Errors::default();
    errors.add("", &Position { file, line: 0 }, message);
    errors
}
