"""What is remembered of texts that senders choose."""

from collector.processors.agent_transfers.remembering import LONGEST_REMEMBERED, remembered


def test_long_texts_are_not_kept() -> None:
    """A name of a megabyte in every span would otherwise stay in memory, 65,536 times."""
    asked: list[str] = []

    @remembered(2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    short, long = "a" * LONGEST_REMEMBERED, "a" * (LONGEST_REMEMBERED + 1)
    assert [length(text) for text in (short, long, short, long)] == [1_000, 1_001, 1_000, 1_001]
    assert asked == [short, long, long]
