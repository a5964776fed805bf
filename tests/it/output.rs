//! What `odigos run` shows on standard output, on a terminal and in a pipe.

use crate::support::{Observed, account, binary, check_account, in_text, until};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

const PATHS: [&str; 2] = ["/shown", "/shown/again"];

/// What a run with these options writes into a pipe.
fn in_a_pipe(options: &[&str]) -> String {
    let run = Observed::start(options);
    run.ask(&PATHS);
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    check_account(&finished.log);
    assert_eq!(
        account(&finished.log, "exported"),
        PATHS.len() as u64,
        "{}",
        finished.log
    );
    finished.out
}

/// What a run with these options writes on a terminal.
fn on_a_terminal(options: &[&str], environment: &[(&str, &str)]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut odigos = Command::new(binary("odigos"));
    odigos.env_remove("NO_COLOR").envs(environment.iter().copied());
    let run = Observed::start_by(&mut odigos, Stdio::from(end), options);
    run.ask(&PATHS);
    // A terminal that nobody reads fills up, and what its other end's closing leaves is lost to those who come later.
    let reader = std::thread::spawn(move || {
        let (mut text, mut piece) = (Vec::new(), [0; 4096]);
        let mut terminal = File::from(terminal);
        // Reading fails when nobody has the other end open any longer.
        while let Ok(read) = terminal.read(&mut piece) {
            text.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(text).unwrap()
    });
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    until("the end of what is on the terminal", || {
        reader.is_finished().then_some(())
    });
    reader.join().unwrap()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A tree for each request: a line for the trace, and below it the server's span.
fn check_trees(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2 * PATHS.len(), "{text}");
    for (tree, path) in lines.chunks(2).zip(PATHS) {
        let head: Vec<&str> = tree[0].split_whitespace().collect();
        assert!(
            head[0] == "trace" && is_hex(head[1], 32) && head[3..5] == ["1", "span"],
            "{text}"
        );
        assert!(
            tree[1].starts_with(&format!("└─ http.server  GET {path}  server  404  ")),
            "{text}"
        );
    }
}

/// A line for each span.
fn check_lines(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), PATHS.len(), "{text}");
    for (line, path) in lines.iter().zip(PATHS) {
        assert!(
            line.contains(&format!("  http.server  GET {path}  server  404  ")),
            "{text}"
        );
        let id = |name: &str| {
            line.split(name)
                .nth(1)
                .and_then(|rest| rest.split_whitespace().next())
                .unwrap()
        };
        assert!(is_hex(id(" trace="), 32) && is_hex(id(" span="), 16), "{text}");
    }
}

#[test]
fn a_pipe_is_given_lines_unless_something_else_is_asked_for() {
    check_lines(&in_a_pipe(&[]));
    check_lines(&in_a_pipe(&["--output", "lines"]));
    check_trees(&in_a_pipe(&["-o", "tree"]));
    assert_eq!(in_a_pipe(&["-o", "quiet"]), "");
}

#[test]
fn json_is_one_request_a_line() {
    let spans = in_text(&in_a_pipe(&["-o", "json"]));
    let paths: Vec<&str> = spans.iter().map(|span| span.get("url.path")).collect();
    assert_eq!(paths, ["/shown", "/shown/again"]);
    assert!(spans.iter().all(|span| span.is_server()), "{spans:#?}");
}

#[test]
fn a_terminal_is_given_trees_in_colour_unless_something_else_is_asked_for() {
    const ESCAPE: char = '\u{1b}';
    let plain = [("NO_COLOR", "1")];
    check_trees(&on_a_terminal(&[], &plain));
    check_lines(&on_a_terminal(&["-o", "lines"], &plain));
    let coloured = on_a_terminal(&[], &[]);
    assert!(coloured.contains(ESCAPE) && coloured.contains("└─ "), "{coloured}");
    let uncoloured: String = coloured
        .split(ESCAPE)
        .enumerate()
        .map(|(index, part)| {
            if index == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            }
        })
        .collect();
    check_trees(&uncoloured);
}
