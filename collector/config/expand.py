"""Environment variables inside configuration values: `${env:NAME}`, `${env:NAME:-default}`, `${NAME}`, `$$`."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from collector.config.errors import Problem

REFERENCE = re.compile(r"\$\$|\$\{(?P<body>[^{}]*)\}")
BODY = re.compile(r"(?:(?P<scheme>[A-Za-z]+):)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


def expand(
    value: Any, environment: Mapping[str, str], problems: list[Problem], spelled: dict[str, str], path: str = ""
) -> Any:
    """Return `value` with every reference in its texts replaced; faults are added to `problems`.

    A text that is nothing but one reference takes the YAML type of what it stands for (a number stays a number); what
    it was as a text is put into `spelled` under its path, for keys that want a text (a password of digits).
    A variable that is not set and has no default is a fault: an empty password is never what was meant.
    """
    if isinstance(value, Mapping):
        return {
            key: expand(item, environment, problems, spelled, f"{path}.{key}" if path else key)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [expand(item, environment, problems, spelled, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else resolve(match["body"], environment, problems, path)

    whole = REFERENCE.fullmatch(value)
    text = REFERENCE.sub(replace, value)
    if whole is None or whole["body"] is None:
        return text
    spelled[path] = text
    return scalar(text)


def resolve(body: str, environment: Mapping[str, str], problems: list[Problem], path: str) -> str:
    """Return what `${body}` stands for, or an empty text after noting the fault."""
    match = BODY.fullmatch(body)
    if match is None or (match["scheme"] or "env") != "env":
        problems.append(Problem(path, f'cannot read "${{{body}}}": write ${{env:NAME}} or ${{env:NAME:-default}}'))
        return ""
    found = environment.get(match["name"])
    if found:
        return found
    if match["default"] is not None:
        return match["default"]
    if found is None:
        problems.append(Problem(path, f"environment variable {match['name']} is not set and there is no default"))
    return ""


def scalar(text: str) -> Any:
    """Return the number, bool or null that a text spells as YAML, else the text as it is, quotes and all."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: 2026-13-45 has no such month
        return text
    return value if isinstance(value, int | float | None) else text
