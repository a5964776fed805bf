//! The collector's engine: from a configuration and a table of components to running pipelines, and to their account.
//!
//! ```text
//! worker 0: receiver ─► bounded queue ─► processors, in one task ─┬─► bounded queue ─► exporter
//!                                                                 └─► bounded queue ─► connector ─► another pipeline
//! worker 1: the same again, with connections and queues of its own
//! ```
//!
//! A [`Plan`] is made from the configuration before anything starts: it holds every component configured and every
//! reference resolved, or all errors at once. [`Plan::start`] opens the components (files, sockets) and runs them on
//! workers: threads whose runtimes share nothing. A component has an instance on every worker, or one where it must see
//! everything or holds what can be held once only; a pipeline with such a processor runs on one worker.
//!
//! Back-pressure is waiting or refusing, never growth: a full queue makes a pipeline wait, whose entry fills, and then the
//! receiver is refused ([`Output::try_send`]), whose peer tries again later, or waits ([`Output::send`]). Only where a
//! pipeline has several exporters is one that has no room left out, so that a dead destination does not stop the others.
//! The drain goes in the direction of flow: receivers end, queues close behind them, processors give out what they hold,
//! exporters finish; at the deadline what is left is counted as dropped.
//!
//! [`EngineHandle::reload`] goes over to another plan: components with the same settings go on, new ones are there before
//! the first item goes to them, and what is replaced gives out what it holds.
//!
//! The [`Account`] counts each item once where it enters and once where it leaves or is dropped, with the reason. It can
//! be read at any time. The engine knows no component.

#![forbid(unsafe_code)]

mod account;
mod chain;
mod channel;
mod collected;
mod component;
mod counts;
mod extension;
mod fanout;
mod graph;
mod host;
mod ledger;
mod output;
mod plan;
mod receipt;
mod run;
mod shelf;
mod tasks;
mod workers;
mod workloads;

pub use account::{
    Account, ExporterAccount, PipelineAccount, ProcessorAccount, RECOVERED, ReceiverAccount, SignalAccount, Totals,
    reason,
};
pub use channel::Limits;
pub use collected::Collected;
pub use component::{
    BoxError, BoxFuture, Components, Connector, ConnectorFactory, Ended, Exporter, ExporterFactory, Gate, Overflow,
    Placement, Processor, ProcessorFactory, ProcessorRecipe, Queue, Receiver, ReceiverFactory, Sink,
};
pub use counts::{LastError, ReceiverCounts, Source};
pub use extension::{Extension, ExtensionFactory, TelemetryFactory};
pub use fanout::{Claim, Delivery, ExporterInput, Health, Waiting};
pub use host::{Authenticator, Host, HostError, StorageRoot};
pub use kit::drain::Draining;
pub use output::{Output, Refusal};
pub use plan::{Descriptors, Plan, StartError};
pub use receipt::Kept;
pub use run::{DRAIN_TIMEOUT, Engine, EngineError, EngineHandle};
pub use shelf::{Recovery, Shelf};
pub use workloads::{MOST_WORKLOADS, Workload, WorkloadAccount};
