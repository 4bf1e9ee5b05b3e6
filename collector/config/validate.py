"""From one raw mapping to a `Config`, collecting every fault with the path of its key."""

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from collector.config.errors import Problem
from collector.config.model import COMPONENT_TYPES, Config, component_type
from collector.config.service import Service
from collector.config.values import Section

SECTIONS = (*COMPONENT_TYPES, "service")
S = TypeVar("S", bound=Section)


def validate(raw: Mapping[str, Any], problems: list[Problem]) -> Config | None:
    """Return the configuration, without the components that were added to `problems`; None without a service."""
    problems.extend(Problem(str(key), unknown(str(key), SECTIONS, "section")) for key in raw if key not in SECTIONS)
    values: dict[str, Any] = {
        section: _components(section, raw.get(section), types, problems) for section, types in COMPONENT_TYPES.items()
    }
    values["service"] = _service(raw.get("service"), problems)
    return Config.model_construct(**values) if values["service"] is not None else None


def _components(
    section: str, raw: object, types: Mapping[str, type[Section]], problems: list[Problem]
) -> dict[str, Section]:
    """Validate every component of a section; `raw` maps ids to settings, empty settings mean the defaults."""
    if not isinstance(raw, dict):
        problems.append(Problem(section, "must be a mapping of component ids to their settings"))
        return {}
    components: dict[str, Section] = {}
    for component_id, settings in raw.items():
        path = f"{section}.{component_id}"
        model = types.get(component_type(component_id))
        if model is None or component_id.endswith("/"):
            problems.append(Problem(path, unknown(component_type(component_id), types, "component type")))
            continue
        component = _section(model, path, settings, problems)
        if component is not None:
            components[component_id] = component
    return components


def _service(raw: object, problems: list[Problem]) -> Service | None:
    """Validate the service section; what is wrong in it is left at its default, so that the rest can be checked."""
    found: list[Problem] = []
    service = _section(Service, "service", raw, found)
    problems.extend(found)
    if service is None and isinstance(raw, dict):
        wrong = {problem.path.split(".")[1].partition("[")[0] for problem in found}
        right = {key: value for key, value in raw.items() if key not in wrong}
        service = _section(Service, "service", {**Service().model_dump(mode="json"), **right}, [])
    return service


def _section(model: type[S], path: str, raw: object, problems: list[Problem]) -> S | None:
    # JSON mode is strict about what users mix up ("1" for 1) and lenient about what YAML has no type for (paths).
    try:
        return model.model_validate_json(orjson.dumps(model.as_meant({} if raw is None else raw)))
    except ValidationError as error:
        problems.extend(_problem(model, path, details) for details in error.errors())
        return None


def _problem(model: type[BaseModel], path: str, details: ErrorDetails) -> Problem:
    location = details["loc"]
    where = path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    if details["type"] == "extra_forbidden":
        return Problem(where, unknown(str(location[-1]), known_keys(model, location[:-1]), "key"))
    if details["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return Problem(where, "must be a mapping")
    if details["type"] in {"tuple_type", "list_type"}:
        return Problem(where, "must be a list")
    message = details["msg"].removeprefix("Value error, ")
    return Problem(where, message[:1].lower() + message[1:])


def unknown(word: str, known: Mapping[str, object] | Sequence[str], what: str) -> str:
    """Say that a word is not known, and what was perhaps meant."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f'unknown {what}; did you mean "{near[0]}"?' if near else f"unknown {what}; known: {', '.join(known)}"


def known_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys allowed at a place inside a model."""
    models = [model]
    for part in location:
        inner = [m for m in models for m in _models_below(m, part)]
        models = inner or models
    return sorted({key for m in models for key in m.model_fields})


def _models_below(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(str(part))
    return _models_in(field.annotation) if field else iter(())


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
