//! The `ebpf` receiver's side of the hand-over, over real sockets. The ring itself needs the kernel's probes.

use collector_components::embed::{self, Destination, EmbedError};
use collector_config::Node;
use collector_engine::{Engine, EngineError};
use probe_wire::handover::{Message, VERSION};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

fn file(directory: &Path) -> Destination {
    Destination::File(directory.join("spans.jsonl"))
}

fn embedded() -> (Engine, UnixStream, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (agent, collector) = UnixStream::pair().unwrap();
    let engine = embed::start(&embed::configuration(&[file(directory.path())]), Some(collector)).unwrap();
    (engine, agent, directory)
}

fn send(agent: &mut UnixStream, message: &Message) {
    let mut frame = Vec::new();
    message.encode(&mut frame);
    agent.write_all(&frame).unwrap();
}

#[test]
fn drain_ends_an_embedded_collector_by_itself() {
    let (engine, mut agent, _directory) = embedded();
    let entity = Message::Entity {
        id: 1,
        resource: vec![],
    };
    for message in [entity, Message::SnapshotDone { generation: 1 }, Message::Drain] {
        send(&mut agent, &message);
    }
    let (account, result) = engine.wait();
    result.unwrap();
    assert!(account.balances());
    let names: Vec<&str> = account.receivers[0].source.iter().map(|(name, _)| *name).collect();
    for name in ["seen", "emitted", "ring_full", "decoded", "undecodable", "pending"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

#[test]
fn the_end_of_a_handed_connection_ends_the_collector() {
    let (engine, agent, _directory) = embedded();
    drop(agent);
    engine.wait().1.unwrap();
}

#[test]
fn the_engine_can_be_drained_while_the_agent_says_nothing() {
    let (engine, mut agent, _directory) = embedded();
    engine.handle().drain(Duration::from_secs(10));
    engine.wait().1.unwrap();
    // The collector has let go of its end.
    assert_eq!(agent.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn what_is_not_a_hand_over_fails_with_its_reason() {
    let offer = |version| Message::Offer {
        version,
        ring_bytes: 8 << 20,
        selective: false,
    };
    let frame = |message: &Message| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        bytes
    };
    for (bytes, reason) in [
        (frame(&offer(VERSION + 1)), format!("version {}", VERSION + 1)),
        (frame(&offer(VERSION)), "without its two descriptors".to_owned()),
        (
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            "something else than hand-over messages".to_owned(),
        ),
    ] {
        let (engine, mut agent, _directory) = embedded();
        agent.write_all(&bytes).unwrap();
        let (_, result) = engine.wait();
        let Err(EngineError::Component { component, source }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(component, "receiver ebpf");
        let text = kit::logging::chain(&*source);
        assert!(text.contains(&reason), "{text}");
    }
}

#[test]
fn a_lost_socket_is_connected_again() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("handover.sock");
    let configuration = format!(
        "
receivers: {{ebpf: {{socket: '{}'}}}}
exporters: {{file: {{path: '{}'}}}}
service: {{pipelines: {{traces: {{receivers: [ebpf], exporters: [file]}}}}}}
",
        socket.display(),
        directory.path().join("spans.jsonl").display()
    );
    let engine = embed::start(&Node::parse(&configuration, "").unwrap(), None).unwrap();
    // The collector was first; it finds the agent later, and again after the agent was started anew.
    let listener = UnixListener::bind(&socket).unwrap();
    drop(listener.accept().unwrap());
    let (mut second, _) = listener.accept().unwrap();
    send(&mut second, &Message::Drain);
    engine.wait().1.unwrap();
}

#[test]
fn a_configuration_without_a_socket_is_refused_before_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let refused = embed::start(&embed::configuration(&[file(directory.path())]), None);
    let Err(EmbedError::Configuration(errors)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        errors.to_string().contains("receivers::ebpf::socket: is required"),
        "{errors}"
    );
}

#[test]
fn a_file_that_cannot_be_written_stops_the_start() {
    let (_agent, collector) = UnixStream::pair().unwrap();
    let destination = Destination::parse("file:/nonexistent/spans.jsonl").unwrap();
    let refused = embed::start(&embed::configuration(&[destination]), Some(collector));
    let Err(error @ EmbedError::Start(_)) = refused else {
        panic!("{refused:?}")
    };
    let text = kit::logging::chain(&error);
    assert!(
        text.contains("cannot write the file /nonexistent/spans.jsonl: No such file"),
        "{text}"
    );
}

#[test]
fn destinations_are_read_and_make_a_valid_configuration() {
    let texts = ["otlp://h:4317", "otlphttp://h:4318/", "file:/tmp/x", "stdout"];
    let destinations = texts.map(|text| Destination::parse(text).unwrap());
    assert_eq!(destinations[0], Destination::Otlp("h:4317".to_owned()));
    assert_eq!(destinations[1], Destination::OtlpHttp("http://h:4318".to_owned()));
    let mut errors = collector_config::Errors::default();
    let config = collector_config::Config::read(&embed::configuration(&destinations), &mut errors);
    assert_eq!(errors.to_string(), "");
    let ids: Vec<String> = config
        .exporters
        .iter()
        .map(|exporter| exporter.id.to_string())
        .collect();
    assert_eq!(ids, ["otlp/1", "otlphttp/2", "file/3", "terminal/4"]);
    for text in [
        "",
        "otlp:h:1",
        "otlp://",
        "otlp://h",
        "otlphttp://",
        "otlphttp://h?q",
        "file:",
        "http://h",
        "stdin",
        "h:1",
    ] {
        let error = Destination::parse(text).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("\"{text}\" is not a destination: ")),
            "{error}"
        );
    }
}

#[test]
fn a_password_in_a_destination_is_refused_and_not_repeated() {
    for text in [
        "otlp://me:hunter2@h:4317",
        "otlphttp://me:hunter2@h:4318",
        "https://me:hunter2@h",
    ] {
        let error = Destination::parse(text).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
