"""Loops and ping-pong in the agent graph, against definitions that are slow and plain."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.query.agents.graph import PING_PONG_LENGTH, Handover, loops, ping_pongs, strongly_connected

NAMES = st.sampled_from("abcdefgh")
EDGES = st.lists(st.tuples(NAMES, NAMES), max_size=30)
PLACES = st.sampled_from([("c1", ""), ("c2", ""), ("", "00ff")])
HANDOVERS = st.lists(
    st.builds(Handover, PLACES, st.integers(0, 40), st.sampled_from("abc"), st.sampled_from("abc")),
    max_size=40,
    unique_by=lambda each: (each.place, each.time_unix_nano),
)


def reachable(edges: list[tuple[str, str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        at = waiting.pop()
        for source, target in edges:
            if source == at and target not in found:
                found.add(target)
                waiting.append(target)
    return found


@settings(deadline=None)
@given(EDGES)
def test_agents_of_a_loop_are_those_that_reach_each_other(edges: list[tuple[str, str]]) -> None:
    reach = {name: reachable(edges, name) for edge in edges for name in edge}
    expected = {
        frozenset(other for other in reach[name] if name in reach[other]) for name in reach if name in reach[name]
    }
    found = loops(edges)
    assert {frozenset(loop.agents) for loop in found} == expected
    assert len(found) == len(expected)


@settings(deadline=None)
@given(EDGES)
def test_a_cycle_is_a_way_round_inside_its_loop(edges: list[tuple[str, str]]) -> None:
    for loop in loops(edges):
        assert loop.cycle[0] == loop.agents[0]
        assert len(set(loop.cycle)) == len(loop.cycle)
        assert set(loop.cycle) <= set(loop.agents)
        assert set(pairwise((*loop.cycle, loop.cycle[0]))) <= set(edges)


@settings(deadline=None)
@given(EDGES, st.randoms())
def test_the_order_of_the_edges_does_not_matter(edges: list[tuple[str, str]], random: object) -> None:
    mixed = sorted(edges, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert loops(mixed) == loops(edges)


@settings(deadline=None)
@given(EDGES)
def test_components_partition_the_agents(edges: list[tuple[str, str]]) -> None:
    graph: dict[str, list[str]] = {name: [] for edge in edges for name in edge}
    for source, target in edges:
        graph[source].append(target)
    members = [name for component in strongly_connected(graph) for name in component]
    assert sorted(members) == sorted(graph)


def test_a_long_chain_and_a_long_ring() -> None:
    chain = [(f"{n:06}", f"{n + 1:06}") for n in range(50_000)]
    assert loops(chain) == []
    (ring,) = loops([*chain, ("050000", "000000")])
    assert len(ring.agents) == len(ring.cycle) == 50_001


def test_an_agent_that_hands_over_to_itself() -> None:
    (loop,) = loops([("a", "a"), ("a", "b")])
    assert loop.agents == loop.cycle == ("a",)


def longest_turns(handovers: list[Handover]) -> int:
    """The longest stretch of transfers between two agents in which each goes back to where the one before came from."""
    ordered = sorted(handovers, key=lambda each: each.time_unix_nano)
    stretches = [ordered[start:end] for start in range(len(ordered)) for end in range(start + 1, len(ordered) + 1)]
    turns = [each for each in stretches if all(one.to_agent == two.from_agent for one, two in pairwise(each))]
    return max((len(each) for each in turns), default=0)


@settings(deadline=None)
@given(HANDOVERS)
def test_ping_pong_is_the_longest_run_in_turn(handovers: list[Handover]) -> None:
    expected = {}
    for handover in handovers:
        pair = frozenset((handover.from_agent, handover.to_agent))
        same = [h for h in handovers if h.place == handover.place and {h.from_agent, h.to_agent} == pair]
        if len(pair) == 2 and (length := longest_turns(same)) >= PING_PONG_LENGTH:
            expected[handover.place, pair] = length
    found = ping_pongs(handovers)
    assert {(each.place, frozenset(each.agents)): each.transfers for each in found} == expected
    assert [each.transfers for each in found] == sorted(expected.values(), reverse=True)
    assert all(each.first_unix_nano < each.last_unix_nano for each in found)


def told(*pairs: str, place: tuple[str, str] = ("c", "")) -> list[Handover]:
    return [Handover(place, number, pair[0], pair[1]) for number, pair in enumerate(pairs)]


def test_there_and_back_is_no_ping_pong_and_once_more_is() -> None:
    assert ping_pongs(told("ab", "ba")) == []
    (pair,) = ping_pongs(told("ab", "ba", "ab"))
    assert (pair.agents, pair.transfers, pair.first_unix_nano, pair.last_unix_nano) == (("a", "b"), 3, 0, 2)


def test_others_in_between_do_not_end_it_and_another_conversation_does() -> None:
    (pair,) = ping_pongs(told("ab", "bc", "ba", "ca", "ab"))
    assert pair.agents == ("a", "b")
    assert ping_pongs(told("ab", "ba") + told("ab", place=("d", ""))) == []


def test_asking_the_same_agent_again_and_again_is_none() -> None:
    assert ping_pongs(told("ab", "ab", "ab", "ab")) == []
