"""From files and `--set` options to one raw mapping, before anything is validated."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from collector.config.errors import Problem

COMPONENT_SECTIONS = ("receivers", "processors", "exporters", "extensions")
_MOST_VALUES, _DEEPEST = 100_000, 100


class TooMuch(Exception):
    """A text with more values or levels than any configuration has."""

    def __str__(self) -> str:
        return f"has over {_MOST_VALUES} values, counting what aliases repeat, or is over {_DEEPEST} levels deep"


class StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, and leaves dates as the texts they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and shape are PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build a value; one that only looks like a number, such as 0x_, raises ConstructorError."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            fault = "this is no number; if it is a text, put it into quotes"
            raise yaml.constructor.ConstructorError(None, None, fault, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; a key that appears twice raises ConstructorError."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f'key "{key}" is here twice', key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_files(paths: Iterable[Path], problems: list[Problem]) -> dict[str, Any]:
    """Read the files and merge them in order: mappings are merged, everything else is replaced."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_file(path, problems))
    return merged


def read_file(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """Read one file; an empty file is an empty mapping, an unreadable one a problem."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "is not UTF-8 text"))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problems.append(Problem(str(path), f"{line}{error.problem}"))
    except yaml.YAMLError as error:
        problems.append(Problem(str(path), f"is not YAML: {error}"))
    except TooMuch as error:
        problems.append(Problem(str(path), str(error)))
    else:
        if content is None or isinstance(content, dict):
            return content or {}
        problems.append(Problem(str(path), "must be a mapping with receivers, processors, exporters, service …"))
    return {}


def parse(text: str) -> object:
    """Read YAML. Raises: yaml.YAMLError; TooMuch, before anything would walk through aliases without end."""
    try:
        content = yaml.load(text, StrictLoader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise TooMuch from None
    left, waiting = _MOST_VALUES, [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        below = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        left -= len(below)
        if left < 0 or depth > _DEEPEST:
            raise TooMuch
        waiting.extend((each, depth + 1) for each in below)
    return content


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it: mappings key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def complete(written: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return `written` with what it leaves out taken from `defaults`.

    A component and an entry of `service` are taken whole: `protocols: {http: {}}` means no gRPC, not "gRPC as usual".
    """
    completed = dict(written)
    for section in (*COMPONENT_SECTIONS, "service"):
        given = written.get(section)
        if given is None:
            completed[section] = dict(defaults[section])
        elif isinstance(given, dict):
            completed[section] = {**defaults[section], **given}
    return completed


def assign(raw: dict[str, Any], options: Iterable[str], problems: list[Problem]) -> None:
    """Apply `--set a.b.c=value` options in place; the value is YAML, lists and mappings included."""
    for option in options:
        path, equals, text = option.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            problems.append(Problem(f"--set {option}", "write key.path=value"))
            continue
        try:
            value = parse(text)
        except yaml.YAMLError:
            value = text  # such as [::1]:4317
        except TooMuch as error:
            problems.append(Problem(f"--set {path}", str(error)))
            continue
        put(raw, keys, value)


def put(raw: dict[str, Any], keys: Sequence[str], value: object) -> None:
    """Set one key in place; mappings on the way are made when they are missing."""
    target = raw
    for key in keys[:-1]:
        below = target.get(key)
        target[key] = dict(below) if isinstance(below, dict) else {}
        target = target[key]
    target[keys[-1]] = value
