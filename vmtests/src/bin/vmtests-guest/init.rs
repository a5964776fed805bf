//! What process 1 of the virtual machine does around the tests: mounts, the loopback interface, power-off.

use crate::suite;
use anyhow::{Context, Result};
use odigos_tests::probes::PREEMPTION_SWITCH;
use rustix::{
    fs::Mode,
    mount::{MountFlags, mount},
    net::{AddressFamily, SendFlags, SocketType, netlink, sendto, socket},
    system::{RebootCommand, reboot},
};
use std::{convert::Infallible, fs::OpenOptions, path::Path};

/// File systems without which no test can run, in the order in which they can be mounted.
const MOUNTS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
];

/// File systems that a kernel may lack; the tests say what that costs.
const OPTIONAL_MOUNTS: &[(&str, &str)] = &[
    ("tracefs", "/sys/kernel/tracing"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("debugfs", PREEMPTION_SWITCH),
];

/// The port that the runner listens to; the first one is the console.
const RESULTS: &str = "/dev/ttyS1";

/// Never returns: process 1 that ends is a kernel panic, which would hide what went wrong.
pub fn run_and_power_off() -> ! {
    if let Err(error) = run() {
        // The console is what the runner shows when results are missing.
        eprintln!("vmtests-guest: {error:#}");
    }
    let refused: Result<Infallible, _> = reboot(RebootCommand::PowerOff).map(|()| unreachable!("the power is off"));
    panic!("cannot power off: {refused:?}");
}

fn run() -> Result<()> {
    for (kind, target) in MOUNTS {
        mount_at(kind, target)?;
    }
    for (kind, target) in OPTIONAL_MOUNTS {
        if let Err(error) = mount_at(kind, target) {
            eprintln!("vmtests-guest: going on without it: {error:#}");
        }
    }
    bring_up_loopback().context("cannot bring up the loopback interface")?;
    let command_line = std::fs::read_to_string("/proc/cmdline").context("cannot read the command line")?;
    let only = command_line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("vmtests.only="));
    let mut results = OpenOptions::new().write(true).open(RESULTS).context(RESULTS)?;
    suite::run_all(only.unwrap_or_default(), &mut results)?;
    rustix::termios::tcdrain(&results).context("cannot send the last results")
}

fn mount_at(kind: &str, target: &str) -> Result<()> {
    if !Path::new(target).exists() {
        rustix::fs::mkdir(target, Mode::from(0o755)).with_context(|| format!("cannot make {target}"))?;
    }
    mount(kind, target, kind, MountFlags::empty(), None).with_context(|| format!("cannot mount {kind} at {target}"))
}

/// Sends the kernel one RTM_NEWLINK message (rtnetlink(7)) that sets IFF_UP on the first interface, which is `lo`.
fn bring_up_loopback() -> Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const LOOPBACK_INDEX: i32 = 1;
    const IFF_UP: u32 = 1;
    const LENGTH: u32 = 32;

    let mut message = Vec::with_capacity(LENGTH as usize);
    message.extend_from_slice(&LENGTH.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    message.extend_from_slice(&[0; 8]); // sequence and port
    message.extend_from_slice(&[0; 4]); // family, padding, type
    message.extend_from_slice(&LOOPBACK_INDEX.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes()); // flags
    message.extend_from_slice(&IFF_UP.to_ne_bytes()); // which of them to change

    // No protocol number is number 0, NETLINK_ROUTE.
    let routes = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(
        &routes,
        &message,
        SendFlags::empty(),
        &netlink::SocketAddrNetlink::new(0, 0),
    )?;
    Ok(())
}
