//! Which trace a span belongs to.

use super::http::traceparent;
use collector_pdata::encode::{FLAG_HAS_IS_REMOTE, FLAG_IS_REMOTE, FLAG_SAMPLED};
use probe_wire::SpanHeader;

/// A span's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent_span_id: Option<[u8; 8]>,
    pub(crate) flags: u32,
}

/// Chooses the ids of a span. The kernel's win where it chose any: it has read the header already, and other spans refer
/// to what it chose. Otherwise the header that came with the request, or that the application wrote itself, names trace
/// and parent (a client span then stands below the span of the application's own SDK, beside what that calls). Otherwise
/// the span is the root of a new trace.
pub(crate) fn choose(span: &SpanHeader, header: &[u8], random: &mut fastrand::Rng) -> Context {
    if span.flags.has_context() && span.trace_id != [0; 16] && span.span_id != [0; 8] {
        let parent = span.flags.has_parent().then_some(span.parent_span_id);
        return Context {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: parent.filter(|parent| *parent != [0; 8]),
            flags: FLAG_SAMPLED,
        };
    }
    let span_id = random.u64(1..).to_ne_bytes();
    match traceparent::parse(header) {
        Some(parent) => {
            let remote = if span.flags.is_client() { 0 } else { FLAG_IS_REMOTE };
            Context {
                trace_id: parent.trace_id,
                span_id,
                parent_span_id: Some(parent.parent_id),
                flags: u32::from(parent.flags) | FLAG_HAS_IS_REMOTE | remote,
            }
        }
        None => Context {
            trace_id: random.u128(1..).to_ne_bytes(),
            span_id,
            parent_span_id: None,
            flags: FLAG_SAMPLED,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe_wire::{SpanFlags, layout};

    const HEADER: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn span(flags: u16) -> SpanHeader {
        SpanHeader {
            flags: SpanFlags(flags),
            entity: 1,
            pid: 2,
            start_ns: 3,
            end_ns: 4,
            trace_id: [5; 16],
            span_id: [6; 8],
            parent_span_id: [7; 8],
        }
    }

    fn chosen(flags: u16, header: &[u8]) -> Context {
        choose(&span(flags), header, &mut fastrand::Rng::with_seed(1))
    }

    #[test]
    fn ids_from_the_kernel_win_over_the_header() {
        let context = chosen(layout::FLAG_CONTEXT | layout::FLAG_PARENT, HEADER);
        assert_eq!(context.trace_id, [5; 16]);
        assert_eq!(context.span_id, [6; 8]);
        assert_eq!(context.parent_span_id, Some([7; 8]));
        assert_eq!(chosen(layout::FLAG_CONTEXT, HEADER).parent_span_id, None);
    }

    #[test]
    fn without_ids_the_header_names_trace_and_parent() {
        let server = chosen(0, HEADER);
        assert_eq!(server.trace_id[0], 0x4b);
        assert_eq!(server.parent_span_id.unwrap()[7], 0xb7);
        assert_eq!(server.flags, 0x301);
        let client = chosen(layout::FLAG_CLIENT, HEADER);
        assert_eq!(client.parent_span_id, server.parent_span_id);
        assert_eq!(client.flags, 0x101);
    }

    #[test]
    fn without_both_it_is_the_root_of_a_trace_of_its_own() {
        // A parent without a trace cannot be joined to anything.
        for flags in [0, layout::FLAG_PARENT] {
            let context = chosen(flags, b"00-nonsense");
            assert_eq!(context.parent_span_id, None);
            assert_ne!(context.trace_id, [5; 16]);
            assert_ne!(context.trace_id, [0; 16]);
            assert_ne!(context.span_id, [0; 8]);
        }
    }
}
