//! A request's body in pieces, which are handed on to the socket as they are.

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes in pieces that read as one. None of the pieces is empty.
#[derive(Debug, Clone, Default)]
pub struct Rope {
    pieces: VecDeque<Bytes>,
    left: usize,
}

impl Rope {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Bytes) {
        self.left += piece.len();
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }
}

impl Extend<Bytes> for Rope {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, pieces: I) {
        pieces.into_iter().for_each(|piece| self.push(piece));
    }
}

impl FromIterator<Bytes> for Rope {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut rope = Rope::default();
        rope.extend(pieces);
        rope
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.pieces);
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.left, "cannot advance beyond the end");
        self.left -= count;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                return piece.advance(count);
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

/// A rope as a body of one frame. One large frame, not one a piece: HTTP/2 cuts it at its own limit, and small pieces
/// share a write.
#[derive(Debug)]
pub struct RopeBody(Option<Rope>);

impl From<Rope> for RopeBody {
    fn from(rope: Rope) -> Self {
        RopeBody(Some(rope).filter(|rope| rope.left > 0))
    }
}

impl Body for RopeBody {
    type Data = Rope;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Rope>, Infallible>>> {
        Poll::Ready(self.0.take().map(|rope| Ok(Frame::data(rope))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |rope| rope.left as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_read_as_one_whatever_the_steps() {
        let pieces: [&'static [u8]; 4] = [b"one", b"", b"t", b"hree"];
        for step in 1..9 {
            let mut rope: Rope = pieces.into_iter().map(Bytes::from_static).collect();
            let mut read = Vec::new();
            while rope.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = rope.chunks_vectored(&mut slices);
                assert!(count > 0, "a rope with bytes left shows none");
                let seen: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let step = step.min(seen.len());
                read.extend_from_slice(&seen[..step]);
                rope.advance(step);
            }
            assert_eq!(read, b"onethree", "in steps of {step}");
        }
    }
}
