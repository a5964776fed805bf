//! How long a machine may take: as long as it makes progress, up to a deadline. A slow machine is not a machine that hangs.

use std::time::Duration;

/// A machine that says nothing for longer hangs. The guest itself ends a test that is silent for two minutes, which this
/// must exceed. The longest silence where two dozen others waited for the same two processors was 36 s.
pub const SILENCE: Duration = Duration::from_secs(180);

/// Why a machine was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impatience {
    /// It said nothing for this long.
    Silent(Duration),
    /// It was not done at the deadline, which is this.
    Late(Duration),
}

/// Watches one machine. All times are since its start.
#[derive(Debug)]
pub struct Patience {
    deadline: Duration,
    heard: Duration,
    console: u64,
}

impl Patience {
    /// For a machine that has just been started.
    pub fn new(deadline: Duration) -> Patience {
        Patience {
            deadline,
            heard: Duration::ZERO,
            console: 0,
        }
    }

    /// The machine sent a message.
    pub fn message(&mut self, at: Duration) {
        self.heard = at;
    }

    /// The console's length in bytes, which is progress where it has changed.
    pub fn console(&mut self, length: u64, at: Duration) {
        if length != self.console {
            self.console = length;
            self.heard = at;
        }
    }

    /// Whether the machine is to be ended.
    pub fn lost(&self, at: Duration) -> Option<Impatience> {
        if at >= self.deadline {
            return Some(Impatience::Late(self.deadline));
        }
        let silent = at.saturating_sub(self.heard);
        (silent >= SILENCE).then_some(Impatience::Silent(silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slow_machine_is_left_alone_while_its_console_grows_or_messages_come() {
        let mut patience = Patience::new(1000 * SECOND);
        patience.console(80, 100 * SECOND);
        assert_eq!(patience.lost(200 * SECOND), None);
        patience.message(200 * SECOND);
        assert_eq!(patience.lost(379 * SECOND), None);
    }

    #[test]
    fn a_machine_that_says_nothing_is_ended_long_before_the_deadline() {
        let mut patience = Patience::new(1000 * SECOND);
        assert_eq!(patience.lost(179 * SECOND), None);
        assert_eq!(patience.lost(SILENCE), Some(Impatience::Silent(SILENCE)));
        patience.console(80, 10 * SECOND);
        // Of the same length as before: nothing new.
        patience.console(80, 90 * SECOND);
        assert_eq!(patience.lost(190 * SECOND), Some(Impatience::Silent(SILENCE)));
    }

    #[test]
    fn a_machine_that_never_comes_to_an_end_is_ended_at_the_deadline_however_much_it_says() {
        let mut patience = Patience::new(300 * SECOND);
        patience.message(299 * SECOND);
        assert_eq!(patience.lost(299 * SECOND), None);
        assert_eq!(patience.lost(300 * SECOND), Some(Impatience::Late(300 * SECOND)));
    }
}
