"""What YAML can hold and no setting can: numbers beyond 64 bits, bytes, sets, dates, texts that are not Unicode."""

from typing import Any

from collector.config.errors import Problem


def plain(value: Any, problems: list[Problem], path: str = "") -> Any:
    """Return `value` with null in place of what no setting can hold; each of those is added to `problems`."""
    if isinstance(value, dict):
        return {
            key: plain(item, problems, f"{path}.{key}" if path else key)
            for key, item in value.items()
            if _can_be_set(key, problems, path)
        }
    if isinstance(value, list):
        return [plain(item, problems, f"{path}[{index}]") for index, item in enumerate(value)]
    return value if _can_be_set(value, problems, path) else None


def _can_be_set(value: object, problems: list[Problem], path: str) -> bool:
    """Tell whether a setting can hold a value, or be called so; note the fault otherwise."""
    fault = _fault(value)
    if fault:
        problems.append(Problem(path, fault))
    return not fault


def _fault(value: object) -> str:
    match value:
        case None | bool() | float():
            return ""
        case int():
            return "" if -(2**63) <= value < 2**64 else "this number is too large"
        case str():
            shown = value.encode("utf-8", "replace").decode()
            return "" if shown == value else f'"{shown}" holds characters that are not Unicode'
        case _:
            return f"expected text, a number, a list or a mapping, not {type(value).__name__}"
