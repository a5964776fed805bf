//! Runs the probe tests on this machine's kernel, on the kernels that `scripts/kernels.sh` fetched, or on an image that
//! a person names, and prints a table of test by kernel. Fails if any test fails, gives no result or is not run.

#![forbid(unsafe_code)]

mod guest;
mod machine;

use anyhow::{Context, Result, bail};
use clap::Parser;
use guest::Guest;
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
    /// Seconds after which a machine is ended, even if it makes progress.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
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
    let guest = guest::build()?;
    let tests = guest::tests(&guest.program, &args.only)?;
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
        kernels.push(machine::run_host(&guest, &args.only, deadline)?);
    }
    let (images, missing) = images(args)?;
    kernels.extend(run_virtual(images, &guest, &args.only, deadline)?);
    let passed = print(&kernels, &tests, &limits);
    missing.iter().for_each(|why| println!("vmtests: NOT SHOWN on {why}"));
    Ok(passed)
}

/// All at once: a machine hardly ever has more than one busy processor.
fn run_virtual(images: Vec<Image>, guest: &Guest, only: &str, deadline: Duration) -> Result<Vec<Results>> {
    std::thread::scope(|scope| {
        let start = |image: Image| scope.spawn(move || machine::run_virtual(image, guest, only, deadline));
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
    // Again and last, since of a long log often only the end is kept.
    print!("{}", report::summary(kernels, tests));
    let tally = report::tally(kernels, tests, limits);
    println!(
        "vmtests: {} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    tally.failed == 0 && tally.passed > 0
}

/// The images to run on: those that were named, or else the fetched ones, unless only this machine was asked for. And
/// the series that this distribution does not offer, with the reason.
fn images(args: &Args) -> Result<(Vec<Image>, Vec<String>)> {
    if !args.kernel.is_empty() {
        let named = args.kernel.iter().map(|path| named_image(path));
        return Ok((named.collect::<Result<_>>()?, Vec::new()));
    }
    let all = if args.host { &[] } else { SERIES };
    let chosen: Vec<&'static Series> = if args.series.is_empty() {
        all.iter().collect()
    } else {
        args.series.clone()
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for series in chosen {
        match fetched_image(&args.kernels, series)? {
            Ok(image) => found.push(image),
            Err(why) => missing.push(format!("{}: {why}", series.name)),
        }
    }
    Ok((found, missing))
}

fn named_image(path: &Path) -> Result<Image> {
    if !path.is_file() {
        bail!("{} is no file, so it is no kernel image", path.display());
    }
    Ok(Image {
        title: path.display().to_string(),
        series: None,
        path: path.to_owned(),
    })
}

/// What `scripts/kernels.sh` left for a series: the image, or why this distribution has none.
fn fetched_image(kernels: &Path, series: &'static Series) -> Result<Result<Image, String>> {
    let folder = kernels.join(series.version);
    let path = folder.join("vmlinuz");
    if path.is_file() {
        return Ok(Ok(Image {
            title: series.name.to_owned(),
            series: Some(series),
            path,
        }));
    }
    match std::fs::read_to_string(folder.join("unavailable")) {
        Ok(why) => Ok(Err(why.trim_end().to_owned())),
        Err(_) => bail!(
            "{} is not there: scripts/setup.sh vm fetches it, or name an image by --kernel",
            path.display()
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(kernels: &Path, arguments: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let kernels = ["vmtests", "--kernels"]
            .map(Into::into)
            .into_iter()
            .chain([kernels.into()]);
        let arguments: Vec<std::ffi::OsString> = kernels.chain(arguments.iter().map(Into::into)).collect();
        let (found, missing) = images(&Args::parse_from(arguments))?;
        Ok((found.into_iter().map(|image| image.title).collect(), missing))
    }

    #[test]
    fn a_series_that_the_distribution_lacks_is_left_out_with_its_reason_and_one_not_fetched_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for series in ["6.1", "6.12"] {
            std::fs::create_dir(folder.path().join(series)).unwrap();
        }
        std::fs::write(folder.path().join("6.12/vmlinuz"), "image").unwrap();
        let error = chosen(folder.path(), &[]).unwrap_err();
        assert!(error.to_string().contains("6.1/vmlinuz is not there"), "{error}");
        std::fs::write(folder.path().join("6.1/unavailable"), "no such package\n").unwrap();
        let (found, missing) = chosen(folder.path(), &[]).unwrap();
        assert_eq!(found, ["6.12", "6.12-preempt"]);
        assert_eq!(missing, ["6.1: no such package", "6.1-preempt: no such package"]);
        assert_eq!(chosen(folder.path(), &["--host"]).unwrap(), (vec![], vec![]));
        assert_eq!(
            chosen(folder.path(), &["--host", "--series", "6.12"]).unwrap().0,
            ["6.12"]
        );
    }

    #[test]
    fn an_image_that_is_no_file_is_an_error_before_anything_is_run() {
        let error = chosen(Path::new("/nowhere"), &["--kernel", "/nowhere/bzImage"]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/bzImage is no file"), "{error}");
    }
}
