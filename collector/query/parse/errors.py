"""The one way in which reading a parameter fails."""


class ParseError(ValueError):
    """The text cannot be read; the message says what was expected.

    `position` is the zero-based character offset in the text, where the text has a grammar.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position
