use anyhow::{Context, Result, ensure};
use probe_loader::table::Group;
use probe_loader::{Facilities, Options, Probes, Target};
use probe_ring::{CounterSnapshot, Counters, Ring};
use probe_wire::{Event, SpanHeader, decode};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The probes attached to this very process, and what they reported of it.
pub struct Traced {
    probes: Probes,
    ring: Ring,
    counters: Counters,
    spans: Vec<Span>,
}

/// An HTTP/1 record, owned.
#[derive(Debug, Clone)]
pub struct Span {
    /// Ids and times.
    pub span: SpanHeader,
    /// This side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// Response status.
    pub status: Option<u16>,
    /// Bytes on the wire.
    pub request_bytes: u64,
    /// Bytes on the wire.
    pub response_bytes: u64,
    /// Bytes of the body.
    pub response_body: Option<u64>,
    /// What was captured of the request.
    pub request: String,
}

/// How long a record may take to appear; generous, since virtual machines without acceleration are slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// What this kernel offers, found out once: that takes longer than most tests.
pub fn facilities() -> &'static Facilities {
    static FOUND: OnceLock<Facilities> = OnceLock::new();
    FOUND.get_or_init(Facilities::detect)
}

impl Traced {
    /// Attaches to this process.
    pub fn start(http1: Group, options: &Options) -> Result<Self> {
        let mut probes = Probes::load_with(options, facilities(), Some(http1))?;
        probes.attach_processes()?;
        probes.attach_http1()?;
        let ring = Ring::map(probes.spans()?, probes.ring_bytes() as usize)?;
        let counters = Counters::map(&probes.counters()?)?;
        probes.set_target(
            std::process::id(),
            Target {
                entity: 1,
                flags: Target::HTTP1,
            },
        )?;
        Ok(Traced {
            probes,
            ring,
            counters,
            spans: Vec::new(),
        })
    }

    /// The probes themselves.
    pub fn probes(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// What the kernel side counted.
    pub fn counted(&self) -> CounterSnapshot {
        self.counters.snapshot()
    }

    /// Waits until `count` spans have been reported since the last call, and returns them; more are an error.
    pub fn take(&mut self, count: usize) -> Result<Vec<Span>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.probes.flush()?;
            self.read()?;
            if self.spans.len() >= count {
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{} of {count} spans within {PATIENCE:?}: {:#?}",
                self.spans.len(),
                self.spans
            );
            std::thread::yield_now();
        }
        ensure!(self.spans.len() == count, "{count} spans expected: {:#?}", self.spans);
        Ok(std::mem::take(&mut self.spans))
    }

    /// What has been reported since the last call.
    pub fn read_now(&mut self) -> Result<Vec<Span>> {
        self.read()?;
        Ok(std::mem::take(&mut self.spans))
    }

    /// Detaches, and returns the spans that were not taken and what was counted.
    pub fn finish(mut self) -> Result<(Vec<Span>, CounterSnapshot)> {
        self.probes.detach()?;
        self.read()?;
        Ok((self.spans, self.counters.snapshot()))
    }

    fn read(&mut self) -> Result<()> {
        let mut failed = None;
        let spans = &mut self.spans;
        self.ring.read(usize::MAX, |record| match own(record) {
            Ok(span) => spans.push(span),
            Err(error) => failed = Some(error),
        });
        failed.map_or(Ok(()), Err)
    }
}

fn own(record: &[u8]) -> Result<Span> {
    let Event::Http1(event) = decode(record)? else {
        anyhow::bail!("a record of another kind")
    };
    let address = |endpoint: Option<probe_wire::Endpoint>| {
        endpoint
            .map(|found| SocketAddr::new(found.addr, found.port))
            .context("no address")
    };
    Ok(Span {
        span: event.span,
        local: address(event.local)?,
        remote: address(event.remote)?,
        status: event.status,
        request_bytes: event.request_bytes,
        response_bytes: event.response_bytes,
        response_body: event.response_body,
        request: String::from_utf8_lossy(event.request).into_owned(),
    })
}
