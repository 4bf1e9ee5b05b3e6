"""The `baton` command."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import yaml

from collector.config.errors import ConfigError
from collector.config.load import load
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
        typer.echo(yaml.safe_dump(loaded.as_written(), sort_keys=False, allow_unicode=True), nl=False)
    else:
        typer.echo("The configuration is valid.")


def _load(files: list[Path] | None, settings: list[str] | None) -> Config:
    try:
        return load(files or [], settings or [])
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
