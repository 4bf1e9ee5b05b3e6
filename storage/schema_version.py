"""The port for a store's schema version: seen and brought up to date without opening the store itself."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which migrations a store has. `version` is 0 for a store without tables."""

    version: int
    known: int  # the newest version that this code knows
    pending: tuple[str, ...]  # names of the migrations that `migrate` would apply, in order

    @property
    def too_new(self) -> bool:
        """Tell whether a newer Baton wrote the store."""
        return self.version > self.known


class Schema(Protocol):
    """A store's schema. Methods may raise StorageUnavailable."""

    @property
    def engine(self) -> str:
        """Name and version, for people."""
        ...

    def state(self) -> SchemaState:
        """Look; change nothing."""
        ...

    def migrate(self) -> list[str]:
        """Apply what is pending and return its names. Repeatable; raises StorageRejected when the store is newer."""
        ...

    def close(self) -> None:
        """Release the engine. Idempotent."""
        ...
