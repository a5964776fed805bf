//! `nop`: takes everything and does nothing with it. For measuring, and for who only wants the account.

use collector_config::Section;
use collector_engine::{BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Placement, Queue};
use collector_pdata::Signal;

/// The factory.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "nop",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

struct NopExporter;

fn configure(_section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    Box::new(NopExporter)
}

impl Exporter for NopExporter {
    fn placement(&self) -> Placement {
        Placement::Every
    }

    fn queue(&self) -> Queue {
        Queue::LOCAL
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        Box::pin(async move {
            while let Some(delivery) = input.next().await {
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}
