//! What the engine offers to a component that is being opened.

use crate::component::BoxError;
use crate::counts::lock;
use collector_config::ComponentId;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

/// The surroundings of a component.
#[derive(Debug, Clone)]
pub struct Host {
    pub(crate) workers: usize,
    pub(crate) offers: HashMap<ComponentId, Offer>,
    pub(crate) sockets: Sockets,
    /// The number of the plan that is being opened, and the component of it.
    pub(crate) plan: u64,
    pub(crate) opening: String,
}

/// The sockets that components listen on, for as long as they hold them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sockets(Arc<Mutex<Vec<Socket>>>);

#[derive(Debug)]
struct Socket {
    owner: String,
    place: String,
    socket: Weak<dyn Any + Send + Sync>,
    /// The last plan in which it was made or taken over.
    plan: u64,
}

/// What an extension offers to others.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    pub(crate) storage: Option<StorageRoot>,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
}

/// A directory in which components keep what outlives the process, each in a folder of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRoot {
    /// The directory.
    pub directory: PathBuf,
    /// Whether what is written must outlive a loss of power too.
    pub fsync: bool,
}

/// Proves to a destination who is sending.
pub trait Authenticator: Send + Sync {
    /// The headers of the next request.
    fn headers(&self) -> Result<Vec<(String, String)>, BoxError>;
}

/// Why an extension does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It is not in `service::extensions`.
    #[error("extension \"{0}\" is not started: name it in service::extensions")]
    NotStarted(ComponentId),
    /// It is for something else.
    #[error("extension \"{id}\" does not offer {what}")]
    OtherPurpose {
        /// Which.
        id: ComponentId,
        /// What was asked for.
        what: &'static str,
    },
}

impl Host {
    /// How many workers there are: what runs on each needs so many of its own.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The sockets that `bind` makes at a place, an address or a path. In a reload, those at this place of the component that
    /// this one takes the place of, with the connections that wait at them: nobody could bind there as long as that one goes on.
    pub fn listeners<L: Any + Send + Sync>(
        &self,
        place: &str,
        bind: impl FnOnce() -> io::Result<Vec<L>>,
    ) -> io::Result<Vec<Arc<L>>> {
        let mut sockets = lock(&self.sockets.0);
        sockets.retain(|socket| socket.socket.strong_count() > 0);
        let is_former =
            |socket: &Socket| socket.owner == self.opening && socket.place == place && socket.plan < self.plan;
        let mut former = Vec::new();
        for socket in sockets.iter_mut().filter(|socket| is_former(socket)) {
            socket.plan = self.plan;
            former.extend(socket.socket.upgrade().and_then(|socket| socket.downcast::<L>().ok()));
        }
        if !former.is_empty() {
            return Ok(former);
        }
        let made: Vec<Arc<L>> = bind()?.into_iter().map(Arc::new).collect();
        for socket in &made {
            let socket: Arc<dyn Any + Send + Sync> = socket.clone();
            sockets.push(Socket {
                owner: self.opening.clone(),
                place: place.to_owned(),
                socket: Arc::downgrade(&socket),
                plan: self.plan,
            });
        }
        Ok(made)
    }

    /// The directory that the extension offers.
    pub fn storage(&self, id: &ComponentId) -> Result<StorageRoot, HostError> {
        self.offer(id, "storage", |offer| offer.storage.clone())
    }

    /// The authenticator that the extension offers.
    pub fn authenticator(&self, id: &ComponentId) -> Result<Arc<dyn Authenticator>, HostError> {
        self.offer(id, "authentication of clients", |offer| offer.authenticator.clone())
    }

    fn offer<T>(
        &self,
        id: &ComponentId,
        what: &'static str,
        pick: impl Fn(&Offer) -> Option<T>,
    ) -> Result<T, HostError> {
        let offer = self.offers.get(id).ok_or_else(|| HostError::NotStarted(id.clone()))?;
        pick(offer).ok_or_else(|| HostError::OtherPurpose { id: id.clone(), what })
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("storage", &self.storage)
            .field("authenticator", &self.authenticator.is_some())
            .finish()
    }
}
