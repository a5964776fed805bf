//! Calls that may never return, made on another thread and waited for only so long.
//!
//! The files of a process may lie on a file system that does not answer (FUSE, a dead server), and the agent's one thread
//! must not stand still with them. A thread that is given up on ends when its call returns, if ever.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most threads that are given up on and have not returned. Beyond it nothing is called any more.
const MAX_STUCK: usize = 16;

/// A function of a process id, called with patience.
pub(crate) struct Patient<R> {
    function: Arc<dyn Fn(u32) -> R + Send + Sync>,
    patience: Duration,
    worker: Option<Worker<R>>,
    stuck: Vec<JoinHandle<()>>,
}

struct Worker<R> {
    calls: Sender<u32>,
    results: Receiver<R>,
    thread: JoinHandle<()>,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResult {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{MAX_STUCK} earlier calls have not returned yet")]
    Stuck,
    #[error("the thread that was to answer has ended")]
    Ended,
}

impl<R: Send + 'static> Patient<R> {
    pub(crate) fn new(patience: Duration, function: impl Fn(u32) -> R + Send + Sync + 'static) -> Self {
        Patient {
            function: Arc::new(function),
            patience,
            worker: None,
            stuck: Vec::new(),
        }
    }

    pub(crate) fn call(&mut self, pid: u32) -> Result<R, NoResult> {
        self.stuck.retain(|thread| !thread.is_finished());
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None if self.stuck.len() >= MAX_STUCK => return Err(NoResult::Stuck),
            None => Worker::start(self.function.clone()).ok_or(NoResult::Ended)?,
        };
        // A thread that has ended shows by the result that does not come.
        let _ = worker.calls.send(pid);
        match worker.results.recv_timeout(self.patience) {
            Ok(result) => {
                self.worker = Some(worker);
                Ok(result)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.push(worker.thread);
                Err(NoResult::Late(self.patience))
            }
            Err(RecvTimeoutError::Disconnected) => Err(NoResult::Ended),
        }
    }
}

impl<R: Send + 'static> Worker<R> {
    fn start(function: Arc<dyn Fn(u32) -> R + Send + Sync>) -> Option<Self> {
        let (calls, called) = channel();
        let (answer, results) = channel();
        let work = move || {
            for pid in called {
                if answer.send(function(pid)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("inspect".into()).spawn(work).ok()?;
        Some(Worker { calls, results, thread })
    }
}

impl<R> fmt::Debug for Patient<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient")
            .field("stuck", &self.stuck.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, Mutex};

    #[test]
    fn a_call_that_does_not_return_costs_its_answer_and_no_other() {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let closed = gate.clone();
        let mut patient = Patient::new(Duration::from_millis(20), move |pid| {
            let (open, opened) = &*closed;
            if pid == 0 {
                drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            }
            pid * 2
        });
        assert_eq!(patient.call(21), Ok(42));
        for _ in 0..MAX_STUCK {
            assert_eq!(patient.call(0), Err(NoResult::Late(patient.patience)));
        }
        assert_eq!(patient.call(1), Err(NoResult::Stuck));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        patient.stuck.drain(..).for_each(|thread| thread.join().unwrap());
        assert_eq!(patient.call(0), Ok(0));
    }

    #[test]
    fn a_panic_is_no_answer_and_the_next_call_has_one() {
        let mut patient = Patient::new(Duration::from_secs(60), |pid| {
            assert_ne!(pid, 0, "on purpose");
            pid
        });
        assert_eq!(patient.call(0), Err(NoResult::Ended));
        assert_eq!(patient.call(7), Ok(7));
    }
}
