//! What the kernel side tells of processes, and that a process is traced from its first instruction. Other processes of
//! the machine come and go meanwhile, so that each test looks only at those it has started.

use probe_loader::{Facilities, Options, Probes, Target};
use probe_ring::Ring;
use probe_wire::process::{self, ProcessEventKind};
use probe_wire::{Event, decode};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

/// Entities from here on are the kernel's own (probes/bpf/process/process.h).
const FIRST_KERNEL_ENTITY: u32 = 1 << 31;
const PATIENCE: Duration = Duration::from_secs(10);

struct Watched {
    probes: Probes,
    events: Ring,
    seen: Vec<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    pid: u32,
    start: u64,
    entity: Option<u32>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Exec(String),
    Fork { parent: u32 },
    Exit,
    Listen(u16),
}

impl Watched {
    fn start(adopt_flags: u32) -> Self {
        let options = Options {
            adopt_flags,
            ..Options::default()
        };
        let mut probes = Probes::load(&options, &Facilities::detect()).unwrap();
        probes.attach_processes().unwrap();
        let (descriptor, size) = probes.process_events().unwrap();
        let events = Ring::map(descriptor, size).unwrap();
        Watched {
            probes,
            events,
            seen: Vec::new(),
        }
    }

    /// Waits until an event of this process has come that `matches`.
    fn wait(&mut self, pid: u32, matches: impl Fn(&What) -> bool) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.read();
            let found = self.seen.iter().find(|seen| seen.pid == pid && matches(&seen.what));
            if let Some(found) = found {
                return found.clone();
            }
            let of_pid: Vec<_> = self.seen.iter().filter(|seen| seen.pid == pid).collect();
            assert!(Instant::now() < deadline, "no such event of {pid} among {of_pid:?}");
            std::thread::yield_now();
        }
    }

    fn read(&mut self) {
        let seen = &mut self.seen;
        self.events.read(usize::MAX, |record| {
            let event = process::decode(record).unwrap();
            let what = match event.kind {
                ProcessEventKind::Exec { filename } => What::Exec(String::from_utf8_lossy(filename).into_owned()),
                ProcessEventKind::Fork { parent } => What::Fork { parent },
                ProcessEventKind::Exit => What::Exit,
                ProcessEventKind::Listen { port } => What::Listen(port),
                // The programs that are started here serve nothing.
                ProcessEventKind::ServesInside => return,
            };
            seen.push(Seen {
                pid: event.pid,
                start: event.start_boottime_ns,
                entity: event.entity,
                what,
            });
        });
    }
}

#[test]
fn a_process_is_reported_from_its_start_to_its_end_and_adopted_meanwhile() {
    let mut watched = Watched::start(Target::HTTP1);
    // It waits for its input to end, so that there is time to look at it.
    let mut child = Command::new("/bin/cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let exec = watched.wait(child.id(), |what| matches!(what, What::Exec(_)));
    assert_eq!(exec.what, What::Exec("/bin/cat".into()));
    let entity = exec.entity.unwrap();
    assert!(entity >= FIRST_KERNEL_ENTITY, "{exec:?}");
    let flags = Target::HTTP1;
    assert_eq!(
        watched.probes.target(child.id()).unwrap(),
        Some(Target {
            entity,
            flags,
            ..Target::default()
        })
    );
    drop(child.stdin.take());
    child.wait().unwrap();
    let exit = watched.wait(child.id(), |what| *what == What::Exit);
    assert_eq!(exit.start, exec.start, "the same process");
    assert_eq!(watched.probes.target(child.id()).unwrap(), None);
}

#[test]
fn a_fork_without_exec_is_traced_as_its_parent_is_and_as_an_entity_of_its_own() {
    let mut watched = Watched::start(Target::HTTP1);
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "(echo forked; :) >/dev/null; :"])
        .spawn()
        .unwrap();
    shell.wait().unwrap();
    let exec = watched.wait(shell.id(), |what| matches!(what, What::Exec(_)));
    watched.wait(shell.id(), |what| *what == What::Exit);
    let parent = shell.id();
    let forked: Vec<_> = watched
        .seen
        .iter()
        .filter(|seen| seen.what == What::Fork { parent })
        .collect();
    assert_eq!(forked.len(), 1, "{forked:?}");
    assert!(
        forked[0].entity.is_some_and(|entity| entity >= FIRST_KERNEL_ENTITY) && forked[0].entity != exec.entity,
        "{forked:?} of {exec:?}"
    );
}

/// As the agent sees it in a container that has a pid namespace of its own: the same test once more, in such a one.
#[test]
fn in_a_pid_namespace_of_its_own_a_fork_has_the_pid_of_that_namespace() {
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "processes::a_fork_without_exec_is_traced_as_its_parent_is_and_as_an_entity_of_its_own",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

#[test]
fn what_is_not_adopted_is_reported_and_not_traced() {
    let mut watched = Watched::start(0);
    let mut child = Command::new("/bin/true").spawn().unwrap();
    child.wait().unwrap();
    let exec = watched.wait(child.id(), |what| matches!(what, What::Exec(_)));
    assert_eq!(exec.entity, None);
    watched.wait(child.id(), |what| *what == What::Exit);
}

#[test]
fn a_listening_socket_is_reported_with_its_port() {
    let mut watched = Watched::start(0);
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let port = TcpListener::bind(address).unwrap().local_addr().unwrap().port();
        watched.wait(std::process::id(), |what| *what == What::Listen(port));
    }
}

#[test]
fn the_first_request_of_a_new_process_is_seen() {
    let mut watched = Watched::start(Target::HTTP1);
    watched.probes.attach_http1().unwrap();
    let mut spans = Ring::map(watched.probes.spans().unwrap(), watched.probes.ring_bytes() as usize).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/first", listener.local_addr().unwrap());
    let mut child = Command::new("curl")
        .args(["-s", "-o", "/dev/null", &url])
        .spawn()
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let read = server.read(&mut [0; 4096]).unwrap();
    assert!(read > 0);
    server
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    assert!(child.wait().unwrap().success());
    let exec = watched.wait(child.id(), |what| matches!(what, What::Exec(_)));
    watched.probes.detach().unwrap();
    let mut of_child = Vec::new();
    spans.read(usize::MAX, |record| {
        if let Ok(Event::Http1(event)) = decode(record)
            && event.span.pid == child.id()
        {
            of_child.push((event.span.entity, event.status, event.request.to_vec()));
        }
    });
    let [(entity, status, request)] = of_child.as_slice() else {
        panic!("one span expected: {of_child:?}")
    };
    assert_eq!((Some(*entity), *status), (exec.entity, Some(200)));
    assert!(request.starts_with(b"GET /first HTTP/1.1\r\n"), "{request:?}");
}
