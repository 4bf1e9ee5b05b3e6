"""Every error of a configuration at once, each with the path of its key."""

from pathlib import Path

import pytest

from collector.config.foreign import instead
from collector.config.load import load
from collector.config.model import COMPONENT_TYPES
from collector.config.values import parse_address
from tests.unit.config.loading import GRPC, faults, write


def test_every_error_is_listed_with_the_path_of_its_key(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        receivers:
          otlp:
            protocols:
              grpc: {endpont: x, max_recv_msg_size_mib: "64"}
              http: {endpoint: nowhere, tls: {cert_file: /missing.pem}}
          jaeger: {}
        processors: {agent_transfers: {quiet_period: 5}}
        exporters: {storage: {engine: duck, retention: {traces: 36h}}}
        extensions: {query: {base_path: obs/}}
        service:
          telemetry: {logs: {level: loud}}
          extensions: [query, querry]
          pipelines: {traces: {receivers: [otlp], exporters: [storag]}, metrics: {receivers: [otlp], exporters: []}}
        procesors: {}
        """,
    )

    duration = 'write a duration with its unit, such as "500ms", "5s", "1h30m" or "7d"'
    assert faults(path) == {
        "procesors": 'unknown section; did you mean "processors"?',
        f"{GRPC}.endpont": 'unknown key; did you mean "endpoint"?',
        f"{GRPC}.max_recv_msg_size_mib": "input should be a valid integer",
        "receivers.otlp.protocols.http.endpoint": 'write "host:port", such as "localhost:4317" or "0.0.0.0:4317"',
        "receivers.otlp.protocols.http.tls.cert_file": "there is no file /missing.pem",
        "receivers.otlp.protocols.http.tls.key_file": "field required",
        "receivers.jaeger": "Baton takes OTLP and Zipkin; let the sender export OTLP",
        "processors.agent_transfers.quiet_period": duration,
        "exporters.storage.engine": "input should be 'embedded', 'clickhouse' or 'postgres'",
        "exporters.storage.retention.traces": 'retention works in whole days: write "7d", or null to keep everything',
        "extensions.query.base_path": 'write a path such as "/obs/baton": a slash first, none last',
        "service.telemetry.logs.level": "input should be 'debug', 'info', 'warning' or 'error'",
        "service.pipelines.traces.exporters[0]": '"storag": unknown exporter; did you mean "storage"?',
        "service.pipelines.metrics": "Baton stores traces and logs; name the pipeline after one of them",
        "service.pipelines.metrics.exporters": "must not be empty",
        "service.pipelines": "every pipeline must end in the same one exporter of type storage",
        "service.extensions[1]": '"querry": unknown extension; did you mean "query"?',
    }


def test_a_duration_that_is_too_short_is_said_in_words(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "receivers: {otlp: {protocols: {grpc: {response_timeout: 0s, max_connection_age: 0s}}}}",
    )
    assert faults(path) == {
        f"{GRPC}.response_timeout": "input should be greater than 0 seconds",
        f"{GRPC}.max_connection_age": "input should be greater than 0 seconds",
    }


def test_what_a_collector_has_and_baton_does_without_is_said_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        receivers: {otlp: {protocols: {grpc: }}, kafka: {}}
        processors: {batch: {timeout: 1s}, memory_limiter/small: {check_interval: 1s}}
        exporters: {storage: {}, debug: {verbosity: detailed}}
        extensions: {health_check: {}, query: {}}
        service:
          extensions: [health_check, query]
          pipelines:
            traces: {receivers: [otlp], processors: [memory_limiter/small, batch], exporters: [debug, storage]}
            logs: {receivers: [otlp], processors: [batch], exporters: [storage]}
        """,
    )
    found = faults(path)
    assert found.pop("receivers.kafka") == "unknown component type; known: otlp, zipkin"
    assert list(found) == [
        "processors.batch",
        "processors.memory_limiter/small",
        "exporters.debug",
        "extensions.health_check",
    ]
    assert all(message.endswith("leave it out") for message in found.values())


def test_no_component_of_batons_own_is_called_foreign() -> None:
    for section, types in COMPONENT_TYPES.items():
        assert not any(instead(section, kind) for kind in types)


def test_pipelines_are_checked_beside_other_errors_of_service(tmp_path: Path) -> None:
    pipelines = "pipelines: {traces: {receivers: [nope], exporters: [storage]}}"
    file = write(tmp_path, f"service: {{data_dir: 5, journal: {{max_size: -1}}, unknown: 1, {pipelines}}}")
    assert list(faults(file)) == [
        "service.data_dir",
        "service.journal.max_size",
        "service.unknown",
        "service.pipelines.traces.receivers[0]",
        "service.pipelines",
    ]


def test_a_pipeline_that_only_sends_on_is_an_error() -> None:
    options = ["service.pipelines.traces.exporters=[otlp]", "exporters.otlp={endpoint: 'x:1'}"]
    assert faults(options=options) == {
        "service.pipelines": "every pipeline must end in the same one exporter of type storage"
    }


def test_references_between_sections(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        exporters: {storage/second: {}}
        service:
          pipelines:
            traces: {receivers: [otlp, otlp], processors: [nothing], exporters: [storage]}
            traces/2: {receivers: [otlp], exporters: [storage/second]}
            metrics: {receivers: [otlp], exporters: [storage]}
        """,
    )

    assert faults(path) == {
        "service.pipelines.traces.receivers[1]": '"otlp" is here twice',
        "service.pipelines.traces.processors[0]": '"nothing": unknown processor; known: agent_transfers',
        "service.pipelines.traces/2": "there is another pipeline for traces; put its receivers and exporters into one",
        "service.pipelines.metrics": "Baton stores traces and logs; name the pipeline after one of them",
        "service.pipelines": "every pipeline must end in the same one exporter of type storage",
    }


def test_two_endpoints_cannot_share_a_port() -> None:
    found = faults(options=("extensions.query.endpoint=localhost:4317",))

    assert found == {"extensions.query.endpoint": f"localhost:4317 is already used by {GRPC}.endpoint"}


@pytest.mark.parametrize(
    ("kind", "target", "own"),
    [
        ("otlp", "localhost:4317", "grpc"),
        ("otlp", "127.0.0.1:4317", "grpc"),
        ("otlphttp", "http://[::1]:4318", "http"),
        ("otlphttp", "http://LOCALHOST:4318/prefix", "http"),
    ],
)
def test_an_exporter_cannot_send_to_the_receiver_that_feeds_it(kind: str, target: str, own: str) -> None:
    found = faults(options=sending_to(kind, target))
    assert list(found) == [f"exporters.{kind}.endpoint"]
    assert f"is Baton's own receivers.otlp.protocols.{own}.endpoint" in found[f"exporters.{kind}.endpoint"]


@pytest.mark.parametrize("target", ["localhost:14317", "10.0.0.9:4317", "collector.example:4317"])
def test_an_exporter_may_send_to_others(target: str) -> None:
    config = load((), [*sending_to("otlp", target), "receivers.otlp.protocols.grpc.endpoint='0.0.0.0:4317'"], {})
    assert "otlp" in config.exporters


def sending_to(kind: str, target: str) -> list[str]:
    chosen = f"service.pipelines.traces.exporters=[storage,{kind}]"
    return [f"exporters.{kind}={{endpoint: '{target}', tls: {{insecure: {str(kind == 'otlp').lower()}}}}}", chosen]


@pytest.mark.parametrize(
    ("receiver", "query"),
    [
        ("0.0.0.0:4317", "localhost:4317"),
        (":4317", "[::1]:4317"),
        ("[::]:4317", "baton.example:4317"),
        ("localhost:4317", "127.0.0.1:4317"),
        ("LOCALHOST:4317", "[0:0::1]:4317"),
    ],
)
def test_endpoints_share_a_port_however_they_are_spelled(receiver: str, query: str) -> None:
    options = [f"receivers.otlp.protocols.grpc.endpoint='{receiver}'", f"extensions.query.endpoint='{query}'"]
    held = parse_address(receiver)

    assert faults(options=options) == {
        "extensions.query.endpoint": f"{query} is already used by {GRPC}.endpoint ({held})"
    }


@pytest.mark.parametrize(
    ("receiver", "query"),
    [
        ("127.0.0.1:4317", "[::1]:4317"),
        ("127.0.0.1:4317", "127.0.0.2:4317"),
        ("a.example:4317", "b.example:4317"),
        ("0.0.0.0:0", "localhost:0"),
        ("0.0.0.0:4317", "localhost:4319"),
    ],
)
def test_endpoints_that_do_not_collide(receiver: str, query: str) -> None:
    options = [f"receivers.otlp.protocols.grpc.endpoint='{receiver}'", f"extensions.query.endpoint='{query}'"]

    load([], options, {})


def test_sections_must_be_mappings(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "receivers: [otlp]\nservice: 5\nextensions: {query: text}"))

    assert found["receivers"] == "must be a mapping of component ids to their settings"
    assert found["service"] == "must be a mapping"
    assert found["extensions.query"] == "must be a mapping"


@pytest.mark.parametrize("section", ["receivers", "processors", "exporters", "extensions"])
@pytest.mark.parametrize("value", ["5", "true", "0", "false", "text", "[]", "[otlp]"])
def test_what_a_section_that_is_no_mapping_lacks_is_not_listed(section: str, value: str) -> None:
    assert faults(options=(f"{section}={value}",)) == {section: "must be a mapping of component ids to their settings"}


def test_rules_and_patterns_are_checked_at_start() -> None:
    def fault(key: str, value: str) -> str:
        return faults(options=(f"processors.agent_transfers.{key}={value}",))[f"processors.agent_transfers.{key}"]

    assert fault("rules.handof_span", "false") == 'unknown rule; did you mean "handoff_span"?'
    assert "is the name of a built-in rule" in fault("patterns.log_arrow", "{expression: (?P<target>a)}")
    assert "a group named 'target' is required" in fault("patterns.ours.expression", "a")
    assert "exponential" in fault("patterns.ours.expression", '"(?P<target>a+)+"')


def test_every_rule_and_pattern_is_checked_beside_other_mistakes(tmp_path: Path) -> None:
    settings = """
        min_confidence: 2
        quiet_periods: 1s
        rules: {handof_span: false, nothing: true, ours: false, broken: false, log_arrow: "no"}
        patterns: {ours: {expression: "to (?P<target>.)"}, broken: {expression: "("}, none: {expression: 5}, five: 5}
    """
    file = write(tmp_path, f"processors:\n  agent_transfers:{settings}")

    assert {path.removeprefix("processors.agent_transfers.") for path in faults(file)} == {
        "min_confidence",
        "quiet_periods",
        "rules.handof_span",
        "rules.nothing",
        "rules.log_arrow",
        "patterns.broken.expression",
        "patterns.none.expression",
        "patterns.five",
    }
