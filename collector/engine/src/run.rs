//! A running engine: whoever holds it reads the account, changes the plan, and ends it in the direction of flow.

use crate::account::Account;
use crate::component::BoxError;
use crate::counts::Pulse;
use crate::graph::Graph;
use crate::ledger::Ledger;
use crate::plan::{Plan, StartError};
use crate::tasks::{Failed, Role};
use crate::workers::Workers;
use kit::drain::{Drain, Draining};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long the drain may take when nobody has said so: when the receivers have ended by themselves, or a task failed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Reads the account, changes the plan and begins the drain from anywhere.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    drain: Drain,
    ledger: Arc<Ledger>,
    pulses: Arc<[Arc<Pulse>]>,
    reloads: mpsc::Sender<Reload>,
    ended: watch::Receiver<()>,
    started: Instant,
}

/// A plan to go over to, and where to say how that went.
type Reload = (Plan, oneshot::Sender<Result<(), StartError>>);

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

    /// Whether the drain has begun.
    pub fn is_draining(&self) -> bool {
        self.drain.listen().deadline().is_some()
    }

    /// Goes over to another plan without losing an item: components whose settings are the same go on. If a new component
    /// cannot be opened, all is as it was.
    pub async fn reload(&self, plan: Plan) -> Result<(), StartError> {
        let (answer, answered) = oneshot::channel();
        self.reloads
            .send((plan, answer))
            .await
            .map_err(|_| StartError::Ending)?;
        answered.await.map_err(|_| StartError::Ending)?
    }

    /// How long ago each worker last showed that it is alive; more than some seconds is a worker that is stuck.
    pub fn worker_silence(&self) -> Vec<Duration> {
        self.pulses.iter().map(|pulse| pulse.last().elapsed()).collect()
    }

    /// When the engine was started.
    pub fn started(&self) -> Instant {
        self.started
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

pub(crate) fn start(plan: Plan, workers: usize) -> Result<Engine, StartError> {
    let (runtime, workers) = Workers::start(workers).map_err(StartError::Thread)?;
    let (drain, draining) = kit::drain::channel();
    let (alive, ended) = watch::channel(());
    let (reloads, requests) = mpsc::channel(1);
    let handle = EngineHandle {
        drain: drain.clone(),
        ledger: Arc::default(),
        pulses: workers.pulses().into(),
        reloads,
        ended,
        started: Instant::now(),
    };
    let mut graph = Graph::new(workers, handle.ledger.clone(), handle.clone(), draining);
    if let Err(error) = graph.apply(plan) {
        graph.workers.stop();
        // The caller may be within a runtime of its own, where another must not be waited for.
        runtime.shutdown_background();
        return Err(error);
    }
    let thread = std::thread::Builder::new()
        .name("collector".to_owned())
        .spawn(move || {
            let _alive = alive;
            let supervisor = Supervisor {
                graph,
                drain,
                failure: None,
            };
            let (result, workers) = runtime.block_on(supervisor.run(requests));
            workers.stop();
            // A write that blocks for ever must not keep the process.
            runtime.shutdown_background();
            result
        })
        .map_err(StartError::Thread)?;
    Ok(Engine {
        handle,
        thread: Some(thread),
    })
}

struct Supervisor {
    graph: Graph,
    drain: Drain,
    failure: Option<Failed>,
}

/// All but the extensions, which stay to the end.
const FLOW: [Role; 4] = [Role::Receiver, Role::Pipeline, Role::Connector, Role::Exporter];

impl Supervisor {
    /// Watches the tasks until all have ended.
    async fn run(mut self, mut reloads: mpsc::Receiver<Reload>) -> (Result<(), EngineError>, Workers) {
        let mut draining = self.drain.listen();
        loop {
            tokio::select! {
                ended = self.graph.tasks.next() => {
                    let failed = ended.flatten();
                    if failed.is_some() || self.graph.tasks.count(&[Role::Receiver]) == 0 {
                        self.drain.begin(Instant::now() + DRAIN_TIMEOUT);
                    }
                    self.failure = self.failure.or(failed);
                }
                Some((plan, answer)) = reloads.recv() => {
                    // Nobody waits any more if the one who asked has gone.
                    let _ = answer.send(self.graph.apply(plan));
                }
                deadline = draining.begun() => {
                    drop(reloads);
                    self.finish(deadline, &mut draining).await;
                    break;
                }
            }
        }
        let result = match self.failure {
            Some(Failed { component, source }) => Err(EngineError::Component { component, source }),
            None => Ok(()),
        };
        (result, self.graph.workers)
    }

    /// Receivers end first. At half of the drain's time those that still run are ended, so that the rest has time for what
    /// they have brought in; at its deadline all are.
    async fn finish(&mut self, deadline: Instant, draining: &mut Draining) {
        self.graph.drain(deadline);
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        self.join_until(half, draining, &[Role::Receiver]).await;
        self.graph.tasks.abort(Role::Receiver).await;
        let deadline = draining.deadline().unwrap_or(deadline);
        self.join_until(deadline, draining, &FLOW).await;
        if self.graph.tasks.count(&FLOW) > 0 {
            let tasks = self.graph.tasks.names().join(", ");
            tracing::warn!(tasks, "the drain's deadline has passed; what is left is dropped");
        }
        // Processors go before exporters, so that nothing reaches a queue that nobody empties.
        for role in FLOW {
            self.graph.tasks.abort(role).await;
        }
        self.graph.stop_extensions(Instant::now());
        let grace = Instant::now() + EXTENSIONS_GRACE;
        self.join_until(grace, draining, &[Role::Extension]).await;
        self.graph.tasks.abort(Role::Extension).await;
    }

    /// Until the deadline, or an earlier one that the drain is given meanwhile, or until none of these is left.
    async fn join_until(&mut self, mut deadline: Instant, draining: &mut Draining, roles: &[Role]) {
        while self.graph.tasks.count(roles) > 0 {
            tokio::select! {
                ended = self.graph.tasks.next() => match ended {
                    Some(failed) => self.failure = self.failure.take().or(failed),
                    None => break,
                },
                () = tokio::time::sleep_until(deadline.into()) => break,
                sooner = draining.sooner_than(deadline) => deadline = sooner,
            }
        }
    }
}

/// How long extensions may take when all else has ended.
const EXTENSIONS_GRACE: Duration = Duration::from_millis(500);
