//! What is beside the pipelines: it serves other components, or shows the engine to the outside.

use crate::component::{BoxFuture, Ended};
use crate::host::{Authenticator, Host, StorageRoot};
use crate::run::EngineHandle;
use collector_config::{Section, Telemetry};
use kit::drain::Draining;
use std::sync::Arc;

/// A type of extension.
#[derive(Clone, Copy)]
pub struct ExtensionFactory {
    /// The type in a component's id.
    pub kind: &'static str,
    /// Reads the settings, without touching the outside world.
    pub configure: fn(&mut Section<'_, '_>) -> Box<dyn Extension>,
}

/// Makes what shows the engine's own metrics, if anything is to be shown.
pub type TelemetryFactory = fn(&Telemetry) -> Option<Box<dyn Extension>>;

/// Beside the pipelines. Opened before, and ended after all other components.
pub trait Extension: Send {
    /// Acquires what it needs before anything runs.
    fn open(&mut self, _host: &Host) -> Ended {
        Ok(())
    }

    /// A directory for components that keep something over a restart, if that is what it is for.
    fn storage(&self) -> Option<StorageRoot> {
        None
    }

    /// Who it authenticates clients as, if that is what it is for.
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        None
    }

    /// The work, on one worker. `stopping` begins when all else has ended. An error ends the whole engine.
    fn run(&mut self, engine: EngineHandle, mut stopping: Draining) -> BoxFuture<Ended> {
        drop(engine);
        Box::pin(async move {
            stopping.begun().await;
            Ok(())
        })
    }
}
