-- Items: spans, log records. Wide columns first, so that rows are not padded. uint64 is stored minus 2^63 and uint32
-- with its bits (storage.postgres.unsigned.py); texts may hold escaped bytes (storage/postgres/texts.py). Attribute keys
-- and type letters are kept once for each distinct list of them, in `shapes`; rows hold the values, in the same order.
-- Events and links are kept as parallel arrays: `event_attribute_counts` says how many of `event_keys` belong to each.

CREATE FUNCTION baton_ns(stored bigint) RETURNS numeric IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
AS $$ SELECT stored::numeric + 9223372036854775808 $$;

CREATE FUNCTION baton_time(stored bigint) RETURNS timestamptz IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
AS $$ SELECT to_timestamp((stored::numeric + 9223372036854775808) / 1000000000) $$;

CREATE TABLE spans
(
    start_time_unix_nano bigint NOT NULL,
    duration_ns bigint NOT NULL,
    kind integer NOT NULL,
    status_code integer NOT NULL,
    flags integer NOT NULL,
    dropped_attributes_count integer NOT NULL,
    dropped_events_count integer NOT NULL,
    dropped_links_count integer NOT NULL,
    day date NOT NULL,
    attribute_shape uuid NOT NULL,
    resource_id uuid NOT NULL,
    scope_id uuid NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    parent_span_id bytea NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    trace_state text COLLATE "C" NOT NULL,
    status_message text COLLATE "C" NOT NULL,
    attribute_values text[] COLLATE "C" NOT NULL,
    event_times bigint[],
    event_names text[] COLLATE "C",
    event_attribute_counts integer[],
    event_keys text[] COLLATE "C",
    event_values text[] COLLATE "C",
    event_types text[],
    event_dropped_attributes_counts integer[],
    link_trace_ids bytea[],
    link_span_ids bytea[],
    link_trace_states text[] COLLATE "C",
    link_attribute_counts integer[],
    link_keys text[] COLLATE "C",
    link_values text[] COLLATE "C",
    link_types text[],
    link_dropped_attributes_counts integer[],
    link_flags integer[]
) PARTITION BY RANGE (day);

CREATE INDEX spans_trace_id ON spans (trace_id);
CREATE INDEX spans_time ON spans (start_time_unix_nano);
-- Over the hash, because an index entry may not be longer than 2,700 bytes and a service name may.
CREATE INDEX spans_service_time ON spans (hashtext(service_name), start_time_unix_nano);

CREATE TABLE logs
(
    event_time_unix_nano bigint NOT NULL,
    time_unix_nano bigint NOT NULL,
    observed_time_unix_nano bigint NOT NULL,
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

CREATE INDEX logs_time ON logs (event_time_unix_nano);
CREATE INDEX logs_service_time ON logs (hashtext(service_name), event_time_unix_nano);
CREATE INDEX logs_trace_id ON logs (trace_id) WHERE trace_id <> '';

-- One row for each batch that was stored: writing it again stores nothing.
CREATE TABLE batches
(
    id text COLLATE "C" PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_written_at ON batches (written_at);
