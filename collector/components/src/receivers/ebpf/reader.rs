//! The thread that owns connection and ring.

use super::POLL;
use super::connection::{Connection, ConnectionError, Next, Origin};
use super::entities::Entities;
use super::kept::Kept;
use super::source::RingSource;
use super::spans::Spans;
use collector_engine::Output;
use probe_ring::{Counters, Hold, Ring, RingError};
use probe_wire::handover::{Message, VERSION};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most records of one pass, and so of one payload.
const PASS: usize = 2048;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// So much of the ring is kept for what is under way, at most: less than the fill from which on the kernel wakes the reader
/// (`wakeup_bytes` in probes/bpf), and little enough that a destination that is away leaves room for the others.
const KEPT_PART: usize = 8;
/// How long the drain waits for a record that a producer has reserved and not committed.
const UNCOMMITTED_WAIT: Duration = Duration::from_millis(500);

/// Why the reader cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReaderError {
    #[error("the ring's thread cannot wait for events")]
    Epoll(#[source] Errno),
    #[error("cannot use the connection that was handed in")]
    Handed(#[source] std::io::Error),
    #[error("the hand-over failed")]
    Link(#[from] LinkError),
}

/// Why a connection was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("Odiglet speaks hand-over version {0}, this collector {VERSION}; both must be of one release")]
    Version(u16),
    #[error("the ring was offered without its two descriptors")]
    NoDescriptors,
    #[error("the offered ring cannot be used")]
    Ring(#[from] RingError),
    #[error("the offered ring cannot be waited for")]
    Wait(#[source] Errno),
}

/// Reads the ring until it is told to end.
#[derive(Debug)]
pub(crate) struct Reader {
    epoll: OwnedFd,
    stop: OwnedFd,
    path: Option<PathBuf>,
    link: Option<Connection>,
    /// What the connection said while the pipeline had no room, and is not about entities.
    said: Option<Result<Next, ConnectionError>>,
    retry: Retry,
    ring: Option<Ring>,
    kept: Kept<Hold>,
    spans: Spans,
    source: Arc<RingSource>,
    output: Output,
    /// Since when the ring is to be read to its end.
    ending: Option<Instant>,
}

#[derive(Debug)]
struct Retry {
    at: Instant,
    backoff: Duration,
    complained: bool,
}

const STOP: u64 = 0;
const LINK: u64 = 1;
const RING: u64 = 2;

impl Reader {
    pub(crate) fn new(origin: Origin, stop: OwnedFd, output: Output) -> Result<Self, ReaderError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(ReaderError::Epoll)?;
        epoll::add(&epoll, &stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)
            .map_err(ReaderError::Epoll)?;
        let source = Arc::new(RingSource::default());
        output.counts().publish(source.clone());
        let mut reader = Reader {
            epoll,
            stop,
            path: None,
            link: None,
            said: None,
            retry: Retry::new(),
            ring: None,
            kept: Kept::default(),
            spans: Spans::new(source.clone()),
            source,
            output,
            ending: None,
        };
        match origin {
            Origin::Handed(stream) => reader.adopt(stream).map_err(ReaderError::Handed)?,
            Origin::Path(path) => reader.path = Some(path),
        }
        Ok(reader)
    }

    /// Runs until drained, stopped, or, with a handed connection, until that has ended.
    pub(crate) fn run(mut self) -> Result<(), ReaderError> {
        let mut full_pass = false;
        loop {
            self.wait(if full_pass { Duration::ZERO } else { POLL })?;
            self.connect_if_due();
            if let Err(error) = self.read_link() {
                self.lose_link(error)?;
            }
            // Entities go before the records that carry them.
            full_pass = self.read_ring();
            if !full_pass && self.has_ended() {
                return Ok(());
            }
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<(), ReaderError> {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 4];
        match epoll::wait(&self.epoll, &mut events[..], Some(&timeout)) {
            Ok(count) => {
                if events[..count].iter().any(|event| event.data.u64() == STOP) {
                    self.stop_asked();
                }
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(error) => Err(ReaderError::Epoll(error)),
        }
    }

    /// What waits in the ring now is still read; whatever comes later stays there for the next reader.
    fn stop_asked(&mut self) {
        let _ = epoll::delete(&self.epoll, &self.stop);
        self.ending.get_or_insert(Instant::now());
        self.path = None;
    }

    fn has_ended(&mut self) -> bool {
        let Some(since) = self.ending else { return false };
        let empty = self.ring.as_ref().is_none_or(|ring| ring.pending() == 0);
        if !empty && since.elapsed() < UNCOMMITTED_WAIT {
            return false;
        }
        self.spans.release(Instant::now(), true);
        self.hand_on();
        true
    }

    fn read_ring(&mut self) -> bool {
        let now = Instant::now();
        self.spans.begin_pass();
        let spans = &mut self.spans;
        let count = self
            .ring
            .as_mut()
            .map_or(0, |ring| ring.read_kept(PASS, |record| spans.record(record, now)));
        self.spans.release(now, false);
        self.hand_on();
        if count < PASS {
            self.spans.entities.forget_gone();
        }
        count == PASS
    }

    /// Waits while the pipeline has no room; Odiglet waits for nobody, so it is listened to meanwhile. What is handed on
    /// stays in the ring until it is delivered.
    fn hand_on(&mut self) {
        let Reader {
            output,
            link,
            said,
            ring: Some(ring),
            kept,
            spans,
            ..
        } = self
        else {
            return;
        };
        let payload = spans.take();
        let complete = !spans.holds_records();
        if let Some(payload) = kept.pass(ring.hold(), complete, payload) {
            output.send_blocking(payload, || {
                if let (Some(link), None) = (link.as_mut(), said.as_ref()) {
                    let next = learn(link, &mut spans.entities);
                    *said = Some(next).filter(|next| !matches!(next, Ok(Next::Nothing)));
                }
            });
        }
        kept.shrink(|| ring.kept() > ring.size() / KEPT_PART);
    }

    fn read_link(&mut self) -> Result<(), LinkError> {
        while let Some(link) = &mut self.link {
            let next = self
                .said
                .take()
                .unwrap_or_else(|| learn(link, &mut self.spans.entities));
            match next? {
                Next::Message(Message::Offer {
                    version,
                    ring_bytes,
                    selective,
                }) => self.accept(version, ring_bytes, selective)?,
                Next::Message(Message::Drain) => {
                    self.ending.get_or_insert(Instant::now());
                }
                Next::Message(message) => tracing::debug!(?message, "the hand-over goes on"),
                Next::Nothing => return Ok(()),
                Next::Closed => {
                    self.close_link();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, version: u16, ring_bytes: u64, selective: bool) -> Result<(), LinkError> {
        if version != VERSION {
            return Err(LinkError::Version(version));
        }
        let mut take = || self.link.as_mut().and_then(Connection::take_descriptor);
        let (Some(ring), Some(counters)) = (take(), take()) else {
            return Err(LinkError::NoDescriptors);
        };
        let counters = Counters::map(&counters)?;
        // What the former ring still holds goes before what the new one brings. If they are one, this is only a pass, and
        // the new mapping must not begin with what is under way.
        while self.read_ring() {}
        self.kept.shrink(|| true);
        let ring = Ring::map(ring, usize::try_from(ring_bytes).unwrap_or(usize::MAX))?;
        self.source.set_kernel(counters, &ring);
        self.spans.set_selective(selective);
        // Edge-triggered: a ring that holds anything is always ready, and would be read record by record.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.epoll, ring.as_fd(), epoll::EventData::new_u64(RING), flags).map_err(LinkError::Wait)?;
        if let Some(former) = self.ring.replace(ring) {
            // Closing our descriptor is not enough: Odiglet holds the same ring open, and then epoll would keep it.
            let _ = epoll::delete(&self.epoll, former.as_fd());
        }
        tracing::info!(ring_bytes, "reading the probes' ring");
        self.retry = Retry::new();
        Ok(())
    }

    fn adopt(&mut self, stream: UnixStream) -> std::io::Result<()> {
        let link = Connection::new(stream)?;
        epoll::add(
            &self.epoll,
            link.as_fd(),
            epoll::EventData::new_u64(LINK),
            epoll::EventFlags::IN,
        )?;
        self.link = Some(link);
        Ok(())
    }

    fn connect_if_due(&mut self) {
        let Some(path) = &self.path else { return };
        if self.link.is_some() || self.ending.is_some() || Instant::now() < self.retry.at {
            return;
        }
        let connected = UnixStream::connect(path).and_then(|stream| self.adopt(stream));
        if let Err(error) = connected {
            if !std::mem::replace(&mut self.retry.complained, true) {
                let path = self.path.as_deref().unwrap_or("".as_ref()).display();
                tracing::warn!(%error, %path, "cannot connect to Odiglet's hand-over socket; trying again");
            }
            self.retry.fail();
        }
    }

    /// A handed connection cannot be made anew, so its failure is the receiver's.
    fn lose_link(&mut self, error: LinkError) -> Result<(), ReaderError> {
        if self.path.is_none() && self.ending.is_none() {
            return Err(error.into());
        }
        tracing::warn!(
            error = kit::logging::chain(&error),
            "the hand-over failed; trying again"
        );
        self.close_link();
        Ok(())
    }

    fn close_link(&mut self) {
        self.link = None;
        self.said = None;
        if self.path.is_none() {
            self.ending.get_or_insert(Instant::now());
        } else {
            tracing::info!("Odiglet has closed the hand-over socket; its ring is read on");
            self.retry.fail();
        }
    }
}

/// Takes in what the connection says of entities; returns what comes after that.
fn learn(link: &mut Connection, entities: &mut Entities) -> Result<Next, ConnectionError> {
    loop {
        match link.next()? {
            Next::Message(Message::Entity { id, resource }) => entities.set(id, resource),
            Next::Message(Message::EntityGone { id }) => entities.mark_gone(id),
            Next::Message(Message::EntityRefused { id }) => entities.refuse(id),
            next => return Ok(next),
        }
    }
}

impl Retry {
    fn new() -> Self {
        Retry {
            at: Instant::now(),
            backoff: FIRST_BACKOFF,
            complained: false,
        }
    }

    fn fail(&mut self) {
        // Jitter, so that the collectors of a whole cluster do not come back in step.
        let jittered = self.backoff.mul_f64(0.5 + fastrand::f64());
        self.at = Instant::now() + jittered;
        self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
    }
}
