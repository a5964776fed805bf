//! The engine's threads: one for each core, each with a runtime of its own that shares nothing with another.

use crate::counts::Pulse;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

/// How often a worker shows that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// The workers. The first one's runtime is driven by the thread that supervises the engine.
#[derive(Debug)]
pub(crate) struct Workers {
    handles: Vec<Handle>,
    pulses: Vec<Arc<Pulse>>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts `count` of them, at least one; the runtime of the first is for the caller to drive.
    pub(crate) fn start(count: usize) -> std::io::Result<(Runtime, Self)> {
        let first = runtime()?;
        let mut workers = Workers {
            handles: Vec::new(),
            pulses: Vec::new(),
            threads: Vec::new(),
            stop: watch::channel(false).0,
        };
        workers.add(&first);
        for index in 1..count {
            let runtime = runtime()?;
            workers.add(&runtime);
            let mut stop = workers.stop.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("collector-{index}"))
                .spawn(move || {
                    // An error says that the sender is gone, which is a stop too.
                    let _ = runtime.block_on(stop.wait_for(|stop| *stop));
                    runtime.shutdown_background();
                })?;
            workers.threads.push(thread);
        }
        Ok((first, workers))
    }

    fn add(&mut self, runtime: &Runtime) {
        let pulse = Arc::<Pulse>::default();
        let beating = pulse.clone();
        runtime.spawn(async move {
            loop {
                beating.beat();
                tokio::time::sleep(BEAT).await;
            }
        });
        self.pulses.push(pulse);
        self.handles.push(runtime.handle().clone());
    }

    pub(crate) fn count(&self) -> usize {
        self.handles.len()
    }

    pub(crate) fn handle(&self, index: usize) -> &Handle {
        &self.handles[index % self.handles.len()]
    }

    pub(crate) fn pulses(&self) -> Vec<Arc<Pulse>> {
        self.pulses.clone()
    }

    /// Ends all but the first.
    pub(crate) fn stop(self) {
        // Nobody listens if there is only one.
        let _ = self.stop.send(true);
        for thread in self.threads {
            // A panic of a task was reported by the task; the thread itself has nothing of its own to say.
            let _ = thread.join();
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
