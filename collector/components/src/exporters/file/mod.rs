//! `file`: export requests in a file, one OTLP/JSON text a line, or protobuf messages behind their lengths.
//!
//! ```yaml
//! exporters:
//!   file:
//!     path: telemetry.jsonl
//!     append: false                # keep what the file holds
//!     format: json                 # or proto: each message behind four bytes of length, the highest first
//!     compression: zstd            # each message by itself; behind its length, in either format
//!     rotation: {max_megabytes: 100, max_days: 0, max_backups: 100}
//!     create_directory: false
//! ```
//!
//! A request is written at once and as a whole, so that `flush_interval` has nothing to do. Rotated files are named
//! `telemetry-2026-01-31T23-59-59.999.jsonl`, in UTC.

mod encode;
mod rotate;

use super::complaint::Complaint;
use collector_config::Section;
use collector_engine::{BoxError, BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Host, Queue, reason};
use collector_pdata::{Payload, Signal};
use encode::{Encoder, Format};
use rotate::{RotatingFile, Rotation};
use std::path::PathBuf;
use std::time::Duration;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "file",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

/// The reason that is counted for what could not be written.
pub const WRITE_FAILED: &str = "write_failed";

struct FileExporter {
    path: PathBuf,
    append: bool,
    /// The permissions of the directories that are made, if any are.
    create_directory: Option<u32>,
    format: Format,
    compress: bool,
    rotation: Option<Rotation>,
    writer: Option<Writer>,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let path = section.required_text("path");
    if path == Some("") {
        section.error("path", "must not be empty");
    }
    let format = section.choice("format", &[("json", Format::Json), ("proto", Format::Proto)]);
    let compress = section.choice("compression", &[("", false), ("none", false), ("zstd", true)]);
    let exporter = FileExporter {
        path: PathBuf::from(path.unwrap_or_default()),
        append: section.flag("append", false),
        create_directory: create_directory(section),
        format: format.unwrap_or(Format::Json),
        compress: compress.unwrap_or(false),
        rotation: rotation(section),
        writer: None,
    };
    section.duration("flush_interval", Duration::from_secs(1));
    section.unsupported("encoding", "requests are written as format says");
    section.section("group_by", |group| {
        if group.flag("enabled", false) {
            group.error(
                "enabled",
                "must be false: a file for each value of an attribute is not supported; all would be in one",
            );
        }
        group.accept(&["resource_attribute", "max_open_files"]);
    });
    for (other, is_set) in [
        ("compression", exporter.compress),
        ("rotation", exporter.rotation.is_some()),
    ] {
        if exporter.append && is_set {
            section.error("append", format!("cannot be used together with {other}"));
        }
    }
    Box::new(exporter)
}

fn create_directory(section: &mut Section<'_, '_>) -> Option<u32> {
    let wanted = section.flag("create_directory", false);
    let mode = section.permissions("directory_permissions", 0o755);
    wanted.then_some(mode)
}

fn rotation(section: &mut Section<'_, '_>) -> Option<Rotation> {
    section.optional_section("rotation", |rotation| {
        if rotation.flag("localtime", false) {
            rotation.warn("localtime", "has no effect: rotated files are named in UTC");
        }
        Rotation {
            max_bytes: rotation.count_in("max_megabytes", 1..=1 << 30, 100) << 20,
            max_days: rotation.count_in("max_days", 0..=1 << 20, 0),
            max_backups: rotation.count("max_backups", 100) as usize,
        }
    })
}

impl Exporter for FileExporter {
    fn queue(&self) -> Queue {
        Queue::LOCAL
    }

    fn open(&mut self, _: &Host) -> Ended {
        self.writer = Some(Writer {
            encoder: Encoder::new(self.format, self.compress)?,
            file: RotatingFile::open(&self.path, self.append, self.rotation, self.create_directory)?,
        });
        Ok(())
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let writer = self.writer.take();
        Box::pin(async move {
            let mut writer = writer.ok_or("the file was not opened")?;
            let mut complaint = Complaint::new("file", input.health());
            while let Some(delivery) = input.next().await {
                let payload = delivery.payload;
                // A file can block (a pipe, a full disk); the engine's thread must not.
                let (back, result) = tokio::task::spawn_blocking(move || {
                    let result = writer.write(&payload);
                    (writer, result)
                })
                .await?;
                writer = back;
                complaint.note(result.as_ref().err().map(|(_, error)| &**error as _));
                match result {
                    Ok(()) => delivery.claim.exported(),
                    Err((reason, _)) => delivery.claim.dropped(reason),
                }
            }
            Ok(())
        })
    }
}

struct Writer {
    encoder: Encoder,
    file: RotatingFile,
}

/// The reason for the account, and what happened.
type Unwritten = (&'static str, BoxError);

impl Writer {
    fn write(&mut self, payload: &Payload) -> Result<(), Unwritten> {
        let is_line = self.encoder.is_lines();
        let record = self.encoder.encode(payload);
        let record = record.map_err(|error| (reason::MALFORMED, error))?;
        self.file
            .write(record, is_line)
            .map_err(|error| (WRITE_FAILED, error.into()))
    }
}
