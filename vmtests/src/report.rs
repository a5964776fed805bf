//! Judges what the kernels reported and prints it as tables: test by kernel, and program by kernel.

use crate::{
    kernels::Series,
    limits::{Limits, Verdict},
    protocol::{Message, Outcome},
    trouble::{Reached, Trouble},
};
use std::{collections::BTreeMap, fmt::Write};

/// Everything one kernel reported.
#[derive(Debug, Default)]
pub struct Results {
    /// How the column is titled.
    pub title: String,
    /// What is known of the kernel; `None` for this machine's and for one that a person named.
    pub series: Option<&'static Series>,
    /// `uname -r`, once the guest has said it.
    pub release: Option<String>,
    /// Test to outcome.
    pub outcomes: BTreeMap<String, Outcome>,
    /// Program to the number of instructions that the verifier processed.
    pub verified: BTreeMap<String, u64>,
    /// The test that was running when the last message came.
    pub running: Option<String>,
    /// The guest said that it had finished.
    pub finished: bool,
    /// What went wrong with the machine itself.
    pub trouble: Option<Trouble>,
}

/// How many results there were of each sort.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Passed, an absence that was expected included.
    pub passed: usize,
    /// Failed, or never reported.
    pub failed: usize,
    /// The kernel lacks what the test is about, and nothing is known of this kernel that says it should not.
    pub skipped: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Cell {
    Passed,
    Absent,
    Skipped,
    Failed(String),
}

impl Results {
    /// Takes in one message.
    pub fn accept(&mut self, message: Message) {
        match message {
            Message::Hello { release } => self.release = Some(release),
            Message::Started { test } => self.running = Some(test),
            Message::Verified { program, instructions } => {
                self.verified.insert(program, instructions);
            }
            Message::Ended { test, outcome } => {
                self.running = None;
                self.outcomes.insert(test, outcome);
            }
            Message::Finished => self.finished = true,
        }
    }

    /// How far the guest has come.
    pub fn reached(&self) -> Reached<'_> {
        match &self.running {
            _ if self.finished => Reached::All,
            _ if self.release.is_none() => Reached::Boot,
            Some(test) => Reached::Test(test),
            None => Reached::Between,
        }
    }

    /// What is to be told of a test that failed. Where the machine itself is in trouble, that is the reason of every test
    /// without a result, and is told once.
    fn failure(&self, test: &str) -> Option<String> {
        match self.cell(test) {
            Cell::Failed(_) if self.trouble.is_some() && !self.outcomes.contains_key(test) => None,
            Cell::Failed(why) => Some(why),
            Cell::Passed | Cell::Absent | Cell::Skipped => None,
        }
    }

    fn cell(&self, test: &str) -> Cell {
        let absence_expected = self.series.is_some_and(|series| series.lacks(test));
        match self.outcomes.get(test) {
            None => Cell::Failed("no result".into()),
            Some(Outcome::Failed(why)) => Cell::Failed(why.clone()),
            Some(Outcome::Passed) if absence_expected => {
                Cell::Failed("passed, although this kernel was known to lack what it needs".into())
            }
            Some(Outcome::Passed) => Cell::Passed,
            Some(Outcome::Absent(_)) if absence_expected => Cell::Absent,
            Some(Outcome::Absent(why)) if self.series.is_some() => {
                Cell::Failed(format!("absent, although this kernel is known to have it: {why}"))
            }
            Some(Outcome::Absent(_)) => Cell::Skipped,
        }
    }
}

/// Counts the results of `tests` on all kernels, and each measurement that is above its limit as a failure.
pub fn tally(kernels: &[Results], tests: &[String], limits: &Limits) -> Tally {
    let mut tally = Tally::default();
    for kernel in kernels {
        for test in tests {
            match kernel.cell(test) {
                Cell::Passed | Cell::Absent => tally.passed += 1,
                Cell::Skipped => tally.skipped += 1,
                Cell::Failed(_) => tally.failed += 1,
            }
        }
        tally.failed += usize::from(kernel.trouble.is_some());
        let judged = kernel
            .verified
            .iter()
            .map(|(program, &count)| limits.judge(program, count));
        tally.failed += judged.filter(|verdict| *verdict != Verdict::Within).count();
    }
    tally
}

/// The table of results, and below it the reason of each failure.
pub fn results(kernels: &[Results], tests: &[String]) -> String {
    let mut rows = vec![header("test", kernels)];
    let mut failures = String::new();
    for test in tests {
        let mut row = vec![test.clone()];
        for kernel in kernels {
            let word = match kernel.cell(test) {
                Cell::Passed => "ok",
                Cell::Absent => "absent",
                Cell::Skipped => "-",
                Cell::Failed(_) => "FAILED",
            };
            if let Some(why) = kernel.failure(test) {
                let _ = writeln!(failures, "\nFAILED {test} on {}:\n{}", kernel.title, indent(&why));
            }
            row.push(word.to_owned());
        }
        rows.push(row);
    }
    for kernel in kernels {
        if let Some(trouble) = &kernel.trouble {
            let _ = writeln!(
                failures,
                "\nFAILED machine {}:\n{}",
                kernel.title,
                indent(&trouble.full())
            );
        }
    }
    align(&rows) + &failures
}

/// The table of what the verifier processed. A count above its limit is marked, and so is a program without a limit.
pub fn verified(kernels: &[Results], limits: &Limits) -> String {
    let mut programs: Vec<&str> = kernels
        .iter()
        .flat_map(|kernel| kernel.verified.keys())
        .map(String::as_str)
        .collect();
    programs.sort_unstable();
    programs.dedup();
    if programs.is_empty() {
        return String::new();
    }
    let mut head = header("instructions verified", kernels);
    head.push("limit".into());
    let mut rows = vec![head];
    for program in programs {
        let mut row = vec![program.to_owned()];
        for kernel in kernels {
            row.push(match kernel.verified.get(program) {
                None => "-".into(),
                Some(&count) => match limits.judge(program, count) {
                    Verdict::Within => count.to_string(),
                    Verdict::Above(_) => format!("{count} ABOVE"),
                    Verdict::Unknown => format!("{count} NO LIMIT"),
                },
            });
        }
        row.push(limits.of(program).map_or("-".into(), |limit| limit.to_string()));
        rows.push(row);
    }
    align(&rows)
}

/// How many failed tests the summary names for each kernel.
const NAMED: usize = 8;

/// What failed, in so few lines that the end of a log holds it; empty if nothing did.
pub fn summary(kernels: &[Results], tests: &[String]) -> String {
    let mut out = String::new();
    for kernel in kernels {
        let failed: Vec<(&String, String)> = tests
            .iter()
            .filter_map(|test| Some((test, kernel.failure(test)?)))
            .collect();
        for (test, why) in failed.iter().take(NAMED) {
            let why = why.lines().next().unwrap_or_default();
            let _ = writeln!(out, "FAILED {test} on {}: {why}", kernel.title);
        }
        if let Some(more) = failed.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = writeln!(out, "FAILED {more} more tests on {}", kernel.title);
        }
        if let Some(trouble) = &kernel.trouble {
            let silent = tests.iter().filter(|test| !kernel.outcomes.contains_key(*test)).count();
            let _ = write!(
                out,
                "FAILED machine {}, {silent} of {} tests without a result:\n{}",
                kernel.title,
                tests.len(),
                indent(&trouble.brief())
            );
        }
    }
    out
}

fn header(first: &str, kernels: &[Results]) -> Vec<String> {
    let titles = kernels.iter().map(|kernel| match &kernel.release {
        Some(release) if *release != kernel.title => format!("{} ({release})", kernel.title),
        _ => kernel.title.clone(),
    });
    std::iter::once(first.to_owned()).chain(titles).collect()
}

fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::End;

    static OLD: Series = Series {
        name: "old",
        version: "1",
        command_line: "",
        absent: &["needs_new"],
    };

    fn kernel(series: Option<&'static Series>, outcomes: &[(&str, Outcome)]) -> Results {
        let mut results = Results {
            title: "old".into(),
            series,
            ..Results::default()
        };
        for (test, outcome) in outcomes {
            results.accept(Message::Ended {
                test: test.to_string(),
                outcome: outcome.clone(),
            });
        }
        results
    }

    fn trouble(kernel: &Results) -> Trouble {
        let console = "booting\nKernel panic - not syncing\n".to_owned();
        Trouble::new(End::Itself(Some(0)), kernel.reached(), console, String::new())
    }

    fn count(kernel: Results, tests: &[&str]) -> (usize, usize, usize) {
        let tests: Vec<String> = tests.iter().map(|test| test.to_string()).collect();
        let tally = tally(&[kernel], &tests, &Limits::default());
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn a_test_without_a_result_has_failed() {
        assert_eq!(count(kernel(None, &[]), &["plain"]), (0, 1, 0));
        assert_eq!(
            count(kernel(None, &[("plain", Outcome::Passed)]), &["plain"]),
            (1, 0, 0)
        );
    }

    #[test]
    fn an_absence_is_judged_by_what_is_known_of_the_kernel() {
        let absent = || Outcome::Absent("EINVAL".into());
        // Expected, unexpected, and on a kernel of which nothing is known.
        assert_eq!(
            count(kernel(Some(&OLD), &[("needs_new", absent())]), &["needs_new"]),
            (1, 0, 0)
        );
        assert_eq!(count(kernel(Some(&OLD), &[("plain", absent())]), &["plain"]), (0, 1, 0));
        assert_eq!(count(kernel(None, &[("plain", absent())]), &["plain"]), (0, 0, 1));
        // A facility that appears where it was known to be missing.
        assert_eq!(
            count(kernel(Some(&OLD), &[("needs_new", Outcome::Passed)]), &["needs_new"]),
            (0, 1, 0)
        );
    }

    #[test]
    fn a_machine_in_trouble_and_a_program_above_its_limit_are_failures() {
        let mut troubled = kernel(None, &[]);
        troubled.trouble = Some(trouble(&troubled));
        assert_eq!(count(troubled, &[]), (0, 1, 0));

        let mut measured = kernel(None, &[]);
        for (program, instructions) in [("small", 5), ("large", 11), ("unknown", 1)] {
            measured.accept(Message::Verified {
                program: program.into(),
                instructions,
            });
        }
        let limits = Limits::parse("small 10\nlarge 10").unwrap();
        let kernels = [measured];
        assert_eq!(tally(&kernels, &[], &limits).failed, 2);
        assert_eq!(
            verified(&kernels, &limits),
            "instructions verified  old         limit\n\
             large                  11 ABOVE    10\n\
             small                  5           10\n\
             unknown                1 NO LIMIT  -\n"
        );
    }

    #[test]
    fn the_table_names_each_failure_with_its_reason() {
        let mut column = kernel(
            None,
            &[("a", Outcome::Passed), ("b", Outcome::Failed("one\ntwo".into()))],
        );
        column.accept(Message::Hello {
            release: "1.2.3".into(),
        });
        assert_eq!(
            results(&[column], &["a".into(), "b".into()]),
            "test  old (1.2.3)\n\
             a     ok\n\
             b     FAILED\n\
             \n\
             FAILED b on old:\n    one\n    two\n\n"
        );
    }

    #[test]
    fn a_machine_that_died_is_told_once_and_not_for_each_test_that_it_did_not_come_to() {
        let mut column = kernel(None, &[("t0", Outcome::Failed("one\ntwo".into()))]);
        column.accept(Message::Hello {
            release: "1.2.3".into(),
        });
        column.trouble = Some(trouble(&column));
        let tests: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
        let columns = [column];
        assert_eq!(
            summary(&columns, &tests),
            "FAILED t0 on old: one\n\
             FAILED machine old, 49 of 50 tests without a result:\n    \
             the machine ended before its time, between two tests; its console says:\n    \
             booting\n    \
             Kernel panic - not syncing\n"
        );
        assert_eq!(results(&columns, &tests).matches("\nFAILED").count(), 2);
        assert_eq!(tally(&columns, &tests, &Limits::default()).failed, 51);
    }

    #[test]
    fn the_summary_stays_short_however_much_fails_and_is_empty_where_nothing_does() {
        let columns = [kernel(None, &[])];
        let tests: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
        let said = summary(&columns, &tests);
        assert!(said.starts_with("FAILED t0 on old: no result\n"), "{said}");
        assert!(said.ends_with("FAILED 42 more tests on old\n"), "{said}");
        assert_eq!(said.lines().count(), 9);
        assert_eq!(summary(&[kernel(None, &[("t", Outcome::Passed)])], &["t".into()]), "");
    }
}
