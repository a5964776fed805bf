//! Log records, whose attributes carry threshold and randomness.

use super::LogSettings;
use super::carrier::Carrier;
use super::decision::{Decision, Evidence, Sampler};
use super::threshold::{Randomness, Threshold};
use collector_pdata::attributes::{Editor, field, find, put_text};
use collector_pdata::edit::Change;
use collector_pdata::logs::LogRecord;
use collector_pdata::traces::AnyValue;
use collector_pdata::{Malformed, Value};
use std::sync::Arc;

const THRESHOLD: &[u8] = b"sampling.threshold";
const RANDOMNESS: &[u8] = b"sampling.randomness";

#[derive(Clone)]
pub(super) struct Records {
    decision: Decision,
    settings: Arc<LogSettings>,
}

/// What is to be written into the attributes.
#[derive(Debug, Default)]
struct Marks {
    threshold: Option<Threshold>,
    randomness: Option<Randomness>,
    new_threshold: bool,
    new_randomness: bool,
}

impl Records {
    pub(super) fn new(decision: Decision, settings: Arc<LogSettings>) -> Self {
        Records { decision, settings }
    }

    /// Decides about an encoded record, and appends it with its new attributes to `out` if it is kept.
    pub(super) fn sample(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut evidence = self.evidence(raw)?;
        let priority = self.priority(raw)?;
        if !self.decision.keeps(&mut evidence, priority) {
            return Ok(Change::Drop);
        }
        match evidence.carrier {
            Some(marks) => marks.write(raw, out),
            None => Ok(Change::Keep),
        }
    }

    fn evidence(&self, raw: &[u8]) -> Result<Evidence<Marks>, Malformed> {
        let (mut marks, is_whole) = Marks::read(raw)?;
        Ok(match self.decision.sampler {
            Sampler::Never => Evidence {
                randomness: Some(Randomness::MOST),
                carrier: Some(marks),
                is_faulty: !is_whole,
            },
            Sampler::Hash { seed, .. } => {
                let randomness = self.hashed(seed, raw)?;
                // Whoever samples consistently should not be followed by a sampler that does not.
                let is_faulty = !is_whole || marks.randomness().is_some() || marks.threshold().is_some();
                if let Some(randomness) = randomness.filter(|_| !is_faulty) {
                    marks.set_randomness(randomness);
                }
                Evidence {
                    randomness,
                    carrier: (!is_faulty).then_some(marks),
                    is_faulty,
                }
            }
            Sampler::Proportional { .. } | Sampler::Equalizing(_) => {
                let own = trace_id(raw)?.map(|id| Randomness::of_trace_id(&id));
                Evidence {
                    randomness: marks.randomness().or(own).filter(|_| is_whole),
                    carrier: is_whole.then_some(marks),
                    is_faulty: !is_whole,
                }
            }
        })
    }

    /// Of the trace id, or else of the attribute that is configured.
    fn hashed(&self, seed: u32, raw: &[u8]) -> Result<Option<Randomness>, Malformed> {
        if self.settings.by_trace_id
            && let Some(id) = trace_id(raw)?
        {
            return Ok(Some(Randomness::of_hash(seed, &id)));
        }
        if self.settings.from_attribute.is_empty() {
            return Ok(None);
        }
        let Some(value) = find(raw, field::LOG_RECORD, &self.settings.from_attribute)? else {
            return Ok(None);
        };
        let bytes = match Value::read(value)? {
            Value::Bytes(bytes) => bytes,
            value => value.as_string().into_bytes(),
        };
        Ok((!bytes.is_empty()).then(|| Randomness::of_hash(seed, &bytes)))
    }

    /// The record's own percentage. Unlike a span's priority it is a probability.
    fn priority(&self, raw: &[u8]) -> Result<Option<Threshold>, Malformed> {
        if self.settings.priority.is_empty() {
            return Ok(None);
        }
        let value = find(raw, field::LOG_RECORD, &self.settings.priority)?;
        let percentage = match value.map(AnyValue::read).transpose()?.flatten() {
            Some(AnyValue::Int(number)) => number as f64,
            Some(AnyValue::Double(number)) => number,
            _ => return Ok(None),
        };
        Ok(Threshold::of(percentage / 100.0, self.settings.precision))
    }
}

fn trace_id(raw: &[u8]) -> Result<Option<[u8; 16]>, Malformed> {
    Ok(Some(LogRecord::read(raw)?.trace_id).filter(|id| *id != [0; 16]))
}

impl Marks {
    /// What could be read, and whether that is all.
    fn read(raw: &[u8]) -> Result<(Marks, bool), Malformed> {
        let (threshold, randomness) = (text(raw, THRESHOLD)?, text(raw, RANDOMNESS)?);
        let marks = Marks {
            threshold: threshold.and_then(Threshold::parse),
            randomness: randomness.and_then(Randomness::parse),
            ..Marks::default()
        };
        let is_whole =
            threshold.is_some() == marks.threshold.is_some() && randomness.is_some() == marks.randomness.is_some();
        Ok((marks, is_whole))
    }

    fn write(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut editor = Editor::default();
        let mut open = editor.open(raw, field::LOG_RECORD)?;
        let mut value = Vec::new();
        if let Some(randomness) = self.randomness.filter(|_| self.new_randomness) {
            put_text(&mut value, &randomness.to_text());
            open.upsert(RANDOMNESS, &value);
        }
        if self.new_threshold {
            let text = self.threshold.map(Threshold::to_text).unwrap_or_default();
            value.clear();
            put_text(&mut value, &text);
            open.upsert(THRESHOLD, &value);
        }
        Ok(open.finish(out))
    }
}

/// A text that is not empty.
fn text<'a>(raw: &'a [u8], key: &[u8]) -> Result<Option<&'a str>, Malformed> {
    let value = find(raw, field::LOG_RECORD, key)?;
    Ok(match value.map(AnyValue::read).transpose()?.flatten() {
        // What is not UTF-8 is no number either.
        Some(AnyValue::Text(text)) => Some(std::str::from_utf8(text).unwrap_or("?")).filter(|text| !text.is_empty()),
        _ => None,
    })
}

impl Carrier for Marks {
    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn randomness(&self) -> Option<Randomness> {
        self.randomness
    }

    fn set_threshold(&mut self, threshold: Option<Threshold>) {
        self.threshold = threshold;
        self.new_threshold = true;
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some(randomness);
        self.new_randomness = true;
    }
}
