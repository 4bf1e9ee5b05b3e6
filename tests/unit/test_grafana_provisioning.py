"""The provisioning file is what Grafana reads."""

from pathlib import Path

import yaml

FILE = Path(__file__).parents[2] / "docs" / "grafana" / "baton.yaml"


def test_data_sources_point_at_the_routes_and_at_one_another() -> None:
    sources = {each["type"]: each for each in yaml.safe_load(FILE.read_text())["datasources"]}
    assert {kind: each["url"].removeprefix("http://localhost:16686") for kind, each in sources.items()} == {
        "jaeger": "",
        "tempo": "/tempo",
        "loki": "/loki",
    }
    known = {each["uid"] for each in sources.values()}
    linked = {sources[kind]["jsonData"]["tracesToLogsV2"]["datasourceUid"] for kind in ("jaeger", "tempo")}
    linked |= {each["datasourceUid"] for each in sources["loki"]["jsonData"]["derivedFields"]}
    assert linked <= known
