"""From one raw mapping to a `Config`, collecting every fault with the path of its key."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from collector.config.errors import Problem, unknown
from collector.config.foreign import instead
from collector.config.model import COMPONENT_TYPES, Config, component_type
from collector.config.service import Pipeline, Service
from collector.config.values import Section

SECTIONS = (*COMPONENT_TYPES, "service")
S = TypeVar("S", bound=Section)
_NO_TEXT = {"string_type", "path_type"}


def validate(raw: Mapping[str, Any], problems: list[Problem], spelled: Mapping[str, str]) -> Config | None:
    """Return the configuration, without the components that were added to `problems`; None without a service.

    `spelled` has the texts of values that came from the environment, by path.
    """
    problems.extend(Problem(str(key), unknown(str(key), SECTIONS, "section")) for key in raw if key not in SECTIONS)
    values: dict[str, Any] = {
        section: _components(section, raw.get(section), types, problems, spelled)
        for section, types in COMPONENT_TYPES.items()
    }
    values["service"] = _service(raw.get("service"), problems, spelled)
    return Config.model_construct(**values) if values["service"] is not None else None


def _components(
    section: str,
    raw: object,
    types: Mapping[str, type[Section]],
    problems: list[Problem],
    spelled: Mapping[str, str],
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
            kind = component_type(component_id)
            problems.append(Problem(path, instead(section, kind) or unknown(kind, types, "component type")))
            continue
        component = _section(model, path, settings, problems, spelled)
        problems.extend(Problem(f"{path}.{key}", fault) for key, fault in model.misfits(settings))
        if component is not None:
            components[component_id] = component
    return components


def _service(raw: object, problems: list[Problem], spelled: Mapping[str, str]) -> Service | None:
    """Validate the service section; what is wrong in it is left at its default, so that the rest can be checked."""
    found: list[Problem] = []
    service = _section(Service, "service", raw, found, spelled)
    problems.extend(found)
    if service is None and isinstance(raw, dict):
        wrong = {problem.path.split(".")[1].partition("[")[0] for problem in found}
        right = {key: value for key, value in raw.items() if key not in wrong}
        service = _section(Service, "service", {**Service().model_dump(mode="json"), **right}, [], spelled)
        if service is not None and isinstance(raw.get("pipelines"), dict) and "pipelines" in wrong:
            service = service.model_copy(update={"pipelines": _readable(raw["pipelines"], found)})
    return service


def _readable(raw: Mapping[str, Any], found: Sequence[Problem]) -> dict[str, Pipeline]:
    """Return the pipelines without those of their lists that are wrong, so that the names in the others are checked."""
    pipelines: dict[str, Pipeline] = {}
    for name, written in raw.items():
        path = f"service.pipelines.{name}"
        wrong = {problem.path.removeprefix(f"{path}.").partition("[")[0] for problem in found}
        right = written if isinstance(written, dict) else {}
        lists = {role: tuple(right.get(role, ())) if role not in wrong else () for role in Pipeline.model_fields}
        pipelines[name] = Pipeline.model_construct(None, **lists)
    return pipelines


def _section(model: type[S], path: str, raw: object, problems: list[Problem], spelled: Mapping[str, str]) -> S | None:
    # JSON mode is strict about what users mix up ("1" for 1) and lenient about what YAML has no type for (paths).
    content = orjson.dumps(model.as_meant({} if raw is None else raw))
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        faults = error.errors()
    texts = [each["loc"] for each in faults if each["type"] in _NO_TEXT and _where(path, each["loc"]) in spelled]
    if texts:  # a password of digits is a text
        written = orjson.loads(content)
        for location in texts:
            _put(written, location, spelled[_where(path, location)])
        return _section(model, path, written, problems, {})
    empty_by_fault = {each["loc"][:-1] for each in faults}
    shown = [each for each in faults if each["type"] != "too_short" or each["loc"] not in empty_by_fault]
    problems.extend(_problem(model, path, details) for details in shown)
    return None


def _where(path: str, location: Sequence[str | int]) -> str:
    return path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _put(written: Any, location: Sequence[str | int], value: str) -> None:
    *above, last = location
    for part in above:
        written = written[part]
    written[last] = value


def _problem(model: type[BaseModel], path: str, details: ErrorDetails) -> Problem:
    location = details["loc"]
    where = _where(path, location)
    if details["type"] == "extra_forbidden":
        return Problem(where, unknown(str(location[-1]), known_keys(model, location[:-1]), "key"))
    if details["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return Problem(where, "must be a mapping")
    if details["type"] == "too_short":
        return Problem(where, "must not be empty")
    if details["type"] in {"tuple_type", "list_type"}:
        return Problem(where, "must be a list")
    message = details["msg"].removeprefix("Value error, ")
    return Problem(where, message[:1].lower() + message[1:])


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
