"""Rules of the repository that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("collector", "storage", "exporters")

# Built from halves, so that this file does not break its own rule.
REGISTRIES = re.compile(
    r"|".join(
        [
            "py" + r"pi\.(org|python)",
            "python" + "hosted",
            "registry" + r"\.npmjs",
            "crates" + r"\.io",
            "proxy" + r"\.golang",
            "repo1?" + r"\.maven",
            "--(extra-)?index" + "-url",
            "--find" + "-links",
        ]
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(" + "|".join(["ho" + "me", "ro" + "ot", "Us" + "ers", "wo" + "rk"]) + r")/\w")

# Which folder alone may import a driver.
DRIVERS = {
    "chdb": "storage/clickhouse",
    "clickhouse_connect": "storage/clickhouse",
    "psycopg": "storage/postgres",
    "psycopg_pool": "storage/postgres",
}


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def tracked_text() -> list[tuple[str, str]]:
    texts = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            texts.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return texts


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "generated" not in path.parts]


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registry address", "machine path"])
def test_no_tracked_file_contains(pattern: re.Pattern[str]) -> None:
    found = [f"{name}: {match[0]}" for name, text in tracked_text() for match in pattern.finditer(text)]

    assert found == []


def test_every_requirement_is_pinned_with_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all(re.match(r"[a-z0-9-]+==\S+( ;.*)? \\$", line) for line in requirements), name
        assert text.count(" \\\n    --hash=sha256:") >= len(requirements)


def test_the_development_lock_contains_the_other() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") - pins("requirements-dev.lock") == set()


def test_drivers_are_imported_only_by_their_engine() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name in DRIVERS and not path.relative_to(ROOT).as_posix().startswith(DRIVERS[name] + "/")
    ]

    assert found == []


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def raw_lookups(source: str) -> list[str]:
    """Return the places where a value straight out of a mapping is looked up in something."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        and (
            (
                isinstance(node.left, ast.Call)
                and isinstance(node.left.func, ast.Attribute)
                and node.left.func.attr == "get"
            )
            or (isinstance(node.left, ast.Subscript) and "attributes" in ast.unparse(node.left.value))
        )
    ]


def test_raw_lookups_are_noticed() -> None:
    assert raw_lookups("a = span.attributes.get('k') in {'x'}") == ["span.attributes.get('k') in {'x'}"]
    assert raw_lookups("a = attributes['k'] not in KINDS") == ["attributes['k'] not in KINDS"]
    assert raw_lookups("a = text(attributes.get('k')) in {'x'} or 'k' in attributes or parts[0] in KINDS") == []


def test_the_transfer_rules_look_up_texts_only() -> None:
    """The value of an attribute may be a list or a map, which no set takes: `text` makes a text of any."""
    rules = ROOT / "collector" / "processors" / "agent_transfers"
    assert {path.name: found for path in rules.rglob("*.py") if (found := raw_lookups(path.read_text("utf-8")))} == {}


def test_there_are_no_drawers_for_anything() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc"}
    found = [p.relative_to(ROOT).as_posix() for p in modules() if drawers & {*p.relative_to(ROOT).parts, p.stem}]

    assert found == []


def test_links_in_the_documentation_lead_somewhere() -> None:
    broken = [
        f"{name}: {target}"
        for name, text in tracked_text()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not (ROOT / name).parent.joinpath(target).exists()
    ]

    assert broken == []
