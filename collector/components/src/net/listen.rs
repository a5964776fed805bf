//! Sockets that listen.

use collector_config::Endpoint;
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Connections that wait to be taken.
pub(crate) const BACKLOG: i32 = 1024;

/// Why a place cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}")]
pub struct ListenError {
    /// Where.
    pub place: String,
    /// Why.
    pub source: io::Error,
}

/// A socket that listens on `endpoint` and does not block.
pub fn tcp(endpoint: &Endpoint) -> Result<TcpListener, ListenError> {
    let listener = resolve(endpoint).and_then(|address| socket(address, false));
    listener.map_err(|source| ListenError {
        place: endpoint.to_string(),
        source,
    })
}

/// The address; IPv4 where a name has both, as upstream takes it.
pub(crate) fn resolve(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    if endpoint.host.is_empty() {
        return Ok((IpAddr::V6(Ipv6Addr::UNSPECIFIED), endpoint.port).into());
    }
    let found: Vec<SocketAddr> = (endpoint.host.as_str(), endpoint.port).to_socket_addrs()?.collect();
    let v4 = found.iter().find(|address| address.is_ipv4());
    v4.or(found.first())
        .copied()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

/// A socket on one address. A `shared` one lets others of this user share its port.
pub(crate) fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = match socket_with(family, SocketType::STREAM, flags, None) {
        // All addresses of a machine without IPv6.
        Err(Errno::AFNOSUPPORT) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            return self::socket(([0, 0, 0, 0], address.port()).into(), shared);
        }
        other => other?,
    };
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        set_ipv6_v6only(&socket, false)?;
    }
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, shared)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(written: &str) -> SocketAddr {
        tcp(&Endpoint::parse(written).unwrap()).unwrap().local_addr().unwrap()
    }

    #[test]
    fn a_name_with_both_kinds_of_addresses_is_that_of_ipv4() {
        assert_eq!(listening("localhost:0").ip(), IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn no_host_is_all_addresses() {
        let address = listening(":0");
        let socket = tcp(&Endpoint::parse(&format!(":{}", address.port())).unwrap()).unwrap();
        std::net::TcpStream::connect(("127.0.0.1", address.port())).unwrap();
        drop(socket);
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = taken.local_addr().unwrap().to_string();
        let error = tcp(&Endpoint::parse(&endpoint).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {endpoint}"));
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
