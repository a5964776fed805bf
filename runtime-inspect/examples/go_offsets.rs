//! Makes `data/go-struct-offsets.tsv` anew: compiles a small program with each Go release, reads the program's DWARF,
//! and writes the versions at which an offset changed.
//!
//! Usage: `cargo run -p runtime-inspect --example go_offsets [OUTPUT]`. The releases are fetched by the `go` command
//! itself (`GOTOOLCHAIN`), so it needs a Go toolchain of 1.21 or later and its module proxy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::{GoBinary, OffsetSource, WANTED_STD, offsets};

/// The last patch release of each minor one, oldest first. Structs of Go's own packages do not change in patch releases.
const RELEASES: [&str; 9] = [
    "go1.18.10",
    "go1.19.13",
    "go1.20.14",
    "go1.21.13",
    "go1.22.12",
    "go1.23.12",
    "go1.24.13",
    "go1.25.4",
    "go1.26.0",
];

/// A program that links every struct of the table.
const PROGRAM: &str = r#"package main

import (
	"context"
	"net/http"
	"os"
)

type key struct{}

func main() {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, len(os.Args)))
	defer cancel()
	counts := map[string]int{}
	for _, a := range os.Args {
		counts[a]++
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(len(counts)) })
	request, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1/", nil)
	if err != nil {
		panic(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		println(response.StatusCode)
	}
	_ = http.ListenAndServe("127.0.0.1:1", nil)
}
"#;

/// (type, field) -> offset in each release, `None` where there is no such field.
type Columns = BTreeMap<(String, String), Vec<Option<u64>>>;

fn main() -> Result<()> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/data/go-struct-offsets.tsv");
    let output = std::env::args().nth(1).unwrap_or_else(|| default.to_owned());
    let mut columns = Columns::new();
    for release in RELEASES {
        let folder = tempfile::tempdir()?;
        let program = build(release, folder.path()).with_context(|| format!("building with {release}"))?;
        read_release(&program, &mut columns).with_context(|| format!("reading the program built with {release}"))?;
        println!("{release}: read");
    }
    let text = table_text(&columns)?;
    std::fs::write(&output, text).with_context(|| format!("writing {output}"))?;
    println!("{output}: {} fields", columns.len());
    Ok(())
}

fn build(release: &str, folder: &Path) -> Result<GoBinary> {
    std::fs::write(folder.join("main.go"), PROGRAM)?;
    std::fs::write(folder.join("go.mod"), "module example.com/offsets\n\ngo 1.18\n")?;
    // The Go on the machine stands for its own minor release: it need not be fetched.
    let local = local_release()?;
    let toolchain = if same_minor(&local, release) { "local" } else { release };
    let output = Command::new("go")
        .args(["build", "-o", "program", "."])
        .current_dir(folder)
        .env("GOTOOLCHAIN", toolchain)
        .output()
        .context("running go")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(GoBinary::open(ElfFile::open(folder.join("program"))?)?)
}

fn local_release() -> Result<String> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .context("running go")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn same_minor(a: &str, b: &str) -> bool {
    a.split('.').take(2).eq(b.split('.').take(2))
}

fn read_release(program: &GoBinary, columns: &mut Columns) -> Result<()> {
    let types: Vec<&str> = WANTED_STD.iter().map(|(name, _)| *name).collect();
    let found = program.field_offsets(&types);
    for (name, fields) in WANTED_STD {
        // The answer of the table that is being replaced does not count.
        let known = found.source(name) == OffsetSource::Dwarf;
        let mut add = |field: &str, offset: Option<u64>| {
            columns
                .entry(((*name).to_owned(), field.to_owned()))
                .or_default()
                .push(offset.filter(|_| known));
        };
        add(offsets::SIZE_FIELD, found.size(name).ok());
        for field in *fields {
            add(field, found.get(name, field).ok());
        }
    }
    Ok(())
}

fn table_text(columns: &Columns) -> Result<String> {
    let minors: Vec<String> = RELEASES.iter().map(|release| minor(release)).collect();
    let mut text = String::from(
        "# Offsets of struct fields in Go programs, in bytes, on 64-bit processors.\n\
         # Made by `cargo run -p runtime-inspect --example go_offsets` from the DWARF of programs built with each release.\n\
         # Columns: module, type, field, first version of the band, offset (- where there is no such field).\n",
    );
    let (first, last) = (
        minors.first().context("no releases")?,
        minors.last().context("no releases")?,
    );
    writeln!(text, "covers\tstd\t{first}\t{last}")?;
    for ((name, field), values) in columns {
        ensure!(
            values.iter().any(Option::is_some),
            "{name}.{field} is in no release: it is misspelt"
        );
        let mut previous = None;
        for (value, minor) in values.iter().zip(&minors) {
            if *value != previous {
                let offset = value.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
                writeln!(text, "std\t{name}\t{field}\t{minor}\t{offset}")?;
                previous = *value;
            }
        }
    }
    Ok(text)
}

/// `1.18` of `go1.18.10`.
fn minor(release: &str) -> String {
    release
        .trim_start_matches("go")
        .split('.')
        .take(2)
        .collect::<Vec<_>>()
        .join(".")
}
