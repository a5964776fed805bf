//! What runs: components by id, the queues between them, and how a new plan takes the place of the old one.

use crate::chain::Chain;
use crate::channel;
use crate::component::{BoxFuture, Ended, Gate, Placement, Processor, Queue};
use crate::counts::{ExporterCounts, PipelineCounts, ProcessorCounts, Trouble};
use crate::extension::Extension;
use crate::fanout::{Delivery, ExporterInput, ExporterQueue, FanOut, Health};
use crate::host::{Host, Offer, Sockets};
use crate::ledger::Ledger;
use crate::output::{Entry, Output, Route, Routes, Switch};
use crate::plan::{Opened, Plan, Planned, PlannedPipeline, PlannedProcessor, same};
use crate::run::EngineHandle;
use crate::tasks::{Role, Tasks};
use crate::workers::Workers;
use crate::{Connector, Exporter, Limits, Receiver, StartError};
use collector_config::{ComponentId, Node, PipelineId};
use kit::drain::{Drain, Draining};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// All that runs.
pub(crate) struct Graph {
    pub(crate) tasks: Tasks,
    pub(crate) workers: Workers,
    ledger: Arc<Ledger>,
    engine: EngineHandle,
    draining: Draining,
    extensions: HashMap<ComponentId, RunningExtension>,
    telemetry: Option<RunningExtension>,
    exporters: HashMap<ComponentId, RunningExporter>,
    connectors: HashMap<ComponentId, RunningConnector>,
    pipelines: HashMap<PipelineId, RunningPipeline>,
    receivers: HashMap<ComponentId, RunningReceiver>,
    /// Spreads what runs on one worker over all.
    next_worker: usize,
    sockets: Sockets,
    /// How many have been applied, or tried.
    plans: u64,
}

struct RunningExtension {
    settings: Node,
    stop: Drain,
    offer: Offer,
}

struct RunningExporter {
    settings: Node,
    /// One for each worker; the same one for all if it runs on one.
    queues: Vec<channel::Sender<Delivery>>,
    queue: Queue,
    is_durable: bool,
    trouble: Arc<Trouble>,
}

struct RunningConnector {
    settings: Node,
    queue: channel::Sender<Delivery>,
    output: Switch,
    trouble: Arc<Trouble>,
}

struct RunningPipeline {
    definition: PlannedPipeline,
    processors: Vec<Node>,
    entries: Vec<channel::Sender<Entry>>,
    counts: Arc<PipelineCounts>,
    gates: Arc<[Arc<dyn Gate>]>,
}

struct RunningReceiver {
    settings: Node,
    drain: Drain,
    /// With the worker on which each instance runs.
    outputs: Vec<(usize, Switch)>,
}

impl Graph {
    pub(crate) fn new(workers: Workers, ledger: Arc<Ledger>, engine: EngineHandle, draining: Draining) -> Self {
        Graph {
            tasks: Tasks::default(),
            workers,
            ledger,
            engine,
            draining,
            extensions: HashMap::new(),
            telemetry: None,
            exporters: HashMap::new(),
            connectors: HashMap::new(),
            pipelines: HashMap::new(),
            receivers: HashMap::new(),
            next_worker: 0,
            sockets: Sockets::default(),
            plans: 0,
        }
    }

    /// Makes what runs into what the plan says. What is in both with the same settings goes on undisturbed. If something
    /// new cannot be opened, nothing has changed.
    pub(crate) fn apply(&mut self, mut plan: Plan) -> Result<(), StartError> {
        self.keep(&mut plan);
        let kept = self.extensions.iter().map(|(id, extension)| (id, &extension.offer));
        self.plans += 1;
        let host = Host {
            sockets: self.sockets.clone(),
            plan: self.plans,
            opening: String::new(),
            workers: self.workers.count(),
            offers: kept.map(|(id, offer)| (id.clone(), offer.clone())).collect(),
        };
        let opened = plan.open(host)?;
        self.start(opened);
        Ok(())
    }

    /// Marks in the plan what runs already as it should.
    fn keep(&self, plan: &mut Plan) {
        let same_settings = |known: Option<&Node>, settings: &Node| known.is_some_and(|known| same(known, settings));
        for extension in &mut plan.extensions {
            let known = self.extensions.get(&extension.id).map(|known| &known.settings);
            extension.kept = same_settings(known, &extension.settings);
        }
        let kept: Vec<ComponentId> = plan
            .extensions
            .iter()
            .filter(|e| e.kept)
            .map(|e| e.id.clone())
            .collect();
        for exporter in &mut plan.exporters {
            let known = self.exporters.get(&exporter.id).map(|known| &known.settings);
            let served = exporter.component.needs().iter().all(|id| kept.contains(id));
            exporter.kept = served && same_settings(known, &exporter.settings);
        }
        for connector in &mut plan.connectors {
            let known = self.connectors.get(&connector.id).map(|known| &known.settings);
            connector.kept = same_settings(known, &connector.settings);
        }
        for receiver in &mut plan.receivers {
            let known = self.receivers.get(&receiver.id).map(|known| &known.settings);
            receiver.kept = same_settings(known, &receiver.settings);
        }
        if let Some(telemetry) = &mut plan.telemetry {
            let known = self.telemetry.as_ref().map(|known| &known.settings);
            telemetry.kept = same_settings(known, &telemetry.settings);
        }
    }

    /// From the destinations to the sources, so that nothing comes in before all is there to take it on.
    fn start(&mut self, opened: Opened) {
        let Opened { plan, offers } = opened;
        self.start_extensions(plan.extensions, plan.telemetry, offers);
        let mut replaced = Vec::new();
        self.start_exporters(plan.exporters, &mut replaced);
        self.start_connectors(plan.connectors, &mut replaced);
        self.start_pipelines(plan.pipelines, &plan.processors, &replaced);
        self.switch_connectors();
        self.start_receivers(plan.receivers);
    }

    fn start_extensions(
        &mut self,
        planned: Vec<Planned<dyn Extension>>,
        telemetry: Option<Planned<dyn Extension>>,
        mut offers: HashMap<ComponentId, Offer>,
    ) {
        let mut old = std::mem::take(&mut self.extensions);
        for extension in planned {
            let running = match old.remove(&extension.id) {
                Some(running) if extension.kept => running,
                replaced => {
                    // One whose end nobody begins would never end.
                    replaced
                        .iter()
                        .for_each(|extension| extension.stop.begin(Instant::now()));
                    let offer = offers.remove(&extension.id).unwrap_or_default();
                    self.start_extension(extension.settings, &extension.id, extension.component, offer)
                }
            };
            self.extensions.insert(extension.id, running);
        }
        old.values().for_each(|extension| extension.stop.begin(Instant::now()));
        if telemetry.as_ref().is_some_and(|planned| planned.kept) {
            return;
        }
        if let Some(old) = self.telemetry.take() {
            old.stop.begin(Instant::now());
        }
        self.telemetry = telemetry
            .map(|planned| self.start_extension(planned.settings, &planned.id, planned.component, Offer::default()));
    }

    fn start_extension(
        &mut self,
        settings: Node,
        id: &ComponentId,
        mut extension: Box<dyn Extension>,
        offer: Offer,
    ) -> RunningExtension {
        let (stop, stopping) = kit::drain::channel();
        let worker = self.workers.handle(0);
        let work = {
            let _context = worker.enter();
            extension.run(self.engine.clone(), stopping)
        };
        self.tasks.spawn(worker, Role::Extension, &id.to_string(), work);
        RunningExtension { settings, stop, offer }
    }

    /// Those that are not kept are started; what ran in their place ends when nobody sends to it any more.
    fn start_exporters(&mut self, planned: Vec<Planned<dyn Exporter>>, replaced: &mut Vec<ComponentId>) {
        let mut old = std::mem::take(&mut self.exporters);
        for exporter in planned {
            let running = match old.remove(&exporter.id).filter(|_| exporter.kept) {
                Some(running) => running,
                None => {
                    replaced.push(exporter.id.clone());
                    self.start_exporter(exporter.settings, &exporter.id, exporter.component)
                }
            };
            self.exporters.insert(exporter.id, running);
        }
    }

    fn start_exporter(&mut self, settings: Node, id: &ComponentId, mut exporter: Box<dyn Exporter>) -> RunningExporter {
        let workers = self.places(exporter.placement());
        let (queue, is_durable) = (exporter.queue(), exporter.is_durable());
        let share = |limit: u32| (limit / workers.len() as u32).max(1);
        let limits = Limits {
            items: share(queue.limits.items),
            bytes: share(queue.limits.bytes),
        };
        let trouble = Arc::<Trouble>::default();
        let mut queues = Vec::new();
        for worker in workers {
            let (sender, input) = self.input(id, limits, &trouble);
            let ended = input.ended.clone();
            self.spawn(
                worker,
                Role::Exporter,
                &id.to_string(),
                || exporter.run(input),
                Some(ended),
            );
            queues.push(sender);
        }
        RunningExporter {
            settings,
            queues,
            queue,
            is_durable,
            trouble,
        }
    }

    fn start_connectors(&mut self, planned: Vec<Planned<dyn Connector>>, replaced: &mut Vec<ComponentId>) {
        let mut old = std::mem::take(&mut self.connectors);
        for connector in planned {
            let running = match old.remove(&connector.id).filter(|_| connector.kept) {
                Some(running) => running,
                None => {
                    replaced.push(connector.id.clone());
                    self.start_connector(connector.settings, &connector.id, connector.component)
                }
            };
            self.connectors.insert(connector.id, running);
        }
    }

    fn start_connector(
        &mut self,
        settings: Node,
        id: &ComponentId,
        mut connector: Box<dyn Connector>,
    ) -> RunningConnector {
        let trouble = Arc::<Trouble>::default();
        let (queue, input) = self.input(id, Queue::LOCAL.limits, &trouble);
        let output = Output::new(self.ledger.receiver(&id.to_string()), Vec::new());
        let switch = output.switch();
        let ended = input.ended.clone();
        let worker = self.places(Placement::One)[0];
        self.spawn(
            worker,
            Role::Connector,
            &id.to_string(),
            || connector.run(input, output),
            Some(ended),
        );
        RunningConnector {
            settings,
            queue,
            output: switch,
            trouble,
        }
    }

    fn input(
        &self,
        id: &ComponentId,
        limits: Limits,
        trouble: &Arc<Trouble>,
    ) -> (channel::Sender<Delivery>, ExporterInput) {
        let (sender, receiver) = channel::channel::<Delivery>(limits);
        let input = ExporterInput {
            queue: receiver,
            draining: self.draining.clone(),
            ended: Arc::new(AtomicBool::new(false)),
            trouble: Health(trouble.clone()),
            id: id.to_string(),
            ledger: self.ledger.clone(),
        };
        (sender, input)
    }

    /// Those that changed, or feed something that was replaced, are started anew.
    fn start_pipelines(
        &mut self,
        planned: Vec<PlannedPipeline>,
        recipes: &HashMap<ComponentId, PlannedProcessor>,
        replaced: &[ComponentId],
    ) {
        let mut old = std::mem::take(&mut self.pipelines);
        for definition in planned {
            let processors: Vec<Node> = definition
                .processors
                .iter()
                .filter_map(|id| recipes.get(id).map(|planned| planned.settings.clone()))
                .collect();
            let kept = old.remove(&definition.id).filter(|running| {
                running.definition == definition
                    && running
                        .processors
                        .iter()
                        .zip(&processors)
                        .all(|(known, new)| same(known, new))
                    && !definition.exporters.iter().any(|id| replaced.contains(id))
            });
            let id = definition.id.clone();
            let running = kept.unwrap_or_else(|| self.start_pipeline(definition, processors, recipes));
            self.pipelines.insert(id, running);
        }
    }

    fn start_pipeline(
        &mut self,
        definition: PlannedPipeline,
        processors: Vec<Node>,
        recipes: &HashMap<ComponentId, PlannedProcessor>,
    ) -> RunningPipeline {
        let named = definition
            .processors
            .iter()
            .filter_map(|id| Some((id, recipes.get(id)?)));
        let (ids, recipes): (Vec<_>, Vec<_>) = named.unzip();
        let alone = recipes.iter().any(|planned| planned.recipe.placement == Placement::One);
        let workers = self.places(if alone { Placement::One } else { Placement::Every });
        let destinations: Vec<Destination> = definition
            .exporters
            .iter()
            .filter_map(|id| self.destination(id))
            .collect();
        let counts = Arc::new(PipelineCounts {
            id: definition.id.to_string(),
            processors: ids.iter().map(|id| ProcessorCounts::new(id.to_string())).collect(),
            exporters: destinations
                .iter()
                .map(|destination| destination.counts.clone())
                .collect(),
            ..PipelineCounts::default()
        });
        self.ledger.pipeline(counts.clone());
        let gates: Vec<Arc<dyn Gate>> = recipes
            .iter()
            .filter_map(|planned| planned.recipe.gate.clone())
            .collect();
        let mut entries = Vec::new();
        for worker in workers {
            let make = |planned: &&PlannedProcessor| (planned.recipe.make)(definition.signal);
            let stages: Vec<Box<dyn Processor>> = recipes.iter().map(make).collect();
            let chain = Chain::new(stages, counts.clone());
            let fan_out = FanOut {
                counts: counts.clone(),
                exporters: destinations
                    .iter()
                    .map(|destination| destination.queue(worker))
                    .collect(),
            };
            let (entry, receiver) = channel::channel(Queue::LOCAL.limits);
            let work = async move {
                chain.run(receiver, fan_out).await;
                Ok(())
            };
            self.tasks
                .spawn(self.workers.handle(worker), Role::Pipeline, &counts.id, work);
            entries.push(entry);
        }
        RunningPipeline {
            definition,
            processors,
            entries,
            counts,
            gates: gates.into(),
        }
    }

    /// The exporter or connector, as a pipeline's end.
    fn destination(&self, id: &ComponentId) -> Option<Destination> {
        let (queues, queue, is_durable, trouble) = match (self.exporters.get(id), self.connectors.get(id)) {
            (Some(exporter), _) => (
                exporter.queues.clone(),
                exporter.queue,
                exporter.is_durable,
                &exporter.trouble,
            ),
            (None, Some(connector)) => (vec![connector.queue.clone()], Queue::LOCAL, false, &connector.trouble),
            (None, None) => return None,
        };
        Some(Destination {
            queues,
            queue,
            is_durable,
            counts: Arc::new(ExporterCounts {
                id: id.to_string(),
                trouble: trouble.clone(),
                ..ExporterCounts::default()
            }),
        })
    }

    /// Gives every connector the pipelines of now.
    fn switch_connectors(&self) {
        for (id, connector) in &self.connectors {
            connector.output.set(self.routes(id, 0));
        }
    }

    fn routes(&self, receiver: &ComponentId, worker: usize) -> Routes {
        let fed = self
            .pipelines
            .values()
            .filter(|pipeline| pipeline.definition.receivers.contains(receiver));
        fed.map(|pipeline| Route {
            signal: pipeline.definition.signal,
            queue: pipeline.entries[worker % pipeline.entries.len()].clone(),
            counts: pipeline.counts.clone(),
            gates: pipeline.gates.clone(),
            is_durable: self.is_durable(&pipeline.definition),
        })
        .collect()
    }

    fn is_durable(&self, pipeline: &PlannedPipeline) -> bool {
        let mut exporters = pipeline.exporters.iter().filter_map(|id| self.exporters.get(id));
        exporters.any(|exporter| exporter.is_durable)
    }

    /// One that goes on, and one that another takes the place of, give what comes to the pipelines of now. One that is no
    /// more gives what it still has to those that it had, which go on for so long.
    fn start_receivers(&mut self, planned: Vec<Planned<dyn Receiver>>) {
        let mut old = std::mem::take(&mut self.receivers);
        let deadline = Instant::now() + crate::DRAIN_TIMEOUT;
        for receiver in planned {
            let running = old.remove(&receiver.id);
            if let Some(running) = &running {
                self.switch(&receiver.id, running);
            }
            let running = match running {
                Some(running) if receiver.kept => running,
                replaced => {
                    let running = self.start_receiver(receiver.settings, &receiver.id, receiver.component);
                    replaced.into_iter().for_each(|old| old.drain.begin(deadline));
                    running
                }
            };
            self.receivers.insert(receiver.id, running);
        }
        old.values().for_each(|receiver| receiver.drain.begin(deadline));
    }

    fn switch(&self, id: &ComponentId, receiver: &RunningReceiver) {
        for (worker, output) in &receiver.outputs {
            output.set(self.routes(id, *worker));
        }
    }

    fn start_receiver(&mut self, settings: Node, id: &ComponentId, mut receiver: Box<dyn Receiver>) -> RunningReceiver {
        let (drain, draining) = kit::drain::channel();
        let counts = self.ledger.receiver(&id.to_string());
        let mut outputs = Vec::new();
        for worker in self.places(receiver.placement()) {
            let output = Output::of_worker(counts.clone(), worker, self.routes(id, worker));
            outputs.push((worker, output.switch()));
            let draining = draining.clone();
            self.spawn(
                worker,
                Role::Receiver,
                &id.to_string(),
                || receiver.run(output, draining),
                None,
            );
        }
        RunningReceiver {
            settings,
            drain,
            outputs,
        }
    }

    /// Runs a component's work on a worker. Where it has an input, to end before that has ended is a failure.
    fn spawn(
        &mut self,
        worker: usize,
        role: Role,
        name: &str,
        work: impl FnOnce() -> BoxFuture<Ended>,
        input_ended: Option<Arc<AtomicBool>>,
    ) {
        let handle = self.workers.handle(worker);
        let work = {
            let _context = handle.enter();
            work()
        };
        self.tasks.spawn(handle, role, name, async move {
            work.await?;
            match input_ended {
                Some(ended) if !ended.load(Ordering::Relaxed) => Err("it ended before its input did".into()),
                _ => Ok(()),
            }
        });
    }

    /// The workers for a component's instances.
    fn places(&mut self, placement: Placement) -> Vec<usize> {
        match placement {
            Placement::Every => (0..self.workers.count()).collect(),
            Placement::One => {
                let worker = self.next_worker;
                self.next_worker = (worker + 1) % self.workers.count();
                vec![worker]
            }
        }
    }

    /// Lets the receivers end, and everything behind them when they have.
    pub(crate) fn drain(&mut self, deadline: Instant) {
        self.receivers
            .values()
            .for_each(|receiver| receiver.drain.begin(deadline));
        self.pipelines.clear();
        self.connectors.clear();
        self.exporters.clear();
    }

    /// Lets the extensions end, when all else has.
    pub(crate) fn stop_extensions(&self, deadline: Instant) {
        let running = self.extensions.values().chain(&self.telemetry);
        running.for_each(|extension| extension.stop.begin(deadline));
    }
}

/// An exporter or connector as the end of a pipeline.
struct Destination {
    queues: Vec<channel::Sender<Delivery>>,
    queue: Queue,
    is_durable: bool,
    counts: Arc<ExporterCounts>,
}

impl Destination {
    fn queue(&self, worker: usize) -> ExporterQueue {
        ExporterQueue {
            queue: self.queues[worker % self.queues.len()].clone(),
            counts: self.counts.clone(),
            overflow: self.queue.overflow,
            counts_requests: self.queue.counts_requests,
            abandoned: self.queue.abandoned,
            is_durable: self.is_durable,
        }
    }
}
