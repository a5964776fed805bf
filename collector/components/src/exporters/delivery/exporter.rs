//! What the exporters over a network have in common: their settings, and their life in the engine. What is left to each is
//! its [`Destination`].

use super::disk::DiskQueue;
use super::queue::QueueSettings;
use super::request::Requests;
use super::settings::{self, Auth, Compression};
use super::{Retry, Transport, run_through};
use crate::net::compress::Encoding;
use crate::net::tls::TlsError;
use collector_config::{ComponentId, Node, Section};
use collector_engine::{BoxError, BoxFuture, Draining, Ended, Exporter, ExporterInput, Host, Placement, Queue};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// Where an exporter sends to, and how a request is written there.
pub(crate) trait Destination: Send + 'static {
    /// Its way there.
    type Transport: Transport;

    /// Reads the files that its connections need.
    fn open(&mut self) -> Result<(), TlsError>;

    /// A way there; must be open.
    fn transport(&self, requests: Requests, draining: &Draining) -> Result<Self::Transport, BoxError>;

    /// What it is called in logs.
    fn name(&self) -> String;
}

/// The settings that are the same for all.
#[derive(Debug)]
pub(crate) struct Common {
    headers: HeaderMap,
    auth: Auth,
    compression: Compression,
    timeout: Option<Duration>,
    retry: Retry,
    pub(crate) queue: QueueSettings,
}

impl Common {
    /// Reads them; `encodings` is what the protocol has besides `none`.
    pub(crate) fn configure(section: &mut Section<'_, '_>, encodings: &[Encoding], timeout: Duration) -> Self {
        Common {
            headers: settings::headers(section),
            auth: Auth::configure(section),
            compression: Compression::configure(section, encodings),
            timeout: settings::timeout(section, timeout),
            retry: Retry::configure(section),
            queue: QueueSettings::configure(section),
        }
    }

    fn requests(&self) -> std::io::Result<Requests> {
        Ok(Requests {
            headers: self.headers.clone(),
            auth: self.auth.clone(),
            compressor: self.compression.compressor()?.map(Arc::new),
            timeout: self.timeout,
        })
    }
}

/// An exporter to a destination.
pub(crate) struct NetworkExporter<D> {
    destination: D,
    common: Common,
    disk: Option<DiskQueue>,
    workers: usize,
}

impl<D: Destination> NetworkExporter<D> {
    pub(crate) fn new(destination: D, common: Common) -> Self {
        NetworkExporter {
            destination,
            common,
            disk: None,
            workers: 1,
        }
    }

    /// A way to send requests one by one, without an engine around it; `settings` are those of the exporter.
    pub(crate) fn sender(
        settings: &Node,
        draining: &Draining,
        read: fn(&mut Section<'_, '_>) -> Self,
    ) -> Result<D::Transport, BoxError> {
        let mut exporter = settings::read_alone(settings, read)?;
        exporter.destination.open()?;
        exporter.transport(draining)
    }

    fn transport(&self, draining: &Draining) -> Result<D::Transport, BoxError> {
        self.destination.transport(self.common.requests()?, draining)
    }
}

impl<D: Destination> Exporter for NetworkExporter<D> {
    fn placement(&self) -> Placement {
        self.common.queue.placement()
    }

    fn queue(&self) -> Queue {
        self.common.queue.before()
    }

    fn needs(&self) -> Vec<ComponentId> {
        let Common { auth, queue, .. } = &self.common;
        auth.id().into_iter().chain(queue.on_disk()).cloned().collect()
    }

    fn is_durable(&self) -> bool {
        self.common.queue.on_disk().is_some()
    }

    fn open(&mut self, host: &Host) -> Ended {
        self.common.auth.open(host)?;
        self.workers = host.workers();
        self.disk = DiskQueue::open(&self.common.queue, host)?;
        Ok(self.destination.open()?)
    }

    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended> {
        let transport = self.transport(&input.draining());
        let (retry, consumers) = (self.common.retry, self.common.queue.consumers_of(self.workers));
        let (disk, name) = (self.disk.take(), self.destination.name());
        Box::pin(async move { run_through(disk, transport?, retry, consumers, name, input).await })
    }
}
