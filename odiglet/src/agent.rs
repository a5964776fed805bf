//! The agent's one thread: process events in, targets and entities out.
//!
//! It waits for the ring of process events, the collector's socket and the word to stop, and every [`FLUSH`] it lets the
//! kernel side emit the responses whose end only a pause shows. Spans never pass through it.

use crate::golang::GoBinaries;
use crate::handover::{Handover, Offer};
use crate::processes::Processes;
use crate::selection::Selection;
use probe_loader::{AttachError, Facilities, LoadError, Options, Probes, Target};
use probe_ring::{Counters, Ring, RingError};
use probe_wire::layout::Counter;
use probe_wire::process;
use runtime_inspect::facts;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often responses without a visible end are looked for.
const FLUSH: Duration = Duration::from_millis(200);
/// How long the collector may take to read the ring to its end.
const DRAIN: Duration = Duration::from_secs(5);

/// How the agent is run.
#[derive(Debug)]
pub struct Config {
    /// What is traced.
    pub selection: Selection,
    /// Bytes of the ring of spans.
    pub ring_bytes: u32,
    /// Where the collector comes from.
    pub collector: Collector,
    /// A directory of bpffs for what outlives this agent; `None` if nothing does.
    pub pins: Option<PathBuf>,
}

/// Where the collector comes from.
#[derive(Debug)]
pub enum Collector {
    /// It is at the other end of this socket: one process, or a child.
    Connected(UnixStream),
    /// It connects, and so does its successor.
    Listen(UnixListener),
}

/// Why the agent could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The programs could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A program could not be attached, or a map not be used.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A ring could not be mapped.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// /proc could not be read.
    #[error("cannot list /proc: {0}")]
    Proc(io::Error),
    /// The hand-over failed.
    #[error("cannot hand the ring over: {0}")]
    Handover(io::Error),
    /// A system call failed.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
    /// The thread ended by a panic, which it has printed.
    #[error("the agent's thread panicked")]
    Panicked,
}

/// A running agent. Dropping it without [`Running::stop`] stops it too, without waiting for the collector.
#[derive(Debug)]
pub struct Running {
    stop: OwnedFd,
    thread: Option<JoinHandle<Result<(), AgentError>>>,
    traced: usize,
}

impl Running {
    /// Loads, attaches and looks at every process; returns when all that matches is traced.
    pub fn start(config: Config, facilities: Facilities) -> Result<Self, AgentError> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| AgentError::System("eventfd", error.into()))?;
        let stopped = stop.try_clone().map_err(|error| AgentError::System("dup", error))?;
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("odiglet".into())
            .spawn(move || run(config, &facilities, stopped, &ready))
            .map_err(|error| AgentError::System("cannot start a thread", error))?;
        match is_ready.recv() {
            Ok(traced) => Ok(Running {
                stop,
                thread: Some(thread),
                traced,
            }),
            // The sender is gone, so the thread has ended before it was ready.
            Err(_) => Err(join(thread).err().unwrap_or(AgentError::Panicked)),
        }
    }

    /// How many processes were traced when the agent became ready.
    pub fn traced_at_start(&self) -> usize {
        self.traced
    }

    /// Ends. Without pins everything is detached, and the collector reads the ring to its end before this returns; with
    /// pins everything stays as it is, for a successor.
    pub fn stop(mut self) -> Result<(), AgentError> {
        self.signal();
        self.thread.take().map_or(Ok(()), join)
    }

    /// Whether the agent has ended by itself, which it does only on an error.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn signal(&self) {
        // Only a full counter refuses, and then the thread has been told often enough.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal();
    }
}

fn join(thread: JoinHandle<Result<(), AgentError>>) -> Result<(), AgentError> {
    thread.join().unwrap_or(Err(AgentError::Panicked))
}

fn run(config: Config, facilities: &Facilities, stop: OwnedFd, ready: &mpsc::Sender<usize>) -> Result<(), AgentError> {
    let mut agent = Agent::load(config, facilities)?;
    agent.attach()?;
    agent.rescan()?;
    let _ = ready.send(agent.processes.traced());
    let served = agent.serve(&stop);
    if agent.probes.are_pinned() {
        return served;
    }
    let drained = agent.drain();
    served.and(drained)
}

struct Agent {
    probes: Probes,
    events: Ring,
    counters: Counters,
    missed_events: u64,
    /// Whether it was told that the kernel leaves out runs of programs.
    has_told_of_skipped: bool,
    processes: Processes,
    handover: Handover,
    listener: Option<UnixListener>,
}

impl Agent {
    fn load(config: Config, facilities: &Facilities) -> Result<Self, AgentError> {
        let Config {
            selection,
            ring_bytes,
            collector,
            pins,
        } = config;
        // What may be traced unseen is traced from its first instruction; anything else waits for a look at it.
        let adopt_flags = if selection.may_take_at_exec() { Target::HTTP1 } else { 0 };
        let probes = Probes::load(
            &Options {
                ring_bytes,
                adopt_flags,
                pins,
                ..Options::default()
            },
            facilities,
        )?;
        selection.ports().try_for_each(|port| probes.adopt_port(port))?;
        let (events, size) = probes.process_events()?;
        let counters = probes.counters()?;
        let offer = Offer {
            ring: probes.spans()?,
            ring_bytes: u64::from(ring_bytes),
            selective: !selection.admits_everything(),
            counters,
        };
        let mut agent = Agent {
            events: Ring::map(events, size)?,
            counters: Counters::map(&offer.counters)?,
            missed_events: 0,
            has_told_of_skipped: false,
            processes: Processes::new(selection, GoBinaries::new(facilities)),
            handover: Handover::new(offer),
            listener: None,
            probes,
        };
        match collector {
            Collector::Connected(socket) => agent.handover.lease(socket).map_err(AgentError::Handover)?,
            Collector::Listen(listener) => agent.listener = Some(listener),
        }
        Ok(agent)
    }

    /// The kernel side of HTTP/1 costs every process of the machine a little, so it waits for the first that needs it,
    /// unless one may be met at its start.
    fn attach(&mut self) -> Result<(), AgentError> {
        self.probes.attach_processes()?;
        if self.processes.may_adopt() {
            self.probes.attach_http1()?;
        }
        self.probes
            .remove_other_pins()
            .map_err(|error| AgentError::System("cannot remove the pins of another version", error))
    }

    /// Looks at every process there is: at the start, and after process events were lost.
    fn rescan(&mut self) -> Result<(), AgentError> {
        // A predecessor's targets keep their entities; its own process was no target of its own, and ours is none.
        self.probes.remove_target(std::process::id())?;
        self.processes
            .skip_entities(self.probes.targets()?.iter().map(|(_, target)| target.entity));
        let pids = facts::process::pids().map_err(AgentError::Proc)?;
        self.processes.rescan(&pids, &mut self.probes, &mut self.handover);
        Ok(())
    }

    fn serve(&mut self, stop: &OwnedFd) -> Result<(), AgentError> {
        let mut next_flush = Instant::now() + FLUSH;
        loop {
            let wait = next_flush.saturating_duration_since(Instant::now());
            if self.wait(stop, wait)? {
                return Ok(());
            }
            self.read_events();
            if Instant::now() >= next_flush {
                self.probes.flush()?;
                self.tell_of_skipped();
                self.processes
                    .on_tick(Instant::now(), &mut self.probes, &mut self.handover);
                next_flush = Instant::now() + FLUSH;
                self.rescan_if_events_were_lost()?;
            }
        }
    }

    /// Waits for something to do; true if that is to stop.
    fn wait(&mut self, stop: &OwnedFd, time: Duration) -> Result<bool, AgentError> {
        let (stopped, called, hung_up) = {
            let mut fds = vec![
                PollFd::new(stop, PollFlags::IN),
                PollFd::new(&self.events, PollFlags::IN),
            ];
            let listening = self.listener.as_ref().filter(|_| !self.handover.is_leased());
            fds.extend(listening.map(|listener| PollFd::new(listener, PollFlags::IN)));
            let lease = self.handover.collector();
            fds.extend(lease.as_ref().map(|socket| PollFd::new(socket, PollFlags::IN)));
            poll_for(&mut fds, time)?;
            let third = fds.get(2).is_some_and(|fd| !fd.revents().is_empty());
            (
                !fds[0].revents().is_empty(),
                third && listening.is_some(),
                third && lease.is_some(),
            )
        };
        if hung_up {
            tracing::info!("the collector has gone; the ring waits for the next one");
            self.handover.release();
        }
        if called {
            self.accept();
        }
        Ok(stopped)
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let leased = listener.accept().and_then(|(socket, _)| self.handover.lease(socket));
        if let Err(error) = leased {
            tracing::warn!(%error, "a collector connected and could not be given the ring");
        }
    }

    fn read_events(&mut self) {
        let Agent {
            events,
            processes,
            probes,
            handover,
            ..
        } = self;
        events.read(usize::MAX, |record| match process::decode(record) {
            Ok(event) => processes.on_event(&event, probes, handover),
            Err(error) => tracing::error!(%error, "a process event cannot be decoded"),
        });
    }

    /// Once: the account goes on counting. Detection avoids it, so the kernel's mode was changed, or has a cause unknown here.
    fn tell_of_skipped(&mut self) {
        let calls = self.counters.snapshot().get(Counter::Skipped);
        if calls > 0 && !self.has_told_of_skipped {
            tracing::warn!(
                calls,
                "the kernel did not run probes at some calls, since it preempts itself: spans are missing; start again"
            );
            self.has_told_of_skipped = true;
        }
    }

    fn rescan_if_events_were_lost(&mut self) -> Result<(), AgentError> {
        let missed = self.counters.snapshot().get(Counter::EventRingFull);
        if missed == self.missed_events {
            return Ok(());
        }
        tracing::warn!(
            events = missed - self.missed_events,
            "process events were lost; looking at all processes again"
        );
        self.missed_events = missed;
        self.rescan()
    }

    fn drain(&mut self) -> Result<(), AgentError> {
        self.probes.detach()?;
        self.read_events();
        self.handover.drain();
        let deadline = Instant::now() + DRAIN;
        while let Some(collector) = self.handover.collector() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!("the collector has not read the ring to its end within {DRAIN:?}");
                break;
            }
            let mut fds = [PollFd::new(&collector, PollFlags::IN)];
            poll_for(&mut fds, left)?;
            if !fds[0].revents().is_empty() {
                self.handover.release();
            }
        }
        Ok(())
    }
}

fn poll_for(fds: &mut [PollFd<'_>], time: Duration) -> Result<(), AgentError> {
    let time = Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    match poll(fds, Some(&time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(AgentError::System("poll", error.into())),
    }
}
