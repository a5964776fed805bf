//! Makes tables out of the files in `destinations/`, `distributions/` and `profiles/`, so that a new one is a file and no line of code.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    table("destinations")?;
    table("distributions")?;
    table("profiles")
}

/// Writes `FOLDER.rs`: name and text of each YAML file in the folder.
fn table(folder: &str) -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(folder);
    println!("cargo::rerun-if-changed={}", path.display());
    let mut paths = fs::read_dir(&path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let mut table = String::from("&[\n");
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(table, "    ({name:?}, include_str!({path:?})),")?;
    }
    table.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join(format!("{folder}.rs")), table)?;
    Ok(())
}
