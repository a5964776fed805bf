//! `debug`: what passes, for a person, in the log or on standard output.
//!
//! ```yaml
//! exporters:
//!   debug:
//!     verbosity: basic             # a line a request; normal: one an item; detailed: all there is to an item
//!     sampling_initial: 2          # so many requests a second are shown, and of the rest
//!     sampling_thereafter: 1       # every Nth, 0 for none
//!     use_internal_logger: true    # false: to output_paths, whatever the level of the log
//!     output_paths: [stdout]       # stderr, or files, which are appended to
//! ```
//!
//! The text has upstream's form, so that who reads the one can read the other. Control characters are shown by their
//! number, but for line feeds and tabs, so that nobody who sends can write to the terminal of the person who watches.

mod detailed;
mod form;
mod normal;
mod points;
mod sampling;
mod summary;
#[cfg(test)]
mod tests;
mod walk;

use super::complaint::Complaint;
use super::file::WRITE_FAILED;
use collector_config::Section;
use collector_engine::{BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Host, Queue, reason};
use collector_pdata::{Malformed, Payload, Signal};
use detailed::Detailed;
use normal::Normal;
use sampling::Sampler;
use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "debug",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verbosity {
    Basic,
    Normal,
    Detailed,
}

struct DebugExporter {
    /// The component's id, for the log.
    id: String,
    verbosity: Verbosity,
    sampler: Sampler,
    /// None for the log.
    paths: Option<Vec<String>>,
    outputs: Option<Outputs>,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let levels = [
        ("basic", Verbosity::Basic),
        ("normal", Verbosity::Normal),
        ("detailed", Verbosity::Detailed),
    ];
    let verbosity = section.choice("verbosity", &levels).unwrap_or(Verbosity::Basic);
    let sampler = Sampler::new(
        section.count("sampling_initial", 2),
        section.count("sampling_thereafter", 1),
    );
    section.without_effect("sending_queue");
    Box::new(DebugExporter {
        id: section.path().rsplit("::").next().unwrap_or_default().to_owned(),
        verbosity,
        sampler,
        paths: paths(section),
        outputs: None,
    })
}

fn paths(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let is_logged = section.flag("use_internal_logger", true);
    let is_written = section.is_written("output_paths");
    let paths = section.texts_list("output_paths");
    match (is_logged, is_written) {
        (true, false) => return None,
        (true, true) => section.error("output_paths", "needs use_internal_logger: false"),
        (false, false) => return Some(vec!["stdout".to_owned()]),
        (false, true) if paths.is_empty() => section.error("output_paths", "must not be empty"),
        (false, true) => {}
    }
    Some(paths.into_iter().map(str::to_owned).collect())
}

impl Exporter for DebugExporter {
    fn queue(&self) -> Queue {
        Queue::LOCAL
    }

    fn open(&mut self, _: &Host) -> Ended {
        let id = &self.id;
        self.outputs = Some(match &self.paths {
            None => Outputs::Log { id: id.clone() },
            Some(paths) => {
                let open = |path: &String| opened(path).map_err(|error| format!("{id}: {path}: {error}"));
                Outputs::Writers(paths.iter().map(open).collect::<Result<_, _>>()?)
            }
        });
        Ok(())
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let (outputs, verbosity, mut sampler) = (self.outputs.take(), self.verbosity, self.sampler.clone());
        Box::pin(async move {
            let mut outputs = outputs.ok_or("the outputs were not opened")?;
            let mut complaint = Complaint::new("debug", input.health());
            while let Some(delivery) = input.next().await {
                let payload = delivery.payload;
                if !outputs.is_shown() || !sampler.admits(payload.signal(), Instant::now()) {
                    delivery.claim.exported();
                    continue;
                }
                let Ok(shown) = Shown::of(&payload, verbosity) else {
                    delivery.claim.dropped(reason::MALFORMED);
                    continue;
                };
                // Standard output can block, which the engine's thread must not.
                let (back, written) = tokio::task::spawn_blocking(move || {
                    let written = outputs.write(&shown);
                    (outputs, written)
                })
                .await?;
                outputs = back;
                complaint.note(written.as_ref().err().map(|error| error as _));
                match written {
                    Ok(()) => delivery.claim.exported(),
                    Err(_) => delivery.claim.dropped(WRITE_FAILED),
                }
            }
            Ok(())
        })
    }
}

/// A request as it is shown.
struct Shown {
    /// What it is and how much there is of it.
    title: &'static str,
    counts: String,
    /// Lines; empty at the lowest verbosity.
    text: String,
}

impl Shown {
    fn of(payload: &Payload, verbosity: Verbosity) -> Result<Shown, Malformed> {
        let text = match verbosity {
            Verbosity::Basic => String::new(),
            Verbosity::Normal => walk::text::<Normal>(payload)?,
            Verbosity::Detailed => walk::text::<Detailed>(payload)?,
        };
        Ok(Shown {
            title: summary::title(payload.signal()),
            counts: summary::counts(payload)?,
            text: form::harmless(text),
        })
    }
}

/// Where the text goes.
enum Outputs {
    Log { id: String },
    Writers(Vec<Box<dyn Write + Send>>),
}

fn opened(path: &str) -> io::Result<Box<dyn Write + Send>> {
    Ok(match path {
        "stdout" => Box::new(io::stdout()),
        "stderr" => Box::new(io::stderr()),
        path => Box::new(File::options().create(true).append(true).open(path)?),
    })
}

impl Outputs {
    /// Whether anybody sees what is written.
    fn is_shown(&self) -> bool {
        match self {
            Outputs::Log { .. } => tracing::enabled!(tracing::Level::INFO),
            Outputs::Writers(_) => true,
        }
    }

    fn write(&mut self, shown: &Shown) -> io::Result<()> {
        let Shown { title, counts, text } = shown;
        match self {
            Outputs::Log { id } => {
                tracing::info!(exporter = %id, "{title} {counts}");
                if !text.is_empty() {
                    tracing::info!(exporter = %id, "{text}");
                }
                Ok(())
            }
            Outputs::Writers(writers) => {
                // At once, since others may write to the same place.
                let text = format!("{title}\t{counts}\n{text}");
                writers.iter_mut().try_for_each(|out| {
                    out.write_all(text.as_bytes())?;
                    out.flush()
                })
            }
        }
    }
}
