//! What is around a program: C library, secure mode, agents, variables.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use runtime_inspect::{ContainerEngine, Libc, Subject};

use crate::go_sample::{go, run, scratch};
use crate::running::{Running, compiled, evidence};

#[test]
fn the_c_library_is_told() {
    let check = |name: &str, compiler: &[&str], libc: Libc| {
        let program = compiled(name, compiler, "wait.c");
        let inspection = Running::ready(&mut Command::new(program)).inspect();
        assert_eq!(inspection.libc, Some(libc), "{name}: {:#?}", inspection.findings);
        assert_eq!(
            inspection.libc_version.is_some(),
            libc == Libc::Glibc,
            "{name}: {:#?}",
            inspection.findings
        );
    };
    check("libc-glibc", &["gcc"], Libc::Glibc);
    check("libc-glibc-static", &["gcc", "-static"], Libc::Static);
    check("libc-musl", &["musl-gcc"], Libc::Musl);
    check("libc-musl-static", &["musl-gcc", "-static"], Libc::Static);
}

#[test]
fn a_program_with_another_owners_rights_is_secure() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("setuid");
    fs::copy(compiled("c-plain", &["gcc"], "wait.c"), &program).unwrap();
    assert_eq!(
        Running::ready(&mut Command::new(&program)).inspect().secure,
        Some(false)
    );
    const NOBODY: u32 = 65534;
    chown(&program, Some(NOBODY), None).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    assert_eq!(Running::ready(&mut Command::new(&program)).inspect().secure, Some(true));
}

#[test]
fn the_variables_of_a_service_name_come_before_the_program() {
    let program = compiled("c-plain", &["gcc"], "wait.c");
    let mut command = Command::new(program);
    command.env("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=a,service.name=b%2Cc");
    let inspection = Running::ready(&mut command).inspect();
    assert_eq!(inspection.service_name.as_deref(), Some("b,c"));
    assert!(evidence(&inspection, Subject::ServiceName).contains("OTEL_RESOURCE_ATTRIBUTES"));
    let inspection = Running::ready(command.env("OTEL_SERVICE_NAME", "shop")).inspect();
    assert_eq!(inspection.service_name.as_deref(), Some("shop"));
}

#[test]
fn neither_a_variables_value_nor_an_argument_is_in_a_debug_text() {
    let program = compiled("c-plain", &["gcc"], "wait.c");
    let mut command = Command::new(program);
    command.env("SHOP_TOKEN", "hunter2").arg("--password=hunter2");
    let inspection = Running::ready(&mut command).inspect();
    assert_eq!(inspection.environment.get("SHOP_TOKEN"), Some("hunter2"));
    let text = format!("{inspection:?}");
    assert!(text.contains("SHOP_TOKEN") && !text.contains("hunter2"), "{text}");
}

/// A program with this variable or these arguments is found to hold this vendor's agent, and no other.
fn check_agent(vendor: &str, variable: Option<(&str, &str)>, arguments: &[&str]) {
    let program = compiled("c-plain", &["gcc"], "wait.c");
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variable);
    let inspection = Running::ready(&mut command).inspect();
    let vendors: Vec<&str> = inspection.agents.iter().map(|agent| agent.vendor).collect();
    assert_eq!(vendors, [vendor], "{variable:?} {arguments:?}");
    assert!(!evidence(&inspection, Subject::Agent).is_empty());
}

#[test]
fn agents_of_other_vendors_are_told_by_variables_and_arguments() {
    check_agent("New Relic", None, &["-javaagent:/opt/newrelic.jar"]);
    check_agent(
        "Datadog",
        Some(("JAVA_TOOL_OPTIONS", "-javaagent:/dd-java-agent.jar")),
        &[],
    );
    check_agent(
        "Datadog",
        Some(("CORECLR_PROFILER", "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}")),
        &[],
    );
    check_agent("Dynatrace", Some(("LD_PRELOAD", "/nowhere/liboneagentproc.so")), &[]);
    check_agent("AppDynamics", Some(("APPDYNAMICS_AGENT_ACCOUNT_NAME", "x")), &[]);
    check_agent("Elastic APM", Some(("ELASTIC_APM_SERVER_URL", "x")), &[]);
    check_agent(
        "Instana",
        Some(("NODE_OPTIONS", "--require /opt/@instana/collector")),
        &[],
    );
    check_agent("Splunk", None, &["-javaagent:/opt/splunk-otel-javaagent.jar"]);
    check_agent(
        "OpenTelemetry",
        Some((
            "NODE_OPTIONS",
            "--import @opentelemetry/auto-instrumentations-node/register",
        )),
        &[],
    );
    check_agent("SkyWalking", None, &["-javaagent:/skywalking/agent.jar"]);
    check_agent("Honeycomb", Some(("HONEYCOMB_API_KEY", "x")), &[]);
    check_agent("Pinpoint", None, &["-javaagent:/pinpoint-bootstrap.jar"]);
    check_agent("Sentry", None, &["--import", "@sentry/node/init"]);
    check_agent("Scout APM", Some(("SCOUT_MONITOR", "true")), &[]);
    check_agent("Scout APM", Some(("RUBYOPT", "-rscout_apm")), &[]);
}

#[test]
fn an_agents_name_as_mere_data_is_no_agent() {
    let program = compiled("c-plain", &["gcc"], "wait.c");
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("NOTE", "we left newrelic")
        .args(["a", "b", "--topic", "newrelic", "OTEL"]);
    assert_eq!(Running::ready(&mut command).inspect().agents, []);
}

#[test]
fn an_agent_is_told_by_its_library() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let library = folder.path().join("liboneagentproc.so");
    fs::write(folder.path().join("empty.c"), "int nothing;\n").unwrap();
    run(Command::new("gcc")
        .args(["-shared", "-o"])
        .arg(&library)
        .arg(folder.path().join("empty.c")));
    let host = compiled("dotnet-host", &["gcc"], "dotnet.c");
    let inspection = Running::ready(Command::new(host).env("RUNTIME", &library)).inspect();
    assert_eq!(inspection.agents.len(), 1, "{:?}", inspection.agents);
    assert!(inspection.agents[0].evidence.contains("liboneagentproc.so"));
}

/// Modules of agents as they are required, and the vendor that each shows.
const AGENT_MODULES: [(&str, &str); 9] = [
    ("github.com/newrelic/go-agent/v3", "New Relic"),
    ("github.com/DataDog/dd-trace-go/v2", "Datadog"),
    ("gopkg.in/DataDog/dd-trace-go.v1", "Datadog"),
    ("go.elastic.co/apm/v2", "Elastic APM"),
    ("github.com/instana/go-sensor", "Instana"),
    ("go.opentelemetry.io/otel/sdk", "OpenTelemetry"),
    ("github.com/apache/skywalking-go", "SkyWalking"),
    ("github.com/honeycombio/beeline-go", "Honeycomb"),
    ("github.com/getsentry/sentry-go", "Sentry"),
];

/// The version that Go wants of a module with this path.
fn version_of(module: &str) -> String {
    let major = module.rsplit(['/', '.']).next().and_then(|last| last.strip_prefix('v'));
    format!(
        "v{}.2.3",
        major.filter(|major| major.parse::<u32>().is_ok()).unwrap_or("0")
    )
}

/// A Go program that the linker made of these modules. Their code is empty: what shows them is what the linker writes down.
fn go_program_of(folder: &Path, name: &str, modules: &[&str]) -> PathBuf {
    let source = folder.join(format!("{name}-source"));
    fs::create_dir(&source).unwrap();
    let (mut requires, mut replaces, mut imports) = (String::new(), String::new(), String::new());
    for (number, module) in modules.iter().enumerate() {
        let version = version_of(module);
        let own = source.join(format!("module{number}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("go.mod"), format!("module {module}\n\ngo 1.18\n")).unwrap();
        fs::write(own.join("agent.go"), "package agent\n").unwrap();
        requires.push_str(&format!("require {module} {version}\n"));
        replaces.push_str(&format!("replace {module} => ./module{number}\n"));
        imports.push_str(&format!("import _ \"{module}\"\n"));
    }
    let main = "func main() {\n\tos.Stdout.WriteString(\"ready\\n\")\n\tio.Copy(io.Discard, os.Stdin)\n}\n";
    fs::write(
        source.join("go.mod"),
        format!("module sample\n\ngo 1.18\n\n{requires}{replaces}"),
    )
    .unwrap();
    fs::write(
        source.join("main.go"),
        format!("package main\n\nimport \"io\"\nimport \"os\"\n{imports}\n{main}"),
    )
    .unwrap();
    let program = folder.join(name);
    run(go("")
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(&source));
    program
}

/// Vendor and evidence of the agents in a process of this program.
fn agents_of(program: &Path) -> Vec<(&'static str, String)> {
    let inspection = Running::ready(Command::new(program).env_clear()).inspect();
    inspection
        .agents
        .into_iter()
        .map(|agent| (agent.vendor, agent.evidence))
        .collect()
}

#[test]
fn agents_of_other_vendors_are_told_by_the_modules_of_a_go_program() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    for (number, (module, vendor)) in AGENT_MODULES.into_iter().enumerate() {
        let found = agents_of(&go_program_of(folder.path(), &format!("shop{number}"), &[module]));
        let [(found_vendor, evidence)] = found.as_slice() else {
            panic!("{module}: one agent expected: {found:?}");
        };
        assert_eq!(*found_vendor, vendor, "{module}");
        assert!(evidence.contains(&format!("the Go module {module} ")), "{evidence}");
    }
    let all: Vec<&str> = AGENT_MODULES.iter().map(|(module, _)| *module).collect();
    let vendors: Vec<&str> = agents_of(&go_program_of(folder.path(), "all", &all))
        .into_iter()
        .map(|(vendor, _)| vendor)
        .collect();
    let expected: std::collections::BTreeSet<&str> = AGENT_MODULES.iter().map(|(_, vendor)| *vendor).collect();
    assert_eq!(vendors.len(), expected.len(), "{vendors:?}");
    assert_eq!(vendors.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
}

#[test]
fn a_module_whose_path_only_begins_like_an_agents_is_none() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let others = [
        "github.com/getsentry/sentry-gopher",
        "go.opentelemetry.io/otel",
        "example.test/github.com/newrelic/go-agent",
    ];
    assert_eq!(agents_of(&go_program_of(folder.path(), "others", &others)), []);
}

const CONTAINER: &str = "4f9c2ab1d0e7a8b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2";

/// A control group below a hierarchy's mount point, with a parent of its own; both are removed when dropped.
struct ControlGroup {
    parent: PathBuf,
    group: PathBuf,
}

impl ControlGroup {
    fn create(mount: &str, name: &str) -> Self {
        let parent = Path::new(mount).join(format!("inspect-test-{}", std::process::id()));
        let group = parent.join(name);
        fs::create_dir_all(&group).unwrap_or_else(|error| panic!("{}: {error}", group.display()));
        Self { parent, group }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // The kernel may take a moment to notice that the last process has left.
        let start = Instant::now();
        while fs::remove_dir(&self.group).is_err() && start.elapsed() < Duration::from_secs(5) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = fs::remove_dir(&self.parent);
    }
}

/// The mount points of control groups, of version 1 and 2, without those whose groups need settings before use.
fn hierarchies() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let usable = fields.filter(|fields| fields[2].starts_with("cgroup") && !fields[3].contains("cpuset"));
    usable.map(|fields| fields[1].to_owned()).collect()
}

#[test]
fn a_process_in_a_containers_control_group_is_in_that_container() {
    let hierarchies = hierarchies();
    assert!(!hierarchies.is_empty(), "no control groups are mounted");
    for mount in hierarchies {
        let group = ControlGroup::create(&mount, &format!("cri-containerd-{CONTAINER}.scope"));
        let process = Running::ready(&mut Command::new(compiled("c-plain", &["gcc"], "wait.c")));
        assert_eq!(process.inspect().container, None, "{mount}");
        fs::write(group.group.join("cgroup.procs"), process.pid().to_string()).unwrap();
        let inspection = process.inspect();
        let container = inspection
            .container
            .as_ref()
            .unwrap_or_else(|| panic!("no container in {mount}"));
        assert_eq!(
            (container.id.as_str(), container.engine),
            (CONTAINER, ContainerEngine::Containerd),
            "{mount}"
        );
        assert!(evidence(&inspection, Subject::Container).contains(CONTAINER));
    }
}
