"""The two ends of a copy: what `--from` and `--to` name, and what must be true before anything is read."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from collector import settings
from collector.config.load import load
from collector.config.model import Config
from collector.engines import is_there, open_schema
from collector.journal.checkpoint import Checkpoint
from collector.journal.journal import Journal, JournalLocked
from collector.pipeline.store import RELEASED
from collector.processors.agent_stream.stage import EVALUATED_UNTIL


class CopyRefused(Exception):
    """The copy cannot or should not be made; the message says why and what to do, for people."""


@dataclass(frozen=True, slots=True)
class End:
    """One store: what was written on the command line, and the configuration that it stands for."""

    written: Path
    config: Config

    @property
    def place(self) -> str:
        """The store, for people."""
        return f"{settings.store(self.config).engine} ({settings.store_place(self.config)})"

    @property
    def identity(self) -> tuple[str, ...]:
        """What two names of the same store have in common."""
        store = settings.store(self.config)
        if store.engine == "clickhouse":
            return store.engine, *sorted(store.clickhouse.endpoints), store.clickhouse.database
        where = store.dsn.get_secret_value() if store.dsn else str(settings.store_directory(self.config).resolve())
        return store.engine, where, store.database_schema


def read_end(written: Path, option: str) -> End:
    """Return the store that a configuration file or a data folder stands for.

    A folder that Baton keeps is told by what is in it; a folder that is not there yet becomes an embedded store.
    Raises: ConfigError, CopyRefused.
    """
    if written.suffix in {".yaml", ".yml"} or written.is_file():
        return End(written, load([written]))
    kept = {engine: (written / name).is_dir() for engine, name in (("embedded", "clickhouse"), ("postgres", "pg"))}
    if all(kept.values()):
        raise CopyRefused(f"{option} {written}: this folder has two stores; name a configuration file instead")
    engine = "postgres" if kept["postgres"] else "embedded"
    return End(written, load(overrides={"service.data_dir": str(written), "exporters.storage.engine": engine}))


def check_ends(source: End, target: End) -> None:
    """Refuse what makes no sense. Raises CopyRefused."""
    if source.identity == target.identity:
        raise CopyRefused("--from and --to are the same store")
    if settings.store(source.config).engine == settings.store(target.config).engine == "embedded":
        folder = settings.store_directory(source.config)
        raise CopyRefused(
            "both stores are embedded, and one process can open only one: end Baton and copy the folder "
            f"{folder} itself (cp -a)"
        )


def check_source(source: End) -> list[str]:
    """See that the source can be read as it is; return what people should know. Opens and closes it.

    Raises: CopyRefused, StorageUnavailable, OSError, ValueError.
    """
    if not is_there(source.config):
        raise CopyRefused(f"there is no store at {settings.store_directory(source.config)}")
    with contextlib.ExitStack() as undo:
        schema = open_schema(source.config, undo)
        undo.callback(schema.close)
        state = schema.state()
    if state.too_new:
        raise CopyRefused(f"the source has schema version {state.version}, newer than this Baton's {state.known}")
    if not state.version:
        raise CopyRefused("the source has no tables: Baton never ran on it")
    if state.pending:
        raise CopyRefused(
            "the source is from an older Baton and is not changed by a copy: run `baton migrate` on it first"
        )
    return _check_journal(source.config)


def _check_journal(config: Config) -> list[str]:
    folder = settings.journal_directory(config)
    if not folder.is_dir():
        return []
    released = int(Checkpoint(folder / "checkpoint.json").load().get(RELEASED, -1))
    try:
        journal = Journal(folder, config.service.journal.max_size, released)
    except JournalLocked:
        return ["Baton runs on the source: what it takes in from now on needs another run of this command"]
    items = sum(sum(segment.items.values()) for segment in journal.pending())
    journal.close()
    if items:
        raise CopyRefused(
            f"the source's journal holds {items:,} items that are not in its store yet: start Baton on it once "
            "(`baton serve`), end it, and copy then"
        )
    return []


def evaluated_until(config: Config) -> int | None:
    """Return up to which batch the source's Baton has found transfers, when its state is here."""
    file = config.service.data_dir / "transfers.json"
    found = Checkpoint(file).load().get(EVALUATED_UNTIL)
    return int(found) if found is not None else None


def state_file(source: End, target: End) -> Path:
    """Return where the state of a copy between two ends is kept: at the target, one file for each source."""
    pair = "\n".join(str(end.written.resolve()) for end in (source, target))
    digest = hashlib.blake2b(pair.encode(), digest_size=4).hexdigest()
    return target.config.service.data_dir / f"copy-{digest}.json"
