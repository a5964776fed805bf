//! What all components share between the apiserver and their decisions. It decides nothing itself.
//!
//! # How a controller plugs in
//! A component is a function `fn assemble(program: &mut Program)` in its own module, called from `main`. It does three things:
//!
//! 1. **Caches.** `program.watch(Watched { kind, optional }, api, config, project)` gives a [`Store`]: `get`, `all`,
//!    `in_namespace`. `project` keeps of an object what the component looks at; [`trim`] is the least. What the component
//!    itself applies must keep its managed fields, as [`trim`] does. An event that leaves the projection equal wakes nobody, so
//!    the less is kept, the less is done. A projection keeps no `resourceVersion` unless it is needed.
//! 2. **Queues.** `let queue = Queue::default();` and, for each store, `store.on_change(move |change| queue.add(...))` with the
//!    key or keys that the change concerns. A key may be anything hashable; a controller that always looks at everything uses `()`.
//!    `queue.add_after` wakes at a moment.
//! 3. **Controllers.** `program.controller(Controller { name, concurrency, queue, reconciler })` with a [`Reconcile`]r. It reads
//!    the stores, calls the pure function in `controllers-core`, and applies the difference with the [`Writer`]:
//!    `writer.apply(&api, &desired, live)` and `writer.apply_status(&api, &live, &status)` compare first, write only what would
//!    change, and count. Whatever they return goes into the store with [`Store::written`], so that the next look sees it. Errors
//!    go up with `?`: the object comes again, later each time; after a conflict almost at once. A panic costs the one object.
//!
//! Everything runs once all stores are filled and the process holds the component's Lease. What must run in each replica, such
//! as an admission server, is a [`Program::service`]. `429` is waited out by the client, as long as the apiserver asks.
//!
//! Before a controller is done: each object that it makes has an owner reference or a finalizer, and its condition says what is
//! waited for (`controllers_core::conditions`).

mod admin;
mod apply;
mod backoff;
mod controller;
mod events;
mod fields;
mod key;
mod lease;
mod metrics;
mod options;
mod program;
mod queue;
mod store;

pub use apply::{Kind, Writer};
pub use controller::{Controller, Outcome, Reconcile};
pub use events::{Events, Severity};
pub use key::ObjectKey;
pub use metrics::Metrics;
pub use options::{Component, DEFAULT_NAMESPACE, Options};
pub use program::Program;
pub use queue::Queue;
pub use store::{Change, Store, Watched, trim};

/// What reconcilers need beside their stores. Clones share everything.
#[derive(Clone)]
pub struct Context {
    /// The apiserver.
    pub client: kube_client::Client,
    /// The component's name, which is its field manager: `odigos-scheduler`.
    pub component: &'static str,
    /// The namespace of the product's own objects.
    pub namespace: String,
    /// This process, and no other.
    pub identity: String,
    /// Writes what has changed.
    pub writer: Writer,
    /// Says things about objects.
    pub events: Events,
    /// The component's figures.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("component", &self.component)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
