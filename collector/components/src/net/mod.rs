//! What receivers, exporters and extensions share of the network: TLS with the settings of upstream's `configtls`, the
//! compression of whole bodies, sockets, a client of one HTTP server, and pages for people and probes.

pub mod client;
pub mod compress;
pub mod dial;
pub mod endpoint;
pub mod listen;
pub mod pages;
pub mod rope;
pub mod tls;
