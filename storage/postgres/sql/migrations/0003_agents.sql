-- What the transfer processor reads (agentic spans, log records that may tell of a transfer) and writes.

CREATE TABLE agent_spans
(
    start_time_unix_nano bigint NOT NULL,
    duration_ns bigint NOT NULL,
    batch_time_unix_nano bigint NOT NULL,
    status_code integer NOT NULL,
    day date NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    parent_span_id bytea NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    agent_name text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    tool_name text COLLATE "C" NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cached_input_tokens bigint,
    reasoning_tokens bigint,
    cost_usd double precision,
    linked_trace_ids bytea[] NOT NULL
) PARTITION BY RANGE (day);

CREATE INDEX agent_spans_trace_id ON agent_spans (trace_id);
CREATE INDEX agent_spans_time ON agent_spans (start_time_unix_nano);
CREATE INDEX agent_spans_batch ON agent_spans (batch_time_unix_nano);
CREATE INDEX agent_spans_conversation ON agent_spans (md5(conversation_id)) WHERE conversation_id <> '';
CREATE INDEX agent_spans_links ON agent_spans (start_time_unix_nano) WHERE linked_trace_ids <> '{}';

CREATE TABLE agent_logs
(
    event_time_unix_nano bigint NOT NULL,
    time_unix_nano bigint NOT NULL,
    observed_time_unix_nano bigint NOT NULL,
    batch_time_unix_nano bigint NOT NULL,
    severity_number integer NOT NULL,
    flags integer NOT NULL,
    dropped_attributes_count integer NOT NULL,
    day date NOT NULL,
    attribute_shape uuid NOT NULL,
    resource_id uuid NOT NULL,
    scope_id uuid NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    severity_text text COLLATE "C" NOT NULL,
    event_name text COLLATE "C" NOT NULL,
    body_type text COLLATE "C" NOT NULL,
    body text COLLATE "C" NOT NULL,
    attribute_values text[] COLLATE "C" NOT NULL
) PARTITION BY RANGE (day);

CREATE INDEX agent_logs_time ON agent_logs (event_time_unix_nano);
CREATE INDEX agent_logs_trace_id ON agent_logs (trace_id) WHERE trace_id <> '';
CREATE INDEX agent_logs_batch ON agent_logs (batch_time_unix_nano);

CREATE TABLE transfers
(
    time_unix_nano bigint NOT NULL,
    confidence double precision NOT NULL,
    day date NOT NULL,
    completed boolean NOT NULL,
    waits boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    group_key text COLLATE "C" NOT NULL,
    trace_id bytea NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    from_agent text COLLATE "C" NOT NULL,
    to_agent text COLLATE "C" NOT NULL,
    from_agent_id text COLLATE "C" NOT NULL,
    to_agent_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    trigger_span_id bytea NOT NULL,
    target_span_id bytea NOT NULL,
    target_trace_id bytea NOT NULL,
    reason text COLLATE "C" NOT NULL,
    signal text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL
) PARTITION BY RANGE (day);

CREATE INDEX transfers_group_key ON transfers (md5(group_key));
CREATE INDEX transfers_trace_id ON transfers (md5(trace_id));
CREATE INDEX transfers_target ON transfers (md5(target_trace_id)) WHERE target_trace_id <> '';
CREATE INDEX transfers_time ON transfers (time_unix_nano);

CREATE TABLE agent_runs
(
    start_time_unix_nano bigint NOT NULL,
    duration_ns bigint NOT NULL,
    model_calls integer NOT NULL,
    tool_calls integer NOT NULL,
    day date NOT NULL,
    error boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    group_key text COLLATE "C" NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    agent_name text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cached_input_tokens bigint,
    reasoning_tokens bigint,
    cost_usd double precision
) PARTITION BY RANGE (day);

CREATE INDEX agent_runs_group_key ON agent_runs (md5(group_key));
CREATE INDEX agent_runs_trace_id ON agent_runs (trace_id);
CREATE INDEX agent_runs_time ON agent_runs (start_time_unix_nano);
