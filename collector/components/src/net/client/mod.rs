//! An HTTP client of one server, HTTP/1.1 or HTTP/2, for requests that are in memory as a whole.
//!
//! Connections are made when a request needs one. After a failure the next is not tried before a growing, jittered wait
//! is over: until then requests fail at once, or wait if that is what the settings say. A request that the server has
//! surely not processed (refused, or cut off by GOAWAY) is sent again on another connection at once; every other failure
//! is the caller's to judge.

mod slot;

use super::dial::{Address, Dialer};
use super::rope::RopeBody;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kit::drain::Draining;
use slot::{Exchange, Slot};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The largest answer that is read. Clients without a limit are a known weakness.
pub const MAX_REPLY: usize = 4 << 20;

/// How often a request that was not processed is sent again at once.
const IMMEDIATE: usize = 3;
/// Addresses are looked up again when a connection is needed and they are older than this.
const ADDRESSES_LAST: Duration = Duration::from_secs(5);

/// The wait after a name could not be looked up.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(1);

/// Which of HTTP's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2, and nothing else: gRPC.
    Http2,
    /// What the TLS handshake chooses; HTTP/1.1 without one.
    Negotiated,
}

/// How requests are spread over a server's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// One connection, to the first address that answers.
    PickFirst,
    /// One connection to each address, in turn.
    RoundRobin,
}

/// When an HTTP/2 connection is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// After so much silence.
    pub time: Duration,
    /// It is given up after so much more.
    pub timeout: Duration,
    /// Also while no request is on its way.
    pub permit_without_stream: bool,
}

/// The settings of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSettings {
    /// The protocol.
    pub protocol: Protocol,
    /// The balance.
    pub balance: Balance,
    /// Whether idle connections are probed.
    pub keep_alive: Option<KeepAlive>,
    /// Wait for a connection rather than fail while there is none.
    pub wait_for_ready: bool,
    /// HTTP/1.1: how many connections stay open without a request.
    pub max_idle: usize,
    /// HTTP/1.1: how long one stays open without a request; zero is for ever.
    pub idle_timeout: Duration,
}

/// A client of one server. Requests may be on their way at the same time.
pub struct Client {
    dialer: Arc<Dialer>,
    settings: ClientSettings,
    draining: Draining,
    known: Mutex<Known>,
    turn: AtomicUsize,
}

/// The server's addresses, each with its connections.
#[derive(Default)]
struct Known {
    slots: Vec<Arc<Slot>>,
    resolved: Option<Instant>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no connection; nothing was sent.
    #[error("no connection to the server: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When a connection will be tried again.
        after: Option<Duration>,
    },
    /// The connection ended, or the server did not keep to the protocol; the server may have the request or not.
    #[error("{0}")]
    Broken(String),
}

/// An answer, read to its end or to [`MAX_REPLY`].
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Result<Bytes, ReplyError>,
    /// What follows the body.
    pub trailers: Option<HeaderMap>,
}

/// Why an answer's body is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// It is longer than [`MAX_REPLY`].
    #[error("the answer is larger than {MAX_REPLY} bytes")]
    TooLarge,
    /// The connection ended within it.
    #[error("the answer breaks off: {0}")]
    Broken(String),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("dialer", &self.dialer)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client without a connection yet. Once `draining` has begun there will be no time to wait for better days, so
    /// that connections are tried without a pause.
    pub fn new(dialer: Arc<Dialer>, settings: ClientSettings, draining: Draining) -> Self {
        Client {
            dialer,
            settings,
            draining,
            known: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends the request that `make` makes (anew for each time that it must be sent) and reads the answer. `make` is told
    /// whether it is for HTTP/2.
    pub async fn send(&self, make: impl Fn(bool) -> Request<RopeBody> + Sync) -> Result<Reply, ClientError> {
        let mut again = 0;
        loop {
            let (slot, connection) = self.connection().await?;
            let request = make(connection.is_h2());
            match connection.exchange(request).await {
                Ok(Exchange { response, connection }) => {
                    let reply = read(response).await;
                    if reply.body.is_ok() {
                        slot.give_back(connection, &self.settings);
                    }
                    return Ok(reply);
                }
                Err(failure) if failure.unprocessed && again < IMMEDIATE => {
                    tracing::debug!(reason = failure.reason, "a request was not processed; sending it again");
                    slot.forget_closed();
                    again += 1;
                }
                Err(failure) => {
                    slot.forget_closed();
                    return Err(ClientError::Broken(failure.reason));
                }
            }
        }
    }

    /// A connection, if the settings say so whenever there is one to be had.
    async fn connection(&self) -> Result<(Arc<Slot>, slot::Connected), ClientError> {
        loop {
            let error = match self.connection_now().await {
                Err(error) if self.settings.wait_for_ready && self.draining.deadline().is_none() => error,
                result => return result,
            };
            let ClientError::Unavailable { after, .. } = error else {
                return Err(error);
            };
            let mut draining = self.draining.clone();
            tokio::select! {
                () = tokio::time::sleep(after.unwrap_or(LOOK_UP_AGAIN)) => {}
                _ = draining.begun() => {}
            }
        }
    }

    /// A connection of the next address that has one. Others are connected beside it, so that an address that does not
    /// answer holds up no request as long as another does.
    async fn connection_now(&self) -> Result<(Arc<Slot>, slot::Connected), ClientError> {
        let mut slots = self.slots().await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % slots.len().max(1);
        slots.rotate_left(turn);
        if slots.iter().any(|slot| slot.is_connected()) {
            let apart = slots.extract_if(.., |slot| !slot.is_connected());
            apart.for_each(|slot| self.connect_beside(slot));
        }
        let mut failed = None;
        for slot in slots {
            match slot.connection(&self.dialer, &self.settings, &self.draining).await {
                Ok(connection) => return Ok((slot, connection)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| ClientError::Unavailable {
            reason: "the server has no address".to_owned(),
            after: None,
        }))
    }

    fn connect_beside(&self, slot: Arc<Slot>) {
        if !slot.may_connect() {
            return;
        }
        let (dialer, settings, draining) = (self.dialer.clone(), self.settings, self.draining.clone());
        tokio::spawn(async move { drop(slot.connection(&dialer, &settings, &draining).await) });
    }

    /// The slots of the server's addresses, looked up anew if one lacks a connection.
    async fn slots(&self) -> Result<Vec<Arc<Slot>>, ClientError> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = known
                .resolved
                .is_some_and(|resolved| resolved.elapsed() < ADDRESSES_LAST);
            if fresh || !known.slots.is_empty() && known.slots.iter().all(|slot| slot.is_connected()) {
                return Ok(known.slots.clone());
            }
        }
        let found = self.dialer.resolve().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(addresses) => {
                known.renew(addresses, self.settings.balance);
                Ok(known.slots.clone())
            }
            // The addresses from before may still be right.
            Err(_) if !known.slots.is_empty() => Ok(known.slots.clone()),
            Err(error) => Err(ClientError::Unavailable {
                reason: format!("cannot look up {}: {error}", self.dialer.place()),
                after: None,
            }),
        }
    }
}

impl Known {
    fn renew(&mut self, addresses: Vec<Address>, balance: Balance) {
        let groups: Vec<Vec<Address>> = match balance {
            Balance::PickFirst => vec![addresses],
            Balance::RoundRobin => addresses.into_iter().map(|address| vec![address]).collect(),
        };
        let slots = groups.into_iter().map(|group| {
            let same = self.slots.iter().find(|slot| slot.addresses() == group);
            same.cloned().unwrap_or_else(|| Arc::new(Slot::new(group)))
        });
        self.slots = slots.collect();
        self.resolved = Some(Instant::now());
    }
}

async fn read(response: http::Response<Incoming>) -> Reply {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = None;
    let mut failed = None;
    while let Some(frame) = incoming.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) if body.len() + data.len() > MAX_REPLY => failed = Some(ReplyError::TooLarge),
            Ok(Ok(data)) => body.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(error) => failed = Some(ReplyError::Broken(kit::logging::chain(&error))),
        }
        if failed.is_some() {
            break;
        }
    }
    Reply {
        status: head.status,
        headers: head.headers,
        body: failed.map_or_else(|| Ok(body.freeze()), Err),
        trailers,
    }
}
