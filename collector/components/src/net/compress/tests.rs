use super::*;
use std::io::Write;

const ALL: [Encoding; 4] = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Zlib];

fn text(length: usize) -> Vec<u8> {
    b"GET /cart HTTP/1.1 200 shop "
        .iter()
        .copied()
        .cycle()
        .take(length)
        .collect()
}

fn compressed(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(encoding, None).unwrap();
    compressor.compress(&[Bytes::copy_from_slice(body)], 0).unwrap()
}

#[test]
fn every_encoding_returns_what_was_put_in() {
    for encoding in ALL {
        for level in [None, Some(-2), Some(0), Some(6), Some(99)] {
            let mut compressor = Compressor::new(encoding, level).unwrap();
            for length in [0, 1, 100, 300_000] {
                let body = text(length);
                let (left, right) = body.split_at(length / 3);
                let chunks = [Bytes::copy_from_slice(left), Bytes::copy_from_slice(right)];
                let out = compressor.compress(&chunks, 5).unwrap();
                assert_eq!(out[..5], [0; 5]);
                let back = decompress(encoding, &out[5..], length);
                assert!(back == Ok(body), "{encoding:?} level {level:?} length {length}");
            }
        }
    }
}

#[test]
fn another_encoder_and_another_decoder_agree() {
    let body = text(100_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&body).unwrap();
    assert_eq!(
        decompress(Encoding::Gzip, &gzip.finish().unwrap(), 100_000).unwrap(),
        body
    );
    let ours = compressed(Encoding::Deflate, &body);
    let mut back = Vec::new();
    flate2::read::ZlibDecoder::new(&ours[..])
        .read_to_end(&mut back)
        .unwrap();
    assert_eq!(back, body);
}

#[test]
fn a_zstd_stream_without_its_length_and_one_of_several_frames_are_read() {
    let body = text(500_000);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&body).unwrap();
    let stream = encoder.finish().unwrap();
    assert_eq!(decompress(Encoding::Zstd, &stream, 500_000).unwrap(), body);
    assert_eq!(
        decompress(Encoding::Zstd, &stream, 499_999),
        Err(DecompressError::TooLarge(499_999))
    );
    let frames = [compressed(Encoding::Zstd, b"one "), compressed(Encoding::Zstd, b"two")].concat();
    assert_eq!(decompress(Encoding::Zstd, &frames, 7).unwrap(), b"one two");
    assert_eq!(
        decompress(Encoding::Zstd, &frames, 6),
        Err(DecompressError::TooLarge(6))
    );
}

#[test]
fn a_bomb_is_refused_at_its_limit() {
    for encoding in ALL {
        let bomb = compressed(encoding, &vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20, "{encoding:?}: {}", bomb.len());
        assert_eq!(
            decompress(encoding, &bomb, 1 << 20),
            Err(DecompressError::TooLarge(1 << 20)),
            "{encoding:?}"
        );
    }
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    for encoding in ALL {
        let whole = compressed(encoding, &text(5000));
        for length in 0..whole.len() {
            let cut = decompress(encoding, &whole[..length], 1 << 20);
            // No bytes at all are a valid zstd stream of no frames.
            assert!(
                cut.is_err() || cut == Ok(vec![]) && length == 0,
                "{encoding:?} {length}"
            );
        }
        let trailing = [&whole[..], b"trailing"].concat();
        assert!(decompress(encoding, &trailing, 1 << 20).is_err(), "{encoding:?}");
    }
    let two = [compressed(Encoding::Gzip, b"one"), compressed(Encoding::Gzip, b"two")].concat();
    assert_eq!(
        decompress(Encoding::Gzip, &two, 100),
        Err(DecompressError::Malformed("gzip"))
    );
}

#[test]
fn a_claimed_length_or_window_beyond_the_limit_takes_no_memory() {
    // A zstd frame whose header claims a terabyte.
    let mut claim = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    claim.extend_from_slice(&(1u64 << 40).to_le_bytes());
    assert_eq!(
        decompress(Encoding::Zstd, &claim, 100),
        Err(DecompressError::TooLarge(100))
    );
    // A window of two gigabytes, and an empty last block.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    assert_eq!(
        decompress(Encoding::Zstd, &window, 1 << 20),
        Err(DecompressError::Malformed("zstd"))
    );
    let mut lying = compressed(Encoding::Gzip, b"x");
    let end = lying.len();
    lying[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        decompress(Encoding::Gzip, &lying, usize::MAX),
        Err(DecompressError::Malformed("gzip"))
    );
}

#[test]
fn names_are_those_of_the_headers() {
    for encoding in ALL {
        assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
    }
    assert_eq!(Encoding::from_name("GZIP"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name("x-gzip"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name("identity"), None);
    assert_eq!(Encoding::from_name("snappy"), None);
}
