//! The collector's components, and the one table of them.
//!
//! A component is a folder with its settings, its `configure` and its work; adding one is that folder and a line in
//! [`COMPONENTS`]. A program that embeds the collector, such as `odigos run`, starts at [`embed`].

#![forbid(unsafe_code)]

pub mod connectors;
pub mod embed;
pub mod exporters;
mod exposition;
pub mod extensions;
pub mod net;
mod process;
pub mod processors;
pub mod receivers;
pub mod telemetry;

use collector_engine::Components;

/// All component types.
pub const COMPONENTS: Components = Components {
    receivers: &[receivers::ebpf::FACTORY, receivers::otlp::FACTORY],
    processors: &[
        processors::attributes::FACTORY,
        processors::batch::FACTORY,
        processors::filter::FACTORY,
        processors::memory_limiter::FACTORY,
        processors::probabilistic_sampler::FACTORY,
        processors::resource::FACTORY,
        processors::tail_sampling::FACTORY,
        processors::transform::FACTORY,
    ],
    exporters: &[
        exporters::otlp::FACTORY,
        exporters::otlp::RENAMED,
        exporters::otlphttp::FACTORY,
        exporters::otlphttp::RENAMED,
        exporters::file::FACTORY,
        exporters::loadbalancing::FACTORY,
        exporters::terminal::FACTORY,
        exporters::prometheus::FACTORY,
        exporters::debug::FACTORY,
        exporters::nop::FACTORY,
    ],
    connectors: &[connectors::forward::FACTORY],
    extensions: &[
        extensions::basicauth::FACTORY,
        extensions::bearertokenauth::FACTORY,
        extensions::file_storage::FACTORY,
        extensions::health_check::FACTORY,
        extensions::live::FACTORY,
    ],
    telemetry: Some(telemetry::extension),
};
