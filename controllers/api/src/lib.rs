//! The custom resources as Rust types: what users write and what the systems tell each other through the apiserver. One file
//! per kind; the definitions that the apiserver is given are made from these types ([`definitions`]). Field for field what
//! manifests written for Odigos use. It decides nothing and talks to nobody.

#![forbid(unsafe_code)]

pub mod conditions;
mod defaults;
pub mod definitions;
pub mod labels;

pub mod attributes;
pub mod instrumentation;
pub mod operations;
pub mod signals;
pub mod workload;

pub mod action;
pub mod collectors_group;
pub mod destination;
pub mod instrumentation_config;
pub mod instrumentation_instance;
pub mod instrumentation_rule;
pub mod odigos_cloud_connector;
pub mod processor;
pub mod recommendation;
pub mod sampling;
pub mod source;

// The legacy kinds, of the group actions.odigos.io.
pub mod add_cluster_info;
pub mod delete_attribute;
pub mod error_sampler;
pub mod k8s_attributes_resolver;
pub mod latency_sampler;
pub mod pii_masking;
pub mod probabilistic_sampler;
pub mod rename_attribute;
pub mod service_name_sampler;
pub mod span_attribute_sampler;
