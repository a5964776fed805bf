//! Compression of whole bodies, both ways, with a limit on what comes out of it.
//!
//! A request is in memory as a whole before and after, so nothing here streams: a whole buffer is what compresses fastest.

use bytes::Bytes;
use std::cell::RefCell;
use std::io::Read;
use zstd::zstd_safe::get_frame_content_size;

/// How a body is encoded, apart from not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950, which HTTP calls `deflate`.
    Deflate,
    /// The same under the name that upstream has for it too.
    Zlib,
}

/// Why a body could not be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// It is larger than the caller allows.
    #[error("the body is larger than {0} bytes when decompressed")]
    TooLarge(usize),
    /// It is damaged, or something else than its encoding says.
    #[error("the body is not valid {0}")]
    Malformed(&'static str),
}

/// No deflate stream grows by more than this factor (258 bytes from a quarter of a byte).
const DEFLATE_FACTOR: usize = 1032;

impl Encoding {
    /// The encoding of that name in `content-encoding` or `grpc-encoding`, if it is one that is known here. The names
    /// `identity` and `none` are not: there is nothing to decompress.
    pub fn from_name(name: &str) -> Option<Encoding> {
        [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Zlib]
            .into_iter()
            .find(|encoding| name.eq_ignore_ascii_case(encoding.name()))
            .or_else(|| name.eq_ignore_ascii_case("x-gzip").then_some(Encoding::Gzip))
    }

    /// Its name in `content-encoding` and `grpc-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
            Encoding::Deflate => "deflate",
            Encoding::Zlib => "zlib",
        }
    }
}

/// Decompresses a whole body of at most `limit` bytes (decompressed). Takes memory for what comes out, never for what a
/// header claims beyond the limit.
pub fn decompress(encoding: Encoding, body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    match encoding {
        Encoding::Gzip => inflate(body, limit, gzip_length(body), Inflate::Gzip),
        Encoding::Deflate | Encoding::Zlib => inflate(body, limit, None, Inflate::Zlib),
        Encoding::Zstd => unzstd(body, limit),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inflate {
    Gzip,
    Zlib,
}

/// The length that the last member's trailer claims, modulo 2^32.
fn gzip_length(body: &[u8]) -> Option<usize> {
    body.last_chunk::<4>()
        .map(|length| u32::from_le_bytes(*length) as usize)
}

fn inflate(body: &[u8], limit: usize, claimed: Option<usize>, format: Inflate) -> Result<Vec<u8>, DecompressError> {
    thread_local! {
        static INFLATER: RefCell<libdeflater::Decompressor> = RefCell::new(libdeflater::Decompressor::new());
    }
    let most = limit.min(body.len().saturating_mul(DEFLATE_FACTOR));
    let mut size = claimed
        .unwrap_or_else(|| body.len().saturating_mul(4))
        .clamp(1, most.max(1));
    loop {
        let mut out = vec![0; size];
        let result = INFLATER.with_borrow_mut(|inflater| match format {
            Inflate::Gzip => inflater.gzip_decompress(body, &mut out),
            Inflate::Zlib => inflater.zlib_decompress(body, &mut out),
        });
        match result {
            Ok(length) => {
                out.truncate(length);
                return whole(body, out, format);
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) if size < most => {
                size = size.saturating_mul(2).min(most);
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) => return Err(DecompressError::TooLarge(limit)),
            Err(libdeflater::DecompressionError::BadData) => return Err(malformed(format)),
        }
    }
}

/// The decoder stops at the end of the first member, whatever follows; the checksum at the body's very end tells whether
/// that was all. (Several members in one body are legal and unheard of in OTLP: refused rather than read in part.)
fn whole(body: &[u8], out: Vec<u8>, format: Inflate) -> Result<Vec<u8>, DecompressError> {
    let expected = match format {
        Inflate::Gzip => body
            .last_chunk::<8>()
            .is_some_and(|end| end[..4] == libdeflater::crc32(&out).to_le_bytes()),
        Inflate::Zlib => body
            .last_chunk::<4>()
            .is_some_and(|end| *end == libdeflater::adler32(&out).to_be_bytes()),
    };
    expected.then_some(out).ok_or(malformed(format))
}

fn malformed(format: Inflate) -> DecompressError {
    DecompressError::Malformed(match format {
        Inflate::Gzip => "gzip",
        Inflate::Zlib => "zlib",
    })
}

fn unzstd(body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    thread_local! {
        static CONTEXT: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let claimed = get_frame_content_size(body)
        .ok()
        .flatten()
        .and_then(|length| usize::try_from(length).ok());
    let Some(length) = claimed else {
        return unzstd_stream(body, limit);
    };
    if length > limit {
        return Err(DecompressError::TooLarge(limit));
    }
    let whole = CONTEXT.with_borrow_mut(|context| {
        if context.is_none() {
            *context = zstd::bulk::Decompressor::new().ok();
        }
        context.as_mut()?.decompress(body, length).ok()
    });
    // What does not fit the first frame's word has several frames, or is damaged.
    whole.map_or_else(|| unzstd_stream(body, limit), Ok)
}

/// For a body whose length is not known before, or that has several frames.
fn unzstd_stream(body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    const MALFORMED: DecompressError = DecompressError::Malformed("zstd");
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(|_| MALFORMED)?;
    // A frame may ask for a window of gigabytes; none needs more than what may come out of it.
    let window = limit.max(1 << 10).next_power_of_two().ilog2().clamp(10, 27);
    decoder.window_log_max(window).map_err(|_| MALFORMED)?;
    let mut out = Vec::new();
    decoder
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|_| MALFORMED)?;
    if out.len() > limit {
        return Err(DecompressError::TooLarge(limit));
    }
    Ok(out)
}

/// Compresses whole bodies; keeps its tables from one to the next.
pub struct Compressor {
    encoding: Encoding,
    engine: Engine,
}

enum Engine {
    Deflate(libdeflater::Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Compressor").field(&self.encoding).finish()
    }
}

/// What `level` means where the configuration is silent: the fastest, since a collector has many neighbours on its node.
const FASTEST: i32 = 1;

impl Compressor {
    /// A compressor of a `level` from 0 to 12 (gzip, deflate, zlib) or from 1 to 22 (zstd), the nearest of which is taken;
    /// `None` is the fastest that compresses at all.
    pub fn new(encoding: Encoding, level: Option<i32>) -> std::io::Result<Compressor> {
        let level = level.unwrap_or(FASTEST);
        let engine = match encoding {
            Encoding::Zstd => Engine::Zstd(zstd::bulk::Compressor::new(level.clamp(1, 22))?),
            _ => {
                let level = libdeflater::CompressionLvl::new(level.clamp(0, 12)).unwrap_or_default();
                Engine::Deflate(libdeflater::Compressor::new(level))
            }
        };
        Ok(Compressor { encoding, engine })
    }

    /// Its encoding.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Compresses the concatenation of `chunks`, `before` bytes of zeros in front of the result (for a frame's head).
    pub fn compress(&mut self, chunks: &[Bytes], before: usize) -> std::io::Result<Vec<u8>> {
        match chunks {
            [chunk] => self.compress_one(chunk, before),
            // The copy costs a hundredth of the compression.
            chunks => self.compress_one(&chunks.concat(), before),
        }
    }

    fn compress_one(&mut self, body: &[u8], before: usize) -> std::io::Result<Vec<u8>> {
        let bound = match &mut self.engine {
            Engine::Zstd(_) => zstd::zstd_safe::compress_bound(body.len()),
            Engine::Deflate(deflater) if self.encoding == Encoding::Gzip => deflater.gzip_compress_bound(body.len()),
            Engine::Deflate(deflater) => deflater.zlib_compress_bound(body.len()),
        };
        let mut out = vec![0; before + bound];
        let space = &mut out[before..];
        let length = match &mut self.engine {
            Engine::Zstd(compressor) => compressor.compress_to_buffer(body, space)?,
            Engine::Deflate(deflater) => match self.encoding {
                Encoding::Gzip => deflater.gzip_compress(body, space),
                _ => deflater.zlib_compress(body, space),
            }
            .map_err(|error| std::io::Error::other(error.to_string()))?,
        };
        out.truncate(before + length);
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
