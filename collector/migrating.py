"""`baton migrate`: a store's tables brought to this version, or told what that would do. Nothing is served."""

import contextlib
import sys

from collector import settings
from collector.config.model import Config
from collector.engines import is_there, open_schema
from storage.errors import StorageRejected, StorageUnavailable


def run_migrate(config: Config, *, check: bool) -> int:
    """Apply what is pending, or only show it; return the exit code: 1 when that cannot be done."""
    place = f"{settings.store(config).engine} ({settings.store_place(config)})"
    if check and not is_there(config):
        sys.stdout.write(f"There is no store yet: {place}. It would be made with the newest tables.\n")
        return 0
    try:
        with contextlib.ExitStack() as undo:
            schema = open_schema(config, undo)
            undo.callback(schema.close)
            before = schema.state()
            if before.too_new:
                sys.stderr.write(
                    f"The store has schema version {before.version}, this version of Baton knows up to {before.known}: "
                    "upgrade it.\n"
                )
                return 1
            applied = before.pending if check else schema.migrate()
            after = before.version if check else before.known
            engine = schema.engine
    except (StorageUnavailable, StorageRejected, OSError) as error:
        sys.stderr.write(f"Baton cannot migrate: {error}\n")
        return 1
    sys.stdout.write(f"{place}, {engine}\n")
    for name in applied:
        sys.stdout.write(f"  {'would apply' if check else 'applied'} {name}\n")
    verdict = "up to date" if not applied else f"{len(applied)} to apply" if check else "migrated"
    sys.stdout.write(f"Schema version {after} of {before.known}: {verdict}.\n")
    return 0
