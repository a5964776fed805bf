//! The pieces of JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;

/// Puts a comma before each element but the first.
#[derive(Debug, Default)]
pub(in crate::json) struct Separator(pub bool);

impl Separator {
    pub fn put(&mut self, out: &mut Vec<u8>) {
        if self.0 {
            out.push(b',');
        }
        self.0 = true;
    }
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(arguments);
}

pub(in crate::json) fn put_key(out: &mut Vec<u8>, object: &mut Separator, key: &str) {
    object.put(out);
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

pub(in crate::json) fn put_text(out: &mut Vec<u8>, object: &mut Separator, key: &str, text: &[u8]) {
    if !text.is_empty() {
        put_key(out, object, key);
        put_string(out, text);
    }
}

pub(in crate::json) fn put_number(out: &mut Vec<u8>, object: &mut Separator, key: &str, number: i32) {
    if number != 0 {
        put_key(out, object, key);
        put_signed(out, i64::from(number));
    }
}

/// An id in quotes.
pub(in crate::json) fn put_hex(out: &mut Vec<u8>, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    // An id of zeros is how an empty one is read.
    if id.iter().any(|byte| *byte != 0) {
        out.extend(
            id.iter()
                .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        );
    }
    out.push(b'"');
}

/// A JSON string; what is not UTF-8 becomes U+FFFD, and control characters are escaped.
pub(in crate::json) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    match std::str::from_utf8(text) {
        Ok(text) => put_escaped(out, text.as_bytes()),
        Err(_) => put_escaped(out, String::from_utf8_lossy(text).as_bytes()),
    }
    out.push(b'"');
}

/// Copies runs of bytes that stand for themselves, which nearly always is all of it.
fn put_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text
        .iter()
        .position(|byte| matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\\'))
    {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            control => put(out, format_args!("\\u{control:04x}")),
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

pub(in crate::json) fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

pub(in crate::json) fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
}

pub(in crate::json) fn put_signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    put_decimal(out, number.unsigned_abs());
}

/// JSON has no numbers for three of them; protobuf's mapping writes those as text.
pub(in crate::json) fn put_double(out: &mut Vec<u8>, value: f64) {
    match value {
        value if value.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        value => put(out, format_args!("{value:?}")),
    }
}
