use super::connection::{Connection, Manner, pass, receive, send_file, splice_from, splice_to, throw_away};
use super::{Span, Traced};
use anyhow::{Context, Result, ensure};
use probe_wire::layout::HTTP1_REQUEST_CAPTURE;
use rustix::net::sockopt::set_socket_linger;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// What happens on a connection, one step after the other.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The client sends, the server receives.
    Request(Vec<u8>),
    /// The server sends, the client receives.
    Response(Vec<u8>),
    /// The same, from a file.
    ResponseFile(Vec<u8>),
    /// The same, by way of a pipe, and at the client too if its manner says so.
    ResponseSpliced(Vec<u8>),
    /// The same, and the client does not look at it.
    ResponseThrownAway(Vec<u8>),
    /// The server closes, and the client sees it.
    ServerCloses,
    /// The server resets the connection.
    ServerResets,
}

/// What a server span and a client span must both say.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The whole request.
    pub request: Vec<u8>,
    pub status: Option<u16>,
    pub response_bytes: usize,
    pub body: Option<usize>,
    pub incomplete: bool,
}

/// A conversation over one connection, and the exchanges that must be seen in it.
#[derive(Debug, Clone)]
pub(super) struct Dialogue {
    /// A sentence.
    pub name: &'static str,
    pub steps: Vec<Step>,
    pub expected: Vec<Expected>,
}

/// Steps that send a request.
pub(super) fn request(text: &str) -> Step {
    Step::Request(text.into())
}

/// Steps that send a response.
pub(super) fn response(text: &str) -> Step {
    Step::Response(text.into())
}

impl Dialogue {
    /// One request and its response, given whole, and cut into pieces as `steps` says.
    pub fn one(name: &'static str, steps: Vec<Step>, status: u16, body: Option<usize>) -> Self {
        let mut expected = Expected {
            request: Vec::new(),
            status: Some(status),
            response_bytes: 0,
            body,
            incomplete: false,
        };
        for step in &steps {
            match step {
                Step::Request(bytes) => expected.request.extend_from_slice(bytes),
                Step::Response(bytes)
                | Step::ResponseFile(bytes)
                | Step::ResponseSpliced(bytes)
                | Step::ResponseThrownAway(bytes) => expected.response_bytes += bytes.len(),
                _ => {}
            }
        }
        Dialogue {
            name,
            steps,
            expected: vec![expected],
        }
    }

    /// The same with bytes that are no part of the final response.
    pub fn without(mut self, bytes: usize) -> Self {
        self.expected[0].response_bytes -= bytes;
        self
    }

    /// The same, cut off.
    pub fn incomplete(mut self) -> Self {
        self.expected[0].incomplete = true;
        self
    }

    /// This dialogue, and then another on the same connection.
    pub fn then(mut self, next: Dialogue) -> Self {
        self.steps.extend(next.steps);
        self.expected.extend(next.expected);
        self
    }

    /// The dialogue with steps that must leave no trace.
    pub fn and(mut self, steps: Vec<Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// Holds it over a new connection and checks what was seen of it.
    pub fn hold(&self, traced: &mut Traced, address: &str, manner: Manner) -> Result<()> {
        let context = || format!("{} ({address}, {manner:?})", self.name);
        let connection = Connection::over(address).with_context(context)?;
        self.hold_over(connection, traced, manner).with_context(context)
    }

    /// Holds it over this connection.
    pub fn hold_over(&self, connection: Connection, traced: &mut Traced, manner: Manner) -> Result<()> {
        let (server_address, client_address) = (connection.address, connection.client.local_addr()?);
        self.play(connection, manner)?;
        let spans = traced.take(2 * self.expected.len())?;
        let (clients, servers): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.span.flags.is_client());
        ensure!(
            clients.len() == servers.len(),
            "not as many client as server spans: {spans:#?}"
        );
        for (expected, (client, server)) in self.expected.iter().zip(clients.into_iter().zip(servers)) {
            for span in [client, server] {
                expected.check(span)?;
            }
            ensure!(
                client.local == client_address && client.remote == server_address,
                "{client:?}"
            );
            ensure!(
                server.local == server_address && server.remote == client_address,
                "{server:?}"
            );
            let contains = client.span.start_ns <= server.span.start_ns && server.span.end_ns <= client.span.end_ns;
            ensure!(
                contains || expected.incomplete,
                "the client span does not contain the server span: {spans:#?}"
            );
        }
        Ok(())
    }

    /// The connection ends with the last step.
    fn play(&self, connection: Connection, manner: Manner) -> Result<()> {
        let Connection { client, server, .. } = connection;
        let mut server = Some(server);
        for step in &self.steps {
            match step {
                Step::Request(bytes) => pass(&client, end(&server)?, bytes, manner)?,
                Step::Response(bytes) => pass(end(&server)?, &client, bytes, manner)?,
                Step::ResponseFile(bytes) => {
                    send_file(end(&server)?, bytes)?;
                    receive(&client, bytes, manner)?;
                }
                Step::ResponseSpliced(bytes) => {
                    splice_to(end(&server)?, bytes)?;
                    if manner.splices {
                        splice_from(&client, bytes)?;
                    } else {
                        receive(&client, bytes, manner)?;
                    }
                }
                Step::ResponseThrownAway(bytes) => {
                    end(&server)?.write_all(bytes)?;
                    throw_away(&client, bytes.len())?;
                }
                Step::ServerCloses => {
                    server = None;
                    ensure!(rustix::io::read(&client, &mut [0; 1])? == 0, "the end did not arrive");
                }
                Step::ServerResets => {
                    set_socket_linger(end(&server)?, Some(Duration::ZERO))?;
                    server = None;
                    ensure!(
                        rustix::io::read(&client, &mut [0; 1]).is_err(),
                        "the reset did not arrive"
                    );
                }
            }
        }
        Ok(())
    }
}

fn end(stream: &Option<TcpStream>) -> Result<&TcpStream> {
    stream.as_ref().context("the dialogue uses an end that it has closed")
}

impl Expected {
    fn check(&self, span: &Span) -> Result<()> {
        let captured = &self.request[..self.request.len().min(HTTP1_REQUEST_CAPTURE)];
        ensure!(
            span.request.as_bytes() == captured,
            "captured {:?} of {:?}",
            span.request,
            String::from_utf8_lossy(captured)
        );
        let agrees = span.status == self.status
            && span.request_bytes == self.request.len() as u64
            && span.response_bytes == self.response_bytes as u64
            && span.response_body == self.body.map(|bytes| bytes as u64)
            && span.span.flags.is_incomplete() == self.incomplete
            && span.span.start_ns <= span.span.end_ns;
        ensure!(agrees, "expected {self:?}, got {span:?}");
        Ok(())
    }
}
