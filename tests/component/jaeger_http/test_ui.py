"""What browsers get: a Jaeger UI build, or our own page."""

import json
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from collector.query import ui_index
from collector.query.ui import UiSettings, mount_ui
from collector.query.ui_index import UiError
from tests.component.jaeger_http.conftest import Serve

INDEX = """<!doctype html>
<html><head><base href="/" data-inject-target="BASE_URL" />
<script>
      // JAEGER_CONFIG_JS
      // the line after it goes too
      const JAEGER_CONFIG = DEFAULT_CONFIG;
      const JAEGER_STORAGE_CAPABILITIES = DEFAULT_STORAGE_CAPABILITIES;
      const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
      const JAEGER_VERSION = DEFAULT_VERSION;
</script></head><body></body></html>
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    (folder / "static").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "favicon.ico").write_bytes(b"icon")
    (folder / "static" / "index-Ab3dEf9_.js").write_text("hello()")
    (folder / "static" / "plain.css").write_text("a{}")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def assigned(html: str, name: str) -> object:
    found = re.search(rf"const {name} = (.*);", html)
    assert found
    return json.loads(found[1])


def test_the_index_is_filled_in_at_any_path(serve: Serve, build: Path) -> None:
    with serve(UiSettings(directory=build, version="1.2.3")) as http:
        for path in ("/", "/search", "/trace/abc", "/a/b/c.html"):
            response = http.get(path)
            assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert response.headers["cache-control"] == "no-cache"
        html = response.text
    assert assigned(html, "JAEGER_BACKEND_CAPABILITIES") == {
        "archiveStorage": False,
        "metricsStorage": True,
        "searchWithoutServiceName": True,
        "aiAssistant": False,
    }
    assert assigned(html, "JAEGER_STORAGE_CAPABILITIES") == {"archiveStorage": False, "metricsStorage": True}
    assert assigned(html, "JAEGER_VERSION") == {"gitCommit": "", "gitVersion": "1.2.3", "buildDate": ""}
    assert "const JAEGER_CONFIG = DEFAULT_CONFIG;" in html
    assert '<base href="/" data-inject-target="BASE_URL" />' in html


def test_files_have_types_and_cache_headers(serve: Serve, build: Path) -> None:
    with serve(UiSettings(directory=build)) as http:
        script = http.get("/static/index-Ab3dEf9_.js")
        assert script.text == "hello()"
        assert "javascript" in script.headers["content-type"]
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        again = http.get("/static/index-Ab3dEf9_.js", headers={"If-None-Match": script.headers["etag"]})
        assert again.status_code == 304
        assert http.get("/static/plain.css").headers["cache-control"] == "no-cache"
        assert http.get("/favicon.ico").content == b"icon"
        assert http.get("/static/missing.js").status_code == 404


def test_what_browsers_preload_before_they_know_the_base(serve: Serve, build: Path) -> None:
    with serve(UiSettings(directory=build)) as http:
        style = http.get("/trace/static/plain.css")
        assert (style.text, style.headers["content-type"]) == ("a{}", "text/css; charset=utf-8")
        assert http.get("/trace/static/index-Ab3dEf9_.js").headers["cache-control"].endswith("immutable")
        assert http.get("/trace/static/missing.js").status_code == 404
        assert "secret" not in http.get("/trace/static/%2e%2e/%2e%2e/secret.txt").text


@pytest.mark.parametrize(
    "path",
    ["/static/../../secret.txt", "/static/%2e%2e/%2e%2e/secret.txt", "/static/..%2f..%2fsecret.txt", "/../secret.txt"],
)
def test_nothing_outside_the_build_is_served(serve: Serve, build: Path, path: str) -> None:
    with serve(UiSettings(directory=build)) as http:
        assert "secret" not in http.get(path).text


def test_the_api_comes_before_the_ui(serve: Serve, build: Path) -> None:
    with serve(UiSettings(directory=build)) as http:
        assert http.get("/api/v3/services").json()["services"]
        assert http.get("/api/nothing").status_code == 404
        posted = http.post("/api/v1/services")
        assert (posted.status_code, posted.headers["allow"]) == (405, "GET")
        assert http.get("/health/live").status_code == 200


def test_under_a_base_path(serve: Serve, build: Path) -> None:
    with serve(UiSettings(directory=build), base_path="/obs/jaeger") as http:
        assert '<base href="/obs/jaeger/" data-inject-target="BASE_URL" />' in http.get("/obs/jaeger/search").text
        assert http.get("/obs/jaeger/static/plain.css").text == "a{}"


def test_a_json_configuration(serve: Serve, build: Path, tmp_path: Path) -> None:
    config = tmp_path / "ui.json"
    config.write_text('{"search": {"maxLimit": 7}, "name": "</script>"}')
    with serve(UiSettings(directory=build, config_file=config)) as http:
        html = http.get("/").text
    assert assigned(html, "JAEGER_CONFIG") == {"search": {"maxLimit": 7}, "name": "</script>"}
    assert html.count("</script>") == 1


def test_a_configuration_in_javascript(serve: Serve, build: Path, tmp_path: Path) -> None:
    config = tmp_path / "ui.js"
    config.write_text("function UIConfig() { return {path: '\\\\1'}; }\n")
    with serve(UiSettings(directory=build, config_file=config)) as http:
        html = http.get("/").text
    assert "function UIConfig() { return {path: '\\\\1'}; }" in html
    assert "JAEGER_CONFIG_JS" not in html
    assert "the line after it" not in html


def test_a_configuration_is_read_again(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "ui.json"
    config.write_text('{"a": 1}')
    index = ui_index.IndexPage(build, config, "")
    monkeypatch.setattr(ui_index, "_RELOAD_SECONDS", -1)
    config.write_text('{"a": 2}')
    assert assigned(index.html(""), "JAEGER_CONFIG") == {"a": 2}
    config.write_text("{")
    assert assigned(index.html(""), "JAEGER_CONFIG") == {"a": 2}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ui.json", "{", "ui.json"),
        ("ui.json", "[]", "a JSON object"),
        ("ui.js", "var x = 1", "function UIConfig()"),
        ("ui.toml", "", ".json or .js"),
    ],
)
def test_a_bad_configuration_is_found_at_the_start(
    build: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    config = tmp_path / name
    config.write_text(content)
    with pytest.raises(UiError) as raised:
        mount_ui(FastAPI(), UiSettings(directory=build, config_file=config))
    assert message in str(raised.value)


def test_a_folder_without_a_build_is_found_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UiError, match="no Jaeger UI build here"):
        mount_ui(FastAPI(), UiSettings(directory=tmp_path))
    (tmp_path / "index.html").write_text(INDEX)
    with pytest.raises(UiError, match="no folder static"):
        mount_ui(FastAPI(), UiSettings(directory=tmp_path))


def test_our_own_page_needs_nothing_from_elsewhere(http: httpx.Client) -> None:
    response = http.get("/")
    assert response.status_code == 200
    assert "localhost:4317 &lt;here&gt;" in response.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for link in re.findall(r'href="([^"]+)"', response.text):
        assert http.get(f"/{link}").status_code == 200, link
    assert http.get("/search").status_code == 404
