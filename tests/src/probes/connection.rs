use anyhow::{Context, Result, bail};
use rustix::fd::AsFd;
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, send, sendmsg};
use rustix::pipe::{SpliceFlags, splice};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// What fits into a pipe.
const PIPE: usize = 16 << 10;

/// A client and a server end in this process.
pub(super) struct Connection {
    pub client: TcpStream,
    pub server: TcpStream,
    /// The server's address.
    pub address: SocketAddr,
}

/// The system call that sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sending {
    Write,
    /// In several buffers.
    Writev,
    Sendto,
    /// In several buffers.
    Sendmsg,
}

/// The system call that receives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Receiving {
    Read,
    /// Into two buffers.
    Readv,
    Recvfrom,
    /// Into two buffers.
    Recvmsg,
    /// Looks before it reads.
    Peek,
    /// Looks for reports of what became of sent bytes before it reads.
    Reports,
}

/// How both ends do their input and output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub sending: Sending,
    pub receiving: Receiving,
    /// The most that one call receives.
    pub at_most: usize,
    /// What a server sends by way of a pipe, the client receives so too.
    pub splices: bool,
}

impl Manner {
    pub const PLAIN: Manner = Manner {
        sending: Sending::Write,
        receiving: Receiving::Read,
        at_most: usize::MAX,
        splices: false,
    };
}

impl Connection {
    pub fn over(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).context("cannot listen")?;
        let address = listener.local_addr()?;
        let client = TcpStream::connect(address).context("cannot connect")?;
        let (server, _) = listener.accept().context("cannot accept")?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
        }
        Ok(Connection {
            client,
            server,
            address,
        })
    }

    /// A request and its answer, both in this thread.
    pub fn ask(&self, request: &[u8], answer: &[u8]) -> Result<()> {
        pass(&self.client, &self.server, request, Manner::PLAIN)?;
        pass(&self.server, &self.client, answer, Manner::PLAIN)
    }
}

/// Sends all of `bytes` at one end and receives them at the other.
pub(super) fn pass(from: &TcpStream, to: &TcpStream, bytes: &[u8], manner: Manner) -> Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        sent += send_some(from, &bytes[sent..], manner.sending)?;
    }
    receive(to, bytes, manner)
}

/// Receives exactly `expected`.
pub(super) fn receive(to: &TcpStream, expected: &[u8], manner: Manner) -> Result<()> {
    let mut received = vec![0; expected.len()];
    let mut have = 0;
    while have < expected.len() {
        let room = (expected.len() - have).min(manner.at_most);
        let count = receive_some(to, &mut received[have..have + room], manner.receiving)?;
        if count == 0 {
            bail!("the connection ended after {have} bytes of {}", expected.len());
        }
        have += count;
    }
    anyhow::ensure!(received == expected, "other bytes arrived than were sent");
    Ok(())
}

/// Sends `bytes` from a file, so that they never pass this program's memory.
pub(super) fn send_file(from: &TcpStream, bytes: &[u8]) -> Result<()> {
    let mut file = std::fs::File::from(memfd_create("body", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    let (mut at, end) = (0, bytes.len() as u64);
    while at < end {
        sendfile(from, &file, Some(&mut at), bytes.len()).context("sendfile")?;
    }
    Ok(())
}

/// Sends `bytes` by way of a pipe, as proxies do.
pub(super) fn splice_to(socket: &TcpStream, bytes: &[u8]) -> Result<()> {
    let (out, mut into) = std::io::pipe()?;
    for piece in bytes.chunks(PIPE) {
        into.write_all(piece)?;
        splice_all(&out, socket, piece.len())?;
    }
    Ok(())
}

/// Receives exactly `expected` by way of a pipe.
pub(super) fn splice_from(socket: &TcpStream, expected: &[u8]) -> Result<()> {
    let (mut out, into) = std::io::pipe()?;
    let mut received = vec![0; expected.len()];
    for piece in received.chunks_mut(PIPE) {
        splice_all(socket, &into, piece.len())?;
        out.read_exact(piece)?;
    }
    anyhow::ensure!(received == expected, "other bytes arrived than were sent");
    Ok(())
}

fn splice_all(from: impl AsFd, to: impl AsFd, bytes: usize) -> Result<()> {
    let mut left = bytes;
    while left > 0 {
        let moved = splice(&from, None, &to, None, left, SpliceFlags::empty()).context("splice")?;
        anyhow::ensure!(moved > 0, "the connection ended with {left} bytes of {bytes} to come");
        left -= moved;
    }
    Ok(())
}

/// Receives `bytes` without looking at them.
pub(super) fn throw_away(socket: &TcpStream, bytes: usize) -> Result<()> {
    // With MSG_TRUNC the kernel writes nothing into the buffer (tcp(7)).
    let mut buffer = vec![0; bytes];
    let mut left = bytes;
    while left > 0 {
        let (_, count) = recv(socket, &mut buffer[..left], RecvFlags::TRUNC).context("recv")?;
        anyhow::ensure!(count > 0, "the connection ended with {left} bytes of {bytes} to come");
        left -= count;
    }
    anyhow::ensure!(buffer.iter().all(|byte| *byte == 0), "bytes were copied");
    Ok(())
}

fn send_some(socket: &TcpStream, bytes: &[u8], sending: Sending) -> Result<usize> {
    // Heads begin in the first buffers, and end in a later one.
    let (first, rest) = bytes.split_at(bytes.len().min(7));
    let (second, third) = rest.split_at(rest.len().min(20));
    let buffers = [first, &[], second, third].map(IoSlice::new);
    let sent = match sending {
        Sending::Write => rustix::io::write(socket, bytes),
        Sending::Writev => rustix::io::writev(socket, &buffers),
        Sending::Sendto => send(socket, bytes, SendFlags::NOSIGNAL),
        Sending::Sendmsg => sendmsg(
            socket,
            &buffers,
            &mut SendAncillaryBuffer::default(),
            SendFlags::NOSIGNAL,
        ),
    };
    sent.with_context(|| format!("{sending:?}"))
}

fn receive_some(socket: &TcpStream, room: &mut [u8], receiving: Receiving) -> Result<usize> {
    let split = room.len().min(11);
    let received = match receiving {
        Receiving::Read => rustix::io::read(socket, room),
        Receiving::Readv => {
            let (first, second) = room.split_at_mut(split);
            rustix::io::readv(socket, &mut [first, second].map(IoSliceMut::new))
        }
        Receiving::Recvfrom => recv(socket, room, RecvFlags::empty()).map(|(count, _)| count),
        Receiving::Recvmsg => {
            let (first, second) = room.split_at_mut(split);
            let mut buffers = [first, second].map(IoSliceMut::new);
            let mut control = RecvAncillaryBuffer::default();
            recvmsg(socket, &mut buffers, &mut control, RecvFlags::empty()).map(|message| message.bytes)
        }
        Receiving::Peek => {
            recv(socket, &mut *room, RecvFlags::PEEK)?;
            recv(socket, room, RecvFlags::empty()).map(|(count, _)| count)
        }
        Receiving::Reports => {
            let none = recv(socket, &mut *room, RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT);
            anyhow::ensure!(none == Err(rustix::io::Errno::AGAIN), "a report: {none:?}");
            recv(socket, room, RecvFlags::empty()).map(|(count, _)| count)
        }
    };
    received.with_context(|| format!("{receiving:?}"))
}
