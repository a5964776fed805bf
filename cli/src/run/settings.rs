//! What `run` was asked for: options and the configuration file together, checked.

use super::{Arguments, Output, UsageError};
use anyhow::Result;
use collector_components::embed::{Destination, Form};
use odiglet::{Named, Options, Selection};
use runtime_inspect::facts::process::{Process, ProcessError};
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// The configuration file: the options under their own names. What both give is added up; a single value of the command
/// line wins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    pid: Vec<u32>,
    #[serde(default)]
    exe: Vec<String>,
    #[serde(default)]
    port: Vec<u16>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    export: Vec<String>,
    ring_size: Option<String>,
    duration: Option<String>,
}

/// Ready to use.
#[derive(Debug)]
pub struct Settings {
    pub selection: Selection,
    pub destinations: Vec<Destination>,
    pub ring_bytes: u32,
    pub duration: Option<Duration>,
    pub command: Vec<String>,
}

impl Settings {
    /// These processes and no others, shown on standard output only.
    pub fn of_processes(pids: &[u32], output: Output, duration: Option<Duration>) -> Result<Self> {
        let options = Options::default();
        let named = pids.iter().map(|pid| name(*pid)).collect::<Result<Vec<_>, _>>()?;
        Ok(Settings {
            selection: options.selection(&named)?,
            destinations: vec![output.destination().unwrap_or(Destination::Nowhere)],
            ring_bytes: options.ring_bytes()?,
            duration,
            command: Vec::new(),
        })
    }

    /// Reads the file, if one is named, and checks everything; all errors at once.
    pub fn new(arguments: Arguments) -> Result<Self, UsageError> {
        let mut errors = Vec::new();
        let file = arguments
            .config
            .as_deref()
            .map(read)
            .transpose()
            .unwrap_or_else(|error| {
                errors.push(error);
                None
            });
        let file = file.unwrap_or_default();
        let pids = [arguments.pid, file.pid].concat();
        let named = named(&pids, &mut errors);
        let written = arguments.options;
        let options = Options {
            exe: [written.exe, file.exe].concat(),
            port: [written.port, file.port].concat(),
            exclude: [written.exclude, file.exclude].concat(),
            ring_size: written.ring_size.or(file.ring_size),
        };
        let selection = options
            .selection(&named)
            .map_err(|error| errors.push(error.to_string()))
            .unwrap_or_default();
        let ring_bytes = options
            .ring_bytes()
            .map_err(|error| errors.push(error.to_string()))
            .unwrap_or_default();
        let exports = [arguments.export, file.export].concat();
        let destinations = destinations(&exports, arguments.output, &mut errors);
        let duration = parse_duration(arguments.duration.or(file.duration).as_deref());
        let settings = Settings {
            selection,
            ring_bytes,
            duration: duration.map_err(|error| errors.extend(error.0)).unwrap_or_default(),
            destinations,
            command: arguments.command,
        };
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(UsageError(errors))
        }
    }
}

/// Where the spans go, each place once: the command line and the file may name the same, and two writers of one file would
/// destroy what they write.
fn destinations(exports: &[String], output: Option<Output>, errors: &mut Vec<String>) -> Vec<Destination> {
    // Whoever asks for standard output as a destination wants to read it by a program.
    const STDOUT: Destination = Destination::Terminal(Form::Json);
    let mut found = Vec::new();
    for text in exports {
        match Destination::parse(text) {
            Ok(Destination::Terminal(_)) => found.push(STDOUT),
            Ok(destination) => found.push(destination),
            Err(error) => errors.push(format!("--export {error}")),
        }
    }
    let shown = if !found.contains(&STDOUT) {
        output.unwrap_or_else(Output::by_default).destination()
    } else if matches!(output, Some(Output::Tree | Output::Lines)) {
        errors.push("--export stdout: standard output shows what --output says; use --output json".to_owned());
        None
    } else {
        None
    };
    found.extend(shown);
    let mut once: Vec<Destination> = Vec::new();
    for destination in found {
        if !once.contains(&destination) {
            once.push(destination);
        }
    }
    if once.is_empty() {
        once.push(Destination::Nowhere);
    }
    once
}

fn read(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The processes that have these ids now, and no later ones.
fn named(pids: &[u32], errors: &mut Vec<String>) -> Vec<Named> {
    let mut found = Vec::new();
    for pid in pids {
        match name(*pid) {
            Ok(named) => found.push(named),
            Err(ProcessError::Gone { .. }) => errors.push(format!("--pid {pid}: no such process")),
            Err(error) => errors.push(format!("--pid {pid}: {error}")),
        }
    }
    found
}

fn name(pid: u32) -> Result<Named, ProcessError> {
    let process = Process::open(pid)?;
    process.refuse_thread()?;
    Ok(Named {
        pid,
        start_time: process.start_time(),
    })
}

/// `90s`, `1500ms`, `5m` or seconds.
pub fn parse_duration(text: Option<&str>) -> Result<Option<Duration>, UsageError> {
    let Some(text) = text else { return Ok(None) };
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "" | "s" => Some(1.0),
        "ms" => Some(0.001),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok());
    let wrong = || {
        UsageError(vec![format!(
            "--duration {text:?}: use a time such as 30s, 1500ms or 5m"
        )])
    };
    duration.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text, expected| assert_eq!(parse_duration(Some(text)).unwrap(), Some(expected), "{text}");
        check("1500ms", Duration::from_millis(1500));
        check("2m", Duration::from_secs(120));
        check("3", Duration::from_secs(3));
        assert_eq!(parse_duration(None).unwrap(), None);
        for bad in ["", "s", "-1s", "5 weeks", "1e999s"] {
            let error = parse_duration(Some(bad)).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
