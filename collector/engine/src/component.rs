//! What a component is. Adding one is a folder and a line in a table of [`Components`].

use crate::account::PipelineCounts;
use crate::{ExporterInput, Limits, Output};
use collector_config::Section;
use collector_pdata::{Payload, Signal};
use kit::drain::Draining;
use std::fmt;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Instant;

/// A future behind a pointer, since the engine does not know its type.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// An error that the engine only passes on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Makes a processor for each pipeline that names it.
pub type ProcessorRecipe = Box<dyn Fn() -> Box<dyn Processor> + Send + Sync>;

/// All component types that a binary has.
#[derive(Debug, Clone, Copy)]
pub struct Components {
    /// Where items come from.
    pub receivers: &'static [ReceiverFactory],
    /// What happens to them.
    pub processors: &'static [ProcessorFactory],
    /// Where they go.
    pub exporters: &'static [ExporterFactory],
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
    /// The queue before it.
    pub queue: Limits,
    /// What happens when that is full.
    pub overflow: Overflow,
    /// The reason that is counted for items that the exporter lets go of without a word, or has not come to at the
    /// drain's deadline.
    pub abandoned: &'static str,
}

/// What happens when an exporter's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The pipeline waits, and its receivers with it: for destinations on this machine.
    Wait,
    /// The items are dropped for this exporter: for destinations that may be away for long.
    Drop,
}

/// Brings items in.
pub trait Receiver: Send {
    /// Acquires what it needs (files, sockets) before anything runs.
    fn open(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Receives until its peer is done or the drain begins; must then end well before the deadline. An error ends the
    /// whole engine, so a peer that may come back is not an error.
    fn run(self: Box<Self>, output: Output, draining: Draining) -> BoxFuture<Result<(), BoxError>>;
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
    /// Acquires what it needs (files) before anything runs.
    fn open(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Exports until `input` ends. An error ends the whole engine, so a destination that may come back is not an error.
    fn run(self: Box<Self>, input: ExporterInput) -> BoxFuture<Result<(), BoxError>>;
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

impl fmt::Debug for ReceiverFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl fmt::Debug for ProcessorFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl fmt::Debug for ExporterFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}
