//! What went wrong with a machine itself, told once in full and once in the few lines that a cut-off log still holds.

use crate::{advice::advice, patience::Impatience};

/// How much of the console the full account shows.
const FULL: usize = 40;
/// How much of it the short one shows: lines that tell what happened, and the last ones.
const TELLING: usize = 6;
const LAST: usize = 6;

/// Words of a line of the console that says why a machine died.
const WORDS: &[&str] = &[
    "Oops",
    "BUG:",
    "RIP: 0010",
    "Kernel panic",
    "stall",
    "lockup",
    "vmtests-guest:",
];

/// A machine that did not come to its proper end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// How it ended, and how far it had come, in one line.
    pub what: String,
    /// All that the kernel said.
    pub console: String,
    /// All that the emulator said.
    pub emulator: String,
    /// What the kernel probably lacks.
    pub advice: Option<&'static str>,
}

/// How a machine's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself; where that is known, with this exit status.
    Itself(Option<i32>),
    /// It was ended.
    Ended(Impatience),
}

/// How far a machine came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached<'a> {
    /// Not to the guest's first message.
    Boot,
    /// To this test.
    Test(&'a str),
    /// To a moment between two tests.
    Between,
    /// To the end of the last test.
    All,
}

impl Trouble {
    /// From what is left of the machine: all that the kernel and the emulator said.
    pub fn new(end: End, reached: Reached<'_>, console: String, emulator: String) -> Trouble {
        let how = match end {
            End::Itself(Some(0)) => "the machine ended before its time".to_owned(),
            End::Itself(Some(status)) => format!("the emulator failed with status {status}"),
            End::Itself(None) => "the emulator was killed".to_owned(),
            End::Ended(Impatience::Silent(time)) => format!("the machine said nothing for {} s", time.as_secs()),
            End::Ended(Impatience::Late(time)) => format!("the machine was not done after {} s", time.as_secs()),
        };
        let place = match reached {
            Reached::Boot if console.trim().is_empty() => "and its kernel never began".to_owned(),
            Reached::Boot => "and its kernel did not come as far as the tests".to_owned(),
            Reached::Test(test) => format!("while running {test}"),
            Reached::Between => "between two tests".to_owned(),
            Reached::All => "after its last test".to_owned(),
        };
        // An emulator that fails says itself what it lacks; the kernel is not to blame.
        let kernel_ran = !matches!(end, End::Itself(Some(status)) if status != 0);
        let advice = kernel_ran.then(|| advice(reached != Reached::Boot, &console)).flatten();
        Trouble {
            what: format!("{how}, {place}"),
            advice,
            console,
            emulator,
        }
    }

    /// With the console's last lines.
    pub fn full(&self) -> String {
        let lines: Vec<&str> = self.console.lines().collect();
        self.account(&lines[lines.len().saturating_sub(FULL)..])
    }

    /// With the lines of the console that tell what happened, and the last ones; a dozen at most.
    pub fn brief(&self) -> String {
        let lines: Vec<&str> = self.console.lines().collect();
        let last = lines.len().saturating_sub(LAST);
        let telling = lines[..last]
            .iter()
            .filter(|line| WORDS.iter().any(|word| line.contains(word)));
        let chosen: Vec<&str> = telling.take(TELLING).chain(&lines[last..]).copied().collect();
        self.account(&chosen)
    }

    fn account(&self, console: &[&str]) -> String {
        let mut out = format!("{}; its console says:\n{}\n", self.what, console.join("\n"));
        if let Some(said) = self.emulator.lines().last() {
            out += &format!("the emulator says: {said}\n");
        }
        if let Some(advice) = self.advice {
            out += &format!("{advice}\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn what(end: End, reached: Reached<'_>, console: &str) -> String {
        Trouble::new(end, reached, console.into(), String::new()).what
    }

    #[test]
    fn how_far_a_machine_came_is_part_of_how_it_ended() {
        let silent = End::Ended(Impatience::Silent(Duration::from_secs(120)));
        assert_eq!(
            what(silent, Reached::Boot, ""),
            "the machine said nothing for 120 s, and its kernel never began"
        );
        assert_eq!(
            what(End::Itself(Some(0)), Reached::Boot, "[    0.1] Oops"),
            "the machine ended before its time, and its kernel did not come as far as the tests"
        );
        assert_eq!(
            what(End::Itself(None), Reached::Test("fentry"), "x"),
            "the emulator was killed, while running fentry"
        );
    }

    #[test]
    fn the_short_account_has_the_line_that_tells_however_long_the_trace_after_it_is() {
        let mut console = "booting\n".repeat(50) + "Oops: int3: 0000 [#1]\nRIP: 0010:sched_clock_cpu+0x9\n";
        console += &"R10: 0000\n".repeat(50);
        console += "Kernel panic - not syncing: Fatal exception\nKernel Offset: 0x1\n";
        let trouble = Trouble::new(End::Itself(Some(0)), Reached::Boot, console, String::new());
        let brief = trouble.brief();
        for telling in [
            "Oops: int3",
            "RIP: 0010:sched_clock_cpu",
            "Kernel panic",
            "Kernel Offset",
        ] {
            assert!(brief.contains(telling), "{brief}");
        }
        assert!(brief.lines().count() <= 1 + TELLING + LAST, "{brief}");
        assert_eq!(trouble.full().lines().count(), 1 + FULL);
    }

    #[test]
    fn what_the_emulator_says_is_told() {
        let said = "qemu: cannot set up guest memory 'pc.ram'\n".to_owned();
        let trouble = Trouble::new(End::Itself(Some(1)), Reached::Boot, String::new(), said);
        assert!(
            trouble.what.starts_with("the emulator failed with status 1"),
            "{trouble:?}"
        );
        assert!(trouble.brief().contains("cannot set up guest memory"), "{trouble:?}");
        assert_eq!(trouble.advice, None);
    }
}
