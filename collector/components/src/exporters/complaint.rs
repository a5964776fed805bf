//! What an exporter to this machine's files says when it cannot write.

use collector_engine::Health;
use kit::logging::chain;
use std::error::Error;

/// Says once what is wrong, until something is written again.
pub(crate) struct Complaint {
    exporter: &'static str,
    health: Health,
    failing: bool,
}

impl Complaint {
    pub(crate) fn new(exporter: &'static str, health: Health) -> Self {
        Complaint {
            exporter,
            health,
            failing: false,
        }
    }

    /// Takes what came of one attempt: the error, if it failed.
    pub(crate) fn note(&mut self, error: Option<&(dyn Error + 'static)>) {
        let exporter = self.exporter;
        match error {
            None if self.failing => {
                self.failing = false;
                self.health.recovered();
                tracing::info!(exporter, "the exporter writes again");
            }
            None => {}
            Some(error) => {
                let error = chain(error);
                self.health.failed(error.clone());
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        exporter,
                        error,
                        "the exporter cannot write; what it cannot write is counted"
                    );
                }
            }
        }
    }
}
