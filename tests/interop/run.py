#!/usr/bin/env python3
"""run.py [WORD...]: our collector together with the upstream one and with the OpenTelemetry SDKs, as real processes.

- A file of cases/ is read by both collectors, together with base.yaml; what they make of golden/ must be equal. Where it
  is to differ, the case says how (docs/collector-configuration.md, "What differs from upstream").
- Each of the two exports to the other over every transport; every item of golden/ arrives once.
- The SDKs export to ours; every item arrives once.

COLLECTOR, PEER and SDKS (a folder that scripts/e2e.sh fills) say where the programs are."""
import collections, json, os, pathlib, subprocess, sys, tempfile, time, urllib.request
from harness import GOLDEN, HERE, LISTS, PATIENCE, Certificates, Collector, Sink, compare, free_port, golden, items, numbers, text, until

OURS, PEER, SDKS = (os.environ[name] for name in ("COLLECTOR", "PEER", "SDKS"))
BASE = HERE / "base.yaml"
SIGNALS = tuple(LISTS)


def output(program, case, names, count):
    """What a collector makes of golden files with the configuration of a case."""
    sink = Sink()
    with Collector(program, BASE, HERE / "cases" / f"{case}.yaml", sink=sink) as collector:
        collector.send_golden(*names)
        until(f"{collector.name} has sent {count} items", lambda: sum(sink.items().values()) >= count)
        collector.stop()
    return sink.items()


# Of each case the files of golden/, and how many items upstream lets through, of 24 spans, 10 data points, 12 log records
# and 58 odd ones.
CASES = {
    "nothing": (SIGNALS, 46), "batch": (SIGNALS, 46), "resource": (SIGNALS, 46), "attributes": (SIGNALS, 46),
    "attributes_hash": (SIGNALS, 46), "attributes_extract_convert": (SIGNALS, 46),
    "attributes_include": (("traces", "logs"), 36), "filter": (SIGNALS, 25), "transform": (SIGNALS, 46),
    "editors": (SIGNALS, 46), "filter_outer": (SIGNALS, 28), "conversions": (("odd",), 58),
    "probabilistic_sampler": (("traces", "logs"), 6), "probabilistic_sampler_proportional": (("traces",), 16),
    "probabilistic_sampler_equalizing": (("traces",), 16),
    "tail_sampling": (("traces",), 9), "tail_sampling_policies": (("traces",), 21),
}


def tail_sampling(peer, ours):
    """Ours names the policy on the span that was the root, or the first; and keeps the schemas, which upstream loses."""
    without, named = collections.Counter(), []
    for line, count in ours.items():
        item = json.loads(line)
        attributes = item["item"]["attributes"]
        item["item"]["attributes"] = [entry for entry in attributes if entry["key"] != "tailsampling.policy"]
        named += [item["item"]["traceId"] for entry in attributes if entry["key"] == "tailsampling.policy"]
        item.pop("resource_schema", None), item.pop("scope_schema", None)
        without[text(item)] += count
    traces = {json.loads(line)["item"]["traceId"] for line in ours}
    assert sorted(named) == sorted(traces), f"the policy is named once in each trace: {named}"
    assert any("resource_schema" in json.loads(line) for line in ours), "the schemas are kept"
    return peer, without


# Of the odd values by number: what ours makes of them, where upstream's differs. 1e300 and infinity are the largest int,
# as upstream has it on arm64, and no number is 0; of the many forms of no number ours is the plain one; empty bytes are
# not nil.
ODD = {("11", "int"): "9223372036854775807", ("13", "int"): "9223372036854775807", ("51", "int"): "0",
       ("52", "int"): "9223372036854775807", ("51", "hex"): "7ff8000000000000", ("49", "is.nil"): None}


def conversions(peer, ours):
    """Both without what differs."""
    sides = []
    for side in (peer, ours):
        found, without = {}, collections.Counter()
        for line, count in side.items():
            item = json.loads(line)
            number, attributes = item["item"]["severityText"], item["item"]["attributes"]
            found.update({(number, entry["key"]): next(iter(entry["value"].values()), None) for entry in attributes})
            item["item"]["attributes"] = [entry for entry in attributes if (number, entry["key"]) not in ODD]
            without[text(item)] += count
        sides.append((without, {key: found.get(key) for key in ODD}))
    assert sides[1][1] == ODD, f"ours makes {sides[1][1]}"
    return sides[0][0], sides[1][0]


# What is taken out of the two outputs, after it was asserted that it is there.
DEVIATIONS = {"tail_sampling": tail_sampling, "tail_sampling_policies": tail_sampling, "conversions": conversions}


def same_output(case):
    names, count = CASES[case]
    peer, ours = output(PEER, case, names, count), output(OURS, case, names, count)
    assert sum(peer.values()) == count, f"upstream has sent {sum(peer.values())} items"
    if case in ("nothing", "batch"):
        compare(golden(*names), ours, ("golden", "ours"))
    compare(*DEVIATIONS.get(case, lambda *sides: sides)(peer, ours), ("upstream", "ours"))


def relay(first, second, transport, certificates):
    """What `first` is sent it exports to `second`, which exports it to the sink."""
    exporter, security = TRANSPORTS[transport]
    sink, variables, tls, more = Sink(), {}, "", []
    if security:
        at, more = certificates.path, [HERE / "tls.yaml"]
        variables = {"CERTS": str(at), "CLIENT_CA": str(at / "ca.crt") if security == "mtls" else ""}
        own = f", cert_file: '{at}/client.crt', key_file: '{at}/client.key'" if security == "mtls" else ""
        tls = f"ca_file: '{at}/ca.crt'{own}"
    plain = HERE / "cases" / "nothing.yaml"
    with Collector(second, BASE, *more, plain, sink=sink, **variables) as receiving:
        kind = exporter.split(":")[0]
        # TLS knows the server by its name.
        places = {"GRPC": f"localhost:{receiving.grpc}", "HTTP": f"localhost:{receiving.http}", "TLS": tls}
        for word, place in places.items():
            exporter = exporter.replace(word, place)
        pipelines = ", ".join(f"{signal}: {{receivers: [otlp], exporters: [{kind}]}}" for signal in SIGNALS)
        extra = f"yaml:{{exporters: {{{exporter}}}, service: {{pipelines: {{{pipelines}}}}}}}"
        with Collector(first, BASE, extra) as sending:
            sending.send_golden(*SIGNALS)
            until("all items arrived", lambda: sum(sink.items().values()) >= golden(*SIGNALS).total())
            sending.stop()
        receiving.stop()
    compare(golden(*SIGNALS), sink.items(), ("golden", "arrived"))


# The exporter of each transport, by the older or the newer name, and how the receiver is secured.
TRANSPORTS = {
    "grpc": ("otlp/r: {endpoint: 'GRPC', tls: {insecure: true}, compression: none}", ""),
    "grpc+gzip": ("otlp_grpc/r: {endpoint: 'GRPC', tls: {insecure: true}}", ""),
    "grpc+zstd": ("otlp_grpc/r: {endpoint: 'GRPC', tls: {insecure: true}, compression: zstd}", ""),
    "grpc+tls": ("otlp_grpc/r: {endpoint: 'GRPC', tls: {TLS}}", "tls"),
    "grpc+mtls": ("otlp_grpc/r: {endpoint: 'GRPC', tls: {TLS}}", "mtls"),
    "http+proto": ("otlphttp/r: {endpoint: 'http://HTTP', compression: none}", ""),
    "http+proto+gzip": ("otlp_http/r: {endpoint: 'http://HTTP'}", ""),
    "http+proto+zstd": ("otlp_http/r: {endpoint: 'http://HTTP', compression: zstd}", ""),
    "http+proto+tls": ("otlp_http/r: {endpoint: 'https://HTTP', tls: {TLS}}", "tls"),
    "http+proto+mtls": ("otlp_http/r: {endpoint: 'https://HTTP', tls: {TLS}}", "mtls"),
    "http+json": ("otlp_http/r: {endpoint: 'http://HTTP', encoding: json, compression: none}", ""),
    "http+json+gzip": ("otlp_http/r: {endpoint: 'http://HTTP', encoding: json}", ""),
}


def refused(certificates):
    """Without a certificate nobody is let in where one is wanted, by neither collector."""
    for program in (PEER, OURS):
        variables = {"CERTS": str(certificates.path), "CLIENT_CA": str(certificates.path / "ca.crt")}
        with Collector(program, BASE, HERE / "tls.yaml", HERE / "cases" / "nothing.yaml", **variables) as collector:
            collector.send_golden("traces", tls=certificates.client(known=True))
            try:
                collector.send_golden("traces", tls=certificates.client(known=False))
            except OSError:
                continue
            raise AssertionError(f"{collector.name} lets a stranger in")


def debug(verbosity):
    """The exporter `debug` says the same of each item, in the same lines."""
    exporter = f"debug: {{verbosity: {verbosity}, use_internal_logger: false, sampling_initial: 100}}"
    pipelines = ", ".join(f"{signal}: {{receivers: [otlp], exporters: [debug]}}" for signal in SIGNALS)
    source = f"yaml:{{exporters: {{{exporter}}}, service: {{pipelines: {{{pipelines}}}}}}}"
    blocks = {}
    for program in (PEER, OURS):
        with Collector(program, BASE, source) as collector:
            collector.send_golden(*GOLDEN)
            collector.stop()
        blocks[program] = debug_blocks(collector.shown())
    assert len(blocks[PEER]) == len(GOLDEN), f"upstream has shown {list(blocks[PEER])}"
    for title in blocks[PEER]:
        compare_lines(blocks[PEER][title], blocks[OURS].get(title, []))
    assert list(blocks[PEER]) == list(blocks[OURS])


def debug_blocks(shown):
    """By its title and counts, the lines of each request. What else a title has is about the collector. Ours shows what
    could control a terminal by its number."""
    blocks, lines = {}, []
    for line in shown.replace("\u2028", "\\u{2028}").split("\n"):
        name, _, facts = line.partition("\t")
        if name in ("Traces", "Metrics", "Logs") and facts:
            counts = {key: value for key, value in json.loads(facts).items() if isinstance(value, int)}
            lines = blocks[f"{name} {counts}"] = []
        # A line of blanks is an empty body, or the end of a text.
        elif line.strip() and not line.startswith("\t{"):
            lines.append(line.rstrip())
    return blocks


def compare_lines(peer, ours):
    for number, (left, right) in enumerate(zip(peer, ours)):
        assert left == right, f"line {number}:\n    upstream {left!r}\n    ours     {right!r}"
    assert len(peer) == len(ours), f"{len(peer)} and {len(ours)} lines"


def file(exporter):
    """Both write the same items to a file, as lines of JSON."""
    sides = []
    for program in (PEER, OURS):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "items.jsonl"
            pipelines = ", ".join(f"{signal}: {{receivers: [otlp], exporters: [file]}}" for signal in SIGNALS)
            settings = f"{{path: '{path}'{exporter}}}"
            source = f"yaml:{{exporters: {{file: {settings}}}, service: {{pipelines: {{{pipelines}}}}}}}"
            with Collector(program, BASE, source) as collector:
                collector.send_golden(*GOLDEN)
                collector.stop()
            sides.append(collections.Counter(item for line in path.read_bytes().splitlines() for item in line_items(line)))
    compare(golden(*GOLDEN), sides[0], ("golden", "upstream"))
    compare(*sides, ("upstream", "ours"))


def prometheus(converted):
    """Both show the same series to Prometheus, but for what the documents name."""
    sides = []
    for program in (PEER, OURS):
        port = free_port()
        settings = f"endpoint: '127.0.0.1:{port}', resource_to_telemetry_conversion: {{enabled: {converted}}}"
        pipelines = "metrics: {receivers: [otlp], exporters: [prometheus]}"
        source = f"yaml:{{exporters: {{prometheus: {{{settings}}}}}, service: {{pipelines: {{{pipelines}}}}}}}"
        with Collector(program, BASE, source) as collector:
            collector.send_golden("metrics")
            until("the last metric is on the page", lambda: "summary_count{" in page(port))
            sides.append(series(page(port)))
    peer, ours = sides
    assert all(peer[name] == ours[name] for name in peer.keys() & ours.keys()), f"values differ: {peer} {ours}"
    own = lambda one, other: sorted({name.partition("{")[0] for name in one.keys() - other.keys()})
    upstreams = ["exponential_bucket", "exponential_count", "exponential_sum", "histogram_seconds_sum"]
    assert own(peer, ours) == upstreams, f"only upstream: {own(peer, ours)}"
    assert own(ours, peer) == ["delta", "target_info"], f"only ours: {own(ours, peer)}"


def page(port):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).read().decode()


def series(text):
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def line_items(line):
    request = numbers(line)
    kind = next(kind for kind, lists in LISTS.items() if lists[0] in request)
    return items(kind, request)


SDK = {
    "python": ([f"{SDKS}/python/bin/python", f"{HERE}/python/emit.py"], ("grpc", "proto")),
    "node": (["node", f"{SDKS}/node/emit.js"], ("grpc", "proto", "json")),
    "java": (["java", "-cp", f"{SDKS}/java/*", f"{HERE}/java/Emit.java"], ("grpc", "proto")),
}


def sdk(language, protocol):
    """The program emits ten spans, ten records and a counter of 10, named by their number."""
    sink = Sink()
    with Collector(OURS, BASE, HERE / "cases" / "nothing.yaml", sink=sink) as collector:
        endpoint = f"http://127.0.0.1:{collector.grpc if protocol == 'grpc' else collector.http}"
        done = subprocess.run([*SDK[language][0], protocol, endpoint], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(f"it failed: {done.stdout}{done.stderr}")
        collector.stop()
    numbers = [str(number) for number in range(10)]
    spans = [json.loads(item)["item"]["name"] for item in sink.items("traces").elements()]
    records = [json.loads(item)["item"]["body"]["stringValue"] for item in sink.items("logs").elements()]
    counted = [json.loads(item)["item"]["sum"]["dataPoints"][0].get("asInt") for item in sink.items("metrics").elements()
               if json.loads(item)["item"]["name"] == "emitted"]
    assert sorted(spans) == numbers, f"spans {sorted(spans)}"
    assert sorted(records) == numbers, f"records {sorted(records)}"
    assert counted and set(counted) == {"10"}, f"counted {counted}"


def tests():
    certificates = Certificates()
    for case in CASES:
        yield f"same output: {case}", lambda case=case: same_output(case)
    for verbosity in ("basic", "normal", "detailed"):
        yield f"same output: debug {verbosity}", lambda verbosity=verbosity: debug(verbosity)
    yield "same output: file", lambda: file("")
    yield "same output: file, rotating", lambda: file(", rotation: {max_megabytes: 10}")
    yield "same output: prometheus", lambda: prometheus("false")
    yield "same output: prometheus, resource labels", lambda: prometheus("true")
    for name in TRANSPORTS:
        yield f"upstream to ours: {name}", lambda name=name: relay(PEER, OURS, name, certificates)
        yield f"ours to upstream: {name}", lambda name=name: relay(OURS, PEER, name, certificates)
    yield "a client without a certificate is refused", lambda: refused(certificates)
    for language, (_, protocols) in SDK.items():
        for protocol in protocols:
            yield f"sdk: {language} {protocol}", lambda language=language, protocol=protocol: sdk(language, protocol)


def main():
    passed, failed, begun = 0, 0, time.monotonic()
    for name, test in tests():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        try:
            test()
            passed += 1
            print(f"ok      {name}", flush=True)
        except (AssertionError, OSError, KeyError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAILED  {name}\n  {error!r}" if not str(error) else f"FAILED  {name}\n  {error}", flush=True)
    print(f"{passed} passed, {failed} failed in {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failed or not passed else 0)


main()
