//! The policies that look at a span's own fields.

use collector_pdata::proto::{Malformed, fields};

/// Whether the span's status code is one of `codes`. Of several statuses, which no encoder writes, the last counts.
pub(super) fn is_in(codes: u8, span: &[u8]) -> Result<bool, Malformed> {
    let mut code = 0;
    for field in fields(span) {
        let field = field?;
        if field.number == 15 {
            code = code_of(field.bytes()?)?;
        }
    }
    Ok(code < 8 && codes & (1 << code) != 0)
}

fn code_of(status: &[u8]) -> Result<u64, Malformed> {
    let mut code = 0;
    for field in fields(status) {
        let field = field?;
        if field.number == 3 {
            code = field.varint()?;
        }
    }
    Ok(code)
}

/// Whether the span's trace state has one of `values` for `key`. It is a list of `key=value` with commas, of W3C.
pub(super) fn has_state(key: &[u8], values: &[Box<[u8]>], span: &[u8]) -> Result<bool, Malformed> {
    for field in fields(span) {
        let field = field?;
        if field.number != 3 {
            continue;
        }
        let members = field.bytes()?.split(|byte| *byte == b',');
        let mut of_key = members.filter_map(|member| member.trim_ascii().strip_prefix(key)?.strip_prefix(b"="));
        if of_key.any(|value| values.iter().any(|wanted| **wanted == *value)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether W3C's sampled flag is set.
pub(super) fn is_flagged(span: &[u8]) -> Result<bool, Malformed> {
    for field in fields(span) {
        let field = field?;
        if field.number == 16 {
            return Ok(field.fixed32()? & 1 != 0);
        }
    }
    Ok(false)
}
