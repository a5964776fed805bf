use std::fmt;

/// What a pipeline carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// The name that a pipeline's id begins with.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}

/// `type` or `type/name`: which component, and which of several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    kind: String,
    name: String,
}

/// `traces` or `traces/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    signal: Signal,
    name: String,
}

impl ComponentId {
    /// Reads an id; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = split(text)?;
        let well_formed = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !well_formed {
            return Err(format!("\"{kind}\" is not a component's type"));
        }
        Ok(ComponentId { kind, name })
    }

    /// The component's type.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl PipelineId {
    /// Reads an id; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = split(text)?;
        let found = Signal::ALL.into_iter().find(|signal| signal.name() == kind);
        found.map(|signal| PipelineId { signal, name }).ok_or_else(|| {
            let hint = crate::error::suggestion(&kind, Signal::ALL.map(Signal::name));
            format!("a pipeline's id begins with traces, metrics or logs, not with \"{kind}\"{hint}")
        })
    }

    /// What the pipeline carries.
    pub fn signal(&self) -> Signal {
        self.signal
    }
}

fn split(text: &str) -> Result<(String, String), String> {
    let (kind, name) = match text.split_once('/') {
        Some((kind, "")) => return Err(format!("the name after \"{kind}/\" is missing")),
        Some((kind, name)) => (kind, name),
        None => (text, ""),
    };
    if name.chars().any(char::is_control) || name.len() > 1024 {
        return Err("the name after \"/\" is not printable, or longer than 1024 bytes".to_owned());
    }
    Ok((kind.trim().to_owned(), name.trim().to_owned()))
}

fn write_id(f: &mut fmt::Formatter<'_>, kind: &str, name: &str) -> fmt::Result {
    if name.is_empty() {
        f.write_str(kind)
    } else {
        write!(f, "{kind}/{name}")
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, &self.kind, &self.name)
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, self.signal.name(), &self.name)
    }
}
