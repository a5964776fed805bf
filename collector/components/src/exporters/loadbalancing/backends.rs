//! The collectors that are known, and which of them a trace goes to.

use crate::exporters::delivery::exporter::Destination;
use crate::exporters::delivery::request::Requests;
use crate::exporters::otlp::Server;
use crate::exporters::otlp::call::GrpcTransport;
use crate::net::endpoint::Endpoint;
use collector_engine::{BoxError, Draining};
use std::sync::Arc;
use tokio::sync::watch;

/// A collector.
pub(crate) struct Backend {
    /// Its address.
    name: String,
    pub(super) transport: GrpcTransport,
}

/// All of them, by address.
pub(super) type Known = Arc<[Arc<Backend>]>;

/// The collectors, which may change at any time.
pub(super) struct Backends {
    server: Server,
    requests: Requests,
    draining: Draining,
    known: watch::Sender<Known>,
}

impl Backends {
    pub(super) fn new(server: Server, requests: Requests, draining: Draining) -> Self {
        Backends {
            server,
            requests,
            draining,
            known: watch::Sender::new(Arc::new([])),
        }
    }

    /// Those that there are now.
    pub(super) fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Waits until there is one.
    pub(super) async fn some(&self) {
        // The sender is here, so that there is no error.
        let _ = self.known.subscribe().wait_for(|known| !known.is_empty()).await;
    }

    /// Whether it is still one of them.
    pub(super) fn has(&self, backend: &Arc<Backend>) -> bool {
        self.known().iter().any(|known| Arc::ptr_eq(known, backend))
    }

    /// Only these, from now on. Those that stay keep their connections.
    pub(super) fn set(&self, endpoints: &[Endpoint]) {
        let mut endpoints: Vec<(String, &Endpoint)> = endpoints
            .iter()
            .map(|endpoint| (endpoint.place.to_string(), endpoint))
            .collect();
        endpoints.sort_by(|(name, _), (other, _)| name.cmp(other));
        endpoints.dedup_by(|(name, _), (other, _)| name == other);
        let before = self.known();
        if before
            .iter()
            .map(|known| &known.name)
            .eq(endpoints.iter().map(|(name, _)| name))
        {
            return;
        }
        let backends = endpoints.into_iter().filter_map(|(name, endpoint)| {
            let same = before.iter().find(|known| known.name == name).cloned();
            same.or_else(|| match self.backend(name.clone(), endpoint) {
                Ok(backend) => Some(Arc::new(backend)),
                Err(error) => {
                    tracing::warn!(collector = name, %error, "a collector cannot be used");
                    None
                }
            })
        });
        let now: Known = backends.collect();
        let names: Vec<&str> = now.iter().map(|backend| backend.name.as_str()).collect();
        tracing::info!(collectors = ?names, "traces are shared out among these");
        self.known.send_replace(now);
    }

    fn backend(&self, name: String, endpoint: &Endpoint) -> Result<Backend, BoxError> {
        let server = self.server.at(endpoint.clone())?;
        let transport = server.transport(self.requests.clone(), &self.draining)?;
        Ok(Backend { name, transport })
    }
}

/// Which of the collectors a trace goes to: the one whose address has, together with the trace's id, the highest hash. So a
/// trace moves only if its collector goes, or a new one has a higher hash. There must be one.
pub(super) fn of_trace(known: &[Arc<Backend>], trace_id: &[u8; 16]) -> usize {
    highest(known.iter().map(|backend| backend.name.as_str()), trace_id)
}

fn highest<'n>(names: impl Iterator<Item = &'n str>, trace_id: &[u8; 16]) -> usize {
    let hashes = names.map(|name| hash(name.as_bytes(), trace_id));
    let highest = hashes.enumerate().max_by_key(|(_, hash)| *hash);
    highest.map_or(0, |(index, _)| index)
}

/// FNV-1a, whose bits are then mixed (the finalizer of MurmurHash3), since ids that differ little would give hashes that do.
fn hash(name: &[u8], trace_id: &[u8; 16]) -> u64 {
    let bytes = name.iter().chain(trace_id);
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(names: &[&str], traces: u128) -> Vec<usize> {
        let of = |trace: u128| highest(names.iter().copied(), &trace.to_be_bytes());
        let mut shares = vec![0; names.len()];
        (1..=traces).for_each(|trace| shares[of(trace)] += 1);
        shares
    }

    #[test]
    fn traces_are_shared_out_evenly_even_if_their_ids_are_a_sequence() {
        for share in shares(
            &["10.0.0.1:4317", "10.0.0.2:4317", "10.0.0.3:4317", "10.0.0.4:4317"],
            40_000,
        ) {
            assert!((9_500..=10_500).contains(&share), "{share} of 40000");
        }
    }

    #[test]
    fn only_the_traces_of_a_collector_that_goes_move() {
        let (all, left) = (["a:1", "b:1", "c:1"], ["a:1", "c:1"]);
        for trace in 1..=5_000_u128 {
            let id = trace.to_be_bytes();
            let before = all[highest(all.iter().copied(), &id)];
            let after = left[highest(left.iter().copied(), &id)];
            assert!(before == after || before == "b:1");
        }
    }
}
