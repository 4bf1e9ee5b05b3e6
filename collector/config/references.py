"""Checks across sections: what `service` names exists, fits together, and does not share a port."""

from collections.abc import Collection, Iterator, Mapping

from collector.config.errors import Problem, unknown
from collector.config.exporters import Storage
from collector.config.extensions import JaegerGrpc, Query
from collector.config.forwarding import sends_to
from collector.config.model import SIGNALS, Config, component_type
from collector.config.receivers import OtlpReceiver, ZipkinReceiver
from collector.config.service import Pipeline
from collector.config.values import Address

Names = Mapping[str, Collection[str]]  # section → the ids written in it, valid or not; no key: not even a mapping


def check(config: Config, defined: Names) -> list[Problem]:
    """Return the faults that no section can see by itself; `config` may lack components that are invalid."""
    return [*_extensions(config, defined), *_pipelines(config, defined), *_ports(config), *_loops(config)]


def _extensions(config: Config, defined: Names) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(config.service.extensions):
        path = f"service.extensions[{index}]"
        if name not in defined.get("extensions", (name,)):
            yield Problem(path, f'"{name}": {unknown(name, list(defined["extensions"]), "extension")}')
        elif component_type(name) in seen:
            yield Problem(path, f'"{name}": only one extension of type "{component_type(name)}" can run')
        seen.add(component_type(name))


def _pipelines(config: Config, defined: Names) -> Iterator[Problem]:
    signals: set[str] = set()
    for name, pipeline in config.service.pipelines.items():
        path = f"service.pipelines.{name}"
        signal = component_type(name)
        if signal not in SIGNALS:
            yield Problem(path, "Baton stores traces and logs; name the pipeline after one of them")
        elif signal in signals:
            yield Problem(path, f"there is another pipeline for {signal}; put its receivers and exporters into one")
        signals.add(signal)
        yield from _names(defined, path, pipeline)
    yield from (Problem("service.pipelines", f"there is no pipeline for {s}") for s in SIGNALS if s not in signals)
    ends = [
        {name for name in pipeline.exporters if component_type(name) == "storage"}
        for pipeline in config.service.pipelines.values()
        if pipeline.exporters  # without any: said already
    ]
    if any(len(stores) != 1 or stores != ends[0] for stores in ends):
        yield Problem("service.pipelines", "every pipeline must end in the same one exporter of type storage")


def _names(defined: Names, path: str, pipeline: Pipeline) -> Iterator[Problem]:
    for role, names in (
        ("receivers", pipeline.receivers),
        ("processors", pipeline.processors),
        ("exporters", pipeline.exporters),
    ):
        for index, name in enumerate(names):
            where = f"{path}.{role}[{index}]"
            if name not in defined.get(role, (name,)):
                yield Problem(where, f'"{name}": {unknown(name, list(defined[role]), role[:-1])}')
            elif name in names[:index]:
                yield Problem(where, f'"{name}" is here twice')
            elif component_type(name) == "zipkin" and component_type(path.rpartition(".")[2]) != "traces":
                yield Problem(where, "Zipkin knows traces only")


def endpoints(config: Config) -> Iterator[tuple[str, Address]]:
    """Yield the path and address of every endpoint that will be opened."""
    used = {name for pipeline in config.service.pipelines.values() for name in pipeline.receivers}
    for name, receiver in config.receivers.items():
        if name in used:
            yield from _listening(f"receivers.{name}", receiver)
    for name in config.service.extensions:
        extension = config.extensions.get(name)
        if isinstance(extension, Query | JaegerGrpc):
            yield f"extensions.{name}.endpoint", extension.endpoint


def _listening(path: str, receiver: OtlpReceiver | ZipkinReceiver) -> Iterator[tuple[str, Address]]:
    if isinstance(receiver, ZipkinReceiver):
        yield f"{path}.endpoint", receiver.endpoint
        return
    for transport, settings in (("grpc", receiver.protocols.grpc), ("http", receiver.protocols.http)):
        if settings is not None:
            yield f"{path}.protocols.{transport}.endpoint", settings.endpoint


def _ports(config: Config) -> Iterator[Problem]:
    taken: list[tuple[str, Address]] = []
    for path, address in endpoints(config):
        for other, held in taken:
            if address.collides(held):
                spelled = f" ({held})" if held != address else ""
                yield Problem(path, f"{address} is already used by {other}{spelled}")
                break
        taken.append((path, address))


def _loops(config: Config) -> Iterator[Problem]:
    """Yield exporters that would send to a receiver of this process: each item would be stored again, for ever."""
    own = [(path, address) for path, address in endpoints(config) if path.startswith("receivers.")]
    for name in sorted({name for pipeline in config.service.pipelines.values() for name in pipeline.exporters}):
        exporter = config.exporters.get(name)
        if exporter is None or isinstance(exporter, Storage):
            continue
        target = sends_to(exporter)
        for path, address in own:
            if target.is_loopback and target.collides(address):
                yield Problem(f"exporters.{name}.endpoint", f"{target} is Baton's own {path}: items would go round")
                break
