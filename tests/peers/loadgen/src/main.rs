// otelload: bounded OTLP/gRPC load generator and counting sink, on raw h2. Loopback only.
//   otelload gen  ADDR SECONDS CONNS INFLIGHT_PER_CONN SPANS_PER_REQ RATE_SPANS_PER_S(0=max) [errpct] [spans_per_trace] [gzip]
//     with gzip, 64 requests are compressed beforehand and sent in turn, so that the generator's share stays small
//   otelload sink ADDR SECONDS [ITEMS_PER_S]      (answers no faster than that; counts spans + log records in traces/logs/metrics Export requests; prints at the end)
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn vi(b: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        b.push(v as u8 | 0x80);
        v >>= 7
    }
    b.push(v as u8)
}
fn ld(b: &mut Vec<u8>, f: u64, d: &[u8]) {
    vi(b, f << 3 | 2);
    vi(b, d.len() as u64);
    b.extend_from_slice(d)
}
fn f64fix(b: &mut Vec<u8>, f: u64, v: u64) {
    vi(b, f << 3 | 1);
    b.extend_from_slice(&v.to_le_bytes())
}
fn kvs(k: &str, v: &str) -> Vec<u8> {
    let mut a = vec![];
    ld(&mut a, 1, v.as_bytes());
    let mut o = vec![];
    ld(&mut o, 1, k.as_bytes());
    ld(&mut o, 2, &a);
    o
}
fn kvi(k: &str, v: u64) -> Vec<u8> {
    let mut a = vec![];
    vi(&mut a, 3 << 3);
    vi(&mut a, v);
    let mut o = vec![];
    ld(&mut o, 1, k.as_bytes());
    ld(&mut o, 2, &a);
    o
}

struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

// returns (message, offsets of every 16-byte trace id) so that trace ids can be patched per request
fn request(n: usize, errpct: u64, per_trace: usize, r: &mut Rng) -> (Vec<u8>, Vec<usize>) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let mut res = vec![];
    for (k, v) in [
        ("service.name", "checkout"),
        ("service.version", "1.4.2"),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "checkout-6d9f7c5b8d-x2x7k"),
        ("k8s.node.name", "node-17"),
        ("host.name", "node-17"),
        ("telemetry.sdk.language", "java"),
        ("telemetry.sdk.name", "opentelemetry"),
    ] {
        let a = kvs(k, v);
        ld(&mut res, 1, &a)
    }
    let mut ss = vec![];
    let mut sc = vec![];
    ld(&mut sc, 1, b"io.opentelemetry.tomcat-10.0");
    ld(&mut sc, 2, b"2.9.0-alpha");
    ld(&mut ss, 1, &sc);
    let mut tid = [0u8; 16];
    let mut parent = [0u8; 8];
    for i in 0..n {
        if i % per_trace == 0 {
            tid[..8].copy_from_slice(&r.next().to_le_bytes());
            tid[8..].copy_from_slice(&r.next().to_le_bytes());
        }
        let mut s = vec![];
        let sid = r.next().to_le_bytes();
        ld(&mut s, 1, &tid);
        ld(&mut s, 2, &sid);
        if i % per_trace != 0 {
            ld(&mut s, 4, &parent)
        } else {
            parent = sid
        }
        ld(&mut s, 5, b"GET /api/v1/orders/{id}");
        vi(&mut s, 6 << 3);
        vi(&mut s, 2);
        f64fix(&mut s, 7, now - 5_000_000 + i as u64 * 1000);
        f64fix(&mut s, 8, now + i as u64 * 1000);
        for a in [
            kvs("http.request.method", "GET"),
            kvs("url.scheme", "https"),
            kvs("url.path", &format!("/api/v1/orders/{}", r.next() % 100000)),
            kvs("http.route", "/api/v1/orders/{id}"),
            kvi("http.response.status_code", 200),
            kvs("server.address", "shop.example.com"),
            kvi("server.port", 443),
            kvs(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            ),
            kvs("network.peer.address", "10.32.7.11"),
            kvi("thread.id", 41),
        ] {
            ld(&mut s, 9, &a)
        }
        let tr = (i / per_trace) as u64;
        let err =
            i % per_trace == 0 && (tr * errpct) % 100 < errpct && errpct > 0 && (n / per_trace) as u64 * errpct >= 100;
        if err {
            let mut st = vec![];
            vi(&mut st, 3 << 3);
            vi(&mut st, 2);
            ld(&mut s, 15, &st)
        }
        ld(&mut ss, 2, &s);
    }
    let mut rs = vec![];
    ld(&mut rs, 1, &res);
    ld(&mut rs, 2, &ss);
    let mut m = vec![];
    ld(&mut m, 1, &rs);
    // find trace ids: they are the only "0x0a 0x10 <16 bytes> 0x12 0x08" sequences at span starts
    let mut offs = vec![];
    let mut i = 0;
    while i + 20 < m.len() {
        if m[i] == 0x0a && m[i + 1] == 16 && m[i + 18] == 0x12 && m[i + 19] == 8 {
            offs.push(i + 2);
            i += 28
        } else {
            i += 1
        }
    }
    assert_eq!(offs.len(), n);
    (m, offs)
}

// the template with trace ids of its own
fn fresh(tmpl: &[u8], offs: &[usize], per_trace: usize, r: &mut Rng) -> Vec<u8> {
    let mut b = tmpl.to_vec();
    let mut t = [0u8; 16];
    for (i, o) in offs.iter().enumerate() {
        if i % per_trace == 0 {
            t[..8].copy_from_slice(&r.next().to_le_bytes());
            t[8..].copy_from_slice(&r.next().to_le_bytes());
        }
        b[*o..o + 16].copy_from_slice(&t);
    }
    b
}
fn framed(message: &[u8], compressed: bool) -> Bytes {
    let mut b = BytesMut::with_capacity(message.len() + 5);
    b.put_u8(compressed as u8);
    b.put_u32(message.len() as u32);
    b.extend_from_slice(message);
    b.freeze()
}
fn gzipped(message: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut z = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    z.write_all(message).unwrap();
    z.finish().unwrap()
}

async fn one(
    send: &mut h2::client::SendRequest<Bytes>,
    addr: &str,
    path: &str,
    body: Bytes,
    gzip: bool,
) -> Result<Option<u32>, h2::Error> {
    *send = send.clone().ready().await?;
    let mut req = http::Request::builder()
        .method("POST")
        .uri(format!("http://{addr}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if gzip {
        req = req.header("grpc-encoding", "gzip");
    }
    let req = req.body(()).unwrap();
    let (resp, mut s) = send.send_request(req, false)?;
    let mut rest = body;
    while !rest.is_empty() {
        s.reserve_capacity(rest.len());
        match std::future::poll_fn(|cx| s.poll_capacity(cx)).await {
            Some(Ok(c)) => {
                let k = c.min(rest.len());
                let part = rest.split_to(k);
                let end = rest.is_empty();
                s.send_data(part, end)?;
            }
            Some(Err(e)) => return Err(e),
            None => break,
        }
    }
    let resp = resp.await?;
    let hdr = resp
        .headers()
        .get("grpc-status")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    let mut b = resp.into_body();
    while let Some(d) = b.data().await {
        let d = d?;
        let _ = b.flow_control().release_capacity(d.len());
    }
    let tr = b.trailers().await?;
    Ok(hdr.or(tr.and_then(|t| t.get("grpc-status").and_then(|v| v.to_str().ok()?.parse().ok()))))
}

async fn gen(a: Vec<String>) {
    let addr = a[2].clone();
    assert!(addr.starts_with("127."), "loopback only");
    let secs: f64 = a[3].parse().unwrap();
    assert!(secs <= 900.0);
    let conns: usize = a[4].parse().unwrap();
    let infl: usize = a[5].parse().unwrap();
    let n: usize = a[6].parse().unwrap();
    let rate: f64 = a[7].parse().unwrap();
    let errpct: u64 = a.get(8).map(|v| v.parse().unwrap()).unwrap_or(1);
    let per_trace: usize = a.get(9).map(|v| v.parse().unwrap()).unwrap_or(10);
    let gzip = a.get(10).is_some_and(|v| v == "gzip");
    let ok = Arc::new(AtomicU64::new(0));
    let bad = Arc::new(AtomicU64::new(0));
    let lat = Arc::new(std::sync::Mutex::new(Vec::<u32>::new()));
    let mut r = Rng(0x9E3779B97F4A7C15 ^ std::process::id() as u64 * 7919);
    let (tmpl, offs) = request(n, errpct, per_trace, &mut r);
    let size = tmpl.len();
    let pool = Arc::new(if gzip {
        (0..64).map(|_| framed(&gzipped(&fresh(&tmpl, &offs, per_trace, &mut r)), true)).collect()
    } else {
        vec![]
    });
    let tmpl = Arc::new(tmpl);
    let offs = Arc::new(offs);
    let t0 = Instant::now();
    let end = t0 + Duration::from_secs_f64(secs);
    let mut js = vec![];
    let nw = conns * infl;
    let period = if rate > 0.0 {
        Some(Duration::from_secs_f64(n as f64 * nw as f64 / rate))
    } else {
        None
    };
    for c in 0..conns {
        let tcp = tokio::net::TcpStream::connect(&addr).await.expect("connect");
        tcp.set_nodelay(true).unwrap();
        let (send, conn) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .max_frame_size(1 << 20)
            .handshake::<_, Bytes>(tcp)
            .await
            .unwrap();
        tokio::spawn(async move {
            let _ = conn.await;
        });
        for w in 0..infl {
            let (mut send, addr, pool, tmpl, offs, ok, bad, lat) = (
                send.clone(),
                addr.clone(),
                pool.clone(),
                tmpl.clone(),
                offs.clone(),
                ok.clone(),
                bad.clone(),
                lat.clone(),
            );
            let mut r = Rng(0xD1B54A32D192ED03 ^ ((c * 1000 + w + 1) as u64) * 0x9E37 ^ std::process::id() as u64);
            for _ in 0..8 {
                r.next();
            }
            let k = c * infl + w;
            js.push(tokio::spawn(async move {
                let mut lats = vec![];
                let mut due = t0 + period.map(|p| p.mul_f64(k as f64 / nw as f64)).unwrap_or_default();
                loop {
                    if let Some(p) = period {
                        tokio::time::sleep_until(due.into()).await;
                        due += p;
                    }
                    if Instant::now() >= end {
                        break;
                    }
                    let b = match pool.len() {
                        0 => framed(&fresh(&tmpl, &offs, per_trace, &mut r), false),
                        n => pool[r.next() as usize % n].clone(),
                    };
                    let q = Instant::now();
                    match one(
                        &mut send,
                        &addr,
                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                        b,
                        gzip,
                    )
                    .await
                    {
                        Ok(Some(0)) => {
                            ok.fetch_add(n as u64, Relaxed);
                            lats.push(q.elapsed().as_micros() as u32)
                        }
                        Ok(_) => {
                            bad.fetch_add(n as u64, Relaxed);
                            tokio::time::sleep(Duration::from_millis(5)).await
                        }
                        Err(_) => {
                            bad.fetch_add(n as u64, Relaxed);
                            break;
                        }
                    }
                }
                lat.lock().unwrap().extend(lats);
            }));
        }
    }
    for j in js {
        let _ = j.await;
    }
    let el = t0.elapsed().as_secs_f64();
    let o = ok.load(Relaxed);
    let mut l = lat.lock().unwrap().clone();
    l.sort();
    let p = |q: f64| {
        if l.is_empty() {
            0
        } else {
            l[((l.len() - 1) as f64 * q) as usize]
        }
    };
    println!("{{\"accepted\":{o},\"refused\":{},\"secs\":{el:.3},\"spans_per_s\":{:.0},\"req_bytes\":{size},\"p50_us\":{},\"p99_us\":{}}}", bad.load(Relaxed), o as f64 / el, p(0.5), p(0.99));
}

// count nested items without decoding: resource_*(1) -> scope_*(2) -> item(2)
fn count(b: &[u8], depth: u8) -> u64 {
    let mut i = 0;
    let mut n = 0;
    let want = if depth == 0 { 1 } else { 2 };
    fn rv(b: &[u8], i: &mut usize) -> u64 {
        let mut v = 0;
        let mut s = 0;
        while *i < b.len() {
            let c = b[*i];
            *i += 1;
            v |= ((c & 0x7f) as u64) << s;
            s += 7;
            if c < 0x80 {
                break;
            }
        }
        v
    }
    while i < b.len() {
        let t = rv(b, &mut i);
        match t & 7 {
            0 => {
                rv(b, &mut i);
            }
            1 => i += 8,
            5 => i += 4,
            2 => {
                let l = rv(b, &mut i) as usize;
                let e = (i + l).min(b.len());
                if t >> 3 == want {
                    if depth == 2 {
                        n += 1
                    } else {
                        n += count(&b[i..e], depth + 1)
                    }
                }
                i = e
            }
            _ => break,
        }
    }
    n
}
async fn sink(a: Vec<String>) {
    let addr = a[2].clone();
    assert!(addr.starts_with("127."), "loopback only");
    let secs: u64 = a[3].parse().unwrap();
    let rate: f64 = a.get(4).map(|v| v.parse().unwrap()).unwrap_or(0.0);
    // When the items that were taken so far are done with, at that rate.
    let busy_until = Arc::new(std::sync::Mutex::new(Instant::now()));
    let items = Arc::new(AtomicU64::new(0));
    let reqs = Arc::new(AtomicU64::new(0));
    let byts = Arc::new(AtomicU64::new(0));
    let gzr = Arc::new(AtomicU64::new(0));
    let l = tokio::net::TcpListener::bind(&addr).await.unwrap();
    let (i2, r2, b2, g2) = (items.clone(), reqs.clone(), byts.clone(), gzr.clone());
    let srv = async move {
        loop {
            let (tcp, _) = l.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let (items, reqs, byts, gzr) = (i2.clone(), r2.clone(), b2.clone(), g2.clone());
            let busy_until = busy_until.clone();
            tokio::spawn(async move {
                let mut c = match h2::server::Builder::new()
                    .initial_window_size(1 << 22)
                    .initial_connection_window_size(1 << 25)
                    .max_frame_size(1 << 20)
                    .max_concurrent_streams(1000)
                    .handshake::<_, Bytes>(tcp)
                    .await
                {
                    Ok(c) => c,
                    Err(_) => return,
                };
                while let Some(Ok((req, mut resp))) = c.accept().await {
                    let (items, reqs, byts, gzr) = (items.clone(), reqs.clone(), byts.clone(), gzr.clone());
                    let busy_until = busy_until.clone();
                    tokio::spawn(async move {
                        let mut b = req.into_body();
                        let mut buf = BytesMut::new();
                        while let Some(Ok(d)) = b.data().await {
                            let _ = b.flow_control().release_capacity(d.len());
                            buf.extend_from_slice(&d);
                        }
                        reqs.fetch_add(1, Relaxed);
                        byts.fetch_add(buf.len() as u64, Relaxed);
                        let mut taken = 0;
                        if buf.len() > 5 {
                            if buf[0] == 1 {
                                // compressed message flag (gzip)
                                gzr.fetch_add(1, Relaxed);
                                use std::io::Read;
                                let mut o = Vec::new();
                                if flate2::read::GzDecoder::new(&buf[5..]).read_to_end(&mut o).is_ok() {
                                    taken = count(&o, 0);
                                }
                            } else {
                                taken = count(&buf[5..], 0);
                            }
                        }
                        if rate > 0.0 {
                            let done = {
                                let mut until = busy_until.lock().unwrap();
                                *until = (*until).max(Instant::now()) + Duration::from_secs_f64(taken as f64 / rate);
                                *until
                            };
                            tokio::time::sleep_until(done.into()).await;
                        }
                        items.fetch_add(taken, Relaxed);
                        let r = http::Response::builder()
                            .header("content-type", "application/grpc")
                            .body(())
                            .unwrap();
                        if let Ok(mut s) = resp.send_response(r, false) {
                            let _ = s.send_data(Bytes::from_static(&[0, 0, 0, 0, 0]), false);
                            let mut t = http::HeaderMap::new();
                            t.insert("grpc-status", "0".parse().unwrap());
                            let _ = s.send_trailers(t);
                        }
                    });
                }
            });
        }
    };
    // stop at the time limit or on SIGTERM-free control file removal: print a line every second to stderr-less stdout
    let t0 = Instant::now();
    let mut last = 0;
    let mut idle = 0;
    let rep = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let n = items.load(Relaxed);
            println!(
                "{:.1} items={} reqs={} bytes={} gzip_reqs={}",
                t0.elapsed().as_secs_f64(),
                n,
                reqs.load(Relaxed),
                byts.load(Relaxed),
                gzr.load(Relaxed)
            );
            if n == last {
                idle += 1
            } else {
                idle = 0
            }
            last = n;
            let _ = idle;
            if t0.elapsed().as_secs() >= secs {
                break;
            }
        }
    };
    tokio::select! { _ = srv => {}, _ = rep => {} }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match a[1].as_str() {
        "gen" => rt.block_on(gen(a)),
        "sink" => rt.block_on(sink(a)),
        _ => panic!("gen|sink"),
    }
}
