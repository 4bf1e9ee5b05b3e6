"""A small JSON state that survives crashes: replaced as a whole, on disk before `save` returns."""

import json
import os
from pathlib import Path
from typing import Any


class Checkpoint:
    """One state file. `save` belongs to one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Any]:
        """Return the last saved state, or an empty one. Raises OSError, ValueError when the file is damaged."""
        if not self._path.exists():
            return {}
        try:
            state = json.loads(self._path.read_text())
        except ValueError as error:  # also of text that is not UTF-8
            raise ValueError(f"{self._path} is damaged: {error}") from error
        if not isinstance(state, dict):
            raise ValueError(f"{self._path} is damaged: it holds no JSON object")
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state durably and atomically. Raises OSError; then the former state stands."""
        draft = self._path.with_suffix(".draft")
        with draft.open("w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        fd = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
