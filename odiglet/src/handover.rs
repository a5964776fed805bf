//! The sending side of the hand-over: the ring's descriptor and the entities, to one collector at a time.

use probe_wire::handover::{Message, VERSION};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::collections::BTreeMap;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A collector that does not read for so long has lost its lease.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is to hand over.
#[derive(Debug)]
pub struct Offer {
    /// The ring of spans.
    pub ring: OwnedFd,
    /// Bytes of its data area.
    pub ring_bytes: u64,
    /// The counters.
    pub counters: OwnedFd,
}

/// The entities as a collector is told of them, and the collector that is told.
#[derive(Debug)]
pub struct Handover {
    offer: Offer,
    entities: BTreeMap<u32, Vec<u8>>,
    generation: u64,
    collector: Option<UnixStream>,
}

impl Handover {
    /// Nobody is connected yet.
    pub fn new(offer: Offer) -> Self {
        Handover {
            offer,
            entities: BTreeMap::new(),
            generation: 0,
            collector: None,
        }
    }

    /// Whether the ring is leased.
    pub fn is_leased(&self) -> bool {
        self.collector.is_some()
    }

    /// The connected collector, whose hanging up ends its lease.
    pub fn collector(&self) -> Option<BorrowedFd<'_>> {
        self.collector.as_ref().map(AsFd::as_fd)
    }

    /// Gives the ring to a collector and tells it all entities.
    pub fn lease(&mut self, collector: UnixStream) -> io::Result<()> {
        collector.set_nonblocking(false)?;
        collector.set_write_timeout(Some(PATIENCE))?;
        let mut offer = Vec::new();
        Message::Offer {
            version: VERSION,
            ring_bytes: self.offer.ring_bytes,
        }
        .encode(&mut offer);
        send_with_descriptors(
            &collector,
            &offer,
            &[self.offer.ring.as_fd(), self.offer.counters.as_fd()],
        )?;
        let mut snapshot = Vec::new();
        for (id, resource) in &self.entities {
            Message::Entity {
                id: *id,
                resource: resource.clone(),
            }
            .encode(&mut snapshot);
        }
        Message::SnapshotDone {
            generation: self.generation,
        }
        .encode(&mut snapshot);
        (&collector).write_all(&snapshot)?;
        self.collector = Some(collector);
        Ok(())
    }

    /// The collector has gone; its successor gets the ring.
    pub fn release(&mut self) {
        self.collector = None;
    }

    /// A new entity, or a changed one.
    pub fn announce(&mut self, id: u32, resource: Vec<u8>) {
        self.generation += 1;
        self.tell(&Message::Entity {
            id,
            resource: resource.clone(),
        });
        self.entities.insert(id, resource);
    }

    /// No record will carry this entity any more.
    pub fn retire(&mut self, id: u32) {
        self.generation += 1;
        self.entities.remove(&id);
        self.tell(&Message::EntityGone { id });
    }

    /// The process of this entity is not selected.
    pub fn refuse(&mut self, id: u32) {
        self.tell(&Message::EntityRefused { id });
    }

    /// Nothing will be written into the ring any more.
    pub fn drain(&mut self) {
        self.tell(&Message::Drain);
    }

    fn tell(&mut self, message: &Message) {
        let Some(mut collector) = self.collector.as_ref() else {
            return;
        };
        let mut frame = Vec::new();
        message.encode(&mut frame);
        if let Err(error) = collector.write_all(&frame) {
            tracing::warn!(%error, "the collector does not take entities; its lease ends");
            self.collector = None;
        }
    }
}

/// The first bytes carry the descriptors; what a short write leaves goes without.
fn send_with_descriptors(socket: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("no room for the descriptors"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    let mut socket = socket;
    socket.write_all(&bytes[sent..])
}
