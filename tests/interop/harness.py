"""Collectors as processes, a destination for both, and what arrived there in one canonical form."""
import collections, http.server, json, os, pathlib, signal, socket, ssl, subprocess, tempfile, threading, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60  # seconds, far more than anything takes, since the machine may be busy
LISTS = {"traces": ("resourceSpans", "scopeSpans", "spans"),
         "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
         "logs": ("resourceLogs", "scopeLogs", "logRecords")}
# The files of golden/, and the signal of each.
GOLDEN = {"traces": "traces", "metrics": "metrics", "logs": "logs", "odd": "logs"}
# A field with its default is the same as none, but where its presence says something.
PRESENCE = {"sum", "min", "max", "gauge", "histogram", "summary", "exponentialHistogram", "value", "body"}
# Numbers that stand in JSON as texts.
COUNTS = {"count", "zeroCount"}


class Sink:
    """An OTLP/HTTP destination that keeps what it is sent as JSON."""

    def __init__(self):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path.rsplit("/", 1)[1], numbers(body)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def items(self, only=None):
        """All items that have arrived, each as one canonical text, with how often."""
        found = collections.Counter()
        for kind, request in list(self.requests):
            if only in (None, kind):
                found.update(items(kind, request))
        return found


def numbers(body):
    """JSON with all numbers as floating point: upstream writes -0."""
    return json.loads(body.decode(errors="replace"), parse_int=float)


def items(kind, request):
    """The items of a request: spans, records, or data points with their metric; each with its resource and scope."""
    outer, middle, inner = LISTS[kind]
    for resource in request.get(outer, []):
        for scope in resource.get(middle, []):
            around = {"resource": resource.get("resource", {}), "resource_schema": resource.get("schemaUrl", ""),
                      "scope": scope.get("scope", {}), "scope_schema": scope.get("schemaUrl", "")}
            for item in scope.get(inner, []):
                for part in points(item) if kind == "metrics" else [item]:
                    yield text({**around, "item": part})


def points(metric):
    for field in ("gauge", "sum", "histogram", "exponentialHistogram", "summary"):
        for point in metric.get(field, {}).get("dataPoints", []):
            yield {**metric, field: {**metric[field], "dataPoints": [point]}}


def text(item):
    return json.dumps(canonical(item), sort_keys=True, ensure_ascii=False)


def canonical(value):
    """Attributes in the order of their keys, and no field that has its default."""
    if isinstance(value, dict):
        fields = {key: canonical(inner) for key, inner in value.items()}
        return {key: inner for key, inner in fields.items() if stated(key, inner)}
    if isinstance(value, list):
        inner = [canonical(entry) for entry in value]
        keyed = all(isinstance(entry, dict) and "key" in entry for entry in inner)
        return sorted(inner, key=lambda entry: entry["key"]) if keyed else inner
    return value


def stated(key, value):
    """Whether a field says anything."""
    if key.endswith("Value") or key.startswith("as") or key in PRESENCE:
        return True
    is_zero = value == "0" and (key.endswith("UnixNano") or key in COUNTS)
    return not is_zero and value not in ("", 0.0, False, [], {}, None)


def golden(*names):
    """The items of these files of golden/."""
    return collections.Counter(item for name in names
                               for item in items(GOLDEN[name], numbers(golden_bytes(name))))


def golden_bytes(name):
    return (HERE / "golden" / f"{name}.json").read_bytes()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, attempt):
    deadline = time.monotonic() + PATIENCE
    while not attempt():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)


class Collector:
    """A started collector, which is ended with the block."""

    def __init__(self, program, *sources, sink=None, **variables):
        self.grpc, self.http = free_port(), free_port()
        self.name = os.path.basename(program)
        arguments = [part for source in sources for part in ("--config", str(source))]
        environment = {**os.environ, "GRPC": str(self.grpc), "HTTP": str(self.http),
                       "SINK": str(sink.port if sink else 9), "CERTS": "", "CLIENT_CA": "", **variables}
        self.log, self.out = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.child = subprocess.Popen([program, *arguments], env=environment, stdout=self.out, stderr=self.log)

    def __enter__(self):
        try:
            for port in (self.grpc, self.http):
                until(f"{self.name} listens", lambda: self.listens(port))
        except BaseException:
            self.stop()
            raise
        return self

    def listens(self, port):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{self.said()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def said(self):
        return read(self.log)

    def shown(self):
        """Its standard output."""
        return read(self.out)

    def send_golden(self, *names, tls=None):
        scheme = "https" if tls else "http"
        for name in names:
            url = f"{scheme}://localhost:{self.http}/v1/{GOLDEN[name]}"
            request = urllib.request.Request(url, golden_bytes(name), {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=PATIENCE, context=tls).read()

    def stop(self):
        """Asks it to end, which also makes it deliver what it holds."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(PATIENCE)
        finally:
            self.child.kill()
            self.child.wait()

    def __exit__(self, *_):
        self.stop()


def read(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def compare(expected, found, names):
    """Fails with the items that only one side has."""
    lines = [f"only {name}: {count} x {item}" for name, left, right in ((names[0], expected, found), (names[1], found, expected))
             for item, count in sorted((left - right).items())]
    if lines:
        raise AssertionError("\n  ".join([f"{sum(expected.values())} and {sum(found.values())} items differ:"] + lines[:60]))


class Certificates:
    """An authority in a folder of its own, with a certificate for localhost and one for a client."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=interop", "-keyout", "ca.key", "-out", "ca.crt")
        for name in ("server", "client"):
            (self.path / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
            self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                         "-keyout", f"{name}.key", "-out", f"{name}.csr")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                         "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.path, check=True, capture_output=True, timeout=PATIENCE)

    def client(self, known):
        """What a client brings along; one that is known has a certificate."""
        context = ssl.create_default_context(cafile=self.path / "ca.crt")
        if known:
            context.load_cert_chain(self.path / "client.crt", self.path / "client.key")
        return context
