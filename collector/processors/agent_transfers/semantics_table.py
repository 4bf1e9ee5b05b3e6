"""The conventions' attribute keys per normalised field, as pure data: in each tuple the first key present wins.

Sources: OTel GenAI (released and latest), OpenInference, Traceloop/OpenLLMetry, LangSmith, Langfuse, Vercel AI SDK,
logfire and pydantic-ai, Google ADK, Microsoft, Sentry, AG2, Mastra, MLflow. Keys whose value needs more than a cast
(JSON text, names inside span names) are not here: see `semantics.py`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

ASSOCIATION: Final = "traceloop.association.properties."

FIELD_KEYS: Final = MappingProxyType(
    {
        "agent_name": (
            "gen_ai.agent.name", "agent.name", "agent_name", "crewai.agent.role", "tool.agent_role", "ai.agent.name",
            "mastra.agent.name", "agno.agent", "agno.team", "graph.node.name", ASSOCIATION + "lc_agent_name",
            ASSOCIATION + "agent_name", "langsmith.metadata.lc_agent_name", "langsmith.metadata.agent_name",
            "langfuse.observation.metadata.agent_name", "ai.telemetry.metadata.agentName",
            "ai.telemetry.metadata.agent", "agentName", "beeai.agent.name",
            "semantic_kernel.agent.name", "gen_ai.agent_name", "assistant.name",
            "langfuse.observation.metadata.lc_agent_name", "langfuse.trace.metadata.lc_agent_name",
        ),
        "agent_id": (
            "gen_ai.agent.id", "agent.id", "agent_id", "agno.agent.id", "agno.team.id", "mastra.agent.id",
            "gen_ai.azure_ai_project.agent.id", "ai.telemetry.metadata.agentId", "agentId",
        ),
        "conversation_id": (
            "gen_ai.conversation.id", "session.id", "conversation.id", "gcp.vertex.agent.session_id",
            ASSOCIATION + "session_id", ASSOCIATION + "conversation_id", ASSOCIATION + "thread_id",
            "langfuse.session.id", "langfuse.trace.session_id", "langsmith.metadata.session_id",
            "langsmith.metadata.thread_id", "langsmith.metadata.conversation_id", "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.threadId", "ai.telemetry.metadata.conversationId", "gen_ai.thread.id",
            "gen_ai.openai.thread.id", "thread_id", "threadId", "session_id", "conversation_id", "sessionId",
            "conversationId", "mlflow.trace.session", "sentry.conversation.id", "ag2.network.channel_id",
        ),
        "user_id": (
            "user.id", "enduser.id", "langfuse.user.id", "langfuse.trace.user_id", ASSOCIATION + "user_id",
            "gen_ai.user",
            "gen_ai.user.id", "langsmith.metadata.user_id", "ai.telemetry.metadata.userId", "user_id",
            "mlflow.trace.user",
        ),
        "model": (
            "gen_ai.response.model", "gen_ai.request.model", "llm.response.model_name", "llm.model_name",
            "llm.request.model_name", "embedding.model_name", "langfuse.observation.model.name", "ai.response.model",
            "ai.model.id", "llm.response.model", "llm.request.model", "model_name",
        ),
        "provider": (
            "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider", "llm.vendor",
        ),
        "operation": (
            "gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type",
            "langsmith.span.kind", "ai.operationId", "sentry.op", "ag2.span.type", "mastra.span.type",
            "llm.request.type",
            "mlflow.spanType", "gen_ai.span.kind", "mcp.method.name",
        ),
        "input_tokens": (
            "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
            "ai.usage.inputTokens", "ai.usage.promptTokens", "llm.usage.prompt_tokens", "ai.usage.tokens",
        ),
        "output_tokens": (
            "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
            "ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens",
        ),
        "cached_input_tokens": (
            "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached", "gen_ai.usage.input_token_details.cache_read",
            "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
            "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.cached_input_tokens", "gen_ai.usage.cached_tokens",
        ),
        "reasoning_tokens": (
            "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_tokens.reasoning", "gen_ai.usage.output_token_details.reasoning",
            "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
            "gen_ai.usage.details.reasoning_tokens",
        ),
        "cost_usd": (
            "gen_ai.usage.cost", "llm.cost.total", "operation.cost", "gen_ai.cost.usd", "gen_ai.usage.total_cost",
            "gen_ai.usage.cost_usd",
        ),
        "tool_name": (
            "gen_ai.tool.name", "tool.name", "tool_call.function.name", "ai.toolCall.name", "mcp.tool.name",
            "tool_name",
            "mastra.tool.name", "toolName",
        ),
    }
)  # fmt: skip
"""Field to ordered attribute keys. Text fields take text, `*_tokens` integers, `cost_usd` a float in US dollars."""

KIND_KEYS: Final = ("langfuse.observation.type", "openinference.span.kind")
"""The kind attribute outranks the operation of an older layer below it (OpenInference over native spans)."""

MODEL_KEYS: Final = ("gen_ai.request.model", "llm.model_name")
SPENT_KEYS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
"""A span that has a key of each is a model call, when it names no operation."""

TOOL_PREFIXES: Final = ("execute_tool ", "tools/call ", "MCP send tools/call ")
"""What comes before a tool's name in the names of its spans: OTel GenAI, MCP, the MCP SDK for Python."""

TOOL_ENTITY_KEYS: Final = ("traceloop.entity.name", "langsmith.trace.name")
"""What a tool call is called when no key of `tool_name` says it."""

CONVERSATION_IN_METADATA: Final = ("session_id", "conversation_id", "thread_id")
"""Entries of the JSON text `metadata`."""

_USAGE: Final = "langfuse.observation.usage_details"
USAGE_DETAILS: Final = MappingProxyType(
    {
        "input_tokens": (_USAGE, "input"), "output_tokens": (_USAGE, "output"),
        "cached_input_tokens": (_USAGE, "input_cached_tokens"),
        "reasoning_tokens": (_USAGE, "output_reasoning_tokens"),
    }
)  # fmt: skip
"""Field to a key whose value is a JSON text, and the entry in it: where no key of the field says anything."""

COST_DETAILS: Final = ("langfuse.observation.cost_details", "total")

OPERATIONS: Final = MappingProxyType(
    {
        "chat": "chat", "generate_content": "chat", "text_completion": "text_completion", "completion": "chat",
        "generation": "chat", "llm": "chat", "chat_model": "chat", "chat_completion": "chat",
        "chat_completions": "chat",
        "response": "chat", "responses": "chat", "model_generation": "chat", "llm_request": "chat", "messages": "chat",
        "generate_text_do_generate": "chat", "stream_text_do_stream": "chat", "generate_object_do_generate": "chat",
        "stream_object_do_stream": "chat", "rerank": "rerank", "reranker": "rerank", "model_inference": "chat",
        "embeddings": "embeddings", "embedding": "embeddings", "embed": "embeddings", "embed_do_embed": "embeddings",
        "embed_many_do_embed": "embeddings",
        "invoke_agent": "invoke_agent", "agent": "invoke_agent", "agent_run": "invoke_agent",
        "run_agent": "invoke_agent",
        "agent_step": "invoke_agent", "invoke_local_agent": "invoke_agent", "process_thread_run": "invoke_agent",
        "start_thread_run": "invoke_agent", "subagent": "invoke_agent", "sub_agent": "invoke_agent",
        "execute_tool": "execute_tool", "tool": "execute_tool", "function": "execute_tool", "tool_call": "execute_tool",
        "mcp_tool_call": "execute_tool", "tools_call": "execute_tool", "run_tool": "execute_tool",
        "tool_execution": "execute_tool",
        "handoff": "handoff", "agent_handoff": "handoff", "handoff_request": "handoff", "transfer": "handoff",
        "agent_transfer": "handoff", "handover": "handoff", "delegate": "handoff", "delegation": "handoff",
        "agent_delegation": "handoff", "agent_to_agent_interaction": "handoff", "goto": "goto",
        "create_agent": "create_agent",
        "invoke_workflow": "workflow", "workflow": "workflow", "workflow_run": "workflow", "chain": "chain",
        "invoke_swarm": "workflow", "invoke_graph": "workflow", "invoke_team": "workflow", "invoke_crew": "workflow",
        "conversation": "workflow", "multi_conversation": "workflow", "initiate_chats": "workflow", "task": "task",
        "execute_task": "task", "workflow_step": "task", "turn": "task", "execute_event_loop_cycle": "task",
        "retrieval": "retrieval", "retriever": "retrieval", "retrieve": "retrieval", "guardrail": "guardrail",
        "evaluator": "evaluation", "evaluation": "evaluation", "plan": "plan",
    }
)  # fmt: skip
"""Spelling (lower case, words joined by underscores) to normalised operation."""

MAX_COUNT: Final = 2.0**53
"""Token counts from here on are none: no model counts so far, and doubles are not exact."""

MAX_FIELD_CHARS: Final = 1_000
"""Texts are cut here: one sender's ids of a megabyte would make every answer that lists them fail."""

MODEL_CALLS: Final = frozenset({"chat", "text_completion", "embeddings"})
"""Operations that spend tokens themselves. Only these are counted; parents often repeat their children's sum."""
