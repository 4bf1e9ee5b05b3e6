"""Why a Tempo route cannot answer."""

from collector.query.problems import PlainProblem


class BadParameter(PlainProblem):
    """A parameter cannot be read; the message names it, and the position where it has a grammar."""

    KIND = "bad-parameter"


class TooMuch(PlainProblem):
    """The answer would be larger than the server is ready to build."""

    KIND = "query-limit"


class NotAnswered(PlainProblem):
    """There is no such trace, or a part of Tempo's API is not answered here."""

    KIND = "not-found"
