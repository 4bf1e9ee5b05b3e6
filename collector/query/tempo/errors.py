"""Why a Tempo route cannot answer."""

from collector.query.problems import Problem


class BadParameter(Problem):
    """A parameter cannot be read; the message names it, and the position where it has a grammar."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-parameter", message)


class TooMuch(Problem):
    """The answer would be larger than the server is ready to build."""

    def __init__(self, message: str) -> None:
        super().__init__("query-limit", message)


class NotAnswered(Problem):
    """There is no such trace, or a part of Tempo's API is not answered here."""

    def __init__(self, message: str) -> None:
        super().__init__("not-found", message)
