//! The collector's engine: from a configuration and a table of components to running pipelines, and to their account.
//!
//! ```text
//! receiver ─► bounded queue ─► processors, in one task ─┬─► bounded queue ─► exporter
//! receiver ─┘                                           └─► bounded queue ─► exporter
//! ```
//!
//! A [`Plan`] is made from the configuration before anything starts: it holds every component configured and every
//! reference resolved, or all errors at once. [`Plan::start`] opens the components (files, descriptors) and runs them on a
//! thread of the engine's own, whose runtime shares nothing with another; more of them, one per core, are more of the same.
//!
//! Back-pressure is waiting: a full queue makes the receiver wait, whose peer then waits or loses by its own account.
//! Only an exporter whose destination may be away for long refuses instead, so that one dead destination does not stop
//! the others. The drain goes in the direction of flow: receivers end, queues close behind them, processors give out
//! what they hold, exporters finish; at the deadline what is left is counted as dropped.
//!
//! The [`Account`] counts each item once where it enters and once where it leaves or is dropped, with the reason. It can
//! be read at any time. The engine knows no component.

#![forbid(unsafe_code)]

mod account;
mod chain;
mod channel;
mod component;
mod fanout;
mod plan;
mod run;

pub use account::{Account, ExporterAccount, PipelineAccount, ReceiverAccount, ReceiverCounts, Source, Totals, reason};
pub use channel::Limits;
pub use component::{
    BoxError, BoxFuture, Components, Exporter, ExporterFactory, Overflow, Processor, ProcessorFactory, ProcessorRecipe,
    Receiver, ReceiverFactory, Sink,
};
pub use fanout::{Claim, Delivery, ExporterInput, Output};
pub use kit::drain::Draining;
pub use plan::{Descriptors, Plan, StartError};
pub use run::{DRAIN_TIMEOUT, Engine, EngineError, EngineHandle};
