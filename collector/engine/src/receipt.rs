//! Tells a receiver when what it has handed on survives the end of the process, so that it promises nothing before.

use crate::counts::lock;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Goes with an entry through its pipeline, in as many parts as there are exporters that keep it. A part that is let go of
/// without a word says that its items may be lost.
pub(crate) struct Receipt {
    shared: Arc<Shared>,
    kept: bool,
}

struct Shared {
    lost: AtomicBool,
    answer: Mutex<Option<oneshot::Sender<bool>>>,
}

/// The end that a receiver waits at.
#[derive(Debug, Default)]
pub struct Kept(Vec<oneshot::Receiver<bool>>);

impl Receipt {
    /// A receipt whose answer is given at `kept`.
    pub(crate) fn new(kept: &mut Kept) -> Self {
        let (answer, answered) = oneshot::channel();
        kept.0.push(answered);
        Receipt {
            shared: Arc::new(Shared {
                lost: AtomicBool::new(false),
                answer: Mutex::new(Some(answer)),
            }),
            kept: false,
        }
    }

    /// Another part.
    pub(crate) fn part(&self) -> Self {
        Receipt {
            shared: self.shared.clone(),
            kept: false,
        }
    }

    /// This part's items are safe, or their sender need not know.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Kept {
    /// Waits until all is where it survives the end of the process. At once if no exporter keeps anything. False if that
    /// failed, so that the sender should send again.
    pub async fn wait(self) -> bool {
        for answered in self.0 {
            if !answered.await.unwrap_or(false) {
                return false;
            }
        }
        true
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let answer = lock(&self.answer).take();
        // Nobody may wait any more.
        let _ = answer.map(|answer| answer.send(!self.lost.load(Ordering::Relaxed)));
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_parts_must_be_kept() {
        let mut kept = Kept::default();
        let receipt = Receipt::new(&mut kept);
        let part = receipt.part();
        receipt.keep();
        let waiting = tokio::spawn(kept.wait());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        part.keep();
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn a_part_that_is_let_go_of_is_lost() {
        let mut kept = Kept::default();
        let receipt = Receipt::new(&mut kept);
        drop(receipt.part());
        receipt.keep();
        assert!(!kept.wait().await);
        assert!(Kept::default().wait().await);
    }
}
