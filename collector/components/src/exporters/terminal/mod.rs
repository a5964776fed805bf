//! `terminal`: spans for a person, on standard output.
//!
//! ```yaml
//! exporters:
//!   terminal:
//!     format: auto    # tree, lines, json; auto is tree on a terminal and lines elsewhere
//!     settle: 200ms   # how long a trace must be quiet before its tree is drawn
//! ```
//!
//! A trace is drawn once no span of it has come for the settle time, or when it has waited long enough, or when memory is
//! short; what comes later is drawn as a tree of its own. Whatever a span says is escaped, so that a traced program cannot
//! write control sequences. Colour only on a terminal, and not where `NO_COLOR` is set.

mod render;
mod row;
mod trees;

use collector_config::Section;
use collector_engine::{
    BoxError, BoxFuture, Claim, Delivery, Ended, Exporter, ExporterFactory, ExporterInput, Limits, Overflow, Queue,
    reason,
};
use collector_pdata::{Signal, json};
pub(crate) use row::can_control;
use row::rows;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};
use trees::Trees;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "terminal",
    signals: &[Signal::Traces],
    configure,
};

/// How often quiet traces are looked for, as a part of the settle time.
const CHECKS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tree,
    Lines,
    Json,
}

struct TerminalExporter {
    format: Option<Format>,
    settle: Duration,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let formats = [
        ("auto", None),
        ("tree", Some(Format::Tree)),
        ("lines", Some(Format::Lines)),
        ("json", Some(Format::Json)),
    ];
    Box::new(TerminalExporter {
        format: section.choice("format", &formats).flatten(),
        settle: section.duration("settle", Duration::from_millis(200)),
    })
}

impl Exporter for TerminalExporter {
    fn queue(&self) -> Queue {
        Queue {
            limits: Limits {
                items: 16 * 1024,
                bytes: 8 << 20,
            },
            counts_requests: false,
            overflow: Overflow::Wait,
            abandoned: reason::SHUTDOWN,
        }
    }

    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended> {
        let is_terminal = std::io::stdout().is_terminal();
        let screen = Screen {
            text: Vec::new(),
            shown: Vec::new(),
            is_coloured: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            complained: false,
        };
        let format = self
            .format
            .unwrap_or(if is_terminal { Format::Tree } else { Format::Lines });
        match format {
            Format::Tree => Box::pin(draw_trees(screen, Trees::new(self.settle), input)),
            Format::Lines => Box::pin(draw(screen, input, put_lines)),
            Format::Json => Box::pin(draw(screen, input, put_json)),
        }
    }
}

async fn draw_trees(mut screen: Screen, mut trees: Trees, mut input: ExporterInput) -> Ended {
    let check = (trees.settle() / CHECKS).max(Duration::from_millis(10));
    loop {
        let next = if trees.is_empty() {
            Ok(input.next().await)
        } else {
            tokio::time::timeout(check, input.next()).await
        };
        let now = Instant::now();
        match next {
            Ok(Some(Delivery { payload, mut claim, .. })) => match rows(&payload) {
                Ok(rows) => rows.into_iter().for_each(|row| trees.add(row, claim.split(1), now)),
                Err(_) => claim.dropped(reason::MALFORMED),
            },
            Ok(None) => break,
            Err(_) => {}
        }
        while let Some(trace) = trees.pop_due(now) {
            screen.put_trace(trace);
        }
        screen = screen.show().await?;
    }
    while let Some(trace) = trees.pop() {
        screen.put_trace(trace);
    }
    screen.show().await.map(drop)
}

async fn draw(
    mut screen: Screen,
    mut input: ExporterInput,
    put: fn(&mut Screen, &Delivery) -> Result<(), collector_pdata::Malformed>,
) -> Ended {
    while let Some(delivery) = input.next().await {
        match put(&mut screen, &delivery) {
            Ok(()) => screen.shown.push(delivery.claim),
            Err(_) => delivery.claim.dropped(reason::MALFORMED),
        }
        screen = screen.show().await?;
    }
    Ok(())
}

fn put_lines(screen: &mut Screen, delivery: &Delivery) -> Result<(), collector_pdata::Malformed> {
    for row in rows(&delivery.payload)? {
        render::put_line(&mut screen.text, &row, screen.is_coloured);
    }
    Ok(())
}

fn put_json(screen: &mut Screen, delivery: &Delivery) -> Result<(), collector_pdata::Malformed> {
    let chunks = delivery.payload.chunks().iter().map(|chunk| &chunk[..]);
    json::put(delivery.payload.signal(), &mut screen.text, chunks)?;
    screen.text.push(b'\n');
    Ok(())
}

/// Text on its way to standard output, and the duty for the spans in it.
struct Screen {
    text: Vec<u8>,
    shown: Vec<Claim>,
    is_coloured: bool,
    complained: bool,
}

impl Screen {
    fn put_trace(&mut self, trace: trees::Trace) {
        let (rows, claims): (Vec<_>, Vec<_>) = trace.spans.into_iter().unzip();
        render::put_trace(&mut self.text, &trace.id, &rows, self.is_coloured);
        self.shown.extend(claims);
    }

    /// Writes the text. Standard output can block, which the engine's thread must not.
    async fn show(mut self) -> Result<Self, BoxError> {
        if self.text.is_empty() {
            return Ok(self);
        }
        let text = std::mem::take(&mut self.text);
        let (mut text, written) = tokio::task::spawn_blocking(move || {
            let mut out = std::io::stdout().lock();
            let written = out.write_all(&text).and_then(|()| out.flush());
            (text, written)
        })
        .await?;
        text.clear();
        self.text = text;
        let shown = self.shown.drain(..);
        match written {
            Ok(()) => shown.for_each(Claim::exported),
            Err(error) => {
                shown.for_each(|claim| claim.dropped(super::file::WRITE_FAILED));
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, "cannot write to standard output; further spans are only counted");
                }
            }
        }
        Ok(self)
    }
}
