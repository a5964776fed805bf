//! Counts, edits, views and cuts of all three signals, with prost's types as the oracle.

#![allow(clippy::unwrap_used)]

mod attributes;
mod by_trace;
mod disorder;
mod edit;
mod generate;
mod groups;
mod split;
mod values;
mod views;

use collector_pdata::{Malformed, Signal, count};
use disorder::disorder;
use generate::{Request, logs, metrics, request, traces};
use proptest::prelude::*;

proptest! {
    #[test]
    fn items_are_counted_whatever_the_order_of_fields(request in request()) {
        let items = request.items();
        prop_assert_eq!(count(request.signal(), &request.encode()), Ok(items));
        prop_assert_eq!(count(request.signal(), &disorder(&request)), Ok(items));
    }

    #[test]
    fn requests_one_after_the_other_count_together(first in metrics(), second in metrics()) {
        let (first, second) = (Request::Metrics(first), Request::Metrics(second));
        let both = [first.encode(), second.encode()].concat();
        prop_assert_eq!(count(Signal::Metrics, &both), Ok(first.items() + second.items()));
    }

    #[test]
    fn a_cut_request_is_never_counted_in_full(request in prop_oneof![traces().prop_map(Request::Traces), logs().prop_map(Request::Logs)], cut in any::<prop::sample::Index>()) {
        let bytes = request.encode();
        if !bytes.is_empty() {
            match count(request.signal(), &bytes[..cut.index(bytes.len())]) {
                Ok(items) => prop_assert!(items <= request.items()),
                Err(error) => prop_assert_eq!(error, Malformed::Truncated),
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_count(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let _ = count(signal, &bytes);
        }
    }
}

#[test]
fn nothing_is_no_items() {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        assert_eq!(count(signal, &[]), Ok(0));
    }
}
