//! Connections to a server: its addresses, the socket and the TLS handshake.

use super::endpoint::Place;
use super::tls::Loaded;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// How long one connection may take, whatever the request's own timeout is. gRPC's clients have the same.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long one may take where there is another address to try: a request has seconds for all of them, and an address
/// that swallows packets (IPv6 where it is not routed) must leave some to the next.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(2);
/// How long the kernel keeps sending what the peer does not acknowledge. A connection whose peer has vanished ends so,
/// where it would otherwise swallow requests for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// A stream of bytes, whatever is below it.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Over the network.
    Tcp(SocketAddr),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// A connection.
pub struct Connection {
    /// The stream, TLS done.
    pub stream: Box<dyn Io>,
    /// Whether the peer has chosen HTTP/2 in the TLS handshake.
    pub chose_h2: bool,
}

/// Connects to one server.
#[derive(Debug)]
pub struct Dialer {
    place: Place,
    tls: Option<(Loaded<ClientConfig>, ServerName<'static>)>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("chose_h2", &self.chose_h2)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    /// A dialer to `place`, with the TLS and the server's name that its certificate must have.
    pub fn new(place: Place, tls: Option<(Loaded<ClientConfig>, ServerName<'static>)>) -> Self {
        Dialer { place, tls }
    }

    /// Where it connects to.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether there is TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The server's addresses, at least one.
    pub async fn resolve(&self) -> io::Result<Vec<Address>> {
        match &self.place {
            Place::Unix(path) => Ok(vec![Address::Unix(path.clone())]),
            Place::Tcp { host, port } => {
                let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let mut addresses: Vec<Address> = found.map(Address::Tcp).collect();
                addresses.dedup();
                if addresses.is_empty() {
                    return Err(io::Error::other(format!("the name {host} has no address")));
                }
                Ok(addresses)
            }
        }
    }

    /// Connects to the first of `addresses` that answers; the error is that of the last.
    pub async fn connect(&self, addresses: &[Address]) -> io::Result<Connection> {
        let mut last = io::Error::other("there is no address");
        for (index, address) in addresses.iter().enumerate() {
            let is_last = index + 1 == addresses.len();
            let timeout = if is_last { CONNECT_TIMEOUT } else { ONE_OF_SEVERAL };
            match tokio::time::timeout(timeout, self.connect_to(address)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {timeout:?}")),
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: &Address) -> io::Result<Connection> {
        match address {
            Address::Unix(path) => self.secure(UnixStream::connect(path).await?).await,
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED.as_millis() as u32)?;
                self.secure(stream).await
            }
        }
    }

    async fn secure(&self, stream: impl Io + 'static) -> io::Result<Connection> {
        let Some((config, name)) = &self.tls else {
            return Ok(Connection {
                stream: Box::new(stream),
                chose_h2: false,
            });
        };
        let connector = tokio_rustls::TlsConnector::from(config.current());
        let stream = connector.connect(name.clone(), stream).await?;
        let chose_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connection {
            stream: Box::new(stream),
            chose_h2,
        })
    }
}
