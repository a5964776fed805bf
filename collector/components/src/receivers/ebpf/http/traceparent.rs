//! W3C Trace Context's `traceparent`, <https://www.w3.org/TR/trace-context/#traceparent-header>.

/// What a valid header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Not zero.
    pub trace_id: [u8; 16],
    /// The sender's span; not zero.
    pub parent_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

/// Reads a header's value; `None` if it is not valid, in which case it must be ignored.
pub fn parse(value: &[u8]) -> Option<TraceParent> {
    let (fixed, rest) = value.split_first_chunk::<55>()?;
    let version = hex::<1>(&fixed[0..2])?[0];
    // Version ff is forbidden. A later version than 00 may go on after another dash.
    let ends_well = if version == 0 {
        rest.is_empty()
    } else {
        rest.is_empty() || rest[0] == b'-'
    };
    let dashes = [2, 35, 52].iter().all(|at| fixed[*at] == b'-');
    if version == 0xff || !ends_well || !dashes {
        return None;
    }
    let trace_id = hex::<16>(&fixed[3..35]).filter(|id| *id != [0; 16])?;
    let parent_id = hex::<8>(&fixed[36..52]).filter(|id| *id != [0; 8])?;
    let flags = hex::<1>(&fixed[53..55])?[0];
    Some(TraceParent {
        trace_id,
        parent_id,
        flags,
    })
}

/// Lowercase digits only, as the specification wants.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_headers_are_read_and_all_others_ignored() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parsed = parse(valid.as_bytes()).unwrap();
        assert_eq!(parsed.trace_id[..2], [0x4b, 0xf9]);
        assert_eq!(parsed.parent_id[6..], [0x02, 0xb7]);
        assert_eq!(parsed.flags, 1);
        assert!(parse(format!("cc{}-what-ever", &valid[2..]).as_bytes()).is_some());
        for invalid in [
            "".to_owned(),
            valid[..54].to_owned(),
            format!("{valid}-more"),
            format!("ff{}", &valid[2..]),
            format!("cc{}.more", &valid[2..]),
            valid.to_uppercase(),
            valid.replace('-', "_"),
            valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            valid.replace("-01", "-0g"),
        ] {
            assert_eq!(parse(invalid.as_bytes()), None, "{invalid}");
        }
    }
}
