//! The OpenTelemetry Transformation Language: conditions and statements over telemetry, a first subset.

#![forbid(unsafe_code)]
