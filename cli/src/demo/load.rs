//! A light load: a visitor who opens the front page, and now and then a page that is broken or missing.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two visits.
const PAUSE: Duration = Duration::from_millis(400);
/// What is visited, again and again.
const PAGES: [&str; 6] = ["/", "/", "/missing", "/", "/", "/broken"];

/// Runs until stopped.
pub struct Load {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Begins to visit the server on this port of loopback.
    pub fn start(port: u16) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let visit_all = move || {
            for page in PAGES.iter().cycle() {
                if let Err(error) = visit(port, page) {
                    tracing::warn!(page, error = format!("{error:#}"), "a visit failed");
                }
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("load".into())
            .spawn(visit_all)
            .context("cannot start a thread")?;
        Ok(Load { stop, thread })
    }

    /// Ends after the visit that is going on.
    pub fn stop(self) {
        drop(self.stop);
        // A panic of the thread has been printed; there is nothing to clean up.
        let _ = self.thread.join();
    }
}

fn visit(port: u16, page: &str) -> Result<()> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        connection,
        "GET {page} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: visitor\r\nConnection: close\r\n\r\n"
    )?;
    connection.read_to_end(&mut Vec::new())?;
    Ok(())
}
