"""`baton demo` against a real server: what it prints can be opened at once."""

import re
import subprocess
import sys
from pathlib import Path

from collector.bench.api import Api
from collector.bench.server import ServerProcess

_BATON = "from collector.cli import main; main()"


def test_every_link_leads_somewhere_at_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        base = f"http://{server.endpoints.query}"
        options = ["--endpoint", server.endpoints.otlp_grpc, "--query-url", base, "--conversations", "6"]
        done = subprocess.run(
            [sys.executable, "-c", _BATON, "demo", *options], capture_output=True, text=True, check=True, timeout=200
        )
        paths = [link.removeprefix(base) for link in re.findall(r"http://\S+", done.stdout)]
        api = Api(server.endpoints.query)
        assert len(paths) > 15, done.stdout
        assert dict.fromkeys(paths, 200) == {path: api.get(path)[0] for path in paths}
        transfers = [api.json(path)["transfers"] for path in paths if "/transfers?" in path]
        assert transfers, done.stdout
        assert all(transfers)
        assert api.json("/api/v1/agents/graph")["edges"]
        assert api.json("/api/v1/agents")["agents"]
        api.close()
