//! The engine's thread: it starts the tasks, watches them, and ends them in the direction of flow.

use crate::account::{Account, ExporterCounts, Ledger, PipelineCounts, ReceiverCounts};
use crate::chain::Chain;
use crate::channel::{self, Limits};
use crate::component::BoxError;
use crate::fanout::{Delivery, Entry, ExporterInput, ExporterQueue, FanOut, Output};
use crate::plan::Plan;
use collector_config::{ComponentId, Pipeline, Reference};
use kit::drain::{Drain, Draining};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};

/// How long the drain may take when nobody has said so: when the receivers have ended by themselves, or a task failed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The queue between receivers and a pipeline's processors. Small: a receiver that is made to wait passes that on.
const PIPELINE_QUEUE: Limits = Limits {
    items: 32 * 1024,
    bytes: 16 << 20,
};

/// Why the engine ended other than by a drain.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A component's task failed.
    #[error("{component} failed")]
    Component {
        /// Its role and id.
        component: String,
        /// Why.
        source: BoxError,
    },
    /// The engine's own thread panicked.
    #[error("the collector's thread panicked")]
    Panicked,
}

/// A running engine. Dropping it begins the drain and does not wait.
#[derive(Debug)]
pub struct Engine {
    handle: EngineHandle,
    thread: Option<JoinHandle<Result<(), EngineError>>>,
}

/// Reads the account and begins the drain from anywhere.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    drain: Drain,
    ledger: Arc<Ledger>,
    ended: watch::Receiver<()>,
}

impl Engine {
    /// A handle that outlives this value.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// Blocks until all has ended, and gives the final account. Without a call of [`EngineHandle::drain`] that is when
    /// all receivers have ended by themselves, or a component has failed.
    pub fn wait(mut self) -> (Account, Result<(), EngineError>) {
        let result = match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(EngineError::Panicked),
        };
        (self.handle.account(), result)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.handle.drain(DRAIN_TIMEOUT);
    }
}

impl EngineHandle {
    /// What became of every item so far.
    pub fn account(&self) -> Account {
        self.ledger.snapshot()
    }

    /// Begins the drain, which ends in `timeout` at the latest.
    pub fn drain(&self, timeout: Duration) {
        self.drain.begin(Instant::now() + timeout);
    }

    /// Waits until all has ended.
    pub async fn ended(&mut self) {
        // The sender is never used, only dropped, when the thread ends.
        let _ = self.ended.changed().await;
    }

    /// Whether all has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.has_changed().is_err()
    }
}

pub(crate) fn start(plan: Plan) -> std::io::Result<Engine> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (drain, draining) = kit::drain::channel();
    let (alive, ended) = watch::channel(());
    let wired = Wired::new(plan, runtime.handle(), draining);
    let handle = EngineHandle {
        drain: drain.clone(),
        ledger: wired.ledger.clone(),
        ended,
    };
    let thread = std::thread::Builder::new()
        .name("collector".to_owned())
        .spawn(move || {
            let _alive = alive;
            let result = runtime.block_on(wired.supervise(&drain));
            // A write that blocks for ever must not keep the process.
            runtime.shutdown_background();
            result
        })?;
    Ok(Engine {
        handle,
        thread: Some(thread),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Receiver,
    Pipeline,
    Exporter,
}

struct Task {
    role: Role,
    name: String,
    abort: AbortHandle,
}

/// All tasks and the queues between them.
struct Wired {
    ledger: Arc<Ledger>,
    tasks: JoinSet<Result<(), BoxError>>,
    named: HashMap<tokio::task::Id, Task>,
}

impl Wired {
    fn new(mut plan: Plan, runtime: &tokio::runtime::Handle, draining: Draining) -> Self {
        let _context = runtime.enter();
        let mut wired = Wired {
            ledger: Arc::default(),
            tasks: JoinSet::new(),
            named: HashMap::new(),
        };
        let queues = wired.spawn_exporters(&mut plan, &draining);
        let pipelines: Vec<_> = std::mem::take(&mut plan.pipelines)
            .into_iter()
            .map(|pipeline| wired.spawn_pipeline(&plan, pipeline, &queues))
            .collect();
        let receivers = wired.spawn_receivers(plan, &pipelines, &draining);
        wired.ledger = Arc::new(Ledger {
            receivers,
            pipelines: pipelines.into_iter().map(|wired| wired.counts).collect(),
        });
        wired
    }

    fn spawn_exporters(&mut self, plan: &mut Plan, draining: &Draining) -> HashMap<ComponentId, ExporterQueue> {
        let mut queues = HashMap::new();
        for planned in plan.exporters.drain(..) {
            let (sender, receiver) = channel::channel::<Delivery>(planned.factory.queue);
            let ended = Arc::new(AtomicBool::new(false));
            let input = ExporterInput {
                queue: receiver,
                draining: draining.clone(),
                ended: ended.clone(),
            };
            let work = planned.exporter.run(input);
            self.spawn(Role::Exporter, &planned.id.to_string(), async move {
                work.await?;
                if ended.load(Ordering::Relaxed) {
                    Ok(())
                } else {
                    Err("it ended before its input did".into())
                }
            });
            let queue = ExporterQueue {
                queue: sender,
                counts: Arc::default(),
                overflow: planned.factory.overflow,
                abandoned: planned.factory.abandoned,
            };
            queues.insert(planned.id, queue);
        }
        queues
    }

    fn spawn_pipeline(
        &mut self,
        plan: &Plan,
        pipeline: Pipeline,
        queues: &HashMap<ComponentId, ExporterQueue>,
    ) -> WiredPipeline {
        let exporters: Vec<ExporterQueue> = pipeline
            .exporters
            .iter()
            .filter_map(|reference| counted(reference, queues))
            .collect();
        let counts = Arc::new(PipelineCounts {
            id: pipeline.id.to_string(),
            exporters: exporters.iter().map(|exporter| exporter.counts.clone()).collect(),
            ..PipelineCounts::default()
        });
        let recipes = pipeline
            .processors
            .iter()
            .filter_map(|reference| plan.processors.get(&reference.id));
        let chain = Chain::new(recipes.map(|recipe| recipe()).collect(), counts.clone());
        let fan_out = FanOut {
            counts: counts.clone(),
            exporters,
        };
        let (input, receiver) = channel::channel(PIPELINE_QUEUE);
        self.spawn(Role::Pipeline, &counts.id, async move {
            chain.run(receiver, fan_out).await;
            Ok(())
        });
        WiredPipeline {
            receivers: pipeline.receivers,
            input,
            counts,
        }
    }

    fn spawn_receivers(
        &mut self,
        plan: Plan,
        pipelines: &[WiredPipeline],
        draining: &Draining,
    ) -> Vec<Arc<ReceiverCounts>> {
        let mut all = Vec::new();
        for (id, receiver) in plan.receivers {
            let counts = Arc::new(ReceiverCounts::new(id.to_string()));
            let fed = pipelines
                .iter()
                .filter(|pipeline| pipeline.receivers.iter().any(|named| named.id == id));
            let output = Output {
                counts: counts.clone(),
                pipelines: fed
                    .map(|pipeline| (pipeline.input.clone(), pipeline.counts.clone()))
                    .collect(),
            };
            self.spawn(Role::Receiver, &id.to_string(), receiver.run(output, draining.clone()));
            all.push(counts);
        }
        all
    }

    fn spawn(&mut self, role: Role, name: &str, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let abort = self.tasks.spawn(task);
        let task = Task {
            role,
            name: name.to_owned(),
            abort: abort.clone(),
        };
        self.named.insert(abort.id(), task);
    }

    /// Waits for the tasks to end, receivers first. At half of the drain's time receivers that still run are ended, so
    /// that the rest has time for what they have brought in; at its deadline all are.
    async fn supervise(mut self, drain: &Drain) -> Result<(), EngineError> {
        let mut draining = drain.listen();
        let mut failure = None;
        while !self.tasks.is_empty() {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => {
                    let error = ended.and_then(|ended| self.ended(ended));
                    if error.is_some() || self.count(Role::Receiver) == 0 {
                        drain.begin(Instant::now() + DRAIN_TIMEOUT);
                    }
                    failure = failure.or(error);
                }
                deadline = draining.begun() => {
                    self.finish(deadline, &mut draining, &mut failure).await;
                    break;
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn finish(&mut self, deadline: Instant, draining: &mut Draining, failure: &mut Option<EngineError>) {
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        self.join_until(half, draining, failure, |wired| wired.count(Role::Receiver) == 0)
            .await;
        self.abort(Role::Receiver);
        let deadline = draining.deadline().unwrap_or(deadline);
        self.join_until(deadline, draining, failure, |_| false).await;
        let late: Vec<&str> = self.named.values().map(|task| task.name.as_str()).collect();
        if !late.is_empty() {
            tracing::warn!(
                tasks = late.join(", "),
                "the drain's deadline has passed; what is left is dropped"
            );
        }
        // Processors go before exporters, so that nothing reaches a queue that nobody empties.
        for role in [Role::Receiver, Role::Pipeline, Role::Exporter] {
            self.abort(role);
            while self.count(role) > 0 {
                match self.tasks.join_next_with_id().await {
                    Some(ended) => drop(self.ended(ended)),
                    None => break,
                }
            }
        }
    }

    /// Until the deadline, or an earlier one that the drain is given meanwhile.
    async fn join_until(
        &mut self,
        mut deadline: Instant,
        draining: &mut Draining,
        failure: &mut Option<EngineError>,
        enough: impl Fn(&Wired) -> bool,
    ) {
        while !enough(self) {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => match ended {
                    Some(ended) => {
                        let error = self.ended(ended);
                        *failure = failure.take().or(error);
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(deadline.into()) => break,
                sooner = draining.sooner_than(deadline) => deadline = sooner,
            }
        }
    }

    fn count(&self, role: Role) -> usize {
        self.named.values().filter(|task| task.role == role).count()
    }

    fn abort(&self, role: Role) {
        self.named
            .values()
            .filter(|task| task.role == role)
            .for_each(|task| task.abort.abort());
    }

    /// Takes a task off the list; an error if it failed.
    fn ended(&mut self, ended: Result<(tokio::task::Id, Result<(), BoxError>), JoinError>) -> Option<EngineError> {
        let (id, source) = match ended {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(error))) => (id, Some(error)),
            Err(error) if error.is_cancelled() => (error.id(), None),
            Err(error) => (error.id(), Some(BoxError::from(error))),
        };
        let task = self.named.remove(&id)?;
        let source = source?;
        let component = format!("{:?} {}", task.role, task.name).to_lowercase();
        tracing::error!(
            component,
            error = kit::logging::chain(&*source),
            "a component failed; draining"
        );
        Some(EngineError::Component { component, source })
    }
}

struct WiredPipeline {
    receivers: Vec<Reference>,
    input: channel::Sender<Entry>,
    counts: Arc<PipelineCounts>,
}

/// The exporter's queue with counts of this pipeline's own.
fn counted(reference: &Reference, queues: &HashMap<ComponentId, ExporterQueue>) -> Option<ExporterQueue> {
    let queue = queues.get(&reference.id)?;
    let counts = ExporterCounts {
        id: reference.id.to_string(),
        ..ExporterCounts::default()
    };
    Some(ExporterQueue {
        counts: Arc::new(counts),
        ..queue.clone()
    })
}
