//! The lease of a ring: whoever holds it may lose it and get it again, from an agent that goes on running.

use crate::support::{Program, binary};
use probe_loader::{Facilities, Options, Probes};
use probe_wire::handover::{Message, VERSION};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use tempfile::TempDir;

fn offer(socket: &UnixStream, ring_bytes: u32, descriptors: &[BorrowedFd<'_>]) {
    let mut frame = Vec::new();
    Message::Offer {
        version: VERSION,
        ring_bytes: u64::from(ring_bytes),
        selective: false,
    }
    .encode(&mut frame);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    let sent = sendmsg(socket, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(sent, frame.len());
}

/// What it says of the ring that it was offered.
fn answer_to_offer(collector: &mut Program) -> String {
    loop {
        let line = collector.wait_for("ring");
        if !line.contains("has closed") {
            return line;
        }
    }
}

/// The descriptors are new ones each time and their numbers come back, while the ring behind them is one and stays open.
#[test]
fn a_collector_takes_the_same_ring_again_and_again() {
    let options = Options {
        ring_bytes: 64 << 10,
        ..Options::default()
    };
    let probes = Probes::load(&options, &Facilities::detect()).unwrap();
    let (ring, counters) = (probes.spans().unwrap(), probes.counters().unwrap());
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("odiglet.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let config = folder.path().join("collector.yaml");
    let text = format!(
        "receivers: {{ebpf: {{socket: '{}'}}}}\nexporters: {{nop: {{}}}}\n\
         service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [ebpf], exporters: [nop]}}}}}}\n",
        socket.display()
    );
    fs::write(&config, text).unwrap();
    let mut collector = Program::start(Command::new(binary("odigos-collector")).arg("--config").arg(&config));
    for _ in 0..5 {
        let (lease, _) = listener.accept().unwrap();
        offer(&lease, options.ring_bytes, &[ring.as_fd(), counters.as_fd()]);
        let said = answer_to_offer(&mut collector);
        assert!(said.contains("reading the probes' ring"), "{}", collector.log);
    }
    assert!(collector.stop().success());
}
