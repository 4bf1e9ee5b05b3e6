"""The Jaeger UI's index.html with what the server knows filled in.

Source: jaeger `jaegerquery/internal/static_handler.go`, jaeger-ui `packages/jaeger-ui/index.html`.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

_CONFIG = re.compile(r"JAEGER_CONFIG *= *DEFAULT_CONFIG;")
_CONFIG_JS = re.compile(r"^\s*//\s*JAEGER_CONFIG_JS.*\n.*", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(r"JAEGER_VERSION *= *DEFAULT_VERSION;")
_CAPABILITIES = re.compile(r"JAEGER_BACKEND_CAPABILITIES *= *DEFAULT_BACKEND_CAPABILITIES;")
# UIs before 2.20 know the two storage flags only.
_OLD_CAPABILITIES = re.compile(r"JAEGER_STORAGE_CAPABILITIES *= *DEFAULT_STORAGE_CAPABILITIES;")
# UIs before 2.18 are told their base path; later ones find it themselves.
_BASE = re.compile(r'<base href="/" data-inject-target="BASE_URL" ?/>')
_UI_CONFIG_FUNCTION = re.compile(r"function\s+UIConfig\s?\(\s?\)\s?{")
_RELOAD_SECONDS = 10.0

CAPABILITIES = {
    "archiveStorage": False,
    "metricsStorage": True,
    "searchWithoutServiceName": True,
    "aiAssistant": False,
}

_log = structlog.get_logger(__name__)


class UiError(Exception):
    """The UI's files or its configuration cannot be used; the message says which file and why."""


class IndexPage:
    """index.html of one UI build. The UI configuration file is read again every ten seconds."""

    def __init__(self, directory: Path, config_file: Path | None, version: str) -> None:
        """Read the files. Raises: UiError."""
        try:
            page = (directory / "index.html").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UiError(f"{directory}: no Jaeger UI build here: {error}") from error
        self._page = _fill(page, version)
        self._config_file = config_file
        self._configure: Callable[[str], str] = _read_config(config_file) if config_file else str
        self._read_at = time.monotonic()

    def html(self, base_path: str) -> str:
        """Return the page for an app under `base_path` (empty, or starting with a slash)."""
        if self._config_file and time.monotonic() - self._read_at > _RELOAD_SECONDS:
            self._reload(self._config_file)
        base = f'<base href="{base_path}/" data-inject-target="BASE_URL" />'
        return _BASE.sub(lambda _: base, self._configure(self._page))

    def _reload(self, config_file: Path) -> None:
        self._read_at = time.monotonic()
        try:
            self._configure = _read_config(config_file)
        except UiError as error:
            # A half-written file must not take the UI away: the last good one stays.
            _log.warning("ui_config_unreadable", error=str(error))


def _fill(page: str, version: str) -> str:
    about = {"gitCommit": "", "gitVersion": version, "buildDate": ""}
    old = {name: CAPABILITIES[name] for name in ("archiveStorage", "metricsStorage")}
    for pattern, name, value in (
        (_VERSION, "JAEGER_VERSION", about),
        (_CAPABILITIES, "JAEGER_BACKEND_CAPABILITIES", CAPABILITIES),
        (_OLD_CAPABILITIES, "JAEGER_STORAGE_CAPABILITIES", old),
    ):
        page = _assign(pattern, name, value)(page)
    return page


def _assign(pattern: re.Pattern[str], name: str, value: Any) -> Callable[[str], str]:
    # "<" would end the script element when a text holds "</script>".
    statement = f"{name} = {json.dumps(value, separators=(',', ':'))};".replace("<", "\\u003c")
    return lambda page: pattern.sub(lambda _: statement, page)


def _read_config(file: Path) -> Callable[[str], str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UiError(f"{file}: cannot read the UI configuration: {error}") from error
    match file.suffix.lower():
        case ".json":
            return _assign(_CONFIG, "JAEGER_CONFIG", _json_object(file, text))
        case ".js":
            if not _UI_CONFIG_FUNCTION.search(text):
                raise UiError(f"{file}: a UI configuration in JavaScript must define function UIConfig()")
            return lambda page: _CONFIG_JS.sub(lambda _: text.strip(), page)
    raise UiError(f"{file}: a UI configuration is a .json or .js file")


def _json_object(file: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UiError(f"{file}: {error}") from error
    if not isinstance(value, dict):
        raise UiError(f"{file}: a UI configuration is a JSON object")
    return value
