//! The options that every program has which traces: what is traced, and by how large a ring.

use crate::selection::{GlobError, Named, Selection};

/// As written.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Trace processes whose executable matches; without a slash its name is compared, else its path
    #[arg(long, value_name = "GLOB")]
    pub exe: Vec<String>,
    /// Trace processes that listen on this TCP port
    #[arg(long, value_name = "N")]
    pub port: Vec<u16>,
    /// Never trace processes whose executable matches
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Bytes of the ring between the kernel and the collector, a power of two [default: 8MiB]
    #[arg(long, value_name = "SIZE")]
    pub ring_size: Option<String>,
}

/// Bytes of the ring, unless said otherwise.
const RING_BYTES: u32 = 8 << 20;

/// A size that no ring can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--ring-size {0:?}: use a power of two from 4KiB to 1GiB, such as 8MiB")]
pub struct RingSizeError(String);

impl Options {
    /// What is traced: these, and the `named` processes.
    pub fn selection(&self, named: &[Named]) -> Result<Selection, GlobError> {
        Selection::new(named, &self.exe, &self.port, &self.exclude)
    }

    /// Bytes of the ring. The kernel's rings have powers of two.
    pub fn ring_bytes(&self) -> Result<u32, RingSizeError> {
        let Some(text) = &self.ring_size else {
            return Ok(RING_BYTES);
        };
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let factor = match unit.trim() {
            "" | "B" => Some(1),
            "KiB" | "K" => Some(1 << 10),
            "MiB" | "M" => Some(1 << 20),
            "GiB" | "G" => Some(1u64 << 30),
            _ => None,
        };
        let bytes = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
        bytes
            .filter(|bytes| bytes.is_power_of_two() && (4096..=1 << 30).contains(bytes))
            .and_then(|bytes| u32::try_from(bytes).ok())
            .ok_or_else(|| RingSizeError(text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring_bytes(text: &str) -> Result<u32, RingSizeError> {
        let ring_size = Some(text.to_owned());
        Options {
            ring_size,
            ..Options::default()
        }
        .ring_bytes()
    }

    #[test]
    fn ring_sizes_are_powers_of_two_within_bounds() {
        assert_eq!(Options::default().ring_bytes(), Ok(8 << 20));
        assert_eq!(ring_bytes("8MiB"), Ok(8 << 20));
        assert_eq!(ring_bytes("4096"), Ok(4096));
        assert_eq!(ring_bytes("1GiB"), Ok(1 << 30));
        for bad in ["", "3MiB", "2048", "8 parsec", "99999999999999999999", "2GiB"] {
            assert!(ring_bytes(bad).unwrap_err().to_string().contains(&format!("{bad:?}")));
        }
    }
}
