//! The program with its queue on a real disk that is full, or that gives back other bytes than were written.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::http::{Destination, free_port, get, post};
use support::{Collector, PROGRAM, wait_until};

/// Of a record of the queue: what stands before its body.
const RECORD_HEADER: usize = 48;

/// A configuration with the queue in `directory`/storage, whose folder is there.
struct Setup {
    configuration: PathBuf,
    storage: PathBuf,
    http: SocketAddr,
    health: SocketAddr,
}

impl Setup {
    fn new(directory: &Path, destination: SocketAddr, queue: &str) -> Self {
        let storage = directory.join("storage");
        std::fs::create_dir(&storage).unwrap();
        let [http, health] = [(); 2].map(|()| free_port());
        let text = format!(
            "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{http}'}}}}}}}}
extensions:
  file_storage: {{directory: '{}'}}
  health_check: {{endpoint: '{health}'}}
exporters:
  otlphttp:
    endpoint: http://{destination}
    encoding: json
    compression: none
    retry_on_failure: {{initial_interval: 5ms, max_interval: 20ms, max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage, num_consumers: 1, {queue}}}
service:
  extensions: [file_storage, health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}
",
            storage.display()
        );
        let configuration = directory.join("collector.yaml");
        std::fs::write(&configuration, text).unwrap();
        Setup {
            configuration,
            storage,
            http,
            health,
        }
    }

    /// Waits until it runs.
    fn started(&self, collector: Collector) -> Collector {
        wait_until("it runs", || get(self.health, "/").is_some());
        collector
    }

    /// Sends a record of about a kilobyte, and says whether it was accepted.
    fn send(&self, id: usize) -> bool {
        let body = format!("id-{id} {}", "x".repeat(1000));
        let record = format!("{{\"body\":{{\"stringValue\":\"{body}\"}}}}");
        let request = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{record}]}}]}}]}}");
        post(self.http, "/v1/logs", &request) == Some(200)
    }

    /// The files of the queue, the oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.storage.join("exporter_otlphttp")).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.to_str().unwrap().contains(".segment"));
        files.sort();
        files
    }
}

/// The ids that a destination has taken.
fn arrived(destination: &Destination) -> BTreeSet<usize> {
    let received = destination.received("/v1/logs").into_iter();
    let taken = received.filter(|request| request.accepted);
    let bodies = taken.map(|request| String::from_utf8(request.body).unwrap());
    bodies.flat_map(|body| ids(&body)).collect()
}

fn ids(body: &str) -> Vec<usize> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    body.split("id-")
        .skip(1)
        .map(|rest| digits(rest).parse().unwrap())
        .collect()
}

#[test]
fn a_damaged_file_is_quarantined_by_name_and_the_rest_is_delivered() {
    let (destination, directory) = (Destination::start(), tempfile::tempdir().unwrap());
    destination.set_away(true);
    // So small that there are several files.
    let setup = Setup::new(
        directory.path(),
        destination.address,
        "sizer: bytes, queue_size: 1048576",
    );
    let mut collector = setup.started(Collector::start(&setup.configuration));
    assert!((0..200).all(|id| setup.send(id)));
    collector.kill();
    let segments = setup.segments();
    assert!(segments.len() > 2, "{segments:?}");
    // A bit in the body of a record within the first, and half of the last record of the last.
    let mut first = std::fs::read(&segments[0]).unwrap();
    let place = first.windows(6).position(|bytes| bytes == b"id-20 ").unwrap();
    first[place + 100] ^= 4;
    std::fs::File::options()
        .write(true)
        .open(&segments[0])
        .unwrap()
        .write_all_at(&first, 0)
        .unwrap();
    let last = std::fs::File::options()
        .write(true)
        .open(segments.last().unwrap())
        .unwrap();
    last.set_len(last.metadata().unwrap().len() - 500).unwrap();
    drop(collector);
    destination.set_away(false);
    let collector = setup.started(Collector::start(&setup.configuration));
    wait_until("the rest arrives", || arrived(&destination).len() >= 198);
    let missing: Vec<usize> = (0..200).filter(|id| !arrived(&destination).contains(id)).collect();
    assert_eq!(missing, [20, 199]);
    let log = collector.stop();
    assert!(
        log.contains("logs/(disk) -> otlphttp: received 198, exported 198, dropped 0, held 0"),
        "{log}"
    );
    let quarantined = setup.segments();
    let name = quarantined[0].file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with(".segment.quarantined-checksum"), "{quarantined:?}");
    let told = |text: &str| log.lines().any(|line| line.contains(text) && line.contains(name));
    assert!(told("is damaged") && told("lost_items=1"), "{log}");
    assert!(log.contains("the end is torn and is cut off"), "{log}");
    // What was damaged is still there to be looked at.
    let kept = std::fs::read(&quarantined[0]).unwrap();
    assert_eq!(
        kept[place - RECORD_HEADER..place + 200],
        first[place - RECORD_HEADER..place + 200]
    );
}

#[test]
fn a_full_disk_refuses_and_what_was_accepted_arrives() {
    let (destination, directory) = (Destination::start(), tempfile::tempdir().unwrap());
    destination.set_away(true);
    let setup = Setup::new(directory.path(), destination.address, "queue_size: 100000");
    // A disk of the program's own, which nobody else sees and which goes with it.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]).arg(format!(
        "mount -t tmpfs -o size=256k tmpfs '{}' && exec '{PROGRAM}' --config '{}'",
        setup.storage.display(),
        setup.configuration.display()
    ));
    let collector = setup.started(Collector::spawn(command));
    let mut accepted: Vec<usize> = (0..).take_while(|id| setup.send(*id)).collect();
    assert!(
        (50..250).contains(&accepted.len()),
        "{} fit into 256 KiB",
        accepted.len()
    );
    destination.set_away(false);
    let mut next = 1000;
    wait_until("there is room again", || {
        next += 1;
        let taken = setup.send(next);
        accepted.extend(taken.then_some(next));
        taken
    });
    wait_until("all that was accepted arrives", || {
        let arrived = arrived(&destination);
        accepted.iter().all(|id| arrived.contains(id))
    });
    let log = collector.stop();
    assert!(log.contains("No space left on device"), "{log}");
    assert!(log.contains("dropped 0, held 0"), "{log}");
}
