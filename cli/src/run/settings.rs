//! What `run` was asked for: options and the configuration file together, checked.

use super::{Arguments, Output, UsageError};
use collector_components::embed::{Destination, Form};
use odiglet::{Named, Selection};
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

/// Bytes of the ring, unless said otherwise.
const RING_BYTES: u32 = 8 << 20;

impl Settings {
    /// Reads the file, if one is named, and checks everything; all errors at once.
    pub fn new(arguments: Arguments, is_terminal: bool) -> Result<Self, UsageError> {
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
        let selection = Selection::new(
            &named,
            &[arguments.exe, file.exe].concat(),
            &[arguments.port, file.port].concat(),
            &[arguments.exclude, file.exclude].concat(),
        );
        let selection = selection
            .map_err(|error| errors.push(error.to_string()))
            .unwrap_or_default();
        let mut destinations = Vec::new();
        for text in [arguments.export, file.export].concat() {
            match Destination::parse(&text) {
                // Whoever asks for standard output as a destination wants to read it by a program.
                Ok(Destination::Terminal(_)) => destinations.push(Destination::Terminal(Form::Json)),
                Ok(destination) => destinations.push(destination),
                Err(error) => errors.push(format!("--export {error}")),
            }
        }
        let ring = arguments.ring_size.or(file.ring_size);
        let ring_bytes = ring.map_or(Ok(RING_BYTES), |text| parse_ring_size(&text));
        let duration = arguments
            .duration
            .or(file.duration)
            .map(|text| parse_duration(&text))
            .transpose();
        let output = arguments
            .output
            .unwrap_or_else(|| default_output(is_terminal, &destinations));
        destinations.extend(output.destination());
        if destinations.is_empty() {
            destinations.push(Destination::Nowhere);
        }
        let settings = Settings {
            selection,
            ring_bytes: ring_bytes.map_err(|error| errors.push(error)).unwrap_or_default(),
            duration: duration.map_err(|error| errors.push(error)).unwrap_or_default(),
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

/// Two writers on standard output would mix their lines.
fn default_output(is_terminal: bool, destinations: &[Destination]) -> Output {
    if destinations.contains(&Destination::Terminal(Form::Json)) {
        Output::Quiet
    } else if is_terminal {
        Output::Tree
    } else {
        Output::Lines
    }
}

fn read(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The processes that have these ids now, and no later ones.
fn named(pids: &[u32], errors: &mut Vec<String>) -> Vec<Named> {
    let mut found = Vec::new();
    for pid in pids {
        match Process::open(*pid) {
            Ok(process) => found.push(Named {
                pid: *pid,
                start_time: process.start_time(),
            }),
            Err(ProcessError::Gone { .. }) => errors.push(format!("--pid {pid}: no such process")),
            Err(error) => errors.push(format!("--pid {pid}: {error}")),
        }
    }
    found
}

/// `8MiB`, `512KiB` or bytes; a power of two, since the kernel's ring needs one.
fn parse_ring_size(text: &str) -> Result<u32, String> {
    let bad = || format!("--ring-size {text:?}: use a power of two from 4KiB to 1GiB, such as 8MiB");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1u64 << 30,
        _ => return Err(bad()),
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(bad)?;
    let fits = bytes.is_power_of_two() && (4096..=1 << 30).contains(&bytes);
    if fits { Ok(bytes as u32) } else { Err(bad()) }
}

/// `90s`, `1500ms`, `5m` or seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("--duration {text:?}: use a time such as 30s, 1500ms or 5m");
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_sizes() {
        assert_eq!(parse_ring_size("8MiB"), Ok(8 << 20));
        assert_eq!(parse_ring_size("4096"), Ok(4096));
        for bad in ["", "3MiB", "2048", "8 parsec", "99999999999999999999", "2GiB"] {
            assert!(parse_ring_size(bad).unwrap_err().contains(&format!("{bad:?}")));
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("3"), Ok(Duration::from_secs(3)));
        for bad in ["", "s", "-1s", "5 weeks", "1e999s"] {
            assert!(parse_duration(bad).unwrap_err().contains(&format!("{bad:?}")), "{bad}");
        }
    }
}
