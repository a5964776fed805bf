//! How much of the verifier's budget each eBPF program may use.
//!
//! The kernel refuses a program whose verification takes more than a million instructions, and the number differs from
//! kernel to kernel. A program that grows towards the limit here is found before one kernel in the field refuses it.

use std::collections::BTreeMap;

/// Program to limit, as read from `verifier-limits.txt`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<String, u64>);

/// How a measurement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within the limit.
    Within,
    /// Above the limit, which is given.
    Above(u64),
    /// The file does not name the program.
    Unknown,
}

impl Limits {
    /// Reads lines of `program limit`; `#` begins a comment. The error names the line.
    pub fn parse(text: &str) -> Result<Limits, String> {
        let mut limits = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let entry = line.split_once(char::is_whitespace);
            let entry = entry.and_then(|(program, limit)| Some((program, limit.trim().parse().ok()?)));
            let (program, limit) = entry.ok_or_else(|| format!("line {}: not `program limit`: {line}", index + 1))?;
            if limits.insert(program.to_owned(), limit).is_some() {
                return Err(format!("line {}: {program} is named twice", index + 1));
            }
        }
        Ok(Limits(limits))
    }

    /// Compares a measurement with the program's limit.
    pub fn judge(&self, program: &str, instructions: u64) -> Verdict {
        match self.0.get(program) {
            None => Verdict::Unknown,
            Some(&limit) if instructions > limit => Verdict::Above(limit),
            Some(_) => Verdict::Within,
        }
    }

    /// Names that have a limit, in order.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A program's limit.
    pub fn of(&self, program: &str) -> Option<u64> {
        self.0.get(program).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_judged_by_its_own_line() {
        let limits = Limits::parse("# comment\n\non_write 100 # why\non_read\t\t7\n").unwrap();
        assert_eq!(limits.judge("on_write", 100), Verdict::Within);
        assert_eq!(limits.judge("on_write", 101), Verdict::Above(100));
        assert_eq!(limits.judge("on_read", 8), Verdict::Above(7));
        assert_eq!(limits.judge("on_close", 1), Verdict::Unknown);
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(
            Limits::parse("a 1\nb many"),
            Err("line 2: not `program limit`: b many".into())
        );
        assert_eq!(Limits::parse("a 1\n\na 2"), Err("line 3: a is named twice".into()));
    }

    #[test]
    fn the_file_that_is_checked_in_is_valid() {
        Limits::parse(include_str!("../verifier-limits.txt")).unwrap();
    }
}
