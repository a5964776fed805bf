//! Offsets, sizes and constants of `probes/bpf/include/odigos/records.h`.
//!
//! A test of the loader compares every offset here with the BTF of the compiled object.

use crate::DecodeError;

/// `record_header.kind` of an HTTP/1 exchange.
pub const KIND_HTTP1: u16 = 1;
/// `record_header.kind` of a Go net/http exchange.
pub const KIND_GO_HTTP: u16 = 2;

/// The traced process is the client.
pub const FLAG_CLIENT: u16 = 1 << 0;
/// Trace id and span id are set.
pub const FLAG_CONTEXT: u16 = 1 << 1;
/// The parent span id is set.
pub const FLAG_PARENT: u16 = 1 << 2;
/// The end of the response was not seen.
pub const FLAG_INCOMPLETE: u16 = 1 << 3;
/// More than one possible parent on the thread.
pub const FLAG_AMBIGUOUS_PARENT: u16 = 1 << 4;
/// The server is Go's net/http, seen from the kernel side.
pub const FLAG_GO: u16 = 1 << 5;

/// `sizeof(struct record_header)`.
pub const HEADER_SIZE: usize = 64;
/// Offset of `kind`.
pub const HEADER_KIND: usize = 0;
/// Offset of `flags`.
pub const HEADER_FLAGS: usize = 2;
/// Offset of `entity`.
pub const HEADER_ENTITY: usize = 8;
/// Offset of `pid`.
pub const HEADER_PID: usize = 12;
/// Offset of `start_ns`.
pub const HEADER_START: usize = 16;
/// Offset of `end_ns`.
pub const HEADER_END: usize = 24;
/// Offset of `trace_id`.
pub const HEADER_TRACE_ID: usize = 32;
/// Offset of `span_id`.
pub const HEADER_SPAN_ID: usize = 48;
/// Offset of `parent_span_id`.
pub const HEADER_PARENT_SPAN_ID: usize = 56;

/// `sizeof(struct endpoint)`.
pub const ENDPOINT_SIZE: usize = 20;
/// Offset of `port`, host byte order.
pub const ENDPOINT_PORT: usize = 16;
/// Offset of `family`.
pub const ENDPOINT_FAMILY: usize = 18;
/// Linux's number of the IPv4 family.
pub const AF_INET: u16 = 2;
/// Linux's number of the IPv6 family.
pub const AF_INET6: u16 = 10;

/// Offset of `local` in `struct http1_record`.
pub const HTTP1_LOCAL: usize = 64;
/// Offset of `remote`.
pub const HTTP1_REMOTE: usize = 84;
/// Offset of `request_bytes`.
pub const HTTP1_REQUEST_BYTES: usize = 104;
/// Offset of `response_bytes`.
pub const HTTP1_RESPONSE_BYTES: usize = 112;
/// Offset of `response_body`; all bits set where unknown.
pub const HTTP1_RESPONSE_BODY: usize = 120;
/// Offset of `status`; 0 where no response was seen.
pub const HTTP1_STATUS: usize = 128;
/// Offset of `captured`, the bytes of the request that follow.
pub const HTTP1_CAPTURED: usize = 130;
/// Offset of `route`, the bytes of the route that follow those of the request.
pub const HTTP1_ROUTE: usize = 132;
/// Offset of `request`.
pub const HTTP1_REQUEST: usize = 136;
/// The most of a request that is captured.
pub const HTTP1_REQUEST_CAPTURE: usize = 1024;

/// `process_event.kind`: another program runs in the process.
pub const PROCESS_EXEC: u32 = 1;
/// `process_event.kind`: a traced process has forked.
pub const PROCESS_FORK: u32 = 2;
/// `process_event.kind`: the process has ended.
pub const PROCESS_EXIT: u32 = 3;
/// `process_event.kind`: a TCP socket of the process accepts connections.
pub const PROCESS_LISTEN: u32 = 4;
/// `process_event.kind`: a Go program serves connections that only probes within it can read.
pub const PROCESS_SERVES_INSIDE: u32 = 5;
/// `sizeof(struct process_event)`.
pub const PROCESS_SIZE: usize = 160;
/// Offset of `kind`.
pub const PROCESS_KIND: usize = 0;
/// Offset of `pid`.
pub const PROCESS_PID: usize = 4;
/// Offset of `parent`.
pub const PROCESS_PARENT: usize = 8;
/// Offset of `entity`.
pub const PROCESS_ENTITY: usize = 12;
/// Offset of `start_boottime_ns`.
pub const PROCESS_START: usize = 16;
/// Offset of `port`.
pub const PROCESS_PORT: usize = 24;
/// Offset of `filename`.
pub const PROCESS_FILENAME: usize = 32;
/// The most of a file name that is reported, its final 0 included.
pub const PROCESS_FILENAME_SIZE: usize = 128;

/// Offset of `request_body` in `struct go_http_record`; -1 where unknown.
pub const GO_HTTP_REQUEST_BODY: usize = 64;
/// Offset of `response_body`; -1 where unknown.
pub const GO_HTTP_RESPONSE_BODY: usize = 72;
/// Offset of `status`; 0 where there was no response.
pub const GO_HTTP_STATUS: usize = 80;
/// Offset of `proto_major`.
pub const GO_HTTP_PROTO_MAJOR: usize = 82;
/// Offset of `proto_minor`.
pub const GO_HTTP_PROTO_MINOR: usize = 83;
/// Offset of `lengths`, one for each of the strings.
pub const GO_HTTP_LENGTHS: usize = 84;
/// How many strings there are.
pub const GO_HTTP_STRINGS: usize = 8;
/// Offset of `gap`, the bytes between method and target that belong to neither.
pub const GO_HTTP_GAP: usize = 100;
/// Offset of `data`, the strings.
pub const GO_HTTP_DATA: usize = 104;

pub(crate) fn need(record: &[u8], need: usize) -> Result<(), DecodeError> {
    let have = record.len();
    if have < need {
        Err(DecodeError::Short { have, need })
    } else {
        Ok(())
    }
}

// The readers below are called after `need` has checked the record's fixed part.

pub(crate) fn bytes_at<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&record[at..at + N]);
    out
}

pub(crate) fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes_at(record, at))
}

pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes_at(record, at))
}

pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes_at(record, at))
}

/// Slots of the counters' map; a CPU counts in slot `cpu % COUNTER_SLOTS`, so that CPUs do not share cache lines.
pub const COUNTER_SLOTS: usize = 64;
/// `sizeof(struct counters)`: sixteen `u64`, two cache lines.
pub const COUNTERS_SIZE: usize = 128;

/// What the eBPF programs count, by index into `struct counters`. Each span that ends in the kernel is counted once as
/// `Seen`, and once as `Emitted` or as one of the drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Counter {
    /// Spans that ended.
    Seen = 0,
    /// Records handed to the ring.
    Emitted = 1,
    /// Dropped: the ring had no room.
    RingFull = 2,
    /// Dropped: the map of exchanges in progress had no room.
    StateFull = 3,
    /// Dropped: the target's memory could not be read.
    Unreadable = 4,
    /// Not a drop: a client span was left without a parent rather than with a wrong one.
    AmbiguousParent = 5,
    /// Dropped process events (exec, fork, exit): the events' ring had no room; user space then rescans /proc.
    EventRingFull = 6,
    /// Dropped: still in progress when the probes were detached.
    Unfinished = 7,
    /// Dropped: a response was seen, but of its request too little was kept.
    Unmatched = 8,
    /// Not spans, but calls: the kernel did not run the program there, since one that it had preempted was still at work on that
    /// processor (`recursion_misses` of the programs). Nobody knows which spans that cost.
    Skipped = 9,
}

/// All counters with the name that the loss account gives them.
pub const COUNTERS: [(Counter, &str); 10] = [
    (Counter::Seen, "seen"),
    (Counter::Emitted, "emitted"),
    (Counter::RingFull, "ring_full"),
    (Counter::StateFull, "state_full"),
    (Counter::Unreadable, "unreadable"),
    (Counter::AmbiguousParent, "ambiguous_parent"),
    (Counter::EventRingFull, "event_ring_full"),
    (Counter::Unfinished, "unfinished"),
    (Counter::Unmatched, "unmatched"),
    (Counter::Skipped, "skipped"),
];
