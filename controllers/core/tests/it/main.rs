//! What is rendered, compared with snapshots and judged by the collector's own validation.

mod collectors;
mod destinations;
mod refusals;
mod support;
mod upstream;
