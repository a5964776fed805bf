//! One export request as it stands in the file.

use crate::net::compress::{Compressor, Encoding};
use bytes::Bytes;
use collector_engine::BoxError;
use collector_pdata::{Payload, json};

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Proto,
}

/// Encodes one request after the other into the same buffer.
pub(super) struct Encoder {
    format: Format,
    compressor: Option<Compressor>,
    record: Vec<u8>,
}

/// The bytes of a record's length.
const HEAD: usize = 4;

impl Encoder {
    pub(super) fn new(format: Format, compress: bool) -> std::io::Result<Self> {
        let compressor = compress.then(|| Compressor::new(Encoding::Zstd, None)).transpose()?;
        Ok(Encoder {
            format,
            compressor,
            record: Vec::new(),
        })
    }

    /// Whether records are lines of text.
    pub(super) fn is_lines(&self) -> bool {
        self.format == Format::Json && self.compressor.is_none()
    }

    /// A line with its end; or a message, compressed or not, behind its length.
    pub(super) fn encode(&mut self, payload: &Payload) -> Result<&[u8], BoxError> {
        self.record.clear();
        let chunks = payload.chunks().iter().map(|chunk| &chunk[..]);
        match (self.format, &mut self.compressor) {
            (Format::Json, None) => {
                json::put(payload.signal(), &mut self.record, chunks)?;
                self.record.push(b'\n');
                return Ok(&self.record);
            }
            (Format::Json, Some(compressor)) => {
                json::put(payload.signal(), &mut self.record, chunks)?;
                let text = Bytes::from(std::mem::take(&mut self.record));
                self.record = compressor.compress(&[text], HEAD)?;
            }
            (Format::Proto, None) => {
                self.record.extend_from_slice(&[0; HEAD]);
                chunks.for_each(|chunk| self.record.extend_from_slice(chunk));
            }
            (Format::Proto, Some(compressor)) => self.record = compressor.compress(payload.chunks(), HEAD)?,
        }
        let length = u32::try_from(self.record.len() - HEAD)?;
        self.record[..HEAD].copy_from_slice(&length.to_be_bytes());
        Ok(&self.record)
    }
}
