"""What is wrong with a configuration, all of it at once."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: `path` is where the user wrote it (`receivers.otlp.protocols`), or a file name."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def unknown(word: str, known: Mapping[str, object] | Sequence[str], what: str) -> str:
    """Say that a word is not known, and what was perhaps meant."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f'unknown {what}; did you mean "{near[0]}"?' if near else f"unknown {what}; known: {', '.join(known)}"


class ConfigError(Exception):
    """The configuration cannot be used; `problems` lists every fault that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
