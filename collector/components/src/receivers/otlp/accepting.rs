//! Takes connections, up to a number, and ends them at the drain.

use super::endpoint::{Listener, UnixSocket};
use super::grpc::GREETING_TIMEOUT;
use super::stream::Stream;
use crate::net::tls::Loaded;
use collector_engine::Draining;
use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long to wait after an accept that failed, for example for lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What of the drain's time is left to the rest of the collector.
const MARGIN: Duration = Duration::from_millis(200);

/// How connections of one protocol are taken, shared by the workers.
#[derive(Clone)]
pub(super) struct Accepting {
    pub(super) tls: Option<Arc<Loaded<ServerConfig>>>,
    pub(super) places: Arc<Places>,
}

/// Bounds the connections of one protocol.
#[derive(Debug)]
pub(super) struct Places {
    taken: AtomicUsize,
    limit: usize,
}

/// A connection's place.
struct Place(Arc<Places>);

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Places {
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    fn take(self: &Arc<Self>) -> Option<Place> {
        let place = Place(self.clone());
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Socket {
    // Beside what is accepted from, the socket as others know it, who may take it over.
    Tcp(TcpListener, Arc<std::net::TcpListener>),
    Unix(UnixListener, Arc<UnixSocket>),
}

impl Socket {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener.try_clone()?)?, listener),
            Listener::Unix(known) => Socket::Unix(UnixListener::from_std(known.socket.try_clone()?)?, known),
        })
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Socket::Tcp(listener, _known) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(stream.into())
            }
            Socket::Unix(listener, _known) => Ok(listener.accept().await?.0.into()),
        }
    }
}

impl Accepting {
    /// Gives every connection to `serve` in a task of its own, until the drain begins and they have all ended, or its
    /// deadline is near.
    pub(super) async fn run<F>(
        self,
        listener: Listener,
        mut draining: Draining,
        serve: impl Fn(Stream) -> F + Clone + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let socket = Socket::new(listener)?;
        let mut connections = JoinSet::new();
        let deadline = loop {
            tokio::select! {
                deadline = draining.begun() => break deadline,
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok(stream) => self.begin(stream, &mut connections, &serve),
                    Err(error) if is_peers(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        };
        drop(socket);
        let deadline = deadline.checked_sub(MARGIN).unwrap_or_else(Instant::now);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        // What is still there then is cut off as the set is dropped.
        let _ = tokio::time::timeout_at(deadline.into(), all_ended).await;
        Ok(())
    }

    fn begin<F>(
        &self,
        stream: Stream,
        connections: &mut JoinSet<()>,
        serve: &(impl Fn(Stream) -> F + Clone + Send + 'static),
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(place) = self.places.take() else {
            tracing::debug!(
                limit = self.places.limit,
                "a connection beyond max_connections was closed"
            );
            return;
        };
        let (tls, serve) = (self.tls.clone(), serve.clone());
        connections.spawn(async move {
            if let Some(stream) = greeted(stream, tls).await {
                serve(stream).await;
            }
            drop(place);
        });
    }
}

/// The connection within its TLS, if there is any.
async fn greeted(stream: Stream, tls: Option<Arc<Loaded<ServerConfig>>>) -> Option<Stream> {
    let Some(tls) = tls else {
        return Some(stream);
    };
    let greeting = TlsAcceptor::from(tls.current()).accept(stream);
    match tokio::time::timeout(GREETING_TIMEOUT, greeting).await {
        Ok(Ok(stream)) => Some(stream.into()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a peer's TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// A connection that its peer gave up before it was taken.
fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
