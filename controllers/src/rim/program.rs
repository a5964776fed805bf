//! A component put together and run: caches, then leadership, then controllers; and the way back at the end.

use super::controller::{Controller, Reconcile};
use super::lease::{Candidate, Held};
use super::options::{Component, Options};
use super::store::{Store, Watched};
use super::{Context, Events, Metrics, Writer, admin};
use anyhow::{Context as _, Result, bail};
use futures_util::future::BoxFuture;
use kit::Termination;
use kit::drain::{self, Drain, Draining};
use kube_client::{Api, Client, Resource};
use kube_runtime::watcher;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Work that is under way may take so long after the signal to end. Kubernetes kills after 30 s.
const DRAIN: Duration = Duration::from_secs(10);

/// A component before it runs. See [the module](super) for how one is put together.
pub struct Program {
    context: Context,
    lease: Candidate,
    admin: TcpListener,
    watches: Vec<BoxFuture<'static, ()>>,
    waits_for: Vec<(&'static str, watch::Receiver<bool>)>,
    ready_when: Vec<(&'static str, watch::Receiver<bool>)>,
    controllers: Vec<BoxFuture<'static, ()>>,
    services: Vec<BoxFuture<'static, Result<()>>>,
    drain: Drain,
    draining: Draining,
}

impl Program {
    /// Connects to the apiserver and binds the port of the admin server.
    pub async fn new(options: &Options) -> Result<Self> {
        let client = Client::try_default().await.context("no apiserver is known")?;
        let admin = TcpListener::bind(options.metrics_listen)
            .await
            .with_context(|| format!("{}", options.metrics_listen))?;
        tracing::info!(address = %admin.local_addr()?, component = options.component.name(), "answering");
        let (drain, draining) = drain::channel();
        let context = context(client, options.component, &options.namespace);
        let identity = context.identity.clone();
        let lease = Candidate::new(context.client.clone(), &options.namespace, context.component, identity);
        Ok(Self {
            context,
            lease,
            admin,
            watches: Vec::new(),
            waits_for: Vec::new(),
            ready_when: Vec::new(),
            controllers: Vec::new(),
            services: Vec::new(),
            drain,
            draining,
        })
    }

    /// What reconcilers need.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// A cache of all that `api` and `config` select. It is filled once the program runs, so that listeners can be put on it
    /// before.
    pub fn watch<K, T>(
        &mut self,
        watched: Watched,
        api: Api<K>,
        config: watcher::Config,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Store<K, T>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        let store = Store::new(project);
        self.waits_for.push((watched.kind, store.synced()));
        let metrics = self.context.metrics.clone();
        let follow = store.clone().follow(api, config, watched, metrics);
        self.watches.push(Box::pin(follow));
        store
    }

    /// Runs the controller while this process leads.
    pub fn controller<R: Reconcile>(&mut self, controller: Controller<R>) {
        let run = controller.run(self.context.metrics.clone(), self.draining.clone());
        self.controllers.push(Box::pin(run));
    }

    /// Runs something from the start, whether this process leads or not: what answers requests. It ends soon after the drain
    /// begins; that it ends before ends the program.
    pub fn service(&mut self, run: impl Future<Output = Result<()>> + Send + 'static) {
        self.services.push(Box::pin(run));
    }

    /// What a service needs before this process counts as ready, beside the caches; it leads without.
    pub fn ready_when(&mut self, what: &'static str, is_so: watch::Receiver<bool>) {
        self.ready_when.push((what, is_so));
    }

    /// The signal that the program ends, for a service.
    pub fn draining(&self) -> Draining {
        self.draining.clone()
    }

    /// Runs until SIGTERM or SIGINT. An error is one that the whole process should end with: a port, the lease.
    pub async fn run(self) -> Result<()> {
        let mut termination = Termination::install()?;
        let mut background = JoinSet::new();
        background.spawn(admin::serve(
            self.admin,
            self.context.metrics.clone(),
            [self.waits_for.clone(), self.ready_when].concat(),
        ));
        for watch in self.watches {
            background.spawn(watch);
        }
        let mut services = JoinSet::new();
        for service in self.services {
            services.spawn(service);
        }
        let led = lead(
            self.context.metrics,
            self.lease,
            self.waits_for,
            self.controllers,
            self.draining,
        );
        let mut led = std::pin::pin!(led);
        let ended = tokio::select! {
            signal = termination.next() => {
                tracing::info!(?signal, "ending");
                self.drain.begin(Instant::now() + DRAIN);
                led.await
            }
            ended = &mut led => ended,
            Some(service) = services.join_next() => {
                service?.context("a service ended")?;
                bail!("a service ended before the program")
            }
            Some(watch) = background.join_next() => {
                watch?;
                bail!("a watch ended before the program")
            }
        };
        self.drain.begin(Instant::now() + DRAIN);
        let rest = async { while services.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, rest).await.is_err() {
            tracing::warn!("a service did not end in time");
        }
        ended
    }
}

/// Waits for the caches and the lease, works, and gives the lease back after the last write.
async fn lead(
    metrics: Metrics,
    lease: Candidate,
    mut waits_for: Vec<(&'static str, watch::Receiver<bool>)>,
    controllers: Vec<BoxFuture<'static, ()>>,
    mut draining: Draining,
) -> Result<()> {
    let held = async {
        // Who holds the lease must be able to work.
        for (kind, synced) in &mut waits_for {
            synced.wait_for(|synced| *synced).await.context(*kind)?;
        }
        anyhow::Ok(lease.acquire().await)
    };
    let mut held: Held = tokio::select! {
        _ = draining.begun() => return Ok(()),
        held = held => held?,
    };
    tracing::info!("this process leads");
    metrics.leads(true);
    let mut working = JoinSet::new();
    for controller in controllers {
        working.spawn(controller);
    }
    tokio::select! {
        why = held.until_lost() => bail!("the lease is lost: {why}"),
        // A controller ends when the drain begins, or by a defect.
        ended = working.join_next(), if !working.is_empty() => {
            ended.transpose()?;
            if draining.deadline().is_none() {
                bail!("a controller ended before the program");
            }
        }
        _ = draining.begun() => {}
    }
    let rest = async { while working.join_next().await.is_some() {} };
    tokio::select! {
        why = held.until_lost() => bail!("the lease is lost: {why}"),
        () = rest => {}
    }
    metrics.leads(false);
    held.release().await.context("the lease could not be given back")
}

fn context(client: Client, component: Component, namespace: &str) -> Context {
    let metrics = Metrics::default();
    let name = component.name();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // Two replicas may run on one host.
    let identity = format!("{host}_{:016x}", fastrand::u64(..));
    Context {
        writer: Writer::new(client.clone(), name, metrics.clone()),
        events: Events::new(client.clone(), name, &identity, metrics.clone()),
        client,
        component: name,
        namespace: namespace.to_owned(),
        identity,
        metrics,
    }
}

impl Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
