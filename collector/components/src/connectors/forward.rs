//! `forward`: hands on what one pipeline gives to others, so that pipelines can share a part of their way.

use collector_config::Section;
use collector_engine::{BoxFuture, Connector, ConnectorFactory, Ended, ExporterInput, Output};
use collector_pdata::Signal;

/// The line in the table.
pub const FACTORY: ConnectorFactory = ConnectorFactory {
    kind: "forward",
    signals: &[
        (Signal::Traces, Signal::Traces),
        (Signal::Metrics, Signal::Metrics),
        (Signal::Logs, Signal::Logs),
    ],
    configure,
};

struct Forward;

fn configure(_: &mut Section<'_, '_>) -> Box<dyn Connector> {
    Box::new(Forward)
}

impl Connector for Forward {
    fn run(&mut self, mut input: ExporterInput, output: Output) -> BoxFuture<Ended> {
        Box::pin(async move {
            while let Some(delivery) = input.next().await {
                output.send(delivery.payload).await;
                delivery.claim.exported();
            }
            Ok(())
        })
    }
}
