use crate::disorder::disorder;
use crate::generate::{Request, points, request};
use collector_pdata::{Payload, groups};
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::metrics::v1::ScopeMetrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use proptest::prelude::*;
use prost::Message;

/// The encoded resource and the items of each group.
fn expected(request: &Request) -> Vec<(Vec<u8>, usize)> {
    let group = |resource: &Option<Resource>, items| (resource.as_ref().map(Message::encode_to_vec), items);
    let groups: Vec<_> = match request {
        Request::Traces(request) => {
            let groups = request.resource_spans.iter();
            let items = |scopes: &[_]| scopes.iter().map(|scope: &ScopeSpans| scope.spans.len()).sum();
            groups
                .map(|one| group(&one.resource, items(&one.scope_spans)))
                .collect()
        }
        Request::Logs(request) => {
            let groups = request.resource_logs.iter();
            let items = |scopes: &[_]| scopes.iter().map(|scope: &ScopeLogs| scope.log_records.len()).sum();
            groups.map(|one| group(&one.resource, items(&one.scope_logs))).collect()
        }
        Request::Metrics(request) => {
            let groups = request.resource_metrics.iter();
            let items = |scopes: &[ScopeMetrics]| scopes.iter().flat_map(|scope| &scope.metrics).map(points).sum();
            groups
                .map(|one| group(&one.resource, items(&one.scope_metrics)))
                .collect()
        }
    };
    groups
        .into_iter()
        .map(|(resource, items)| (resource.unwrap_or_default(), items))
        .collect()
}

/// The same of a payload of several pieces, and the sum of the groups' bytes.
fn found(request: &Request, pieces: &[Vec<u8>]) -> (Vec<(Vec<u8>, usize)>, usize) {
    let mut payload = Payload::empty(request.signal());
    for piece in pieces {
        payload.append(Payload::new(request.signal(), piece.clone().into(), request.items()));
    }
    let (mut all, mut bytes) = (Vec::new(), 0);
    groups(&payload, |group| {
        all.push((group.resource.to_vec(), group.items));
        bytes += group.bytes;
    })
    .unwrap();
    (all, bytes)
}

proptest! {
    #[test]
    fn groups_are_those_that_another_decoder_finds(request in request()) {
        let (piece, expected) = (request.encode(), expected(&request));
        prop_assert_eq!(found(&request, std::slice::from_ref(&piece)), (expected.clone(), piece.len()));
        let twice = [expected.clone(), expected].concat();
        prop_assert_eq!(found(&request, &[piece.clone(), piece.clone()]), (twice, 2 * piece.len()));
    }

    #[test]
    fn no_item_is_left_out_whatever_the_order_of_fields(request in request()) {
        let (groups, _) = found(&request, &[disorder(&request)]);
        prop_assert_eq!(groups.iter().map(|(_, items)| items).sum::<usize>(), request.items());
    }
}
