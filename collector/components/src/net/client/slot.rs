//! The connections to one address (or to the first of several that answers).

use super::{ClientError, ClientSettings, Protocol};
use crate::net::dial::{Address, Connection, Dialer};
use crate::net::rope::RopeBody;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kit::drain::Draining;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The wait after the first failure to connect, its growth with each further one, and its limit: short enough that a
/// server that is back is found soon. The wait of the whole request is `retry_on_failure`'s affair.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const GROWTH: f64 = 1.6;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How soon after its answer an HTTP/1.1 connection can take the next request.
const SETTLES: Duration = Duration::from_millis(50);

/// What we let an HTTP/2 server send before we have read it. Answers are small.
const WINDOW: u32 = 1 << 20;
/// What a request may hold in HTTP/2's own buffer; the pieces there are shared, not copied.
const SEND_BUFFER: usize = 16 << 20;

pub(super) struct Slot {
    addresses: Vec<Address>,
    open: Mutex<Open>,
    /// Held by the one that connects.
    connecting: tokio::sync::Mutex<Trouble>,
}

/// Connections that can take a request.
#[derive(Default)]
struct Open {
    h2: Option<http2::SendRequest<RopeBody>>,
    idle: Vec<(http1::SendRequest<RopeBody>, Instant)>,
}

/// What connecting has come to.
#[derive(Default)]
struct Trouble {
    failures: i32,
    reason: String,
    not_before: Option<Instant>,
}

/// A connection for one request.
pub(super) enum Connected {
    H1 {
        sender: http1::SendRequest<RopeBody>,
        /// It has carried a request before, so the server may just have closed it.
        reused: bool,
    },
    H2(http2::SendRequest<RopeBody>),
}

/// An answer, and the connection that it comes on.
pub(super) struct Exchange {
    pub(super) response: Response<Incoming>,
    pub(super) connection: Connected,
}

/// Why there is no answer.
pub(super) struct Failure {
    pub(super) reason: String,
    /// The server has surely not looked at the request, or it was written to a connection that was at its end.
    pub(super) unprocessed: bool,
}

impl Slot {
    pub(super) fn new(addresses: Vec<Address>) -> Self {
        Slot {
            addresses,
            open: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub(super) fn is_connected(&self) -> bool {
        let open = self.open();
        open.h2.as_ref().is_some_and(|h2| !h2.is_closed()) || open.idle.iter().any(|(h1, _)| !h1.is_closed())
    }

    /// Whether nobody connects now, and the wait after the last failure is over.
    pub(super) fn may_connect(&self) -> bool {
        let trouble = self.connecting.try_lock();
        trouble.is_ok_and(|trouble| !trouble.is_too_soon())
    }

    /// Lets go of connections that have ended.
    pub(super) fn forget_closed(&self) {
        let mut open = self.open();
        open.h2 = open.h2.take().filter(|h2| !h2.is_closed());
        open.idle.retain(|(h1, _)| !h1.is_closed());
    }

    /// Keeps an HTTP/1.1 connection for the next request.
    pub(super) fn give_back(&self, connection: Connected, settings: &ClientSettings) {
        if let Connected::H1 { sender, .. } = connection {
            let mut open = self.open();
            if !sender.is_closed() && open.idle.len() < settings.max_idle {
                open.idle.push((sender, Instant::now()));
            }
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is there, or a new one.
    pub(super) async fn connection(
        &self,
        dialer: &Dialer,
        settings: &ClientSettings,
        draining: &Draining,
    ) -> Result<Connected, ClientError> {
        if let Some(ready) = self.ready(settings).await {
            return Ok(ready);
        }
        let mut trouble = self.connecting.lock().await;
        // Another request may have connected meanwhile.
        if let Some(ready) = self.ready(settings).await {
            return Ok(ready);
        }
        if trouble.is_too_soon() && draining.deadline().is_none() {
            return Err(trouble.error());
        }
        match self.connect(dialer, settings).await {
            Ok(connected) => {
                *trouble = Trouble::default();
                Ok(connected)
            }
            Err(reason) => {
                trouble.add(reason);
                Err(trouble.error())
            }
        }
    }

    async fn ready(&self, settings: &ClientSettings) -> Option<Connected> {
        if let Some(h2) = self.open().h2.as_ref().filter(|h2| !h2.is_closed()) {
            return Some(Connected::H2(h2.clone()));
        }
        loop {
            let (mut sender, since) = self.open().idle.pop()?;
            if !settings.idle_timeout.is_zero() && since.elapsed() > settings.idle_timeout {
                continue;
            }
            // A server that has answered without reading the request to its end keeps the connection busy.
            if let Ok(Ok(())) = tokio::time::timeout(SETTLES, sender.ready()).await {
                return Some(Connected::H1 { sender, reused: true });
            }
        }
    }

    async fn connect(&self, dialer: &Dialer, settings: &ClientSettings) -> Result<Connected, String> {
        let connection = dialer
            .connect(&self.addresses)
            .await
            .map_err(|error| kit::logging::chain(&error))?;
        let h2 = settings.protocol == Protocol::Http2 || connection.chose_h2;
        if settings.protocol == Protocol::Http2 && dialer.is_tls() && !connection.chose_h2 {
            return Err("the server does not speak HTTP/2 over TLS (ALPN)".to_owned());
        }
        let made = if h2 {
            let sender = handshake_h2(connection, settings).await;
            sender.map(|sender| {
                self.open().h2 = Some(sender.clone());
                Connected::H2(sender)
            })
        } else {
            handshake_h1(connection).await
        };
        made.map_err(|error| kit::logging::chain(&error))
    }
}

async fn handshake_h2(
    connection: Connection,
    settings: &ClientSettings,
) -> hyper::Result<http2::SendRequest<RopeBody>> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    if let Some(keep_alive) = settings.keep_alive {
        builder
            .keep_alive_interval(keep_alive.time)
            .keep_alive_timeout(keep_alive.timeout)
            .keep_alive_while_idle(keep_alive.permit_without_stream);
    }
    let (sender, driver) = builder.handshake(TokioIo::new(connection.stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(error = kit::logging::chain(&error), "a connection has ended");
        }
    });
    Ok(sender)
}

async fn handshake_h1(connection: Connection) -> hyper::Result<Connected> {
    let (sender, driver) = http1::handshake(TokioIo::new(connection.stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(error = kit::logging::chain(&error), "a connection has ended");
        }
    });
    Ok(Connected::H1 { sender, reused: false })
}

impl Trouble {
    /// Whether the wait after the last failure is not over.
    fn is_too_soon(&self) -> bool {
        self.not_before.is_some_and(|then| then > Instant::now())
    }

    fn add(&mut self, reason: String) {
        let wait = FIRST_WAIT.mul_f64(GROWTH.powi(self.failures.min(30))).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.reason = reason;
        self.not_before = Some(Instant::now() + wait.mul_f64(0.8 + 0.4 * fastrand::f64()));
    }

    fn error(&self) -> ClientError {
        ClientError::Unavailable {
            reason: self.reason.clone(),
            after: self
                .not_before
                .map(|then| then.saturating_duration_since(Instant::now())),
        }
    }
}

impl Connected {
    pub(super) fn is_h2(&self) -> bool {
        matches!(self, Connected::H2(_))
    }

    pub(super) async fn exchange(self, request: Request<RopeBody>) -> Result<Exchange, Failure> {
        match self {
            Connected::H1 { mut sender, reused } => match sender.try_send_request(request).await {
                Ok(response) => Ok(Exchange {
                    response,
                    connection: Connected::H1 { sender, reused: true },
                }),
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    let error = error.into_error();
                    Err(Failure {
                        unprocessed: unsent || reused && error.is_incomplete_message(),
                        reason: kit::logging::chain(&error),
                    })
                }
            },
            Connected::H2(mut sender) => match sender.try_send_request(request).await {
                Ok(response) => Ok(Exchange {
                    response,
                    connection: Connected::H2(sender),
                }),
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    let error = error.into_error();
                    Err(Failure {
                        unprocessed: unsent || is_unprocessed(&error),
                        reason: kit::logging::chain(&error),
                    })
                }
            },
        }
    }
}

/// What HTTP/2 guarantees not to have been processed (RFC 9113, 8.7): a stream that is refused, or beyond the last that a
/// GOAWAY names.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (refused || error.is_go_away());
        }
        cause = error.source();
    }
    false
}
