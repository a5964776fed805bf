//! `file`: one OTLP/JSON `ExportTraceServiceRequest` a line.
//!
//! ```yaml
//! exporters:
//!   file:
//!     path: spans.jsonl
//!     append: false   # keep what the file holds
//! ```

use collector_config::Section;
use collector_engine::{
    BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Host, Limits, Overflow, Queue, reason,
};
use collector_pdata::{Payload, Signal, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "file",
    signals: &[Signal::Traces],
    configure,
};

/// The reason that is counted for what could not be written.
pub const WRITE_FAILED: &str = "write_failed";

struct FileExporter {
    path: PathBuf,
    append: bool,
    file: Option<File>,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the file {path}")]
struct OpenError {
    path: String,
    source: std::io::Error,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let path = section.required_text("path");
    if path == Some("") {
        section.error("path", "must not be empty");
    }
    Box::new(FileExporter {
        path: PathBuf::from(path.unwrap_or_default()),
        append: section.flag("append", false),
        file: None,
    })
}

impl Exporter for FileExporter {
    fn queue(&self) -> Queue {
        Queue {
            limits: Limits {
                items: 64 * 1024,
                bytes: 16 << 20,
            },
            counts_requests: false,
            overflow: Overflow::Wait,
            abandoned: reason::SHUTDOWN,
        }
    }

    fn open(&mut self, _: &Host) -> Ended {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(self.append)
            .truncate(!self.append);
        let file = options.open(&self.path).map_err(|source| OpenError {
            path: self.path.display().to_string(),
            source,
        })?;
        self.file = Some(file);
        Ok(())
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let file = self.file.take();
        Box::pin(async move {
            let mut writer = LineWriter::new(file.ok_or("the file was not opened")?);
            while let Some(delivery) = input.next().await {
                let payload = delivery.payload;
                // A file can block (a pipe, a full disk); the engine's thread must not.
                let (back, result) = tokio::task::spawn_blocking(move || {
                    let result = writer.write(&payload);
                    (writer, result)
                })
                .await?;
                writer = back;
                match result {
                    Ok(()) => delivery.claim.exported(),
                    Err(reason) => delivery.claim.dropped(reason),
                }
            }
            Ok(())
        })
    }
}

struct LineWriter {
    file: File,
    line: Vec<u8>,
    /// The last write ended within a line.
    torn: bool,
    complained: bool,
}

impl LineWriter {
    fn new(file: File) -> Self {
        LineWriter {
            file,
            line: Vec::new(),
            torn: false,
            complained: false,
        }
    }

    /// Writes one line; the error is the reason for the account.
    fn write(&mut self, payload: &Payload) -> Result<(), &'static str> {
        self.line.clear();
        if self.torn {
            self.line.push(b'\n');
        }
        let chunks = payload.chunks().iter().map(|chunk| &chunk[..]);
        if let Err(error) = json::put_traces(&mut self.line, chunks) {
            self.complain(&error);
            return Err(reason::MALFORMED);
        }
        self.line.push(b'\n');
        let written = self.file.write_all(&self.line);
        self.torn = written.is_err();
        written.map_err(|error| {
            self.complain(&error);
            WRITE_FAILED
        })
    }

    fn complain(&mut self, error: &(dyn std::error::Error + 'static)) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                error,
                "the file exporter cannot write; what it cannot write is only counted from now on"
            );
        }
    }
}
