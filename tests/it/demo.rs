//! `odigos demo`: its sample programs, each with spans of its own, and what it says where a runtime is missing.

use crate::support::{Program, Span, binary, in_file, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A demo whose spans go to a file and whose temporary folder is the test's own.
struct Demo {
    program: Program,
    folder: TempDir,
    file: PathBuf,
}

impl Demo {
    /// Starts it by a command that is to be completed.
    fn start(command: &mut Command) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("spans.jsonl");
        fs::create_dir(folder.path().join("tmp")).unwrap();
        command
            .args(["-o", "json"])
            .env("TMPDIR", folder.path().join("tmp"))
            .stdout(fs::File::create(&file).unwrap());
        Demo {
            program: Program::start(command),
            file,
            folder,
        }
    }

    /// Waits until each of these languages has spans.
    fn wait_for(&self, languages: &[&str]) {
        let wanted: BTreeSet<&str> = languages.iter().copied().collect();
        until(&format!("spans of {languages:?}"), || {
            let spans = in_file(&self.file);
            let seen: BTreeSet<&str> = spans.iter().map(language).collect();
            wanted.is_subset(&seen).then_some(())
        });
    }

    /// Asks it to end; all that it has started ends with it, and its folder is gone.
    fn stop(mut self) -> Vec<Span> {
        let status = self.program.stop();
        assert!(status.success(), "{}", self.program.log);
        let spans = in_file(&self.file);
        let pids: BTreeSet<&str> = spans.iter().map(|span| span.resource["process.pid"].as_str()).collect();
        let running: Vec<_> = pids
            .iter()
            .filter(|pid| Path::new("/proc").join(pid).exists())
            .collect();
        assert!(running.is_empty(), "still running: {running:?}");
        let left: Vec<_> = fs::read_dir(self.folder.path().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().starts_with("odigos-demo"))
            .collect();
        assert!(left.is_empty(), "left: {left:?}");
        spans
    }
}

fn language(span: &Span) -> &str {
    span.resource.get("telemetry.sdk.language").map_or("", String::as_str)
}

const LANGUAGES: [&str; 4] = ["java", "go", "nodejs", "python"];

/// The front page has the requests to all others below it.
fn check_front_page(spans: &[Span]) {
    let is_whole = |front: &&Span| {
        let below = spans.iter().filter(|span| span.parent_span_id == front.span_id);
        front.is_server() && language(front) == "python" && front.get("url.path") == "/" && below.count() == 3
    };
    assert!(
        spans.iter().any(|span| is_whole(&span)),
        "no whole front page: {spans:#?}"
    );
    let broken = |span: &Span| span.get("url.path") == "/broken" && span.status == 2;
    assert!(spans.iter().any(broken), "no broken page: {spans:#?}");
}

/// The cart answers in chunks, whose sizes are not followed; the front page announces a length.
fn check_sizes(spans: &[Span]) {
    let sized = |of: &str| {
        let served = spans.iter().filter(|span| span.is_server() && language(span) == of);
        served
            .map(|span| span.attributes.contains_key("http.response.body.size"))
            .collect::<BTreeSet<bool>>()
    };
    assert_eq!(sized("nodejs"), BTreeSet::from([false]), "{spans:#?}");
    assert_eq!(sized("python"), BTreeSet::from([true]), "{spans:#?}");
}

#[test]
fn each_language_of_the_demo_has_spans() {
    let mut demo = Demo::start(Command::new(binary("odigos")).arg("demo"));
    for line in ["pricing (Java)", "catalog (Go)", "cart (Node.js)", "frontend (Python)"] {
        let said = demo.program.wait_for(line);
        assert!(said.contains("listens on port"), "{said}");
    }
    demo.program.wait_for("ready, 4 processes are traced");
    demo.wait_for(&LANGUAGES);
    let is_broken = |span: &Span| span.get("url.path") == "/broken";
    until("the broken page", || {
        in_file(&demo.file).iter().any(is_broken).then_some(())
    });
    let spans = demo.stop();
    check_front_page(&spans);
    check_sizes(&spans);
}

/// What `make run` does, but with the profile that the tests are built with: the release build takes minutes.
#[test]
fn what_make_run_runs_builds_and_shows_the_demo() {
    // Here and not by the script, which would exchange it under the other tests if it built it in another way.
    let built = binary("odigos").metadata().unwrap().modified().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(root.join("scripts/run.sh"));
    // The script's own folder is what counts, not the caller's.
    command.current_dir("/").env("BUILD_PROFILE", "dev");
    let mut demo = Demo::start(&mut command);
    demo.program.wait_for("ready");
    demo.wait_for(&LANGUAGES);
    demo.stop();
    assert_eq!(
        binary("odigos").metadata().unwrap().modified().unwrap(),
        built,
        "it was built twice"
    );
}

/// A folder with these programs of the machine and no others.
fn path_with(programs: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for program in programs {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        symlink(fs::canonicalize(found.trim()).unwrap(), folder.path().join(program)).unwrap();
    }
    folder
}

#[test]
fn a_demo_without_some_runtimes_names_them_and_shows_the_others() {
    let path = path_with(&["node"]);
    let mut command = Command::new(binary("odigos"));
    let mut demo = Demo::start(command.arg("demo").env("PATH", path.path()));
    for line in [
        "pricing (Java) is left out: there is no java",
        "catalog (Go) is left out: there is no go",
        "cart (Node.js) listens on port",
        "frontend (Python) is left out: there is no python3",
        "ready, 1 process is traced",
    ] {
        demo.program.wait_for(line);
    }
    demo.wait_for(&["nodejs"]);
    let spans = demo.stop();
    assert!(spans.iter().all(|span| language(span) == "nodejs"), "{spans:#?}");
}

#[test]
fn a_demo_without_any_runtime_says_so_and_fails() {
    let path = path_with(&[]);
    let mut demo = Program::start(Command::new(binary("odigos")).arg("demo").env("PATH", path.path()));
    assert_eq!(demo.wait().code(), Some(1), "{}", demo.log);
    assert!(
        demo.log.contains("none of the sample programs could be started"),
        "{}",
        demo.log
    );
}
