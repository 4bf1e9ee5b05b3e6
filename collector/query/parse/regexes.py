"""Regular expressions in RE2 syntax, checked before an engine meets them: without rows it would not evaluate them."""

import pyarrow as pa
import pyarrow.compute as pc

from collector.query.parse.errors import ParseError

_NOTHING = pa.array([""])


def parse_regex(text: str) -> str:
    """Return the expression as it is; raise ParseError when it is none."""
    try:
        pc.match_substring_regex(_NOTHING, text)  # Arrow's own RE2
        pc.match_substring_regex(_NOTHING, _grouped(text))  # a \Q without \E would take the group's end for text
    except pa.ArrowInvalid as error:
        raise ParseError(
            f"not a regular expression (RE2): {str(error).removeprefix('Invalid regular expression: ')}"
        ) from error
    return text


def regex_matches(pattern: str, text: str) -> bool:
    """Tell whether the text matches somewhere, `.` including line ends. RE2, so no pattern takes long."""
    return bool(pc.match_substring_regex(pa.scalar(text), _grouped(pattern)).as_py())


def _grouped(pattern: str) -> str:
    return f"(?s:{pattern})"
