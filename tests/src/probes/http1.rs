use super::{Case, Traced};
use anyhow::{Result, ensure};
use probe_loader::Options;
use probe_loader::table::Group;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// The cases, each a sentence that holds for every way of seeing HTTP/1.
pub(super) const CASES: &[Case] = &[Case {
    name: "one request gives a server and a client span",
    run: one_request,
}];

const GET: &str = "GET /hello?x=1 HTTP/1.1\r\nHost: test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn one_request(group: Group) -> Result<()> {
    let mut traced = Traced::start(group, &Options::default())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let mut buffer = [0; 4096];
    client.write_all(GET.as_bytes())?;
    let read = server.read(&mut buffer)?;
    ensure!(read == GET.len(), "{read} bytes arrived");
    server.write_all(OK.as_bytes())?;
    client.read_exact(&mut buffer[..OK.len()])?;
    let spans = traced.spans(2)?;
    for span in spans {
        ensure!(span.status == Some(200), "{span:?}");
        ensure!(span.request == GET, "{span:?}");
        ensure!(
            span.response_bytes == OK.len() as u64 && span.response_body == Some(2),
            "{span:?}"
        );
        ensure!(span.request_bytes == GET.len() as u64, "{span:?}");
    }
    let (server_span, client_span) = (&spans[0], &spans[1]);
    ensure!(
        !server_span.span.flags.is_client() && client_span.span.flags.is_client(),
        "{spans:?}"
    );
    ensure!(
        server_span.local == listener.local_addr()? && client_span.remote == listener.local_addr()?,
        "{spans:?}"
    );
    Ok(())
}
