use super::connection::{Connection, Manner, pass};
use anyhow::{Context, Result, ensure};
use probe_loader::table::Group;
use probe_loader::{Facilities, Options, Probes, Target};
use probe_ring::{CounterSnapshot, Counters, Ring};
use probe_wire::layout::Counter;
use probe_wire::{Event, GoHttp, Http1, SpanHeader, decode};
use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The probes attached to this very process, and what they reported of it.
pub struct Traced {
    probes: Probes,
    ring: Ring,
    counters: Counters,
    records: Records,
    before: CounterSnapshot,
    /// A connection over which HTTP was spoken before the probes were there.
    early: Option<Connection>,
    is_finished: bool,
    never_keeps_processor: bool,
}

/// What was reported and not yet taken.
#[derive(Debug, Default)]
struct Records {
    http1: Vec<Span>,
    go: Vec<GoSpan>,
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
    /// The pattern that the router of Go's net/http chose.
    pub pattern: String,
}

/// A record of Go's net/http, owned; without what no test looks at.
#[derive(Debug, Clone)]
pub struct GoSpan {
    /// Ids and times.
    pub span: SpanHeader,
    /// Response status.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub request_body: Option<u64>,
    /// Bytes of the response's body.
    pub response_body: Option<u64>,
    /// The request's method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header Host, or the URL's host.
    pub host: String,
    /// The URL's scheme, on a client.
    pub scheme: String,
    /// The client's address, on a server.
    pub peer: String,
    /// The pattern that the server's router chose.
    pub pattern: String,
    /// Header User-Agent.
    pub user_agent: String,
    /// Header traceparent.
    pub traceparent: String,
}

/// What the kernel side counted since the case began.
pub struct Counted {
    before: CounterSnapshot,
    now: CounterSnapshot,
}

/// How long a record may take to appear; generous, since virtual machines without acceleration are slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks. Whoever keeps a processor of an emulated machine busy takes it from those that are waited for.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// What this kernel offers, found out once: that takes longer than most tests.
pub fn facilities() -> &'static Facilities {
    static FOUND: OnceLock<Facilities> = OnceLock::new();
    FOUND.get_or_init(Facilities::detect)
}

impl Traced {
    /// Attaches to this process.
    pub(super) fn start(http1: Group, options: &Options) -> Result<Self> {
        let early = Connection::over("127.0.0.1:0")?;
        pass(
            &early.client,
            &early.server,
            b"GET /early HTTP/1.1\r\n\r\n",
            Manner::PLAIN,
        )?;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        pass(&early.server, &early.client, answer, Manner::PLAIN)?;
        let mut probes = Probes::load_with(options, facilities(), Some(http1))?;
        probes.attach_processes()?;
        probes.attach_http1()?;
        let counters = Counters::map(&probes.counters()?)?;
        Ok(Traced {
            ring: Ring::map(probes.spans()?, probes.ring_bytes() as usize)?,
            records: Records::default(),
            before: counters.snapshot(),
            early: Some(early),
            is_finished: false,
            never_keeps_processor: options.never_keep_processor,
            counters,
            probes,
        })
    }

    /// A case begins: this process is traced, and counts are from now on.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.trace(std::process::id(), Target::HTTP1)?;
        self.before = self.counters.snapshot();
        Ok(())
    }

    /// The probes themselves.
    pub fn probes(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// Traces a process for what the flags of [`Target`] say.
    pub(super) fn trace(&self, pid: u32, flags: u32) -> Result<()> {
        self.trace_go(pid, flags, 0)
    }

    /// The same of a process whose Go binary has this slot.
    pub(super) fn trace_go(&self, pid: u32, flags: u32, binary: u32) -> Result<()> {
        let target = Target {
            entity: 1,
            flags,
            binary,
            ..Target::default()
        };
        Ok(self.probes.set_target(pid, target)?)
    }

    /// Whether a probe in a program may be preempted by another program's.
    pub(super) fn is_preempted(&self) -> Result<bool> {
        let symbols = std::fs::read_to_string("/proc/kallsyms")?;
        let can_keep = symbols.lines().any(|line| line.ends_with(" bpf_preempt_disable"));
        Ok(self.never_keeps_processor || !can_keep)
    }

    /// A connection over which HTTP was spoken before the probes were there; there is one.
    pub(super) fn early_connection(&mut self) -> Result<Connection> {
        self.early.take().context("another case has used it")
    }

    /// What the kernel side counted since the case began.
    pub fn counted(&self) -> Counted {
        Counted {
            before: self.before,
            now: self.counters.snapshot(),
        }
    }

    /// Waits until `count` HTTP/1 spans have been reported since the last call, and returns them; more are an error.
    pub fn take(&mut self, count: usize) -> Result<Vec<Span>> {
        self.wait_for(count, |records| &mut records.http1)
    }

    /// The same of Go's net/http.
    pub fn take_go(&mut self, count: usize) -> Result<Vec<GoSpan>> {
        self.wait_for(count, |records| &mut records.go)
    }

    /// The HTTP/1 spans that have been reported since the last call.
    pub fn read_now(&mut self) -> Result<Vec<Span>> {
        self.read()?;
        Ok(std::mem::take(&mut self.records.http1))
    }

    /// Detaches, and returns the HTTP/1 spans that were not taken and what was counted.
    pub fn finish(&mut self) -> Result<(Vec<Span>, Counted)> {
        self.probes.detach()?;
        self.is_finished = true;
        Ok((self.read_now()?, self.counted()))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Everything that was reported has been taken.
    pub(super) fn expect_no_more(&mut self) -> Result<()> {
        if !self.is_finished {
            self.probes.flush()?;
        }
        self.read()?;
        let Records { http1, go } = std::mem::take(&mut self.records);
        ensure!(
            http1.is_empty() && go.is_empty(),
            "spans of nothing: {http1:#?} {go:#?}"
        );
        Ok(())
    }

    fn wait_for<T: Debug>(&mut self, count: usize, which: fn(&mut Records) -> &mut Vec<T>) -> Result<Vec<T>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.probes.flush()?;
            self.read()?;
            let spans = which(&mut self.records);
            if spans.len() >= count {
                ensure!(spans.len() == count, "{count} spans expected: {spans:#?}");
                return Ok(std::mem::take(spans));
            }
            ensure!(
                Instant::now() < deadline,
                "{} of {count} spans within {PATIENCE:?}: {spans:#?}",
                spans.len(),
            );
            std::thread::park_timeout(PAUSE);
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut failed = None;
        let records = &mut self.records;
        self.ring.read(usize::MAX, |record| {
            if let Err(error) = records.add(record) {
                failed = Some(error);
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

impl Debug for Traced {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Traced")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Counted {
    /// One counter's growth.
    pub fn get(&self, counter: Counter) -> u64 {
        self.now.get(counter) - self.before.get(counter)
    }
}

impl Debug for Counted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grown = self.now.iter().zip(self.before.iter());
        out.debug_map()
            .entries(grown.map(|((name, now), (_, before))| (name, now - before)))
            .finish()
    }
}

impl Records {
    fn add(&mut self, record: &[u8]) -> Result<()> {
        match decode(record)? {
            Event::Http1(event) => self.http1.push(own(&event)?),
            Event::GoHttp(event) => self.go.push(own_go(&event)),
        }
        Ok(())
    }
}

fn own(event: &Http1<'_>) -> Result<Span> {
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
        request: text(event.request),
        pattern: text(event.pattern),
    })
}

fn own_go(event: &GoHttp<'_>) -> GoSpan {
    GoSpan {
        span: event.span,
        status: event.status,
        request_body: event.request_body,
        response_body: event.response_body,
        method: text(event.method),
        target: text(event.target),
        host: text(event.host),
        scheme: text(event.scheme),
        peer: text(event.peer),
        pattern: text(event.pattern),
        user_agent: text(event.user_agent),
        traceparent: text(event.traceparent),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
