//! What a guest tells the runner, one message a line, fields separated by tabs.
//!
//! The runner ignores every line that does not begin with [`MARK`], so that a stray print cannot be taken for a result.

use std::fmt;

/// What each line of the protocol begins with.
pub const MARK: &str = "@vmtests";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// First line: the release of the kernel that runs, as `uname -r` prints it.
    Hello {
        /// The kernel's release.
        release: String,
    },
    /// A test begins.
    Started {
        /// The test's name.
        test: String,
    },
    /// How many instructions the verifier processed to accept a program.
    Verified {
        /// The program's name.
        program: String,
        /// Instructions processed.
        instructions: u64,
    },
    /// A test is over.
    Ended {
        /// The test's name.
        test: String,
        /// How it went.
        outcome: Outcome,
    },
    /// Last line: no further test will run.
    Finished,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What was to be shown was shown.
    Passed,
    /// This kernel lacks the facility that the test is about; whether it may is decided by [`crate::kernels`].
    Absent(String),
    /// Something is wrong; the text is for a person.
    Failed(String),
}

impl fmt::Display for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{MARK}\t")?;
        match self {
            Message::Hello { release } => write!(out, "hello\t{}", escape(release)),
            Message::Started { test } => write!(out, "started\t{}", escape(test)),
            Message::Verified { program, instructions } => {
                write!(out, "verified\t{}\t{instructions}", escape(program))
            }
            Message::Ended { test, outcome } => {
                let (word, why) = match outcome {
                    Outcome::Passed => ("passed", ""),
                    Outcome::Absent(why) => ("absent", why.as_str()),
                    Outcome::Failed(why) => ("failed", why.as_str()),
                };
                write!(out, "ended\t{}\t{word}\t{}", escape(test), escape(why))
            }
            Message::Finished => write!(out, "finished"),
        }
    }
}

impl Message {
    /// Reads a line, with or without its line ending; `None` if it is not of this protocol.
    pub fn parse(line: &str) -> Option<Message> {
        let line = line.trim_end_matches(['\r', '\n']);
        let mut fields = line.strip_prefix(MARK)?.strip_prefix('\t')?.split('\t').map(unescape);
        let kind = fields.next()?;
        let message = match kind.as_str() {
            "hello" => Message::Hello {
                release: fields.next()?,
            },
            "started" => Message::Started { test: fields.next()? },
            "verified" => Message::Verified {
                program: fields.next()?,
                instructions: fields.next()?.parse().ok()?,
            },
            "ended" => Message::Ended {
                test: fields.next()?,
                outcome: match (fields.next()?.as_str(), fields.next()?) {
                    ("passed", _) => Outcome::Passed,
                    ("absent", why) => Outcome::Absent(why),
                    ("failed", why) => Outcome::Failed(why),
                    _ => return None,
                },
            },
            "finished" => Message::Finished,
            _ => return None,
        };
        fields.next().is_none().then_some(message)
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(outcome: Outcome) -> Message {
        Message::Ended {
            test: "a_test".into(),
            outcome,
        }
    }

    #[test]
    fn every_message_survives_a_serial_line() {
        let all = [
            Message::Hello {
                release: "6.1.0-56-cloud-amd64".into(),
            },
            Message::Started { test: "a_test".into() },
            Message::Verified {
                program: "on_write".into(),
                instructions: 12_345,
            },
            ended(Outcome::Passed),
            ended(Outcome::Absent("EINVAL".into())),
            ended(Outcome::Failed("line one\n\tline two \\n is not a new line\r".into())),
            Message::Finished,
        ];
        for message in all {
            let line = format!("{message}\r\n");
            assert_eq!(line.lines().count(), 1, "{line}");
            assert_eq!(Message::parse(&line), Some(message));
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_is_not_a_message() {
        for line in [
            "",
            "[    1.0] random: crng init done",
            "@vmtests",
            "@vmtestsfinished",
            "@vmtests\tended\ta_test\tperhaps\t",
            "@vmtests\tverified\ton_write\tmany",
            "@vmtests\tfinished\ttwice",
            "prefix @vmtests\tfinished",
        ] {
            assert_eq!(Message::parse(line), None, "{line:?}");
        }
    }
}
