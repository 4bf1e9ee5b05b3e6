"""The `baton` command. What a command needs is imported when it runs: `--help` should not wait for all the others."""

from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collector.config.model import Config

app = typer.Typer(
    name="baton",
    help="Baton: OpenTelemetry traces and logs in, Jaeger's APIs and agent transfers out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", help="Configuration file, in the Collector's style; several are merged in order."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting; comes after the files. Repeatable."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder for everything Baton keeps.", show_default="./data")
]
LogFormat = StrEnum("LogFormat", ["auto", "json", "console"])
LogLevel = StrEnum("LogLevel", ["debug", "info", "warning", "error"])


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"baton {version('baton-collector')}")
        raise typer.Exit


@app.callback()
def baton(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Baton: OpenTelemetry traces and logs in, Jaeger's APIs and agent transfers out."""


@app.command()
def validate(
    config: ConfigFiles = None,
    settings: Settings = None,
    show: Annotated[bool, typer.Option("--print", help="Print the configuration in force.")] = False,
) -> None:
    """Check a configuration: list everything that is wrong and exit with 1, or say that it is fine."""
    loaded = _load(config, settings)
    if show:
        import yaml  # noqa: PLC0415

        typer.echo(yaml.safe_dump(loaded.as_written(), sort_keys=False, allow_unicode=True), nl=False)
    else:
        typer.echo("The configuration is valid.")


@app.command()
def serve(
    config: ConfigFiles = None,
    settings: Settings = None,
    data_dir: DataDir = None,
    ui_dir: Annotated[Path | None, typer.Option("--ui-dir", help="A Jaeger UI build to serve at /.")] = None,
    log_format: Annotated[LogFormat | None, typer.Option("--log-format", help="JSON, or for people.")] = None,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="Least severe line shown.")] = None,
) -> None:
    """Run Baton until Ctrl-C or SIGTERM, then store what it holds and exit with 0."""
    overrides = {
        "service.data_dir": data_dir,
        "extensions.query.ui_dir": ui_dir,
        "service.telemetry.logs.format": log_format,
        "service.telemetry.logs.level": log_level,
    }
    loaded = _load(config, settings, {path: str(value) for path, value in overrides.items() if value is not None})
    from collector.run import run  # noqa: PLC0415

    raise typer.Exit(run(loaded))


@app.command()
def migrate(
    config: ConfigFiles = None,
    settings: Settings = None,
    data_dir: DataDir = None,
    check: Annotated[
        bool, typer.Option("--check", "--dry-run", help="Only show what would be applied; change nothing.")
    ] = False,
) -> None:
    """Bring the store's tables to this version of Baton without serving; exit with 1 when that cannot be done."""
    loaded = _load(config, settings, {"service.data_dir": str(data_dir)} if data_dir is not None else {})
    from collector.migrating import run_migrate  # noqa: PLC0415

    raise typer.Exit(run_migrate(loaded, check=check))


@app.command()
def copy(
    source: Annotated[Path, typer.Option("--from", help="The store to read: a configuration file or a data folder.")],
    target: Annotated[Path, typer.Option("--to", help="The store to write: a configuration file or a data folder.")],
    leave_out_expired: Annotated[
        bool, typer.Option("--leave-out-expired", help="Leave out days that the target's retention would drop.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="In the end read both stores once more and compare every row.")
    ] = False,
) -> None:
    """Copy everything one store holds into another; may be stopped at any time and run again."""
    from collector.copying.run import CopyOptions, run_copy  # noqa: PLC0415

    raise typer.Exit(run_copy(CopyOptions(source, target, leave_out_expired, compare)))


@app.command()
def demo(
    endpoint: Annotated[str, typer.Option(help="OTLP/gRPC endpoint of Baton.")] = "localhost:4317",
    query_url: Annotated[
        str, typer.Option(help="Where Baton answers queries, for the links.")
    ] = "http://localhost:16686",
    ui_url: Annotated[
        str | None, typer.Option(help="Where a Jaeger UI answers, for the links; without it the query URL is asked.")
    ] = None,
    conversations: Annotated[int, typer.Option(min=1, max=10_000, help="How many conversations to tell.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
) -> None:
    """Send a support desk of several services and agents, with logs, through the standard OTLP exporter."""
    from collector.demo.run import DemoFailed, describe, send, serves_ui, wait_until_shown  # noqa: PLC0415

    try:
        sent = send(endpoint, conversations, seed)
    except DemoFailed as error:
        typer.echo(f"The demo was not sent: {error}.", err=True)
        raise typer.Exit(1) from None
    query_url = query_url.rstrip("/")
    if ui_url is None and serves_ui(query_url):
        ui_url = query_url
    shown = wait_until_shown(sent, query_url)
    typer.echo(describe(sent, query_url, ui_url and ui_url.rstrip("/"), shown))


_AS_GIVEN = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


@app.command(add_help_option=False, context_settings=_AS_GIVEN)
def bench(context: typer.Context) -> None:
    """Measure this Baton on this machine: a real server, a real load, a scratch folder."""
    from collector.bench.cli import app as commands  # noqa: PLC0415

    commands(context.args, prog_name="baton bench")


def _load(files: list[Path] | None, settings: list[str] | None, overrides: dict[str, str] | None = None) -> "Config":
    from collector.config.errors import ConfigError  # noqa: PLC0415
    from collector.config.load import load  # noqa: PLC0415

    try:
        return load(files or [], settings or [], overrides=overrides)
    except ConfigError as error:
        count = len(error.problems)
        typer.echo(f"The configuration has {count} {'problem' if count == 1 else 'problems'}:", err=True)
        for problem in error.problems:
            typer.echo(f"  {problem}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command line."""
    app(prog_name="baton")


if __name__ == "__main__":
    main()
