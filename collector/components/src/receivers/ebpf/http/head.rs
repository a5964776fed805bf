//! The head of a captured HTTP/1 request.
//!
//! The capture is the first bytes that one side sent: it may end anywhere, may go on into the body, and may not be HTTP
//! at all. Whatever can be read is read; a header line that is not complete counts as absent, since half a value is a
//! wrong one.

/// What is known of a request's head. Empty slices mean "not known".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method, as it was sent.
    pub method: &'a [u8],
    /// The request target; cut off if the capture ends within it.
    pub target: &'a [u8],
    /// `(1, 1)` for HTTP/1.1.
    pub version: Option<(u8, u8)>,
    /// Header Host.
    pub host: &'a [u8],
    /// Header User-Agent.
    pub user_agent: &'a [u8],
    /// Header Content-Length.
    pub content_length: Option<u64>,
    /// Header traceparent.
    pub traceparent: &'a [u8],
    /// Header X-Forwarded-For.
    pub forwarded_for: &'a [u8],
}

/// Reads what there is of a head.
pub fn parse(capture: &[u8]) -> Head<'_> {
    let mut head = Head::default();
    let mut rest = skip_empty_lines(capture);
    let (line, complete) = next_line(&mut rest);
    head.set_request_line(line, complete);
    loop {
        let (line, complete) = next_line(&mut rest);
        if line.is_empty() || !complete {
            return head;
        }
        if let Some(colon) = memchr::memchr(b':', line) {
            head.set_header(&line[..colon], line[colon + 1..].trim_ascii());
        }
    }
}

/// RFC 9112, 2.2: a server ignores empty lines before the request line.
fn skip_empty_lines(capture: &[u8]) -> &[u8] {
    let start = capture.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    &capture[start.unwrap_or(capture.len())..]
}

/// The next line without its end, and whether its end was there.
fn next_line<'a>(rest: &mut &'a [u8]) -> (&'a [u8], bool) {
    match memchr::memchr(b'\n', rest) {
        Some(end) => {
            let line = &rest[..end];
            *rest = &rest[end + 1..];
            (line.strip_suffix(b"\r").unwrap_or(line), true)
        }
        None => (std::mem::take(rest), false),
    }
}

impl<'a> Head<'a> {
    fn set_request_line(&mut self, line: &'a [u8], complete: bool) {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        self.method = words.next().unwrap_or_default();
        self.target = words.next().unwrap_or_default();
        if !complete && self.target.is_empty() {
            // The capture ends within its first word, which may be a part of a method.
            self.method = &[];
        }
        self.version = match words.next() {
            Some(
                [
                    b'H',
                    b'T',
                    b'T',
                    b'P',
                    b'/',
                    major @ b'0'..=b'9',
                    b'.',
                    minor @ b'0'..=b'9',
                ],
            ) => Some((major - b'0', minor - b'0')),
            _ => None,
        };
    }

    /// The first of several headers of one name counts.
    fn set_header(&mut self, name: &[u8], value: &'a [u8]) {
        // The length decides nearly all headers without looking at the name.
        match name.len() {
            4 if self.host.is_empty() && name.eq_ignore_ascii_case(b"host") => self.host = value,
            10 if self.user_agent.is_empty() && name.eq_ignore_ascii_case(b"user-agent") => self.user_agent = value,
            11 if self.traceparent.is_empty() && name.eq_ignore_ascii_case(b"traceparent") => self.traceparent = value,
            14 if self.content_length.is_none() && name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length = decimal(value);
            }
            15 if self.forwarded_for.is_empty() && name.eq_ignore_ascii_case(b"x-forwarded-for") => {
                self.forwarded_for = value;
            }
            _ => {}
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    // `parse` would take a sign.
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REQUEST: &[u8] = b"POST /orders?id=7 HTTP/1.1\r\nHost: shop.example:8080\r\nuser-agent:  curl/8.0 \r\n\
        Content-Length: 12\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
        X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nX: y\r\n\r\nHost: evil\r\n";

    #[test]
    fn a_whole_head_is_read_and_the_body_is_not() {
        let head = parse(REQUEST);
        assert_eq!(head.method, b"POST");
        assert_eq!(head.target, b"/orders?id=7");
        assert_eq!(head.version, Some((1, 1)));
        assert_eq!(head.host, b"shop.example:8080");
        assert_eq!(head.user_agent, b"curl/8.0");
        assert_eq!(head.content_length, Some(12));
        assert_eq!(head.traceparent.len(), 55);
        assert_eq!(head.forwarded_for, b"203.0.113.9, 10.0.0.1");
    }

    #[test]
    fn a_head_cut_anywhere_never_holds_half_a_header() {
        let whole = parse(REQUEST);
        for cut in 0..REQUEST.len() {
            let head = parse(&REQUEST[..cut]);
            assert!(
                head.host.is_empty() || head.host == whole.host,
                "cut at {cut}: {head:?}"
            );
            assert!(
                head.user_agent.is_empty() || head.user_agent == whole.user_agent,
                "cut at {cut}"
            );
            assert!(
                head.content_length.is_none() || head.content_length == whole.content_length,
                "cut at {cut}"
            );
            assert!(whole.target.starts_with(head.target), "cut at {cut}: {head:?}");
            assert!(
                head.method.is_empty() || head.method == b"POST",
                "cut at {cut}: {head:?}"
            );
        }
    }

    #[test]
    fn bare_newlines_and_odd_heads_are_read_as_far_as_they_go() {
        assert_eq!(parse(b"\r\nGET / HTTP/1.0\nHost: a\n\n").host, b"a");
        assert_eq!(parse(b"GET /").target, b"/");
        assert_eq!(parse(b"GE"), Head::default());
        assert_eq!(parse(b""), Head::default());
        assert_eq!(
            parse(b"GET / HTTP/1.1\r\nContent-Length: +5\r\n\r\n").content_length,
            None
        );
        assert_eq!(
            parse(b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n").content_length,
            None
        );
    }

    proptest! {
        #[test]
        fn no_capture_makes_it_panic(capture in proptest::collection::vec(any::<u8>(), 0..300)) {
            parse(&capture);
        }
    }
}
