//! `ebpf`: spans of the probes in the kernel, read from the ring that Odiglet hands over.
//!
//! ```yaml
//! receivers:
//!   ebpf:
//!     socket: /run/odigos/odiglet.sock   # Odiglet's hand-over socket
//! ```
//!
//! An embedding program may instead hand over a socket that is connected already (see [`crate::embed`]). The ring is
//! read on a thread of its own: it waits for the kernel's wake-up, which comes when enough data is there, and looks every
//! [`POLL`] regardless, so a quiet system wakes rarely and a busy one reads in large passes. Records become OTLP bytes on
//! that thread, without a lock; the pipeline gets one payload a pass. When the pipeline has no room the thread waits, the
//! ring fills, and the kernel counts what it drops.
//!
//! A record stays in the ring until its span was delivered, or counted as dropped: so what a killed collector had under way
//! is read again by its successor. A span that was delivered in the moment of the crash is then delivered twice, as the
//! same span with the same id.
//!
//! A lost connection loses nothing: the mapped ring is read on while the connection is made anew.

mod clock;
mod connection;
mod context;
mod entities;
mod groups;
pub mod http;
mod kept;
mod reader;
mod source;
mod spans;

pub use entities::Entities;
pub use source::RingSource;
pub use spans::Spans;

use collector_config::Section;
use collector_engine::{BoxError, BoxFuture, Draining, Ended, Output, Receiver, ReceiverFactory};
use collector_pdata::Signal;
use connection::Origin;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long records may wait when the kernel finds them too few for a wake-up.
pub const POLL: Duration = Duration::from_millis(50);

/// The line in the table.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    kind: "ebpf",
    signals: &[Signal::Traces],
    configure,
};

struct EbpfReceiver {
    /// Taken by the one run.
    origin: Option<Origin>,
}

fn configure(section: &mut Section<'_, '_>, descriptor: Option<OwnedFd>) -> Box<dyn Receiver> {
    let socket = section.text("socket");
    let origin = match (descriptor, socket) {
        (Some(descriptor), None) => Origin::Handed(UnixStream::from(descriptor)),
        (None, path) => {
            if path.is_none_or(str::is_empty) {
                section.error("socket", "is required: the path of Odiglet's hand-over socket");
            }
            Origin::Path(PathBuf::from(path.unwrap_or_default()))
        }
        (Some(_), Some(path)) => {
            section.error(
                "socket",
                "must not be set, since the program that embeds the collector has connected already",
            );
            Origin::Path(PathBuf::from(path))
        }
    };
    Box::new(EbpfReceiver { origin: Some(origin) })
}

impl Receiver for EbpfReceiver {
    fn run(&mut self, output: Output, mut draining: Draining) -> BoxFuture<Ended> {
        let origin = self.origin.take();
        Box::pin(async move {
            let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let stopped = stop.try_clone()?;
            let reader = reader::Reader::new(origin.ok_or("a ring is read once")?, stopped, output)?;
            let (sender, mut ended) = tokio::sync::oneshot::channel();
            std::thread::Builder::new()
                .name("ebpf-ring".to_owned())
                .spawn(move || {
                    // Nobody listens any more once the drain's deadline has passed.
                    let _ = sender.send(reader.run());
                })?;
            let result = tokio::select! {
                result = &mut ended => result,
                _ = draining.begun() => {
                    rustix::io::write(&stop, &1u64.to_ne_bytes())?;
                    ended.await
                }
            };
            result
                .map_err(|_| "the ring's thread panicked")?
                .map_err(BoxError::from)
        })
    }
}
