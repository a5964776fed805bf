//! What a process that is not traced pays for the probes, per system call.

use super::load::pin_to;
use super::{LOAD_CPU, ROUNDS, SERVER_CPU, Subject};
use anyhow::Result;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// System calls, to be made again and again.
type Work<'a> = &'a mut dyn FnMut() -> std::io::Result<()>;

/// This process is no target: what it pays is what every process on the machine pays.
pub fn measure(subject: &mut Subject) -> Result<()> {
    pin_to(SERVER_CPU)?;
    let mut null = std::fs::File::options().write(true).open("/dev/null")?;
    let mut zero = std::fs::File::open("/dev/zero")?;
    let (mut left, mut right) = std::os::unix::net::UnixStream::pair()?;
    let mut buffer = [0; 16];
    let mut works: [(&str, u32, Work<'_>); 3] = [
        ("write to /dev/null", 1, &mut || null.write_all(b"x")),
        ("read of /dev/zero", 1, &mut || zero.read_exact(&mut [0; 1])),
        ("write and read of a socket pair", 2, &mut || {
            left.write_all(b"ping")?;
            right.read_exact(&mut buffer[..4])
        }),
    ];
    for (name, calls, work) in &mut works {
        let (mut bare, mut attached) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(nanos_per_call(*work, *calls)?);
            subject.probes.attach_http1()?;
            attached.push(nanos_per_call(*work, *calls)?);
            subject.probes.detach()?;
        }
        bare.sort_by(f64::total_cmp);
        attached.sort_by(f64::total_cmp);
        let (bare, attached) = (bare[0], attached[0]);
        println!(
            "{name}, not traced: bare {bare:.0} ns a call, attached {attached:.0} ns, added {:.0} ns",
            attached - bare
        );
    }
    // The server that is measured next has this processor to itself.
    pin_to(LOAD_CPU)
}

/// The shortest of many short runs, which whatever else runs on the machine has not interrupted.
fn nanos_per_call(work: &mut dyn FnMut() -> std::io::Result<()>, calls: u32) -> Result<f64> {
    const RUNS: u32 = 100;
    const TIMES: u32 = 2_000;
    let mut least = Duration::MAX;
    for _ in 0..RUNS {
        let begin = Instant::now();
        for _ in 0..TIMES {
            work()?;
        }
        least = least.min(begin.elapsed());
    }
    Ok(least.as_nanos() as f64 / f64::from(TIMES * calls))
}
