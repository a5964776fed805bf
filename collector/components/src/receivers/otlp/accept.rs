//! What the receiver needs of the engine.

use collector_pdata::{Payload, Signal};

/// Over which protocol a request came; the receiver's account is kept for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

/// Why the pipelines do not take a payload now. The sender may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A queue is full.
    Full,
    /// The memory limiter is at its limit.
    Memory,
    /// The collector is draining.
    Closed,
}

/// Takes what was received, without waiting.
pub trait Accept: Send + Sync + 'static {
    /// Whether any pipeline takes this signal from this receiver.
    fn carries(&self, signal: Signal) -> bool;

    /// Gives a payload of at least one item, and counts its items as accepted or as refused.
    fn accept(&self, payload: Payload, transport: Transport) -> Result<(), Refusal>;

    /// Counts a request that was refused before its items could be counted.
    fn rejected(&self, signal: Signal, transport: Transport);
}
