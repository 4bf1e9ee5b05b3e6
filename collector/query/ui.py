"""What a browser gets: a Jaeger UI build when there is one, else a page of our own that says what runs where."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from collector.query.app import METHODS
from collector.query.jaeger.answers import not_found_page, trace_response
from collector.query.ui_index import IndexPage, UiError

_LANDING = Path(__file__).with_name("landing.html")
_LANDING_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# The bundler writes a hash of the content into most names, so these files never change.
_HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.\w+$")
_FOREVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True, slots=True)
class UiSettings:
    """What is served to browsers.

    `directory` is a Jaeger UI build (it holds index.html and static/); `config_file` a UI configuration, .json or .js.
    `endpoints` are (what, address) lines of our own page.
    """

    directory: Path | None = None
    config_file: Path | None = None
    version: str = ""
    endpoints: Sequence[tuple[str, str]] = ()


def mount_ui(app: FastAPI, settings: UiSettings) -> None:
    """Serve the UI and answer unknown paths of Jaeger's API. Call it last: the UI takes every path that is left.

    Raises: UiError when the directory or the configuration cannot be used.
    """

    async def unknown_api() -> Response:
        return not_found_page()

    app.add_api_route("/api/{path:path}", unknown_api, methods=METHODS, include_in_schema=False)
    if settings.directory is None:
        _mount_landing(app, settings)
    else:
        _mount_build(app, settings.directory, settings)


def _mount_landing(app: FastAPI, settings: UiSettings) -> None:
    page = landing_page(settings)

    async def landing(request: Request) -> Response:  # noqa: ARG001
        return HTMLResponse(page, headers={"Content-Security-Policy": _LANDING_POLICY, **trace_response()})

    app.add_api_route("/", landing, methods=["GET", "HEAD"], include_in_schema=False)


def landing_page(settings: UiSettings) -> str:
    """Return our own page. It needs nothing but itself."""
    rows = "\n".join(f"<tr><th>{escape(what)}</th><td>{escape(where)}</td></tr>" for what, where in settings.endpoints)
    template = Template(_LANDING.read_text(encoding="utf-8"))
    return template.substitute(version=escape(settings.version), endpoints=rows)


def _mount_build(app: FastAPI, directory: Path, settings: UiSettings) -> None:
    index = IndexPage(directory, settings.config_file, settings.version)
    if not (directory / "static").is_dir():
        raise UiError(f"{directory}: no Jaeger UI build here: it has no folder static")
    # Files beside index.html, such as an icon; nothing below them, and no path is ever joined.
    files = {entry.name: entry for entry in directory.iterdir() if entry.is_file() and entry.name != "index.html"}
    assets = _Assets(directory=directory / "static")

    async def page(request: Request) -> Response:
        path: str = request.path_params["path"]
        _, below, asset = path.rpartition("/static/")
        if below:
            # Browsers preload relative to /trace/<id>, before the page's script has told them its base.
            return await assets.get_response(asset, request.scope)
        file = files.get(path)
        if file is not None:
            return FileResponse(file, headers={"Cache-Control": _ASK_AGAIN, **trace_response()})
        base_path = escape(request.scope.get("root_path", "").rstrip("/"))
        return HTMLResponse(index.html(base_path), headers={"Cache-Control": _ASK_AGAIN, **trace_response()})

    app.mount("/static", assets)
    app.add_api_route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)


class _Assets(StaticFiles):
    """The build's files with cache headers; paths that leave the folder are not found."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Add cache headers to a found file, or to the answer that it has not changed."""
        response = super().file_response(*args, **kwargs)
        name = Path(args[0] if args else kwargs["full_path"]).name
        response.headers["Cache-Control"] = _FOREVER if _HASHED.search(name) else _ASK_AGAIN
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file."""
        response = await super().get_response(path, scope)
        response.headers.update(trace_response())
        return response
