//! The sending side of the hand-over: the ring's descriptor and the entities, to one collector at a time.

use probe_wire::handover::{Message, VERSION};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::collections::{BTreeMap, VecDeque};
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
    /// Not every process is selected.
    pub selective: bool,
    /// The counters.
    pub counters: OwnedFd,
}

/// The entities as a collector is told of them, and the collector that is told.
#[derive(Debug)]
pub struct Handover {
    offer: Offer,
    entities: BTreeMap<u32, Vec<u8>>,
    retired: Retired,
    generation: u64,
    collector: Option<UnixStream>,
}

impl Handover {
    /// Nobody is connected yet.
    pub fn new(offer: Offer) -> Self {
        Handover {
            offer,
            entities: BTreeMap::new(),
            retired: Retired::default(),
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
            selective: self.offer.selective,
        }
        .encode(&mut offer);
        send_with_descriptors(
            &collector,
            &offer,
            &[self.offer.ring.as_fd(), self.offer.counters.as_fd()],
        )?;
        let mut snapshot = Vec::new();
        for (id, resource) in &self.retired.entities {
            Message::Entity {
                id: *id,
                resource: resource.clone(),
            }
            .encode(&mut snapshot);
            Message::EntityGone { id: *id }.encode(&mut snapshot);
        }
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

    /// No record will carry this entity any more. Those that wait in the ring a later collector may have to read.
    pub fn retire(&mut self, id: u32) {
        self.generation += 1;
        if let Some(resource) = self.entities.remove(&id) {
            self.retired.add(id, resource);
        }
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

/// Entities that no new record carries, the oldest first, as many as fit into [`MAX_RETIRED_BYTES`].
#[derive(Debug, Default)]
struct Retired {
    entities: VecDeque<(u32, Vec<u8>)>,
    bytes: usize,
}

/// Some two thousand: more processes than end, with spans, in the time in which a collector is replaced.
const MAX_RETIRED_BYTES: usize = 1 << 20;

impl Retired {
    fn add(&mut self, id: u32, resource: Vec<u8>) {
        self.bytes += resource.len();
        self.entities.push_back((id, resource));
        while self.bytes > MAX_RETIRED_BYTES {
            let Some((_, oldest)) = self.entities.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn handover() -> Handover {
        let descriptor = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        Handover::new(Offer {
            ring: descriptor(),
            ring_bytes: 4096,
            selective: true,
            counters: descriptor(),
        })
    }

    /// What a collector that connects now is told at first.
    fn told(handover: &mut Handover) -> Vec<Message> {
        let (own, mut collector) = UnixStream::pair().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            collector.read_to_end(&mut bytes).unwrap();
            bytes
        });
        handover.lease(own).unwrap();
        handover.release();
        let bytes = reader.join().unwrap();
        let (mut at, mut messages) = (0, Vec::new());
        while let Some((message, used)) = Message::decode(&bytes[at..]).unwrap() {
            at += used;
            messages.push(message);
        }
        messages
    }

    #[test]
    fn each_collector_is_told_of_those_that_live_and_of_those_whose_records_it_may_find_in_the_ring() {
        let mut handover = handover();
        handover.announce(1, vec![1]);
        handover.announce(2, vec![2]);
        handover.retire(1);
        handover.retire(77);
        let entity = |id: u32| Message::Entity {
            id,
            resource: vec![id as u8],
        };
        let expected = [
            Message::Offer {
                version: VERSION,
                ring_bytes: 4096,
                selective: true,
            },
            entity(1),
            Message::EntityGone { id: 1 },
            entity(2),
            Message::SnapshotDone { generation: 4 },
        ];
        assert_eq!(told(&mut handover), expected);
        assert_eq!(told(&mut handover), expected, "the next one finds the same ring");
    }

    #[test]
    fn those_that_have_ended_are_remembered_up_to_a_bound_the_newest_of_them() {
        const LENGTH: usize = 1000;
        let mut handover = handover();
        let count = 2 * (MAX_RETIRED_BYTES / LENGTH) as u32;
        for id in 0..count {
            handover.announce(id, vec![0; LENGTH]);
            handover.retire(id);
        }
        let told = told(&mut handover);
        let ids: Vec<u32> = told
            .iter()
            .filter_map(|message| match message {
                Message::Entity { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        assert_eq!(ids.len(), MAX_RETIRED_BYTES / LENGTH);
        assert_eq!(ids.last(), Some(&(count - 1)));
    }
}
