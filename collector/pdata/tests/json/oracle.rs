//! Properties of all three signals.

use crate::adapter::{for_oracle, from_oracle};
use crate::messages::{Values, logs, metrics, traces};
use collector_pdata::Signal;
use collector_pdata::json::{self, Limits};
use proptest::prelude::*;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;

fn written(signal: Signal, request: &impl Message) -> Vec<u8> {
    let mut out = Vec::new();
    json::put(signal, &mut out, [&request.encode_to_vec()[..]]).unwrap();
    out
}

/// Our JSON is read by the oracle as the same request.
fn check_write<T>(signal: Signal, request: &T, adapt: fn(&mut Value)) -> Result<(), TestCaseError>
where
    T: Debug + Message + PartialEq + DeserializeOwned,
{
    let out = written(signal, request);
    let mut value: Value = serde_json::from_slice(&out).unwrap();
    adapt(&mut value);
    let read: T =
        serde_json::from_value(value.clone()).map_err(|error| TestCaseError::fail(format!("{error}: {value}")))?;
    prop_assert_eq!(&read, request, "{}", value);
    Ok(())
}

/// The oracle's JSON is read by us as the same request.
fn check_read<T>(signal: Signal, request: &T, adapt: fn(&mut Value)) -> Result<(), TestCaseError>
where
    T: Debug + Message + PartialEq + Serialize + Default,
{
    let mut value = serde_json::to_value(request).unwrap();
    adapt(&mut value);
    let text = value.to_string();
    let encoded = json::decode(signal, text.as_bytes(), &Limits::default())
        .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    prop_assert_eq!(&T::decode(&encoded[..]).unwrap(), request, "{}", text);
    // Nothing is encoded that prost would leave out, but for a zero below zero.
    prop_assert!(
        encoded.len() == request.encoded_len() || text.contains("-0.0"),
        "{}",
        text
    );
    Ok(())
}

/// What we write we read.
fn check_both<T>(signal: Signal, request: &T) -> Result<(), TestCaseError>
where
    T: Debug + Message + PartialEq + Default,
{
    let text = written(signal, request);
    let encoded = json::decode(signal, &text, &Limits::default())
        .map_err(|error| TestCaseError::fail(format!("{error}: {}", String::from_utf8_lossy(&text))))?;
    prop_assert_eq!(&T::decode(&encoded[..]).unwrap(), request);
    Ok(())
}

fn as_is(_: &mut Value) {}

proptest! {
    #[test]
    fn the_oracle_reads_the_json_of_traces(request in traces(Values::Plain)) {
        check_write(Signal::Traces, &request, as_is)?;
    }

    #[test]
    fn the_oracle_reads_the_json_of_metrics(request in metrics(Values::Plain)) {
        check_write(Signal::Metrics, &request, for_oracle)?;
    }

    #[test]
    fn the_oracle_reads_the_json_of_logs(request in logs(Values::Plain)) {
        check_write(Signal::Logs, &request, as_is)?;
    }

    #[test]
    fn the_oracles_json_of_traces_is_read(request in traces(Values::Plain)) {
        check_read(Signal::Traces, &request, as_is)?;
    }

    #[test]
    fn the_oracles_json_of_metrics_is_read(request in metrics(Values::Plain)) {
        check_read(Signal::Metrics, &request, from_oracle)?;
    }

    #[test]
    fn the_oracles_json_of_logs_is_read(request in logs(Values::Plain)) {
        check_read(Signal::Logs, &request, as_is)?;
    }

    #[test]
    fn traces_are_read_back_as_they_were(request in traces(Values::Any)) {
        check_both(Signal::Traces, &request)?;
    }

    #[test]
    fn metrics_are_read_back_as_they_were(request in metrics(Values::Any)) {
        check_both(Signal::Metrics, &request)?;
    }

    #[test]
    fn logs_are_read_back_as_they_were(request in logs(Values::Any)) {
        check_both(Signal::Logs, &request)?;
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic(
        request in metrics(Values::Any), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = request.encode_to_vec();
        if !bytes.is_empty() {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let mut out = b"kept".to_vec();
            match json::put(signal, &mut out, [&bytes[..]]) {
                Ok(()) => prop_assert!(serde_json::from_slice::<Value>(&out[4..]).is_ok()),
                Err(_) => prop_assert_eq!(&out[..], b"kept"),
            }
        }
    }

    #[test]
    fn damaged_json_is_an_error_and_never_a_panic(
        request in metrics(Values::Any), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut text = written(Signal::Metrics, &request);
        let index = at.index(text.len());
        text[index] = byte;
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let _ = json::decode(signal, &text, &Limits::default());
        }
    }
}
