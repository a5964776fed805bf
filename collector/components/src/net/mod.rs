//! What receivers and exporters share of the network: TLS with the settings of upstream's `configtls`, and the
//! compression of whole bodies.

pub mod compress;
pub mod pages;
pub mod tls;
