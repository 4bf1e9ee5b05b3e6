"""The configuration: defaults, merging, environment, and every error at once with the path of its key."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collector.config import reference
from collector.config.errors import ConfigError
from collector.config.exporters import Storage
from collector.config.load import load
from collector.config.model import Config
from collector.config.read import merge
from collector.config.values import Address, format_duration, format_size, parse_address, parse_duration, parse_size

ROOT = Path(__file__).parents[2]
GRPC = "receivers.otlp.protocols.grpc"


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def faults(*files: Path, options: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(files, options, environment or {})
    return {problem.path: problem.message for problem in caught.value.problems}


def test_no_file_at_all_is_a_complete_configuration() -> None:
    config = load(environment={})

    assert config == Config()
    protocols = config.receivers["otlp"].protocols
    assert protocols.grpc is not None
    assert protocols.grpc.endpoint == Address("localhost", 4317)
    assert config.exporters["storage"].retention.traces == timedelta(days=7)


def test_the_file_at_the_top_spells_out_the_defaults() -> None:
    assert load([ROOT / "otel-config.yaml"], environment={}) == Config()


def test_the_file_at_the_top_names_every_key() -> None:
    written = merge({}, load([ROOT / "otel-config.yaml"], environment={}).as_written())
    text = (ROOT / "otel-config.yaml").read_text()

    def names(value: object) -> set[str]:
        return {k for key, item in value.items() for k in {key} | names(item)} if isinstance(value, dict) else set()

    assert [name for name in names(written) if f"{name}:" not in text] == []


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    shown = yaml.safe_dump(Config().as_written())

    assert load([write(tmp_path, shown)], environment={}) == Config()


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


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}",
        "x: " + "[" * 5000 + "]" * 5000,
        "x: " + "[" * 150 + "]" * 150,
        "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]" for n in range(1, 12))]),
    ],
    ids=["endless", "too deep to read", "too deep", "a bomb"],
)
def test_yaml_without_end_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert "over 100000 values" in faults(path)[str(path)]
    assert "over 100000 values" in faults(options=(f"service={text}",))["--set service"]


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

    found = faults(path)

    assert found == {
        "procesors": 'unknown section; did you mean "processors"?',
        f"{GRPC}.endpont": 'unknown key; did you mean "endpoint"?',
        f"{GRPC}.max_recv_msg_size_mib": "input should be a valid integer",
        "receivers.otlp.protocols.http.endpoint": 'write "host:port", such as "localhost:4317" or "0.0.0.0:4317"',
        "receivers.otlp.protocols.http.tls.cert_file": "there is no file /missing.pem",
        "receivers.otlp.protocols.http.tls.key_file": "field required",
        "receivers.jaeger": "unknown component type; known: otlp, zipkin",
        "processors.agent_transfers.quiet_period": found["processors.agent_transfers.quiet_period"],
        "exporters.storage.engine": "input should be 'embedded', 'clickhouse' or 'postgres'",
        "exporters.storage.retention.traces": 'retention works in whole days: write "7d", or null to keep everything',
        "extensions.query.base_path": 'write a path such as "/obs/baton": a slash first, none last',
        "service.telemetry.logs.level": found["service.telemetry.logs.level"],
        "service.pipelines.metrics.exporters": found["service.pipelines.metrics.exporters"],
        "service.extensions[1]": '"querry": unknown extension; did you mean "query"?',
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


def test_a_transport_is_on_when_its_key_is_there(tmp_path: Path) -> None:
    config = load([write(tmp_path, "receivers: {otlp: {protocols: {http:}}}")], environment={})

    protocols = config.receivers["otlp"].protocols
    assert protocols.grpc is None
    assert protocols.http is not None
    assert load(options=[f"receivers={yaml.safe_dump(config.as_written()['receivers'])}"], environment={}) == config
    assert "switch on grpc or http" in faults(options=("receivers.otlp.protocols={}",))["receivers.otlp.protocols"]


def test_files_are_merged_in_order_and_options_come_last(tmp_path: Path) -> None:
    first = write(tmp_path, "extensions: {query: {endpoint: 'localhost:1', base_path: /a}}", "1.yaml")
    second = write(tmp_path, "extensions: {query: {endpoint: 'localhost:2'}}", "2.yaml")

    config = load([first, second], ["extensions.query.base_path=/b", "service.extensions=[query]"], {})

    query = config.as_written()["extensions"]["query"]
    assert (query["endpoint"], query["base_path"]) == ("localhost:2", "/b")
    assert config.service.extensions == ("query",)


def test_an_option_changes_one_key_and_leaves_its_neighbours() -> None:
    protocols = load(options=["receivers.otlp.protocols.grpc.endpoint=[::1]:14317"]).receivers["otlp"].protocols

    assert protocols.grpc is not None
    assert protocols.grpc.endpoint == Address("::1", 14317)
    assert protocols.http is not None


def test_a_second_component_of_a_type(tmp_path: Path) -> None:
    text = """
    receivers: {otlp/internal: {protocols: {grpc: {endpoint: "localhost:5317"}}}}
    service:
      pipelines:
        traces: {receivers: [otlp, otlp/internal], exporters: [storage]}
        logs: {receivers: [otlp], exporters: [storage]}
    """

    assert set(load([write(tmp_path, text)], environment={}).receivers) == {"otlp", "otlp/internal"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:NAME}", "value"),
        ("${NAME}", "value"),
        ("x-${env:NAME}-$${NAME}-$$", "x-value-${NAME}-$"),
        ("${env:NOTHING:-other}", "other"),
        ("${env:EMPTY:-other}", "other"),
        ("${env:NOTHING:-}", None),
        ("${env:PORT}", 17),
        ("p${env:PORT}", "p17"),
        ("${env:LIST}", "[1, 2]"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_environment(text: str, expected: object) -> None:
    from collector.config.expand import expand

    problems: list[object] = []
    environment = {"NAME": "value", "PORT": "17", "EMPTY": "", "LIST": "[1, 2]"}

    assert expand({"a": [text]}, environment, problems, {}) == {"a": [expected]}  # type: ignore[arg-type]
    assert problems == []


@pytest.mark.parametrize("text", ["0123", "1e5", "true", "null", "~", "2026-01-01", "[x]", " a: b "])
def test_a_text_from_the_environment_stays_as_it_was_spelled(text: str) -> None:
    options = (
        "receivers.otlp.protocols.http.auth.api_keys=['${env:KEY}', other]",
        "exporters.storage.clickhouse.password=${env:KEY}",
        "service.data_dir=${env:KEY}",
        "exporters.storage.query_threads=${env:THREADS}",
    )
    config = load((), options, {"KEY": text, "THREADS": "3"})
    http = config.receivers["otlp"].protocols.http
    assert http is not None
    assert http.auth is not None
    assert [key.get_secret_value() for key in http.auth.api_keys] == [text, "other"]
    assert config.exporters["storage"].clickhouse.password.get_secret_value() == text
    assert config.service.data_dir == Path(text)
    assert config.exporters["storage"].query_threads == 3


def test_an_empty_key_is_one_error() -> None:
    options = ("receivers.otlp.protocols.http.auth.api_keys=['${env:KEY}']",)
    assert list(faults(options=options, environment={"KEY": ""})) == ["receivers.otlp.protocols.http.auth.api_keys[0]"]


def test_a_variable_that_is_not_set_is_one_error() -> None:
    assert faults(options=("extensions.query.endpoint=${env:NOPE}", "service.data_dir=${file:x}")) == {
        "extensions.query.endpoint": "environment variable NOPE is not set and there is no default",
        "service.data_dir": 'cannot read "${file:x}": write ${env:NAME} or ${env:NAME:-default}',
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 1: expected the node content"),
        ("receivers: {}\nreceivers: {}", 'line 2: key "receivers" is here twice'),
        ("- a", "must be a mapping with receivers, processors, exporters, service …"),
        ("1: {}", "line 1: key 1 is not text"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)

    assert faults(path)[str(path)].startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert faults(tmp_path / "no.yaml") == {str(tmp_path / "no.yaml"): "cannot be read: No such file or directory"}


def test_an_option_without_a_value() -> None:
    assert faults(options=("service",)) == {"--set service": "write key.path=value"}


def test_sections_must_be_mappings(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "receivers: [otlp]\nservice: 5\nextensions: {query: text}"))

    assert found["receivers"] == "must be a mapping of component ids to their settings"
    assert found["service"] == "must be a mapping"
    assert found["extensions.query"] == "must be a mapping"


def test_secrets_are_not_shown() -> None:
    options = ["receivers.otlp.protocols.grpc.auth.api_keys=['${env:KEY}']"]

    config = load([], options, {"KEY": "open-sesame"})

    grpc = config.receivers["otlp"].protocols.grpc
    assert grpc is not None
    assert grpc.auth is not None
    assert [key.get_secret_value() for key in grpc.auth.api_keys] == ["open-sesame"]
    assert "sesame" not in f"{config!r}{config}{config.as_written()}"


def test_files_that_settings_name(tmp_path: Path) -> None:
    files = {"cert_file": write(tmp_path, "", "cert.pem"), "key_file": write(tmp_path, "", "key.pem")}
    options = [f"receivers.otlp.protocols.http.tls.{key}={path}" for key, path in files.items()]

    http = load([], options, {}).receivers["otlp"].protocols.http

    assert http is not None
    assert http.tls is not None
    assert (http.tls.cert_file, http.tls.key_file) == (files["cert_file"], files["key_file"])


def test_rules_and_patterns_are_checked_at_start() -> None:
    def fault(setting: str) -> str:
        return faults(options=(f"processors.agent_transfers.{setting}",))["processors.agent_transfers"]

    assert "there is no rule" in fault("rules.handof_span=false")
    assert "is the name of a built-in rule" in fault("patterns.log_arrow.expression=(?P<target>a)")
    assert "a group named 'target' is required" in fault("patterns.ours.expression=a")
    assert "exponential" in fault('patterns.ours.expression="(?P<target>a+)+"')


def test_rules_and_patterns_become_options() -> None:
    options = ["rules.agent_sequence=false", "patterns.ours.expression=to (?P<target>[a-z]+)"]

    made = load([], [f"processors.agent_transfers.{option}" for option in options], {}).processors["agent_transfers"]

    assert made.options().disabled_rules == frozenset({"agent_sequence"})
    assert [pattern.rule for pattern in made.options().log_patterns][-1] == "ours"


def test_settings_keep_their_units() -> None:
    storage = load(options=["exporters.storage.memory_limit=1.5GiB", "exporters.storage.query_timeout=1m30s"])

    assert isinstance(storage.exporters["storage"], Storage)
    assert storage.exporters["storage"].memory_limit == 3 << 29
    assert storage.exporters["storage"].query_timeout == timedelta(seconds=90)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9999)))
def test_durations_read_back(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(st.integers(min_value=0, max_value=1 << 50))
def test_sizes_read_back(value: int) -> None:
    assert parse_size(format_size(value)) == value


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "a b:1", "host:65536", "::1:80", "http://a:1", 4317])
def test_not_an_endpoint(text: object) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)


@pytest.mark.parametrize(("text", "host"), [(":80", "0.0.0.0"), ("[::]:80", "::"), ("db.example:80", "db.example")])
def test_endpoints(text: str, host: str) -> None:
    assert parse_address(text) == Address(host, 80)


@pytest.mark.parametrize("text", ["5", "5 s", "-1s", "1w", "", 5, True, "9999999999d"])
def test_not_a_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["big", "-1", -1, 1.5, True, None])
def test_not_a_size(text: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


def test_the_documentation_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference.render(), "run `make docs`"


def test_exporters_that_send_on(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
receivers: {zipkin: {}}
exporters:
  otlp/backup: {endpoint: "backup:4317", headers: {x-api-key: "${env:KEY}"}, sending_queue: {max_size: 2GiB}}
  otlphttp: {endpoint: "https://collector.example:4318"}
  zipkin: {endpoint: "http://localhost:9411/api/v2/spans"}
service:
  pipelines:
    traces: {receivers: [otlp, zipkin], exporters: [storage, otlp/backup, zipkin]}
    logs: {receivers: [otlp], exporters: [storage, otlp/backup, otlphttp]}
""",
    )
    config = load([file], environment={"KEY": "secret"})
    backup = config.exporters["otlp/backup"]
    assert backup.sending_queue.max_size == 2 << 30
    assert backup.headers["x-api-key"].get_secret_value() == "secret"
    assert "secret" not in str(config.as_written())

    wrong = write(
        tmp_path,
        """
exporters: {otlp: {}, otlphttp: {endpoint: "host:4318"}, zipkin: {endpoint: "http://z/api/v2/spans"}}
service: {pipelines: {logs: {receivers: [otlp], exporters: [storage, zipkin]}}}
""",
    )
    found = faults(wrong)
    assert found["exporters.otlp.endpoint"]
    assert found["exporters.otlphttp.endpoint"]
    assert found["service.pipelines.logs.exporters[1]"] == "Zipkin knows traces only"
