//! Agents of other vendors in a process: two agents in one program may double its spans, or break it.
//!
//! An agent is told by something that only the agent itself leaves: a library that is mapped, a file that a command line
//! or a variable loads, a module that is linked in. Variables alone count only where nothing but the agent reads them.

use super::ProcessFacts;

/// Another vendor's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The vendor's name.
    pub vendor: &'static str,
    /// What shows it. Values of variables are not in it, only names.
    pub evidence: String,
}

/// Where an agent leaves its mark.
enum Mark {
    /// The path of a mapped file contains this.
    Mapped(&'static str),
    /// An argument, or a variable that loads code, contains this; .NET names its profilers by class ids.
    Loads(&'static str),
    /// A variable whose name begins so is set.
    Variable(&'static str),
    /// A Go module with this path, or below it, is linked in.
    GoModule(&'static str),
}

use Mark::{GoModule, Loads, Mapped, Variable};

/// Variables through which agents get into a runtime.
const LOADING_VARIABLES: [&str; 13] = [
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JAVA_OPTS",
    "CATALINA_OPTS",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "RUBYOPT",
    "LD_PRELOAD",
    "DOTNET_STARTUP_HOOKS",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "PHP_INI_SCAN_DIR",
];

/// The vendors and their marks.
static VENDORS: [(&str, &[Mark]); 13] = [
    (
        "New Relic",
        &[
            Loads("newrelic"),
            Mapped("newrelic"),
            Mapped("libNewRelicProfiler"),
            Loads("{36032161-FFC0-4B61-B559-F6C5D41BAE5A}"),
            GoModule("github.com/newrelic/go-agent"),
            Variable("NEW_RELIC_LICENSE_KEY"),
        ],
    ),
    (
        "Datadog",
        &[
            Loads("dd-java-agent"),
            Loads("dd-trace"),
            Loads("ddtrace"),
            Mapped("/ddtrace/"),
            Mapped("/dd-trace"),
            Mapped("Datadog.Trace"),
            Mapped("Datadog.Tracer"),
            Loads("{846F5F1C-F9AE-4B07-969E-05C26BC060D8}"),
            Mapped("ddtrace.so"),
            GoModule("gopkg.in/DataDog/dd-trace-go.v1"),
            GoModule("github.com/DataDog/dd-trace-go"),
            Variable("DD_TRACE_ENABLED"),
            Variable("DD_INJECT"),
        ],
    ),
    (
        "Dynatrace",
        &[
            Mapped("liboneagent"),
            Loads("liboneagent"),
            Loads("oneagent"),
            Mapped("/dynatrace/oneagent/"),
        ],
    ),
    (
        "AppDynamics",
        &[
            Loads("appdynamics"),
            Loads("AppServerAgent"),
            Mapped("appdynamics"),
            Mapped("AppServerAgent"),
            Variable("APPDYNAMICS_"),
        ],
    ),
    (
        "Elastic APM",
        &[
            Loads("elastic-apm"),
            Mapped("elastic-apm"),
            Mapped("elasticapm"),
            GoModule("go.elastic.co/apm"),
            Variable("ELASTIC_APM_"),
        ],
    ),
    (
        "Instana",
        &[
            Loads("instana"),
            Mapped("instana"),
            GoModule("github.com/instana/go-sensor"),
            Variable("INSTANA_"),
        ],
    ),
    (
        "Splunk",
        &[
            Loads("splunk-otel"),
            Loads("@splunk/otel"),
            Mapped("splunk-otel"),
            Variable("SPLUNK_ACCESS_TOKEN"),
        ],
    ),
    (
        "OpenTelemetry",
        &[
            Loads("opentelemetry-javaagent"),
            Loads("@opentelemetry/"),
            Loads("opentelemetry/instrumentation/auto_instrumentation"),
            Loads("opentelemetry-instrument"),
            Mapped("opentelemetry-javaagent"),
            Mapped("OpenTelemetry.AutoInstrumentation"),
            Loads("{918728DD-259F-4A6A-AC2B-B85E1B658318}"),
            Mapped("opentelemetry.so"),
            GoModule("go.opentelemetry.io/otel/sdk"),
        ],
    ),
    (
        "SkyWalking",
        &[
            Loads("skywalking"),
            Mapped("skywalking"),
            GoModule("github.com/apache/skywalking-go"),
            Variable("SW_AGENT_"),
        ],
    ),
    (
        "Honeycomb",
        &[
            Loads("honeycomb-opentelemetry"),
            Mapped("honeycomb-opentelemetry"),
            GoModule("github.com/honeycombio/beeline-go"),
            Variable("HONEYCOMB_"),
        ],
    ),
    (
        "Pinpoint",
        &[
            Loads("pinpoint-bootstrap"),
            Mapped("pinpoint-bootstrap"),
            Mapped("pinpointPy"),
        ],
    ),
    (
        "Sentry",
        &[
            Loads("sentry-opentelemetry-agent"),
            Loads("@sentry/"),
            GoModule("github.com/getsentry/sentry-go"),
            Variable("SENTRY_DSN"),
        ],
    ),
    (
        "Scout APM",
        &[Mapped("scout_apm"), Loads("scout_apm"), Variable("SCOUT_MONITOR")],
    ),
];

/// The agents found, one finding a vendor.
pub fn agents(facts: &ProcessFacts) -> Vec<Agent> {
    VENDORS
        .iter()
        .filter_map(|(vendor, marks)| {
            let evidence = marks.iter().find_map(|mark| evidence(facts, mark))?;
            Some(Agent { vendor, evidence })
        })
        .collect()
}

fn evidence(facts: &ProcessFacts, mark: &Mark) -> Option<String> {
    match mark {
        Mapped(part) => {
            let file = facts.mapped.iter().find(|file| file.path.contains(part))?;
            Some(format!("{} is mapped", file.path))
        }
        Loads(part) => loaded_by(facts, part),
        Variable(start) => {
            let (name, _) = facts
                .environment
                .iter()
                .find(|(name, value)| name.starts_with(start) && !value.is_empty())?;
            Some(format!("the variable {name} is set"))
        }
        GoModule(path) => {
            let info = facts.program.as_ref().ok()?.go.as_ref()?;
            let below = |found: &str| {
                found
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let module = info.modules.iter().skip(1).find(|module| below(&module.path))?;
            Some(format!("the Go module {} {} is linked in", module.path, module.version))
        }
    }
}

/// An option that loads code, such as `-javaagent:` or `--require`, or a variable that does.
fn loaded_by(facts: &ProcessFacts, part: &str) -> Option<String> {
    let variable = facts
        .environment
        .iter()
        .find(|(name, value)| LOADING_VARIABLES.contains(name) && value.contains(part));
    if let Some((name, _)) = variable {
        return Some(format!("the variable {name} loads {part}"));
    }
    let loads = |index: usize| {
        let argument = facts.cmdline[index].as_str();
        let before = index.checked_sub(1).map(|before| facts.cmdline[before].as_str());
        let option = argument.starts_with("-javaagent:")
            || argument.starts_with("-agentpath:")
            || argument.contains("--require=")
            || argument.contains("--import=");
        let value = matches!(before, Some("-r" | "--require" | "--import" | "--loader"));
        // The wrapper programs: `newrelic-admin run-program`, `ddtrace-run`, `opentelemetry-instrument`.
        let wrapper = index < 2 && super::base_name(argument).contains(part);
        (option || value || wrapper) && argument.contains(part)
    };
    let index = (0..facts.cmdline.len()).find(|&index| loads(index))?;
    Some(format!("argument {index} of the command line loads {part}"))
}
