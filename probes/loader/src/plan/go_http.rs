use super::Cost;
use super::function::{Function, ProbePoint};
use super::go_offsets::{GO_OFFSET_UNKNOWN, GoOffsets};
use runtime_inspect::facts::elf::Machine;
use runtime_inspect::go::{GoBinary, GoError, GoFunction};
use std::collections::BTreeSet;

const SERVE: &str = "net/http.serverHandler.ServeHTTP";
const FINISH: &str = "net/http.(*response).finishRequest";
const CLOSE: &str = "net/http.(*conn).serve.func1";
const ROUND_TRIP: &str = "net/http.(*Transport).roundTrip";
const CONNECTION_ROUND_TRIP: &str = "net/http.(*persistConn).roundTrip";
const SERVE_CONNECTION: &str = "net/http.(*conn).serve";
/// What `go c.serve(ctx)` in `(*Server).Serve` is compiled to; which of them it is depends on the release.
const GO_SERVE: [&str; 8] = [
    "net/http.(*Server).Serve.gowrap1",
    "net/http.(*Server).Serve.gowrap2",
    "net/http.(*Server).Serve.gowrap3",
    "net/http.(*Server).Serve.gowrap4",
    "net/http.(*Server).Serve.func1",
    "net/http.(*Server).Serve.func2",
    "net/http.(*Server).Serve.func3",
    "net/http.(*Server).Serve.func4",
];
const FUNCTIONS: [&str; 6] = [
    SERVE,
    FINISH,
    CLOSE,
    ROUND_TRIP,
    CONNECTION_ROUND_TRIP,
    SERVE_CONNECTION,
];
/// Programs of the server. Where the kernel side can read a server's connections they are attached only once it has met some
/// that it cannot.
const SERVER_PROGRAMS: [&str; 3] = ["go_http_serve", SERVER_PROBE, "go_http_close"];
/// The program without which there are no spans of a server from within.
pub(crate) const SERVER_PROBE: &str = "go_http_finish";
/// Between the end of a new goroutine's stack and its first function's frame: four words that are left free, and the address
/// to which that function returns (`newproc1` in Go's runtime/proc.go, since Go 1.17).
const BELOW_STACK_END: u64 = 40;

/// What a plan can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Spans of requests that are answered.
    Server,
    /// Requests that are answered, seen from the kernel side: without it by probes within, at four times the cost.
    ServerOutside,
    /// Spans of requests that are made.
    Client,
    /// Spans of requests whose handler panicked or took the connection over.
    Unfinished,
    /// Spans of requests that failed without a response.
    ClientErrors,
    /// The route that matched.
    Route,
    /// User agent and trace context.
    Headers,
    /// The parent of a request that is made, by its context.
    ContextParent,
    /// The parent of a request that is made, by the goroutine that started its goroutine.
    CreatorParent,
    /// Query and original path of a request that is made.
    RawUrl,
}

/// A feature that a binary does not get, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The feature.
    pub feature: Feature,
    /// Why, for a person.
    pub reason: String,
}

/// A program and where it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedProbe {
    /// The program's name in the object.
    pub program: &'static str,
    /// The function it is in.
    pub symbol: String,
    /// Offset in the file, which is what a uprobe takes.
    pub file_offset: u64,
    /// The instruction.
    pub point: ProbePoint,
}

/// How a binary's net/http is traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoHttpPlan {
    /// What to attach; all with the cookie under which `offsets` stand in the map `go_binaries`.
    pub probes: Vec<PlannedProbe>,
    /// Where the binary keeps what is read.
    pub offsets: GoOffsets,
    /// What is left out.
    pub disabled: Vec<Disabled>,
}

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The binary's functions cannot be found.
    #[error(transparent)]
    Go(#[from] GoError),
    /// Code of another processor than x86-64 is not disassembled yet.
    #[error("probe points are planned for x86-64 only, not for {0:?}")]
    Machine(Machine),
}

impl GoHttpPlan {
    /// Whether requests that are answered are traced.
    pub fn has_server(&self) -> bool {
        self.probes.iter().any(|probe| probe.program == SERVER_PROBE)
    }

    /// Whether requests that are made are traced.
    pub fn has_client(&self) -> bool {
        self.probes.iter().any(|probe| probe.program == "go_http_send")
    }

    /// Whether the kernel side can tell by itself which connections net/http serves, and their routes.
    pub fn is_seen_outside(&self) -> bool {
        self.has_server() && self.offsets.conn_slot != GO_OFFSET_UNKNOWN
    }

    /// The probes of the server alone, or all others.
    pub fn probes_of(&self, server: bool) -> impl Iterator<Item = &PlannedProbe> {
        let probes = self.probes.iter();
        probes.filter(move |probe| SERVER_PROGRAMS.contains(&probe.program) == server)
    }

    /// Whether there is anything to attach.
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }
}

/// Plans a binary. One that does not use net/http gets an empty plan, which is no error.
pub fn plan_go_http(binary: &GoBinary) -> Result<GoHttpPlan, PlanError> {
    if binary.machine() != Machine::X86_64 {
        return Err(PlanError::Machine(binary.machine()));
    }
    let mut disabled = Vec::new();
    let offsets = GoOffsets::find(binary, &mut disabled);
    let names: Vec<&str> = FUNCTIONS.into_iter().chain(GO_SERVE).collect();
    let functions = binary.functions(&names)?;
    let mut planner = Planner {
        binary,
        functions,
        probes: Vec::new(),
        disabled,
    };
    if planner.allows(Feature::Server) {
        planner.server()?;
    }
    let conn_slot = planner.conn_slot()?;
    if planner.allows(Feature::Client) {
        planner.client()?;
    }
    let Planner { probes, disabled, .. } = planner;
    let mut plan = GoHttpPlan {
        probes,
        offsets,
        disabled,
    };
    plan.offsets.has_client = plan.has_client();
    plan.offsets.conn_slot = conn_slot;
    Ok(plan)
}

struct Planner<'a> {
    binary: &'a GoBinary,
    functions: Vec<GoFunction>,
    probes: Vec<PlannedProbe>,
    disabled: Vec<Disabled>,
}

impl Planner<'_> {
    fn allows(&self, feature: Feature) -> bool {
        !self.disabled.iter().any(|disabled| disabled.feature == feature)
    }

    fn off(&mut self, feature: Feature, reason: impl Into<String>) {
        self.disabled.push(Disabled {
            feature,
            reason: reason.into(),
        });
    }

    /// Both ends or none: a request that only begins would be kept for nothing.
    fn server(&mut self) -> Result<(), PlanError> {
        let begin = self.entries(SERVE, "go_http_serve")?;
        let end = self.entries(FINISH, SERVER_PROBE)?;
        if begin.is_empty() || end.is_empty() {
            self.off(Feature::Server, format!("no probe point in {SERVE} and {FINISH}"));
            return Ok(());
        }
        self.probes.extend(begin.into_iter().chain(end));
        let close = self.entries(CLOSE, "go_http_close")?;
        if close.is_empty() {
            self.off(Feature::Unfinished, format!("no probe point in {CLOSE}"));
        }
        self.probes.extend(close);
        Ok(())
    }

    /// Where the goroutine of `(*conn).serve` keeps its connection: the function's first argument, which lies at the bottom of
    /// the frame of the function with which the goroutine began.
    fn conn_slot(&mut self) -> Result<u16, PlanError> {
        if !self.allows(Feature::Server) || !self.allows(Feature::ServerOutside) {
            return Ok(GO_OFFSET_UNKNOWN);
        }
        let mut slots = BTreeSet::new();
        for serve in self.named(SERVE_CONNECTION) {
            let body = self.binary.body(&serve)?;
            if !Function::decode(&body, serve.entry_vaddr).keeps_first_argument() {
                continue;
            }
            for wrapper in GO_SERVE.iter().flat_map(|name| self.named(name)) {
                let body = self.binary.body(&wrapper)?;
                let depth = Function::decode(&body, wrapper.entry_vaddr).stack_at_call(serve.entry_vaddr);
                slots.extend(depth.and_then(|depth| u16::try_from(BELOW_STACK_END + depth).ok()));
            }
        }
        match slots.first() {
            Some(slot) if slots.len() == 1 => Ok(*slot),
            _ => {
                self.off(
                    Feature::ServerOutside,
                    format!("no goroutine that begins with {SERVE_CONNECTION}"),
                );
                Ok(GO_OFFSET_UNKNOWN)
            }
        }
    }

    fn client(&mut self) -> Result<(), PlanError> {
        let begin = self.entries(ROUND_TRIP, "go_http_send")?;
        let mut end = Vec::new();
        for function in self.named(ROUND_TRIP) {
            end.extend(self.client_ends(&function)?);
        }
        if begin.is_empty() || end.is_empty() {
            self.off(Feature::Client, format!("no probe point in {ROUND_TRIP}"));
            return Ok(());
        }
        self.probes.extend(begin.into_iter().chain(end));
        Ok(())
    }

    /// The test of the connection's error, passed by each success; and the returns that only failures reach, which may be
    /// dear because they are rare. Where the test is not found, every return.
    fn client_ends(&mut self, function: &GoFunction) -> Result<Vec<PlannedProbe>, PlanError> {
        let body = self.binary.body(function)?;
        let code = Function::decode(&body, function.entry_vaddr);
        let callees = self.named(CONNECTION_ROUND_TRIP);
        let test = callees.iter().find_map(|callee| code.after_call(callee.entry_vaddr));
        let split = test.filter(|test| test.cost < Cost::SingleStepped);
        let failures = split.and_then(|test| Some((test, code.returns_past(&test)?)));
        let Some((test, returns)) = failures else {
            let all = code.returns().map(|point| planned("go_http_return", function, point));
            return Ok(all.collect());
        };
        if returns.is_empty() {
            self.off(Feature::ClientErrors, "successes and failures leave by the same return");
        }
        let mut probes = vec![planned("go_http_receive", function, test)];
        probes.extend(
            returns
                .into_iter()
                .map(|point| planned("go_http_return", function, point)),
        );
        Ok(probes)
    }

    fn entries(&self, name: &str, program: &'static str) -> Result<Vec<PlannedProbe>, PlanError> {
        let mut probes = Vec::new();
        for function in self.named(name) {
            let body = self.binary.body(&function)?;
            let point = Function::decode(&body, function.entry_vaddr).entry_point();
            probes.extend(point.map(|point| planned(program, &function, point)));
        }
        Ok(probes)
    }

    fn named(&self, name: &str) -> Vec<GoFunction> {
        self.functions
            .iter()
            .filter(|function| function.name == name)
            .cloned()
            .collect()
    }
}

fn planned(program: &'static str, function: &GoFunction, point: ProbePoint) -> PlannedProbe {
    let file_offset = function.file_offset + point.offset;
    PlannedProbe {
        program,
        symbol: function.symbol.clone(),
        file_offset,
        point,
    }
}
