-- What the transfer processor reads (log records that may tell of a transfer) and writes (transfers, runs).
-- Transfers and runs are replaced as the traces they come from grow: the row with the highest version counts.

CREATE TABLE agent_logs {on_cluster}
(
    event_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    time_unix_nano UInt64,
    observed_time_unix_nano UInt64,
    trace_id String,
    span_id String,
    flags UInt32,
    severity_number Int32,
    severity_text LowCardinality(String),
    event_name LowCardinality(String),
    body String CODEC(ZSTD(1)),
    body_type LowCardinality(String),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attribute_types LowCardinality(String),
    dropped_attributes_count UInt32,
    resource_id LowCardinality(FixedString(16)),
    scope_id LowCardinality(FixedString(16)),
    service_name LowCardinality(String),
    day Date,
    batch_time_unix_nano UInt64,

    INDEX trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX batch_time batch_time_unix_nano TYPE minmax GRANULARITY 1
)
ENGINE = {merge_tree}
PARTITION BY day
ORDER BY (service_name, intDiv(event_time_unix_nano, 60000000000), trace_id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1,
    {deduplication}, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE transfers {on_cluster}
(
    id String,
    project LowCardinality(String),
    group_key String,
    trace_id String,
    conversation_id String,
    from_agent LowCardinality(String),
    to_agent LowCardinality(String),
    from_agent_id String,
    to_agent_id String,
    kind LowCardinality(String),
    completed Bool,
    waits Bool,
    time_unix_nano UInt64,
    trigger_span_id String,
    target_span_id String,
    target_trace_id String,
    reason String,
    signal LowCardinality(String),
    rule LowCardinality(String),
    confidence Float64,
    day Date,
    version UInt64,
    is_deleted UInt8,

    trace_id_hex String ALIAS lower(hex(trace_id)),
    time DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toInt64(least(time_unix_nano, 9223372036854775807)), 'UTC')
)
ENGINE = {replacing}(version, is_deleted)
PARTITION BY day
ORDER BY (group_key, id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE agent_runs {on_cluster}
(
    id String,
    group_key String,
    trace_id FixedString(16),
    span_id FixedString(8),
    service_name LowCardinality(String),
    agent_name LowCardinality(String),
    agent_id String,
    conversation_id String,
    user_id String,
    model LowCardinality(String),
    provider LowCardinality(String),
    start_time_unix_nano UInt64,
    duration_ns Int64,
    error Bool,
    model_calls UInt32,
    tool_calls UInt32,
    input_tokens Nullable(Int64),
    output_tokens Nullable(Int64),
    cached_input_tokens Nullable(Int64),
    reasoning_tokens Nullable(Int64),
    cost_usd Nullable(Float64),
    day Date,
    version UInt64,
    is_deleted UInt8
)
ENGINE = {replacing}(version, is_deleted)
PARTITION BY day
ORDER BY (group_key, id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;
