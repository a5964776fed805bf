//! CPU time: unlike the wall clock's, it is this process's own.

// Not every benchmark measures in the same way.
#![allow(dead_code)]

use rustix::time::{ClockId, clock_gettime};

const RUNS: usize = 100;

/// Nanoseconds that this process has worked.
pub fn time() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What `work` costs that is about so many spans, done so many times in a row: the median of several runs.
pub fn measure(what: &str, spans: usize, times: usize, mut work: impl FnMut()) {
    let mut costs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = time();
            (0..times).for_each(|_| work());
            (time() - start) as f64 / (spans * times) as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    println!("{what}: {:.1} ns/span", costs[RUNS / 2]);
}
