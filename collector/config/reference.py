"""Writes `docs/configuration.md`: every key, its type, its default and what it does, from the models alone."""

import sys
from collections.abc import Iterator
from typing import Any

import orjson

from collector.config.model import COMPONENT_TYPES
from collector.config.service import Service
from collector.config.values import Section

Schema = dict[str, Any]  # JSON Schema, as pydantic writes it

INTRODUCTION = """# Configuration

`otel-config.yaml` at the top of the repository spells out every default; Baton runs the same without a file.

- **Files.** `baton serve --config a.yaml --config b.yaml` merges the files in order: mappings are merged key by key,
  everything else is replaced. `--set key.path=value` comes last; the value is YAML.
- **What you leave out** is as in the tables below. A component (`receivers.otlp`) and an entry of `service` are taken
  whole: `protocols: {http: {}}` means OTLP/HTTP and no gRPC.
- **Ids** are `type` or `type/name`, so there can be a second `otlp/internal`. Only what `service` names runs.
- **Pipelines.** A receiver takes the signals whose pipeline names it, as in a Collector. Another signal is answered
  with `UNIMPLEMENTED`, over HTTP with 404, and the key that lacks the receiver (`service.pipelines.logs.receivers`);
  the ledger counts it as `no_pipeline`. Metrics, which have no pipeline, are accepted by every OTLP receiver and not
  stored. What arrives through `extensions.jaeger_grpc` needs no pipeline.
- **Endpoints.** `host:port`. `localhost` is reached from this machine only; `:4317`, `0.0.0.0:4317` and `[::]:4317` are
  every interface, in IPv4 and IPv6. Port 0 takes any free one.
- **Environment.** `${env:NAME}`, `${env:NAME:-default}` and `${NAME}`; `$$` is a dollar sign. A value that is one
  reference takes the type it spells (`${env:PORT}` can be a number), and stays as spelled where a text is wanted (a
  password of digits). A variable without value and default is an error.
- **Durations** carry their unit: `500ms`, `5s`, `1h30m`, `7d`. **Sizes**: `64MiB`, `10GB`, or a number of bytes.
- **TLS.** Renewed certificates, keys and client CAs of a listener are taken up while it runs, at the first connection
  or scrape of `/metrics` after `reload_interval`; open connections live on as they are. Files that cannot be used, such
  as a certificate without its key, change nothing: the log says `tls_reload_failed` once, and they are tried again
  after each interval. [metrics.md](metrics.md) has the figure that tells when a certificate ends. An exporter that
  sends on takes up its files likewise, at the first request after `reload_interval`, and then connects anew.
- **Errors.** `baton validate --config FILE` lists everything that is wrong, each with the path of its key, and exits
  with 1. Unknown keys are errors. `baton validate --print` shows the configuration in force, secrets as asterisks.

*This page is written by `make docs` from the settings' models.*
"""


def render() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for section, components in COMPONENT_TYPES.items():
        parts.append(f"\n## {section}\n")
        for name, model in components.items():
            parts.append(f"\n### `{section}.{name}`\n\n{table(model)}")
    parts.append(f"\n## service\n\n{table(Service)}")
    return "".join(parts)


def table(model: type[Section]) -> str:
    """Return what a section is for, and the table of every key below it."""
    schema = model.model_json_schema(mode="validation")
    rows = "".join(
        f"| `{path}` | {kind(value, schema)} | {default} | {value.get('description', '')} |\n"
        for path, value, default in keys(schema, schema)
    )
    head = "| key | type | default | |\n|---|---|---|---|\n" if rows else ""
    return f"{schema['description']}\n\n{head}{rows}"


def keys(value: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, Schema, str]]:
    """Yield path, schema and default of every key, depth first; a section only when it may be absent or repeated."""
    for name, field in value["properties"].items():
        path = f"{prefix}{name}"
        section, optional = section_in(field, root)
        if section is None or optional:
            yield path, field, default_text(field, name in value.get("required", ()), section)
        if section is not None:
            repeated = ".<id>" if "additionalProperties" in field else ""
            yield from keys(section, root, f"{path}{repeated}.")


def section_in(field: Schema, root: Schema) -> tuple[Schema | None, bool]:
    """Return the section that a key holds, if any, and whether the key may be absent or hold several."""
    choices = [field, *field.get("anyOf", ()), field.get("additionalProperties", {})]
    for choice in choices:
        if isinstance(choice, dict) and "$ref" in choice:
            return root["$defs"][choice["$ref"].rpartition("/")[2]], choice is not field
    return None, False


def kind(field: Schema, root: Schema) -> str:
    """Return the type of a value in words."""
    if "anyOf" in field:
        return " or ".join(kind(choice, root) for choice in field["anyOf"])
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {kind(field['items'], root)}"
    if "$ref" in field:
        return "mapping"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "bool", "object": "mapping"}
    words |= {"null": "null"}
    return "path" if field.get("format") == "path" else words.get(field.get("type", ""), str(field.get("title", "")))


def default_text(field: Schema, required: bool, section: Schema | None) -> str:
    """Return the default as a user would write it; a section's is in its own rows."""
    if required:
        return "required"
    if section is not None and field.get("default") is None:
        return "off"
    if section is not None or "default" not in field:
        return ""
    value = field["default"]
    return f"`{value}`" if isinstance(value, str) and value else f"`{orjson.dumps(value).decode()}`"


if __name__ == "__main__":
    sys.stdout.write(render())
