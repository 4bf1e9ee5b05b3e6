"""Why a Jaeger route cannot answer, in Jaeger's words."""

from collector.query.problems import PlainProblem


class BadRequest(PlainProblem):
    """A parameter cannot be read or is missing."""

    KIND = "bad-parameter"


class NotFound(PlainProblem):
    """There is no such trace."""

    KIND = "not-found"


class Unsupported(PlainProblem):
    """What Jaeger answers with 500 when the deployment lacks a part."""

    KIND = "internal"


class TooMuch(PlainProblem):
    """The answer would be larger than the server is ready to build."""

    KIND = "query-limit"


class TooLarge(PlainProblem):
    """The request's body is over the limit."""

    KIND = "too-large"
