//! The certificate that is served, which is exchanged while connections go on.

use super::certificates::Material;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// What this process serves.
#[derive(Debug)]
pub struct Serving {
    current: RwLock<Option<(Material, Arc<CertifiedKey>)>>,
    is_ready: watch::Sender<bool>,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            current: RwLock::default(),
            is_ready: watch::Sender::new(false),
        }
    }
}

impl Serving {
    /// Serves the certificate from now on. One that a TLS server cannot use is left out.
    pub fn serve(&self, material: Material) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|(before, _)| *before == material) {
            return;
        }
        let Some(key) = material.served() else {
            tracing::error!("a certificate that this build cannot use is left out");
            return;
        };
        *current = Some((material, Arc::new(key)));
        self.is_ready.send_replace(true);
    }

    /// What is served, with all that it came with.
    pub fn material(&self) -> Option<Material> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|(material, _)| material.clone())
    }

    /// Becomes true when there is a certificate.
    pub fn is_ready(&self) -> watch::Receiver<bool> {
        self.is_ready.subscribe()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|(_, key)| Arc::clone(key))
    }
}
