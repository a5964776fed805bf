//! What the controllers decide: from observed state to desired objects and configurations, as functions from values to
//! values.
//!
//! [`destinations`] knows where telemetry can be sent and what exporter that needs. [`collectors`] writes the configurations
//! of the gateway and of the node collector, and [`autoscaler`] makes their objects. [`instrumentor`] decides which workloads
//! are instrumented, with which of the [`distributions`] of agents, and what those collect. [`injection`] puts agents into
//! pods and takes them out again, [`rollout`] says when pods are replaced for it. [`configuration`] is what users have
//! configured, and [`scheduler`] what follows for the collectors. [`admission`] judges what users write, [`legacy`] says what
//! the kinds of actions.odigos.io mean today. Nothing here does I/O, nothing knows Kubernetes' client or tokio, and no value
//! of a secret ever comes here: configurations name the variable in which the collector finds it.

#![forbid(unsafe_code)]

pub mod admission;
pub mod autoscaler;
pub mod collectors;
pub mod conditions;
pub mod configuration;
pub mod destinations;
pub mod distributions;
pub mod injection;
pub mod instrumentor;
pub mod legacy;
pub mod rollout;
pub mod scheduler;
