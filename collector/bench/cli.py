"""`baton bench ingest` and `baton bench query`."""

import json
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any

import typer
from rich.console import Console

from collector.bench.ingest import KINDS, run_ingest
from collector.bench.query import QueryPlan, run_query
from collector.bench.report import around, best, ingest_table, query_tables, sustained_lines, yardstick_table
from collector.bench.yardstick import INSERT_SIZES, InsertRate, YardstickSpec, measure_all

app = typer.Typer(add_completion=False)
_console = Console()

Scratch = Annotated[Path, typer.Option("--data-dir", help="Folder for scratch data; must be on the disk to measure.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")]
Engine = Annotated[str, typer.Option("--storage", help="Storage engine to measure.")]
_TEMPORARY = Path(gettempdir())


@app.callback()
def measure() -> None:
    """Measure this Baton on this machine: a real server, a real load, a scratch folder."""
    # SIGTERM must end the child processes and remove the scratch folder, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@app.command()
def ingest(
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients, a run each.")] = "1,4,16,64",
    seconds: Annotated[float, typer.Option(min=1, help="How long each run sends.")] = 20.0,
    kind: Annotated[str, typer.Option(help=f"What is sent: {', '.join(KINDS)}.")] = "traces",
    agentic: Annotated[
        float, typer.Option(min=0, max=1, help="Share of traces as an agent framework writes them.")
    ] = 0,
    sustained: Annotated[float | None, typer.Option(min=60, help="One long run of so many seconds.")] = None,
    yardstick: Annotated[bool, typer.Option(help="Measure the engine alone as well.")] = True,
    yardstick_rows: Annotated[int, typer.Option(min=262_144, help="Rows for each insert size.")] = 1 << 21,
    data_dir: Scratch = _TEMPORARY,
    storage: Engine = "embedded",
    json_file: JsonFile = None,
) -> None:
    """Send OTLP from a second process and report what was acknowledged, queryable, used and kept."""
    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    load = replace(KINDS[kind], agentic=agentic, seconds=sustained or seconds)
    alone = YardstickSpec(str(data_dir), storage, load.signal, agentic, yardstick_rows)
    sizes = _measure_sizes(alone) if yardstick else []
    results, rates = [], [best(sizes)] if sizes else []
    for count in [int(number) for number in clients.split(",")][: 1 if sustained else None]:
        _console.print(f"[dim]{count} clients, {load.seconds:.0f} s …[/dim]")
        results.append(run_ingest(replace(load, clients=count), _settings(storage), data_dir))
        if rates:
            rates += measure_all([replace(alone, rows_per_insert=rates[0].rows_per_insert)])
    yardsticks = around(rates)
    _console.print(ingest_table(results, yardsticks, f"Ingest of {kind}, {load.per_request} a request"))
    if sustained:
        for line in sustained_lines(results[0]):
            _console.print(line)
    if sizes:
        _console.print(yardstick_table(sizes))
    figures = {"ingest": [asdict(result) for result in results], "yardstick": [asdict(rate) for rate in sizes]}
    _write(json_file, figures | {"yardsticks": yardsticks})


@app.command()
def query(
    spans: Annotated[int, typer.Option(min=10_000, help="Spans to fill; log records are a tenth of it.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="How often each read is timed.")] = 50,
    with_ingest: Annotated[bool, typer.Option(help="Ask again beside half of the fill's rate.")] = False,
    data_dir: Scratch = _TEMPORARY,
    storage: Engine = "embedded",
    json_file: JsonFile = None,
) -> None:
    """Fill a server through OTLP and time every kind of read over HTTP."""
    _console.print(f"[dim]filling {spans:,} spans …[/dim]")
    result = run_query(QueryPlan(spans, repeat, with_ingest), _settings(storage), data_dir)
    for table in query_tables(result):
        _console.print(table)
    _write(json_file, {"query": asdict(result)})


def _settings(storage: str) -> dict[str, Any]:
    return {"exporters": {"storage": {"engine": storage}}}


def _measure_sizes(alone: YardstickSpec) -> list[InsertRate]:
    _console.print("[dim]the engine alone …[/dim]")
    return measure_all([replace(alone, rows_per_insert=size) for size in INSERT_SIZES])


def _write(file: Path | None, figures: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(figures, indent=1))
