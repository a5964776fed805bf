//! What receivers and exporters share of the network: TLS with the settings of upstream's `configtls`, the compression of
//! whole bodies, and a client of one HTTP server.

pub mod client;
pub mod compress;
pub mod dial;
pub mod endpoint;
pub mod pages;
pub mod rope;
pub mod tls;
