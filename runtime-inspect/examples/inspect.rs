//! Prints what is known about a process, or about all: `cargo run -p runtime-inspect --example inspect [PID]...`.

use runtime_inspect::Inspector;
use runtime_inspect::facts::process::pids;

fn main() -> anyhow::Result<()> {
    let named: Vec<u32> = std::env::args()
        .skip(1)
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let inspector = Inspector::default();
    for pid in if named.is_empty() { pids()? } else { named } {
        match inspector.inspect(pid) {
            Ok(inspection) => {
                println!("{pid}\t{}", inspection.exe.escape_debug());
                for finding in &inspection.findings {
                    let value = finding.value.as_deref().unwrap_or("?");
                    println!(
                        "\t{}\t{}\t{}",
                        finding.subject.as_str(),
                        value.escape_debug(),
                        finding.evidence.escape_debug()
                    );
                }
            }
            Err(error) => println!("{pid}\t{error}"),
        }
    }
    Ok(())
}
