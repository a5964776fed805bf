//! Numbers and letters as Go's standard library has them.

/// Reads a number as Go's `ParseFloat` does: decimal or hexadecimal, with underscores between digits, and the words for
/// infinity and for what is no number. Too large a number is none, unless it says infinity.
pub fn go_float(text: &str) -> Option<f64> {
    let (is_negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = |value: f64| if is_negative { -value } else { value };
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(signed(f64::INFINITY));
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = without_underscores(unsigned)?;
    let prefix = digits.get(..2).unwrap_or_default();
    let value = match prefix.eq_ignore_ascii_case("0x") {
        true => hexadecimal(&digits[2..])?,
        false => digits.parse().ok()?,
    };
    value.is_finite().then(|| signed(value))
}

/// The text without its underscores, which stand between digits only, or between a base's prefix and a digit.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_hex = text.len() > 1 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    let is_digit = |at: usize| match bytes.get(at) {
        Some(byte) if is_hex => byte.is_ascii_hexdigit() || at == 1,
        Some(byte) => byte.is_ascii_digit(),
        None => false,
    };
    let is_placed = |at: usize| at > 0 && is_digit(at - 1) && is_digit(at + 1);
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores.all(|(at, _)| is_placed(at)).then(|| text.replace('_', ""))
}

/// A number behind its `0x`, which must have an exponent; rounded to the nearest double, ties to even.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let is_number = exponent
        .trim_start_matches(['+', '-'])
        .starts_with(|c: char| c.is_ascii_digit());
    let exponent: i64 = if is_number {
        exponent.parse().unwrap_or(i64::MAX >> 8)
    } else {
        return None;
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || whole.contains(['+', '-']) {
        return None;
    }
    // 64 bits and whether anything is beyond them: more than a double needs to be rounded right.
    let (mut mantissa, mut beyond, mut shift) = (0_u64, false, 0_i64);
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let is_fraction = index >= whole.len();
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            shift -= i64::from(is_fraction) * 4;
        } else {
            beyond |= digit != 0;
            shift += i64::from(!is_fraction) * 4;
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    // The lowest bit stands for all that is beyond it.
    let lead = i64::from(mantissa.leading_zeros());
    let mantissa = mantissa << lead | u64::from(beyond);
    let exponent = exponent.saturating_add(shift).saturating_sub(lead);
    if !(-1200..=1100).contains(&exponent) {
        return Some(if exponent > 0 { f64::INFINITY } else { 0.0 });
    }
    // Below the smallest normal number a double has fewer bits; it must be rounded once.
    let bits = (exponent + 64 + 1074).clamp(0, 53);
    let drop = 64 - bits;
    if drop > 64 || bits == 0 && exponent + 64 + 1074 < 0 {
        return Some(0.0);
    }
    let wide = u128::from(mantissa);
    let (kept, rest) = (wide >> drop, wide & ((1 << drop) - 1));
    let half = 1_u128 << (drop - 1);
    let up = rest > half || rest == half && kept & 1 == 1;
    let kept = (kept + u128::from(up)) as f64;
    // Two steps, each exact: neither leaves the range of doubles' exponents before the last.
    let power = exponent + drop;
    let first = power / 2;
    Some(kept * (first as f64).exp2() * ((power - first) as f64).exp2())
}

/// The one small letter of a letter.
pub(crate) fn lower_of(c: char) -> char {
    let mut lower = c.to_lowercase();
    // Of those that become several, which is the I with a dot, the first is it.
    lower.next().unwrap_or(c)
}

/// The one capital letter of a letter; itself where there would be several.
pub(crate) fn upper_of(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        // Greek letters with an iota below have a capital of their own.
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(c) + 9).unwrap_or(c),
            c => c,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("+1.5e3", Some(1500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-0", Some(-0.0)),
            ("1_000", Some(1000.0)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("1_.5", None),
            ("", None),
            (" 1", None),
            ("+-1", None),
            ("1e400", None),
            ("1e-400", Some(0.0)),
            ("Inf", Some(f64::INFINITY)),
            ("-infinity", Some(f64::NEG_INFINITY)),
            ("0x10", None),
            ("0x1p-2", Some(0.25)),
            ("-0X_1.8p1", Some(-3.0)),
            ("0x.8p0", Some(0.5)),
            ("0xp1", None),
            ("0x1p", None),
            ("0x1p+-1", None),
            ("0x1p1024", None),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1.fffffffffffff8p1023", None),
            ("0x10000000000000800000000001p0", Some(2_f64.powi(100) + 2_f64.powi(48))),
            ("0x1p99999999999999999999", None),
            ("0x0p99999999999999999999", Some(0.0)),
        ] {
            let found = go_float(text);
            assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text}: {found:?}");
        }
        assert!(go_float("nan").is_some_and(f64::is_nan));
        assert_eq!(go_float("-nan"), None);
    }

    #[test]
    fn a_letter_becomes_one_letter() {
        for (c, upper, lower) in [
            ('ß', 'ß', 'ß'),
            ('İ', 'İ', 'i'),
            ('ǆ', 'Ǆ', 'ǆ'),
            ('Σ', 'Σ', 'σ'),
            ('ᾳ', 'ᾼ', 'ᾳ'),
            ('ᾀ', 'ᾈ', 'ᾀ'),
            ('ﬁ', 'ﬁ', 'ﬁ'),
        ] {
            assert_eq!((upper_of(c), lower_of(c)), (upper, lower), "{c}");
        }
    }
}
