"""Routes for agents: transfers, figures, the graph, conversations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from collector.query.agents import conversations, transfers
from collector.query.agents.conversation import TIMELINE_EXAMPLE, timeline
from collector.query.agents.conversations import CONVERSATION_EXAMPLE, ConversationSearch
from collector.query.agents.figures import AGENT_EXAMPLE, agents
from collector.query.agents.graph_answer import GRAPH_EXAMPLE, GraphSearch, graph
from collector.query.agents.transfers import END, START, TRANSFER_EXAMPLE, TransferSearch
from collector.query.answers import example, json_answer
from collector.query.dependencies import QueryDependencies
from collector.query.page_limit import PageLimit
from collector.query.ranges import read_range
from collector.query.strict import strict_parameters


def agents_router(deps: QueryDependencies) -> APIRouter:
    """Return the routes /api/v1/transfers, /agents and /conversations."""
    router = APIRouter(prefix="/api/v1", tags=["agents"], dependencies=[Depends(strict_parameters)])

    @router.get(
        "/transfers",
        summary="Agent transfers",
        responses=example("A page of transfers.", {"transfers": [TRANSFER_EXAMPLE], "next_cursor": None}),
    )
    def find_transfers(parameters: Annotated[TransferSearch, Query()]) -> Response:
        """Transfers that satisfy every condition, newest first.

        Ids are null and names of agents empty where the telemetry does not say them.
        """
        return json_answer(transfers.search(deps, parameters))

    @router.get(
        "/agents",
        summary="Agents",
        responses=example("Most runs first.", {"agents": [AGENT_EXAMPLE], "truncated": False}),
    )
    def all_agents(
        start: Annotated[str | None, Query(description=START)] = None,
        end: Annotated[str | None, Query(description=END)] = None,
    ) -> Response:
        """What every agent did, spent, took over and handed on in a range, most runs first."""
        return json_answer(agents(deps, read_range(start, end, deps.clock())))

    @router.get("/agents/graph", summary="Agent graph", responses=example("Nodes and edges.", GRAPH_EXAMPLE))
    def agents_graph(parameters: Annotated[GraphSearch, Query()]) -> Response:
        """Who hands work to whom in a range, a trace or a conversation, with loops and ping-pong."""
        return json_answer(graph(deps, parameters))

    @router.get(
        "/conversations",
        summary="Conversations",
        responses=example("A page of conversations.", {"conversations": [CONVERSATION_EXAMPLE], "next_cursor": None}),
    )
    def find_conversations(parameters: Annotated[ConversationSearch, Query()]) -> Response:
        """Conversations with a span that starts in the range, the one that ended last first."""
        return json_answer(conversations.search(deps, parameters))

    @router.get(
        "/conversations/{conversation_id:path}",
        summary="One conversation",
        responses=example("All that happened, oldest first.", TIMELINE_EXAMPLE),
    )
    def conversation(
        conversation_id: Annotated[str, Path(description="URL-encoded; slashes may stay.")],
        limit: Annotated[PageLimit, Query(description="At most so many entries, the oldest.")] = 1000,
    ) -> Response:
        """One timeline over all traces that carry the id, and their log records."""
        return json_answer(timeline(deps, conversation_id, limit))

    return router
