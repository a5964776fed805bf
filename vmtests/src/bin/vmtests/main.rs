//! Runs the probe tests on this machine's kernel, on the kernels that `scripts/kernels.sh` fetched, or on an image that
//! a person names, and prints a table of test by kernel. Fails if any test fails, gives no result or is not run.

#![forbid(unsafe_code)]

mod guest;
mod machine;

use anyhow::{Context, Result, bail};
use clap::Parser;
use machine::Image;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread::ScopedJoinHandle,
    time::Duration,
};
use vmtests::{
    kernels::{SERIES, Series, series},
    limits::Limits,
    report::{self, Results},
};

/// Runs the probe tests on several kernels.
#[derive(Parser)]
#[command(name = "vmtests")]
struct Args {
    /// A kernel image (bzImage or vmlinuz) to run on, instead of the fetched ones; may be given several times.
    #[arg(long, value_name = "IMAGE")]
    kernel: Vec<PathBuf>,
    /// Only this series of the fetched kernels; may be given several times.
    #[arg(long, value_name = "SERIES", value_parser = parse_series)]
    series: Vec<&'static Series>,
    /// Run on this machine's own kernel, without a virtual machine.
    #[arg(long)]
    host: bool,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print the tests' names and end.
    #[arg(long)]
    list: bool,
    /// Where the fetched kernels are.
    #[arg(long, value_name = "DIR", default_value_os_t = kernel_cache())]
    kernels: PathBuf,
    /// Seconds after which a virtual machine is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    deadline: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vmtests: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let program = guest::build()?;
    let tests = guest::tests(&program, &args.only)?;
    if args.list {
        tests.iter().for_each(|test| println!("{test}"));
        return Ok(true);
    }
    if tests.is_empty() {
        bail!("no test's name contains {:?}", args.only);
    }
    let limits_file = concat!(env!("CARGO_MANIFEST_DIR"), "/verifier-limits.txt");
    let limits = std::fs::read_to_string(limits_file).with_context(|| format!("cannot read {limits_file}"))?;
    let limits = Limits::parse(&limits).map_err(|error| anyhow::anyhow!("{limits_file}: {error}"))?;

    let deadline = Duration::from_secs(args.deadline);
    let mut kernels = Vec::new();
    if args.host {
        kernels.push(machine::run_host(&program, &args.only, deadline)?);
    }
    kernels.extend(run_virtual(images(args)?, &program, &args.only, deadline)?);
    Ok(print(&kernels, &tests, &limits))
}

/// All at once: a machine hardly ever has more than one busy processor.
fn run_virtual(images: Vec<Image>, program: &Path, only: &str, deadline: Duration) -> Result<Vec<Results>> {
    std::thread::scope(|scope| {
        let start = |image: Image| scope.spawn(move || machine::run_virtual(image, program, only, deadline));
        let machines: Vec<_> = images.into_iter().map(start).collect();
        let join = |machine: ScopedJoinHandle<'_, Result<Results>>| {
            machine
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("the runner panicked")))
        };
        machines.into_iter().map(join).collect()
    })
}

fn print(kernels: &[Results], tests: &[String], limits: &Limits) -> bool {
    println!("\n{}", report::results(kernels, tests));
    println!("{}", report::verified(kernels, limits));
    let tally = report::tally(kernels, tests, limits);
    println!(
        "vmtests: {} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    tally.failed == 0 && tally.passed > 0
}

/// The images to run on: those that were named, or else the fetched ones, unless only this machine was asked for.
fn images(args: &Args) -> Result<Vec<Image>> {
    if !args.kernel.is_empty() {
        let named = args.kernel.iter().map(|path| Image {
            title: path.display().to_string(),
            series: None,
            path: path.clone(),
        });
        return Ok(named.collect());
    }
    if args.host && args.series.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Vec<&'static Series> = if args.series.is_empty() {
        SERIES.iter().collect()
    } else {
        args.series.clone()
    };
    let image = |series: &'static Series| {
        let path = args.kernels.join(series.name).join("vmlinuz");
        if !path.is_file() {
            bail!(
                "{} is not there: scripts/setup.sh vm fetches it, or name an image by --kernel",
                path.display()
            );
        }
        Ok(Image {
            title: series.name.to_owned(),
            series: Some(series),
            path,
        })
    };
    chosen.into_iter().map(image).collect()
}

fn parse_series(name: &str) -> Result<&'static Series, String> {
    let known: Vec<&str> = SERIES.iter().map(|series| series.name).collect();
    series(name).ok_or_else(|| format!("known are {}", known.join(" and ")))
}

fn kernel_cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("odigos-dev/kernels")
}
