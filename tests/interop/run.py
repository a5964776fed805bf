#!/usr/bin/env python3
"""run.py [CASE...]: our collector together with the upstream one and with the OpenTelemetry SDKs, as real processes.

- A file of cases/ is read by both collectors, together with base.yaml; what they make of golden/ must be equal.
- Each of the two exports to the other over every transport; every item of golden/ arrives once.
- The SDKs export to ours; every item arrives once.

COLLECTOR, PEER and SDKS (a folder that scripts/e2e.sh fills) say where the programs are."""
import collections, http.server, json, os, pathlib, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
OURS, PEER, SDKS = (os.environ[name] for name in ("COLLECTOR", "PEER", "SDKS"))
PATIENCE = 60  # seconds, far more than anything takes, since the machine may be busy
LISTS = {"traces": ("resourceSpans", "scopeSpans", "spans"),
         "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
         "logs": ("resourceLogs", "scopeLogs", "logRecords")}
# A field with its default is the same as none, but where its presence says something.
PRESENCE = {"sum", "min", "max", "gauge", "histogram", "summary", "exponentialHistogram", "value", "body"}


class Sink:
    """An OTLP/HTTP destination that keeps what it is sent as JSON."""

    def __init__(self):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path.rsplit("/", 1)[1], json.loads(body)))
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


def items(kind, request):
    """The items of a request: spans, records, or data points with their metric; each with its resource and scope."""
    outer, middle, inner = LISTS[kind]
    for resource in request.get(outer, []):
        for scope in resource.get(middle, []):
            around = {"resource": resource.get("resource", {}), "resource_schema": resource.get("schemaUrl", ""),
                      "scope": scope.get("scope", {}), "scope_schema": scope.get("schemaUrl", "")}
            for item in scope.get(inner, []):
                for part in points(item) if kind == "metrics" else [item]:
                    yield json.dumps(canonical({**around, "item": part}), sort_keys=True, ensure_ascii=False)


def points(metric):
    for field in ("gauge", "sum", "histogram", "exponentialHistogram", "summary"):
        for point in metric.get(field, {}).get("dataPoints", []):
            yield {**metric, field: {**metric[field], "dataPoints": [point]}}


def canonical(value, name=""):
    """Attributes in the order of their keys, numbers as floating point, and no field that has its default."""
    if isinstance(value, dict):
        fields = {key: canonical(inner, key) for key, inner in value.items()}
        return {key: inner for key, inner in fields.items() if stated(key, inner)}
    if isinstance(value, list):
        inner = [canonical(entry) for entry in value]
        keyed = all(isinstance(entry, dict) and "key" in entry for entry in inner)
        return sorted(inner, key=lambda entry: entry["key"]) if keyed else inner
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def stated(key, value):
    return key.endswith("Value") or key.startswith("as") or key in PRESENCE or value not in ("", "0", 0.0, False, [], {}, None)


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

    def __init__(self, program, *sources, sink):
        self.grpc, self.http = free_port(), free_port()
        arguments = [part for source in sources for part in ("--config", str(source))]
        environment = {**os.environ, "GRPC": str(self.grpc), "HTTP": str(self.http), "SINK": str(sink)}
        self.log = tempfile.TemporaryFile()
        self.name = os.path.basename(program)
        self.child = subprocess.Popen([program, *arguments], env=environment, stdout=self.log, stderr=self.log)

    def __enter__(self):
        for port in (self.grpc, self.http):
            until(f"{self.name} listens", lambda: self.listens(port))
        return self

    def listens(self, port):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{self.said()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def send_golden(self, kinds):
        for kind in kinds:
            body = (HERE / "golden" / f"{kind}.json").read_bytes()
            request = urllib.request.Request(f"http://127.0.0.1:{self.http}/v1/{kind}", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=PATIENCE).read()

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


def compare(expected, found, names):
    """Fails with the items that only one side has."""
    lines = [f"only {name}: {count} x {item}" for name, left, right in ((names[0], expected, found), (names[1], found, expected))
             for item, count in sorted((left - right).items())]
    if lines:
        raise AssertionError("\n  ".join([f"{sum(expected.values())} and {sum(found.values())} items differ:"] + lines[:6]))


def golden(kinds=LISTS):
    return collections.Counter(item for kind in kinds
                               for item in items(kind, json.loads((HERE / "golden" / f"{kind}.json").read_text())))


def output(program, case, kinds, wait):
    sink = Sink()
    with Collector(program, HERE / "base.yaml", HERE / "cases" / f"{case}.yaml", sink=sink.port) as collector:
        collector.send_golden(kinds)
        until(f"{collector.name} has sent {wait} items", lambda: sum(sink.items().values()) >= wait)
        collector.stop()
    return sink.items()


# How many items each case lets through, of 24 spans, 10 data points and 12 log records; and of which signals.
CASES = {
    "nothing": (46, LISTS), "batch": (46, LISTS), "resource": (46, LISTS), "attributes": (46, LISTS),
    "attributes_hash": (46, LISTS), "attributes_extract_convert": (46, LISTS),
    "attributes_include": (36, ("traces", "logs")), "filter": (24, LISTS), "transform": (46, LISTS),
    "probabilistic_sampler": (1, ("traces", "logs")), "probabilistic_sampler_proportional": (1, ("traces",)),
    "tail_sampling": (9, ("traces",)),
}


def same_output(case):
    count, kinds = CASES[case]
    peer, ours = output(PEER, case, kinds, count), output(OURS, case, kinds, count)
    compare(peer, ours, ("upstream", "ours"))
    if case in ("nothing", "batch"):
        compare(golden(), ours, ("golden", "ours"))


def relay(first, second, exporter):
    """What `first` is sent it exports to `second`, which exports it to the sink."""
    sink = Sink()
    plain = HERE / "cases" / "nothing.yaml"
    with Collector(second, HERE / "base.yaml", plain, sink=sink.port) as receiving:
        # The base's exporter is there twice, but only this one is used.
        kind = exporter.split("{")[0].rstrip(": ")
        text = exporter.replace("GRPC", str(receiving.grpc)).replace("HTTP", str(receiving.http))
        pipelines = ", ".join(f"{signal}: {{receivers: [otlp], exporters: [{kind}]}}" for signal in LISTS)
        extra = f"yaml:{{exporters: {{{text}}}, service: {{pipelines: {{{pipelines}}}}}}}"
        with Collector(first, HERE / "base.yaml", extra, sink=sink.port) as sending:
            sending.send_golden(LISTS)
            until("all items arrived", lambda: sum(sink.items().values()) >= sum(golden().values()))
            sending.stop()
        receiving.stop()
    compare(golden(), sink.items(), ("golden", "arrived"))


TRANSPORTS = {
    "grpc": "otlp/r: {endpoint: 127.0.0.1:GRPC, tls: {insecure: true}, compression: none}",
    "grpc+gzip": "otlp/r: {endpoint: 127.0.0.1:GRPC, tls: {insecure: true}, compression: gzip}",
    "grpc+zstd": "otlp/r: {endpoint: 127.0.0.1:GRPC, tls: {insecure: true}, compression: zstd}",
    "http+proto+gzip": "otlphttp/r: {endpoint: 'http://127.0.0.1:HTTP', compression: gzip}",
    "http+proto+zstd": "otlphttp/r: {endpoint: 'http://127.0.0.1:HTTP', compression: zstd}",
    "http+json": "otlphttp/r: {endpoint: 'http://127.0.0.1:HTTP', encoding: json, compression: none}",
}
SDK = {
    "python": ([f"{SDKS}/python/bin/python", f"{HERE}/python/emit.py"], ("grpc", "proto")),
    "node": (["node", f"{SDKS}/node/emit.js"], ("grpc", "proto", "json")),
    "java": (["java", "-cp", f"{SDKS}/java/*", f"{HERE}/java/Emit.java"], ("grpc", "proto")),
}


def sdk(language, protocol):
    """The program emits ten spans, ten records and a counter of 10, named by their number."""
    sink = Sink()
    with Collector(OURS, HERE / "base.yaml", HERE / "cases" / "nothing.yaml", sink=sink.port) as collector:
        endpoint = f"http://127.0.0.1:{collector.grpc if protocol == 'grpc' else collector.http}"
        done = subprocess.run([*SDK[language][0], protocol, endpoint], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(f"it failed: {done.stdout}{done.stderr}")
        collector.stop()
    numbers = [str(number) for number in range(10)]
    spans = [json.loads(item)["item"]["name"] for item in sink.items("traces").elements()]
    records = [json.loads(item)["item"]["body"]["stringValue"] for item in sink.items("logs").elements()]
    counted = [json.loads(item)["item"]["sum"]["dataPoints"][0].get("asInt") for item in sink.items("metrics").elements()]
    assert sorted(spans) == numbers, f"spans {sorted(spans)}"
    assert sorted(records) == numbers, f"records {sorted(records)}"
    assert counted and set(counted) == {"10"}, f"counted {counted}"


def tests():
    for case in CASES:
        yield f"same output: {case}", lambda case=case: same_output(case)
    for name, exporter in TRANSPORTS.items():
        yield f"upstream to ours: {name}", lambda exporter=exporter: relay(PEER, OURS, exporter)
        yield f"ours to upstream: {name}", lambda exporter=exporter: relay(OURS, PEER, exporter)
    for language, (_, protocols) in SDK.items():
        for protocol in protocols:
            yield f"sdk: {language} {protocol}", lambda language=language, protocol=protocol: sdk(language, protocol)


def main():
    passed, failed = 0, 0
    for name, test in tests():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        try:
            test()
            passed += 1
            print(f"ok      {name}", flush=True)
        except (AssertionError, OSError, KeyError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAILED  {name}\n  {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
