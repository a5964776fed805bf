//! `nop`: takes everything and does nothing with it. For measuring, and for who only wants the account.

use collector_config::Section;
use collector_engine::{BoxError, BoxFuture, Exporter, ExporterFactory, ExporterInput, Limits, Overflow, reason};
use collector_pdata::Signal;

/// The factory.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "nop",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
    queue: Limits {
        items: 1 << 16,
        bytes: 1 << 24,
    },
    overflow: Overflow::Wait,
    abandoned: reason::SHUTDOWN,
};

struct NopExporter;

fn configure(_section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    Box::new(NopExporter)
}

impl Exporter for NopExporter {
    fn run(self: Box<Self>, mut input: ExporterInput) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(async move {
            while let Some(delivery) = input.next().await {
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}
