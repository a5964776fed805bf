//! The hand-over socket: frames in, descriptors beside them.

use probe_wire::handover::{FrameError, MAX_PAYLOAD, Message};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where the connection comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Connected by the embedding program; when it ends, so does the work.
    Handed(UnixStream),
    /// To be connected, and again when it ends.
    Path(PathBuf),
}

/// An open connection to Odiglet.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

/// What the socket has to say.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message.
    Message(Message),
    /// Nothing for now.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// Why a connection cannot be used any further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("cannot read the hand-over socket")]
    Read(#[source] rustix::io::Errno),
    #[error("the hand-over socket carries something else than hand-over messages")]
    Frame(#[from] FrameError),
}

const CHUNK: usize = 64 * 1024;
/// One offer has two; whoever sends more than this is not Odiglet.
const MAX_DESCRIPTORS: usize = 8;

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            input: Vec::new(),
            descriptors: VecDeque::new(),
        })
    }

    /// The next message, if one is there. Never waits.
    pub(crate) fn next(&mut self) -> Result<Next, ConnectionError> {
        loop {
            if let Some((message, used)) = Message::decode(&self.input)? {
                self.input.drain(..used);
                return Ok(Next::Message(message));
            }
            // A frame's prefix bounds its payload, so the input never grows beyond one frame and one chunk.
            debug_assert!(self.input.len() <= MAX_PAYLOAD + CHUNK);
            match self.receive() {
                Ok(0) => return Ok(Next::Closed),
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(Next::Nothing),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(Next::Closed),
                Err(error) => return Err(ConnectionError::Read(error)),
            }
        }
    }

    /// The oldest descriptor that came and was not taken.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    fn receive(&mut self) -> rustix::io::Result<usize> {
        let start = self.input.len();
        self.input.resize(start + CHUNK, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut self.input[start..])];
        let received = recvmsg(&self.stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC);
        self.input
            .truncate(start + received.as_ref().map_or(0, |message| message.bytes));
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.descriptors.truncate(MAX_DESCRIPTORS);
        received.map(|message| message.bytes)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
