//! What a component is. Adding one is a folder and a line in a table of [`Components`].

use crate::counts::PipelineCounts;
use crate::extension::{ExtensionFactory, TelemetryFactory};
use crate::host::Host;
use crate::{ExporterInput, Limits, Output};
use collector_config::{ComponentId, Section};
use collector_pdata::{Payload, Signal};
use kit::drain::Draining;
use std::fmt;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// A future behind a pointer, since the engine does not know its type.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// An error that the engine only passes on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// How a component's work ended.
pub type Ended = Result<(), BoxError>;

/// All component types that a binary has.
#[derive(Debug, Clone, Copy)]
pub struct Components {
    /// Where items come from.
    pub receivers: &'static [ReceiverFactory],
    /// What happens to them.
    pub processors: &'static [ProcessorFactory],
    /// Where they go.
    pub exporters: &'static [ExporterFactory],
    /// From one pipeline into others.
    pub connectors: &'static [ConnectorFactory],
    /// What is beside the pipelines.
    pub extensions: &'static [ExtensionFactory],
    /// Shows the engine's own metrics as `service::telemetry` says; without it they are not shown.
    pub telemetry: Option<TelemetryFactory>,
}

/// On how many of the engine's workers a component has an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On one: it must see all items, or holds what can be held once only.
    One,
    /// On each, which share nothing.
    Every,
}

/// A type of receiver.
#[derive(Clone, Copy)]
pub struct ReceiverFactory {
    /// The type in a component's id.
    pub kind: &'static str,
    /// What it can give.
    pub signals: &'static [Signal],
    /// Reads the settings, without touching the outside world. A descriptor is there if the embedding program has handed
    /// one to this receiver. After an error in the settings the result is never used.
    pub configure: fn(&mut Section<'_, '_>, Option<OwnedFd>) -> Box<dyn Receiver>,
}

/// A type of processor.
#[derive(Clone, Copy)]
pub struct ProcessorFactory {
    /// The type in a component's id.
    pub kind: &'static str,
    /// What it can take and give.
    pub signals: &'static [Signal],
    /// Reads the settings.
    pub configure: fn(&mut Section<'_, '_>) -> ProcessorRecipe,
}

/// A type of exporter.
#[derive(Clone, Copy)]
pub struct ExporterFactory {
    /// The type in a component's id.
    pub kind: &'static str,
    /// What it can take.
    pub signals: &'static [Signal],
    /// Reads the settings, without touching the outside world.
    pub configure: fn(&mut Section<'_, '_>) -> Box<dyn Exporter>,
}

/// A type of connector.
#[derive(Clone, Copy)]
pub struct ConnectorFactory {
    /// The type in a component's id.
    pub kind: &'static str,
    /// What it takes, and what it then gives.
    pub signals: &'static [(Signal, Signal)],
    /// Reads the settings, without touching the outside world.
    pub configure: fn(&mut Section<'_, '_>) -> Box<dyn Connector>,
}

/// Brings items in.
pub trait Receiver: Send {
    /// On which workers it runs.
    fn placement(&self) -> Placement {
        Placement::One
    }

    /// Acquires what it needs (files, sockets, one for each worker) before anything runs.
    fn open(&mut self, _host: &Host) -> Ended {
        Ok(())
    }

    /// The work on one worker; called once for each, after [`Receiver::open`]. It receives until its peer is done or the
    /// drain begins; must then end well before the deadline. An error ends the whole engine, so a peer that may come back
    /// is not an error.
    fn run(&mut self, output: Output, draining: Draining) -> BoxFuture<Ended>;
}

/// Makes a processor for each pipeline that names it, and for each worker.
pub struct ProcessorRecipe {
    /// Makes one.
    pub make: Box<dyn Fn(Signal) -> Box<dyn Processor> + Send + Sync>,
    /// On which workers; one processor of [`Placement::One`] brings its whole pipeline to one worker.
    pub placement: Placement,
    /// Decides at the pipeline's entry whether it takes any more.
    pub gate: Option<Arc<dyn Gate>>,
    /// Signals that it cannot take as it is configured, and why, as a sentence without its full stop. A pipeline that
    /// names it for one of these is an error.
    pub refuses: Vec<(Signal, String)>,
}

impl ProcessorRecipe {
    /// A processor on every worker, without a gate.
    pub fn new<P: Processor + 'static>(make: impl Fn(Signal) -> P + Send + Sync + 'static) -> Self {
        ProcessorRecipe {
            make: Box::new(move |signal| Box::new(make(signal))),
            placement: Placement::Every,
            gate: None,
            refuses: Vec::new(),
        }
    }

    /// The same on one worker only.
    pub fn on_one_worker(self) -> Self {
        ProcessorRecipe {
            placement: Placement::One,
            ..self
        }
    }
}

/// Stands at a pipeline's entry.
pub trait Gate: Send + Sync {
    /// Whether the pipeline may take more. Asked for each payload.
    fn is_open(&self) -> bool;
}

/// Changes, holds or drops items. Runs in its pipeline's task and never blocks.
pub trait Processor: Send {
    /// Takes a payload and gives any number to `sink`.
    fn process(&mut self, payload: Payload, now: Instant, sink: &mut Sink<'_>);

    /// When it next wants [`Processor::tick`].
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Called when the deadline has passed.
    fn tick(&mut self, _now: Instant, _sink: &mut Sink<'_>) {}

    /// Gives out all that it holds: no payload will follow.
    fn flush(&mut self, _sink: &mut Sink<'_>) {}
}

/// Takes items out.
pub trait Exporter: Send {
    /// On which workers it runs.
    fn placement(&self) -> Placement {
        Placement::One
    }

    /// The queue before it; on every worker its part of it.
    fn queue(&self) -> Queue;

    /// The extensions that it names.
    fn needs(&self) -> Vec<ComponentId> {
        Vec::new()
    }

    /// Whether what it has said to keep ([`crate::Delivery::kept`]) survives the end of the process. Receivers may then
    /// wait for that before they answer.
    fn is_durable(&self) -> bool {
        false
    }

    /// Acquires what it needs (files) before anything runs.
    fn open(&mut self, _host: &Host) -> Ended {
        Ok(())
    }

    /// The work on one worker; called once for each, after [`Exporter::open`]. It exports until `input` ends. An error
    /// ends the whole engine, so a destination that may come back is not an error.
    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended>;
}

/// Takes what one pipeline gives and gives to others, as an exporter and a receiver in one. Runs on one worker.
pub trait Connector: Send {
    /// Works until `input` ends.
    fn run(&mut self, input: ExporterInput, output: Output) -> BoxFuture<Ended>;
}

/// The queue before an exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// How much it holds.
    pub limits: Limits,
    /// Whether each delivery counts as one item, however many it has.
    pub counts_requests: bool,
    /// What happens when it is full.
    pub overflow: Overflow,
    /// The reason that is counted for items that the exporter lets go of without a word, or has not come to at the
    /// drain's deadline.
    pub abandoned: &'static str,
}

impl Queue {
    /// The queue before a destination on this machine. Small, since who is made to wait, or refused, passes that on.
    pub const LOCAL: Queue = Queue {
        limits: Limits {
            items: 64 * 1024,
            bytes: 16 << 20,
        },
        counts_requests: false,
        overflow: Overflow::Wait,
        abandoned: crate::reason::SHUTDOWN,
    };
}

/// What happens when an exporter's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The pipeline waits, and its receivers refuse or wait: for destinations on this machine.
    Wait,
    /// The pipeline waits only if none of its exporters has room. As long as another goes on, the items are dropped for
    /// this one: for destinations that may be away for long.
    Drop,
}

/// Where a processor puts what it has done with.
#[derive(Debug)]
pub struct Sink<'a> {
    pub(crate) out: &'a mut Vec<Payload>,
    pub(crate) held: &'a mut usize,
    pub(crate) counts: &'a PipelineCounts,
}

impl Sink<'_> {
    /// To the next processor, or to the exporters.
    pub fn forward(&mut self, payload: Payload) {
        self.out.push(payload);
    }

    /// These items go no further.
    pub fn dropped(&mut self, reason: &'static str, items: usize) {
        *self.held = self.held.saturating_sub(items);
        self.counts.dropped.add(reason, items);
    }
}

impl fmt::Debug for ProcessorRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorRecipe")
            .field("placement", &self.placement)
            .finish_non_exhaustive()
    }
}

/// What every table of factories offers to whoever reads a configuration.
pub(crate) trait Factory: 'static {
    /// The section of the configuration that its components are in.
    const SECTION: &'static str;

    fn kind(&self) -> &'static str;
}

macro_rules! factories {
    ($($factory:ty: $section:literal),*) => {$(
        impl Factory for $factory {
            const SECTION: &'static str = $section;

            fn kind(&self) -> &'static str {
                self.kind
            }
        }

        impl fmt::Debug for $factory {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.kind)
            }
        }
    )*};
}
factories!(
    ReceiverFactory: "receivers",
    ProcessorFactory: "processors",
    ExporterFactory: "exporters",
    ConnectorFactory: "connectors",
    ExtensionFactory: "extensions"
);
