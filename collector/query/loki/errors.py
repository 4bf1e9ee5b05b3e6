"""Why a Loki route cannot answer."""

from collector.query.problems import PlainProblem


class BadParameter(PlainProblem):
    """A parameter cannot be read; the message names it, and the position where it has a grammar."""

    KIND = "bad-parameter"


class TooManyPoints(PlainProblem):
    """The answer would have more points than are drawn."""

    KIND = "bad-parameter"


class TooManySeries(PlainProblem):
    """The answer would have more series than are drawn."""

    KIND = "bad-parameter"


class TooManyRecords(PlainProblem):
    """More records than are counted one by one."""

    KIND = "query-limit"


class NotAnswered(PlainProblem):
    """A part of Loki's API that is not answered here."""

    KIND = "not-found"
