use crate::layout::{self, bytes_at, u16_at, u32_at};
use crate::{DecodeError, GoHttp, SpanHeader};

/// Reads a `struct go_http_record`.
pub(crate) fn decode(span: SpanHeader, record: &[u8]) -> Result<GoHttp<'_>, DecodeError> {
    layout::need(record, layout::GO_HTTP_DATA)?;
    let status = u16_at(record, layout::GO_HTTP_STATUS);
    let mut strings = Strings {
        record,
        which: 0,
        at: layout::GO_HTTP_DATA,
    };
    Ok(GoHttp {
        span,
        status: (status != 0).then_some(status),
        protocol: (record[layout::GO_HTTP_PROTO_MAJOR], record[layout::GO_HTTP_PROTO_MINOR]),
        request_body: known(record, layout::GO_HTTP_REQUEST_BODY),
        response_body: known(record, layout::GO_HTTP_RESPONSE_BODY),
        // In the order of `enum go_http_string`.
        method: strings.next()?,
        target: strings.skip(u32_at(record, layout::GO_HTTP_GAP) as usize).next()?,
        host: strings.next()?,
        scheme: strings.next()?,
        peer: strings.next()?,
        pattern: strings.next()?,
        user_agent: strings.next()?,
        traceparent: strings.next()?,
    })
}

/// Go says -1 for a length that it does not know.
fn known(record: &[u8], at: usize) -> Option<u64> {
    u64::try_from(i64::from_ne_bytes(bytes_at(record, at))).ok()
}

/// The strings stand one behind the other; their lengths stand before them.
struct Strings<'a> {
    record: &'a [u8],
    which: usize,
    at: usize,
}

impl<'a> Strings<'a> {
    fn skip(&mut self, bytes: usize) -> &mut Self {
        self.at = self.at.saturating_add(bytes);
        self
    }

    fn next(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(u16_at(self.record, layout::GO_HTTP_LENGTHS + 2 * self.which));
        let end = self.at.saturating_add(length);
        let bytes = self.record.get(self.at..end).ok_or(DecodeError::BadLength {
            captured: length,
            available: self.record.len().saturating_sub(self.at),
        })?;
        self.which += 1;
        self.at = end;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use crate::{DecodeError, Event, decode, layout};

    fn record(lengths: [u16; layout::GO_HTTP_STRINGS], data: &[u8]) -> Vec<u8> {
        let mut record = vec![0; layout::GO_HTTP_DATA];
        record[..2].copy_from_slice(&layout::KIND_GO_HTTP.to_ne_bytes());
        record[layout::GO_HTTP_REQUEST_BODY..][..8].copy_from_slice(&(-1i64).to_ne_bytes());
        record[layout::GO_HTTP_RESPONSE_BODY..][..8].copy_from_slice(&6i64.to_ne_bytes());
        record[layout::GO_HTTP_STATUS..][..2].copy_from_slice(&404u16.to_ne_bytes());
        record[layout::GO_HTTP_PROTO_MAJOR] = 1;
        record[layout::GO_HTTP_PROTO_MINOR] = 1;
        for (i, length) in lengths.iter().enumerate() {
            record[layout::GO_HTTP_LENGTHS + 2 * i..][..2].copy_from_slice(&length.to_ne_bytes());
        }
        record.extend_from_slice(data);
        record
    }

    #[test]
    fn strings_are_cut_apart_by_their_lengths() {
        let record = record([3, 5, 4, 0, 6, 2, 0, 1], b"GET/a?b=hostpeer:1/at");
        let Ok(Event::GoHttp(http)) = decode(&record) else {
            panic!("not a Go HTTP record");
        };
        assert_eq!((http.status, http.protocol), (Some(404), (1, 1)));
        assert_eq!((http.request_body, http.response_body), (None, Some(6)));
        assert_eq!(
            (http.method, http.target, http.host),
            (&b"GET"[..], &b"/a?b="[..], &b"host"[..])
        );
        assert_eq!(
            (http.scheme, http.peer, http.pattern),
            (&b""[..], &b"peer:1"[..], &b"/a"[..])
        );
        assert_eq!((http.user_agent, http.traceparent), (&b""[..], &b"t"[..]));
    }

    #[test]
    fn method_and_target_may_have_been_read_at_once() {
        let mut record = record([3, 2, 1, 0, 0, 0, 0, 0], b"GET /ah");
        record[layout::GO_HTTP_GAP] = 1;
        let Ok(Event::GoHttp(http)) = decode(&record) else {
            panic!("not a Go HTTP record");
        };
        assert_eq!(
            (http.method, http.target, http.host),
            (&b"GET"[..], &b"/a"[..], &b"h"[..])
        );
        record[layout::GO_HTTP_GAP..][..4].fill(0xff);
        assert!(matches!(decode(&record), Err(DecodeError::BadLength { .. })));
    }

    #[test]
    fn a_record_that_is_too_short_is_refused_at_every_length() {
        let whole = record([3, 1, 0, 0, 0, 0, 0, 0], b"GET/");
        for cut in 0..whole.len() {
            let error = decode(&whole[..cut]).unwrap_err();
            assert!(
                matches!(error, DecodeError::Short { .. } | DecodeError::BadLength { .. }),
                "{error} at {cut}"
            );
        }
        assert!(decode(&whole).is_ok());
    }
}
