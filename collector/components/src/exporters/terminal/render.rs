//! Rows as text. Pure.

use super::row::Row;
use std::collections::{HashMap, HashSet};
use std::io::Write;

/// Branches are drawn to this depth; deeper spans stand at it.
const MAX_DEPTH: usize = 24;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";

/// Appends a trace as a tree: a line for the trace, and one for each span below its parent, by start.
pub(crate) fn put_trace(out: &mut Vec<u8>, id: &[u8; 16], rows: &[Row], is_coloured: bool) {
    let ink = Ink(is_coloured);
    let start = rows.iter().map(|row| row.start).min().unwrap_or(0);
    let end = rows.iter().map(|row| row.end).max().unwrap_or(0);
    let spans = if rows.len() == 1 { "span" } else { "spans" };
    put(
        out,
        format_args!(
            "{}trace {}  {}  {} {spans}  {}{}\n",
            ink.dim(),
            hex(id),
            time_of_day(start),
            rows.len(),
            duration(end - start),
            ink.reset()
        ),
    );
    for branch in branches(rows) {
        let row = &rows[branch.row];
        put(out, format_args!("{}", branch.prefix));
        put_span(out, row, ink);
        if row.start > start {
            put(
                out,
                format_args!("  {}+{}{}", ink.dim(), duration(row.start - start), ink.reset()),
            );
        }
        out.push(b'\n');
    }
}

/// Appends a span as one line.
pub(crate) fn put_line(out: &mut Vec<u8>, row: &Row, is_coloured: bool) {
    let ink = Ink(is_coloured);
    put(
        out,
        format_args!("{}{}{}  ", ink.dim(), time_of_day(row.start), ink.reset()),
    );
    put_span(out, row, ink);
    put(
        out,
        format_args!("  {}trace={} span={}", ink.dim(), hex(&row.trace_id), hex(&row.span_id)),
    );
    if let Some(parent) = &row.parent {
        put(out, format_args!(" parent={}", hex(parent)));
    }
    put(out, format_args!("{}\n", ink.reset()));
}

fn put_span(out: &mut Vec<u8>, row: &Row, ink: Ink) {
    put(
        out,
        format_args!("{}{}{}  {}", ink.paint(CYAN), row.service, ink.reset(), row.name),
    );
    if !row.target.is_empty() {
        put(out, format_args!(" {}", row.target));
    }
    put(out, format_args!("  {}  ", row.kind));
    put_status(out, row, ink);
    put(out, format_args!("  {}", duration(row.end - row.start)));
}

/// The HTTP status where there is one, and what went wrong where that does not say it.
fn put_status(out: &mut Vec<u8>, row: &Row, ink: Ink) {
    let status = row.http_status.map(|status| status.to_string());
    let text = match (&row.error, status) {
        (None, status) => {
            return put(
                out,
                format_args!(
                    "{}{}{}",
                    ink.paint(GREEN),
                    status.as_deref().unwrap_or("ok"),
                    ink.reset()
                ),
            );
        }
        (Some(error), Some(status)) if *error == status => format!("{status} error"),
        (Some(error), Some(status)) => format!("{status} {error}"),
        (Some(error), None) => error.clone(),
    };
    put(out, format_args!("{}{text}{}", ink.paint(RED), ink.reset()));
}

struct Branch {
    row: usize,
    prefix: String,
}

/// The rows in the order of drawing. Each is drawn once, whatever the ids say: a span whose parent is not there is a root,
/// and so is the first of a circle.
fn branches(rows: &[Row]) -> Vec<Branch> {
    let ids: HashSet<[u8; 8]> = rows.iter().map(|row| row.span_id).collect();
    let mut children: HashMap<[u8; 8], Vec<usize>> = HashMap::new();
    let mut by_start: Vec<usize> = (0..rows.len()).collect();
    by_start.sort_by_key(|index| (rows[*index].start, *index));
    let mut roots = Vec::new();
    for index in &by_start {
        match rows[*index].parent.filter(|parent| ids.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(*index),
            None => roots.push(*index),
        }
    }
    let mut drawing = Drawing {
        rows,
        children,
        drawn: vec![false; rows.len()],
        branches: Vec::new(),
    };
    drawing.draw(roots);
    for index in by_start {
        drawing.draw(vec![index]);
    }
    drawing.branches
}

struct Drawing<'a> {
    rows: &'a [Row],
    children: HashMap<[u8; 8], Vec<usize>>,
    drawn: Vec<bool>,
    branches: Vec<Branch>,
}

impl Drawing<'_> {
    /// Draws `siblings` and all below them, with a stack of its own, since a chain of spans may be long.
    fn draw(&mut self, siblings: Vec<usize>) {
        let mut stack = Vec::new();
        push_siblings(&mut stack, siblings, "", 0);
        while let Some((index, own, below, depth)) = stack.pop() {
            if std::mem::replace(&mut self.drawn[index], true) {
                continue;
            }
            self.branches.push(Branch {
                row: index,
                prefix: own,
            });
            if let Some(children) = self.children.remove(&self.rows[index].span_id) {
                push_siblings(&mut stack, children, &below, depth + 1);
            }
        }
    }
}

type Pending = (usize, String, String, usize);

/// In reverse, since the stack gives the last one first.
fn push_siblings(stack: &mut Vec<Pending>, siblings: Vec<usize>, prefix: &str, depth: usize) {
    let last = siblings.len().saturating_sub(1);
    for (position, index) in siblings.into_iter().enumerate().rev() {
        let (own, below) = if position == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let below = if depth < MAX_DEPTH {
            format!("{prefix}{below}")
        } else {
            prefix.to_owned()
        };
        stack.push((index, format!("{prefix}{own}"), below, depth));
    }
}

#[derive(Clone, Copy)]
struct Ink(bool);

impl Ink {
    fn paint(self, colour: &'static str) -> &'static str {
        if self.0 { colour } else { "" }
    }
    fn dim(self) -> &'static str {
        self.paint(DIM)
    }
    fn reset(self) -> &'static str {
        self.paint(RESET)
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(text);
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Three significant digits and a unit.
fn duration(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{:.0}us", value / 1e3),
        1_000_000..10_000_000 => format!("{:.2}ms", value / 1e6),
        10_000_000..1_000_000_000 => format!("{:.1}ms", value / 1e6),
        _ => format!("{:.2}s", value / 1e9),
    }
}

/// Hours to milliseconds, UTC.
fn time_of_day(unix_nanos: u64) -> String {
    let millis = unix_nanos / 1_000_000 % 86_400_000;
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", millis % 1000)
}

#[cfg(test)]
mod tests;
