"""Why a Jaeger route cannot answer, in Jaeger's words."""

from collector.query.problems import Problem


class BadRequest(Problem):
    """A parameter cannot be read or is missing."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-parameter", message)


class NotFound(Problem):
    """There is no such trace."""

    def __init__(self, message: str) -> None:
        super().__init__("not-found", message)


class Unsupported(Problem):
    """What Jaeger answers with 500 when the deployment lacks a part."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message)


class TooMuch(Problem):
    """The answer would be larger than the server is ready to build."""

    def __init__(self, message: str) -> None:
        super().__init__("query-limit", message)


class TooLarge(Problem):
    """The request's body is over the limit."""

    def __init__(self, message: str) -> None:
        super().__init__("too-large", message)
