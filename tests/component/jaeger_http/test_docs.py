"""The table of routes in docs/jaeger.md is the table of routes that are served."""

import re
from pathlib import Path

from fastapi import FastAPI

from collector.query.jaeger_http import jaeger_router
from storage.api import Storage

DOCS = Path(__file__).parents[3] / "docs" / "jaeger.md"


def test_every_route_is_listed(storage: Storage) -> None:
    app = FastAPI()
    app.include_router(jaeger_router(storage))
    served = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    listed = re.findall(r"^\| `((?:GET|POST) /api[^`]*)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert served == set(listed)
