"""The one way to a configuration: files, then `--set` options, then the environment, then every check."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.config.errors import ConfigError, Problem
from collector.config.expand import expand
from collector.config.model import COMPONENT_TYPES, Config
from collector.config.plain import plain
from collector.config.read import assign, complete, put, read_files
from collector.config.references import check
from collector.config.validate import validate


def load(
    files: Sequence[Path] = (),
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration that the files (merged in order) and the `key.path=value` options describe.

    `overrides` maps key paths to values that are taken as they are, after everything else. Without any of these it is
    the default configuration. Raises `ConfigError` with every problem found.
    """
    problems: list[Problem] = []
    raw = complete(read_files(files, problems), Config().as_written())
    assign(raw, options, problems)
    spelled: dict[str, str] = {}
    raw = expand(raw, os.environ if environment is None else environment, problems, spelled)
    for path, value in (overrides or {}).items():
        put(raw, path.split("."), value)
    raw = plain(raw, problems)
    before = tuple(problems)
    unresolved = {problem.path for problem in before}
    config = validate(raw, problems, spelled)
    if config is not None:
        written = {section: raw.get(section) for section in COMPONENT_TYPES}
        problems.extend(check(config, {section: ids for section, ids in written.items() if isinstance(ids, Mapping)}))
    # What an unset variable left behind is not worth a second line.
    problems = [*before, *(p for p in problems[len(before) :] if p.path not in unresolved)]
    if config is None or problems:
        raise ConfigError(problems)
    return config
