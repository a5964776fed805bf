use tokio::signal::unix::{self, SignalKind};

/// A request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, from a person.
    Interrupt,
    /// SIGTERM, from a service manager.
    Terminate,
}

/// Receives the signals that ask the process to end, in place of their default action.
#[derive(Debug)]
pub struct Termination {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Termination {
    /// Takes over SIGINT and SIGTERM from now on. Must be called within a tokio runtime.
    pub fn install() -> std::io::Result<Self> {
        Ok(Termination {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next such signal. The first begins a drain; the caller may take a second one for "at once".
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_to_this_process_is_received_instead_of_ending_it() {
        let mut termination = Termination::install().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        assert_eq!(termination.next().await, Signal::Terminate);
    }
}
