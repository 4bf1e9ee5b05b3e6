"""The loss ledger balances after every step, and across restarts."""

from hypothesis import given
from hypothesis import strategies as st

from collector.pipeline.ledger import Ledger
from storage.queries import Signal


def balance(ledger: Ledger) -> None:
    for totals in ledger.snapshot().values():
        assert totals["received"] == totals["stored"] + sum(totals["rejected"].values()) + totals["pending"]


steps = st.lists(
    st.tuples(st.sampled_from(["store", "refuse", "duplicate", "crash"]), st.integers(1, 50), st.integers(0, 5)),
    max_size=30,
)


@given(steps)
def test_it_balances_after_every_step(actions: list[tuple[str, int, int]]) -> None:
    ledger = Ledger()
    stored = rejected = refused = 0
    for action, good, bad in actions:
        ledger.received(Signal.TRACES, good + bad, {"invalid_trace_id": bad} if bad else {})
        balance(ledger)
        rejected += bad
        if action == "store":
            ledger.stored({Signal.TRACES: good}, {Signal.TRACES: good})
            stored += good
        elif action == "refuse":
            ledger.refused(Signal.TRACES, good)
            refused += good
        elif action == "duplicate":
            ledger.duplicate(Signal.TRACES, good)
            rejected += good
        else:  # saved with a stored segment, killed, found again in the journal
            ledger = Ledger(ledger.state())
            balance(ledger)
            ledger.recovered({Signal.TRACES: good})
            balance(ledger)
            ledger.stored({Signal.TRACES: good}, {Signal.TRACES: good})
            stored += good
        balance(ledger)
    totals = ledger.snapshot()["traces"]
    assert (totals["stored"], sum(totals["rejected"].values()), totals["refused"]) == (stored, rejected, refused)
    assert totals["pending"] == 0


def test_a_storage_that_takes_fewer_rows_than_the_journal_held_is_seen() -> None:
    ledger = Ledger()
    ledger.received(Signal.LOGS, 10, {})
    ledger.stored({Signal.LOGS: 10}, {Signal.LOGS: 9})
    totals = ledger.snapshot()["logs"]
    assert totals["received"] - totals["stored"] - totals["pending"] == 1


def test_requests_that_cannot_be_counted_are_counted_as_requests() -> None:
    ledger = Ledger()
    ledger.undecodable(Signal.TRACES, "malformed")
    assert Ledger(ledger.state()).snapshot()["traces"]["undecodable_requests"] == {"malformed": 1}
    balance(ledger)
