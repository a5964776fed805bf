//! Where the collectors are: a list, or the addresses of a name, asked for again and again.

use super::backends::Backends;
use crate::net::endpoint::{self, Endpoint, Place, Scheme};
use collector_config::Section;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How the collectors are found.
#[derive(Debug, Clone)]
pub(super) enum Resolver {
    Static(Vec<Endpoint>),
    Dns(Dns),
}

/// A name whose addresses are the collectors'.
#[derive(Debug, Clone)]
pub(super) struct Dns {
    hostname: String,
    port: u16,
    interval: Duration,
    timeout: Duration,
}

/// Where upstream's collector listens, and ours.
const PORT: u16 = 4317;

impl Resolver {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Resolver {
        for key in ["k8s", "aws_cloud_map"] {
            section.unsupported(key, "use dns, with the name of a headless Service");
        }
        let listed = section.optional_section("static", |section| {
            let endpoints = section.texts_list("hostnames").into_iter().map(|written| {
                // A host alone is one at the usual port.
                endpoint::grpc(written).or_else(|_| endpoint::grpc(&format!("{written}:{PORT}")))
            });
            let endpoints: Result<Vec<Endpoint>, String> = endpoints.collect();
            match endpoints {
                Ok(endpoints) if endpoints.is_empty() => section.error("hostnames", "must name a collector at least"),
                Err(message) => section.error("hostnames", message),
                Ok(endpoints) => return endpoints,
            }
            Vec::new()
        });
        let dns = section.optional_section("dns", |section| Dns {
            hostname: section.required_text("hostname").unwrap_or_default().to_owned(),
            port: port(section),
            interval: positive(section, "interval", Duration::from_secs(5)),
            timeout: positive(section, "timeout", Duration::from_secs(1)),
        });
        match (listed, dns) {
            (Some(endpoints), None) => Resolver::Static(endpoints),
            (None, Some(dns)) => Resolver::Dns(dns),
            (None, None) => {
                section.error("", "either static or dns is required");
                Resolver::Static(Vec::new())
            }
            (Some(endpoints), Some(_)) => {
                section.error("dns", "must not be there beside static");
                Resolver::Static(endpoints)
            }
        }
    }
}

/// Upstream's is a text; a number is as good.
fn port(section: &mut Section<'_, '_>) -> u16 {
    let Some(written) = section.text("port") else {
        return PORT;
    };
    written.parse().ok().filter(|port| *port != 0).unwrap_or_else(|| {
        section.error("port", format!("\"{}\" is no port", written.escape_debug()));
        PORT
    })
}

fn positive(section: &mut Section<'_, '_>, key: &'static str, default: Duration) -> Duration {
    let duration = section.duration(key, default);
    if duration.is_zero() {
        section.error(key, "must be more than 0s");
    }
    duration
}

impl Dns {
    /// Keeps `backends` as the name says, for ever. A name that cannot be resolved changes nothing.
    pub(super) async fn follow(self, backends: Arc<Backends>) {
        let mut is_failing = false;
        loop {
            let resolved = tokio::time::timeout(self.timeout, self.resolve()).await;
            let resolved = resolved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match resolved {
                Ok(endpoints) if !endpoints.is_empty() => {
                    is_failing = false;
                    backends.set(&endpoints);
                }
                failed => {
                    let error = failed.err().map(|error| error.to_string());
                    let error = error.unwrap_or_else(|| "it has no address".to_owned());
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(name = self.hostname, error, "the collectors' name cannot be resolved");
                    }
                }
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn resolve(&self) -> io::Result<Vec<Endpoint>> {
        let addresses = tokio::net::lookup_host((self.hostname.as_str(), self.port)).await?;
        let endpoint = |address: std::net::SocketAddr| Endpoint {
            place: Place::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            },
            scheme: Scheme::Unsaid,
            path: String::new(),
        };
        Ok(addresses.map(endpoint).collect())
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolver::Static(endpoints) => {
                let names: Vec<String> = endpoints.iter().map(|endpoint| endpoint.place.to_string()).collect();
                f.write_str(&names.join(", "))
            }
            Resolver::Dns(dns) => write!(f, "{}:{}", dns.hostname, dns.port),
        }
    }
}
