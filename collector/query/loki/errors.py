"""Why a Loki route cannot answer."""

from collector.query.problems import Problem


class BadParameter(Problem):
    """A parameter cannot be read; the message names it, and the position where it has a grammar."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-parameter", message)


class TooManyPoints(Problem):
    """The answer would have more points than are drawn."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-parameter", message)


class TooManySeries(Problem):
    """The answer would have more series than are drawn."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-parameter", message)


class TooManyRecords(Problem):
    """More records than are counted one by one."""

    def __init__(self, message: str) -> None:
        super().__init__("query-limit", message)


class NotAnswered(Problem):
    """A part of Loki's API that is not answered here."""

    def __init__(self, message: str) -> None:
        super().__init__("not-found", message)
