//! prost, which says what protobuf is.

use collector_pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::{DecodeError, Message};

/// The request as prost encodes it again.
pub fn decode(signal: Signal, request: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(request)?.encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(request)?.encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest::decode(request)?.encode_to_vec(),
    })
}

/// prost takes messages of a hundred levels, which is less than values may have with what is around them.
pub fn is_too_deep(error: &DecodeError) -> bool {
    error.to_string().contains("recursion limit reached")
}
