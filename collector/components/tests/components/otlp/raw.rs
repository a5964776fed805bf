//! Clients that say exactly what the test wants.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// What a call was answered with; `fields` are headers and trailers together.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub fields: HeaderMap,
    pub body: Vec<u8>,
    pub trailers_only: bool,
}

impl Reply {
    /// The gRPC status code.
    pub fn code(&self) -> u32 {
        self.text("grpc-status").parse().unwrap()
    }

    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An HTTP/2 connection.
pub async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap())
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// A message with its prefix.
pub fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = vec![flag];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed.into()
}

/// A call with these headers and this body, in frames of these bytes.
pub async fn call(
    client: &SendRequest<Bytes>,
    path: &str,
    headers: &[(&str, &str)],
    frames: &[Bytes],
) -> Result<Reply, h2::Error> {
    let mut client = client.clone().ready().await?;
    let mut request = Request::post(format!("http://test{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, mut stream) = client.send_request(request.body(()).unwrap(), frames.is_empty())?;
    for (index, frame) in frames.iter().enumerate() {
        // A stream that the server has answered already takes no more.
        if stream.send_data(frame.clone(), index + 1 == frames.len()).is_err() {
            break;
        }
    }
    let (head, mut body) = response.await?.into_parts();
    let trailers_only = body.is_end_stream();
    let (mut fields, mut data) = (head.headers, Vec::new());
    while let Some(piece) = body.data().await {
        data.extend(piece?);
    }
    fields.extend(body.trailers().await?.unwrap_or_default());
    Ok(Reply {
        status: head.status,
        fields,
        body: data,
        trailers_only,
    })
}

/// One call of one message on a connection of its own.
pub async fn export(address: SocketAddr, path: &str, headers: &[(&str, &str)], frames: &[Bytes]) -> Reply {
    call(&connect(address).await, path, headers, frames).await.unwrap()
}

/// One POST over HTTP/1.1 on a connection of its own.
pub async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    request(address, http::Method::POST, path, headers, body).await
}

/// One request over HTTP/1.1.
pub async fn request(
    address: SocketAddr,
    method: http::Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Reply {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let (head, body) = client.send_request(request).await.unwrap().into_parts();
    Reply {
        status: head.status,
        fields: head.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
        trailers_only: false,
    }
}
