//! libbpf's own messages. They name the cause of a failed load better than its error number does, so the last ones are
//! kept and become part of the error.

use libbpf_rs::PrintLevel;
use std::sync::{Mutex, Once};

/// Enough for a verifier's log, which says at its end what went wrong.
const KEPT: usize = 16 << 10;

static MESSAGES: Mutex<String> = Mutex::new(String::new());
static INSTALL: Once = Once::new();

/// Sends libbpf's messages here instead of to stderr.
pub(crate) fn capture() {
    INSTALL.call_once(|| {
        libbpf_rs::set_print(Some((PrintLevel::Info, keep)));
    });
    if let Ok(mut messages) = MESSAGES.lock() {
        messages.clear();
    }
}

/// What libbpf has said since [`capture`].
pub(crate) fn captured() -> String {
    MESSAGES
        .lock()
        .map(|messages| messages.trim_end().to_owned())
        .unwrap_or_default()
}

fn keep(_: PrintLevel, message: String) {
    let Ok(mut messages) = MESSAGES.lock() else { return };
    messages.push_str(&message);
    if messages.len() > KEPT {
        let mut cut = messages.len() - KEPT;
        while !messages.is_char_boundary(cut) {
            cut += 1;
        }
        messages.drain(..cut);
    }
}
