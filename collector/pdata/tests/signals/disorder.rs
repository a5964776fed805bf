use crate::generate::Request;
use collector_pdata::proto::{FieldValue, fields};
use collector_pdata::{ItemKind, Signal};

/// The bytes of a field that no version of OTLP has: number 1000, bytes.
pub const UNKNOWN: &[u8] = b"\xc2\x3e\x08unknown!";

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Request,
    Resource,
    Scope,
    Metric,
    Data,
    Item,
}

/// The same request, as protobuf has it, with the fields of each message down to the items in descending order, as
/// upstream's encoder writes them, and an unknown field in each.
pub fn disorder(request: &Request) -> Vec<u8> {
    message(request.signal(), Level::Request, &request.encode())
}

/// How often the unknown field is in `bytes`.
pub fn unknown(bytes: &[u8]) -> usize {
    bytes.windows(UNKNOWN.len()).filter(|window| *window == UNKNOWN).count()
}

fn message(signal: Signal, level: Level, bytes: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut walk = fields(bytes);
    let mut start = 0;
    while let Some(field) = walk.next() {
        let field = field.unwrap();
        let end = bytes.len() - walk.remaining();
        let part = match (field.value, below(signal, level, field.number)) {
            (FieldValue::Bytes(body), Some(level)) => framed(field.number, &message(signal, level, body)),
            _ => bytes[start..end].to_vec(),
        };
        parts.push((field.number, part));
        start = end;
    }
    parts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let mut out = UNKNOWN.to_vec();
    parts.iter().for_each(|(_, part)| out.extend_from_slice(part));
    out
}

fn below(signal: Signal, level: Level, number: u32) -> Option<Level> {
    match (level, number) {
        (Level::Request, 1) => Some(Level::Resource),
        (Level::Resource, 2) => Some(Level::Scope),
        (Level::Scope, 2) if signal == Signal::Metrics => Some(Level::Metric),
        (Level::Scope, 2) | (Level::Data, 1) => Some(Level::Item),
        (Level::Metric, number) if ItemKind::of_data(number).is_some() => Some(Level::Data),
        _ => None,
    }
}

fn framed(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}
