//! The trace state of a span, by W3C's Trace Context, and OpenTelemetry's part of it.

use super::carrier::Carrier;
use super::threshold::{Randomness, Threshold};

/// The most bytes of a trace state.
const MAX_LENGTH: usize = 1024;
/// The most bytes of OpenTelemetry's part.
const MAX_OTEL_LENGTH: usize = 256;
/// Fewer members than this.
const MAX_MEMBERS: usize = 32;

/// A trace state, taken apart. What others wrote is kept as it was.
#[derive(Debug, Default, PartialEq)]
pub(super) struct TraceState<'a> {
    randomness: Option<Randomness>,
    threshold: Option<Threshold>,
    /// As they were written; upstream writes `rv` and `th` that it did not change as they came.
    randomness_text: String,
    threshold_text: String,
    otel_others: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> TraceState<'a> {
    /// What could be read, and whether that is all.
    pub(super) fn read(raw: &'a [u8]) -> (TraceState<'a>, bool) {
        let mut state = TraceState::default();
        let Ok(text) = std::str::from_utf8(raw) else {
            return (state, false);
        };
        if text.len() > MAX_LENGTH || !members(text, ',').all(|member| is_w3c_member(member.trim_matches(BLANK))) {
            return (state, false);
        }
        let mut is_whole = true;
        for (index, member) in members(text, ',').enumerate() {
            if index + 1 >= MAX_MEMBERS {
                return (state, false);
            }
            is_whole &= state.take(member.trim_matches(BLANK));
        }
        (state, is_whole)
    }

    fn take(&mut self, member: &'a str) -> bool {
        let Some((key, value)) = member.split_once('=') else {
            return true;
        };
        let is_short = match key.split_once('@') {
            Some((tenant, system)) => key.len() <= 256 && tenant.len() <= 241 && system.len() <= 14,
            None => key.len() <= 256,
        };
        if !is_short {
            return false;
        }
        if key == "ot" {
            return self.take_otel(value);
        }
        self.others.push(member);
        true
    }

    fn take_otel(&mut self, value: &'a str) -> bool {
        // Of several parts the last one counts.
        self.randomness = None;
        self.threshold = None;
        self.randomness_text.clear();
        self.threshold_text.clear();
        self.otel_others.clear();
        let is_form = !value.ends_with(';') && value.split(';').all(is_otel_member);
        if value.len() > MAX_OTEL_LENGTH || !is_form {
            return false;
        }
        let mut is_whole = true;
        for member in value.split(';') {
            match member.split_once(':') {
                Some(("rv", text)) => {
                    self.randomness = Randomness::parse(text);
                    self.randomness_text = self.randomness.map_or_else(String::new, |_| text.to_owned());
                    is_whole &= self.randomness.is_some();
                }
                Some(("th", text)) => {
                    self.threshold = Threshold::parse(text);
                    self.threshold_text = self.threshold.map_or_else(String::new, |_| text.to_owned());
                    is_whole &= self.threshold.is_some();
                }
                _ => self.otel_others.push(member),
            }
        }
        is_whole
    }

    /// OpenTelemetry's part first, then the others.
    pub(super) fn to_text(&self) -> String {
        let written = |name: &str, text: &str| (!text.is_empty()).then(|| format!("{name}:{text}"));
        let own = [
            written("rv", &self.randomness_text),
            written("th", &self.threshold_text),
        ];
        let own: Vec<String> = own.into_iter().flatten().collect();
        let otel: Vec<&str> = own
            .iter()
            .map(String::as_str)
            .chain(self.otel_others.iter().copied())
            .collect();
        let otel = (!otel.is_empty()).then(|| format!("ot={}", otel.join(";")));
        let all: Vec<&str> = otel.as_deref().into_iter().chain(self.others.iter().copied()).collect();
        all.join(",")
    }
}

impl Carrier for TraceState<'_> {
    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn randomness(&self) -> Option<Randomness> {
        self.randomness
    }

    fn set_threshold(&mut self, threshold: Option<Threshold>) {
        self.threshold = threshold;
        self.threshold_text = threshold.map(Threshold::to_text).unwrap_or_default();
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some(randomness);
        self.randomness_text = randomness.to_text();
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// The parts of a list; an empty list has none, and one separator at the end opens none.
fn members(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split_terminator(separator)
}

fn is_w3c_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return member.is_empty();
    };
    let is_key = match key.split_once('@') {
        Some((tenant, system)) => {
            is_name(tenant, |first| is_lower(first) || first.is_ascii_digit()) && is_name(system, is_lower)
        }
        None => is_name(key, is_lower),
    };
    let value = value.as_bytes();
    let is_value = |byte: &u8| matches!(byte, 0x20..=0x2b | 0x2d..=0x3c | 0x3e..=0x7e);
    is_key && value.len() <= 256 && value.iter().all(is_value) && value.last().is_some_and(|last| *last != b' ')
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase()
}

fn is_name(name: &str, is_first: impl Fn(u8) -> bool) -> bool {
    let is_next = |byte: &u8| is_lower(*byte) || byte.is_ascii_digit() || b"_-*/".contains(byte);
    match name.as_bytes() {
        [first, rest @ ..] => is_first(*first) && rest.iter().all(is_next),
        [] => false,
    }
}

fn is_otel_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once(':') else {
        return false;
    };
    let is_key = match key.as_bytes() {
        [first, rest @ ..] => is_lower(*first) && rest.iter().all(|byte| is_lower(*byte) || byte.is_ascii_digit()),
        [] => false,
    };
    is_key
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
