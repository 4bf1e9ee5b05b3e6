-- Items: spans, log records, agentic spans. Times are integers: an Arrow int64 becomes a DateTime64 as *seconds*.
-- The second that leads the sort key keeps the newest items together; ids inside it make traces contiguous. It alone is
-- the primary key: with the ids in it, a trace by id compares itself with every mark (measured: 2.5 ms at 5 M spans).
-- Ids are indexed for four granules together, so that a trace by id asks a quarter of the filters, and so precisely that
-- it seldom opens the columns of a part in vain (1 ms each).
-- What lies in events and links has no dictionaries: most granules have none of them, and each dictionary is a file more to
-- write, fsync and open (a trace by id takes a twentieth less time, and no more bytes).
-- Attribute values are indexed together with one of eight shares of all services: see `entries.py`. Strings keep
-- their sizes inline ('single_stream'): fewer files to write and fsync, and maps read a third faster. Small compressed
-- blocks: a trace is a few rows of every column. What people read (hex ids, dates) is in views: alias columns would cost
-- every query on the table half a millisecond.
-- Parts are merged when some twenty of like size lie there (fewer, the more parts a day has), not five: under full load a
-- row is rewritten half as often, which is a sixth of all processor time, and reads take no longer (measured). A merge
-- holds a granule of each part; granules of at most 2 MB keep it small where spans are prompts.

CREATE TABLE spans {on_cluster}
(
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind Int32 CODEC(ZSTD(1)),
    start_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    duration_ns Int64 CODEC(ZSTD(1)),
    status_code Int32 CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attribute_types LowCardinality(String) CODEC(ZSTD(1)),
    dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    events Array(Tuple(
        time_unix_nano UInt64,
        name String,
        attributes Map(String, String),
        attribute_types String,
        dropped_attributes_count UInt32)) CODEC(ZSTD(1)),
    dropped_events_count UInt32 CODEC(ZSTD(1)),
    links Array(Tuple(
        trace_id String,
        span_id String,
        trace_state String,
        attributes Map(String, String),
        attribute_types String,
        dropped_attributes_count UInt32,
        flags UInt32)) CODEC(ZSTD(1)),
    dropped_links_count UInt32 CODEC(ZSTD(1)),
    resource_id LowCardinality(FixedString(16)) CODEC(ZSTD(1)),
    scope_id LowCardinality(FixedString(16)) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    day Date CODEC(ZSTD(1)),

    INDEX trace_id trace_id TYPE bloom_filter(0.0001) GRANULARITY 4,
    INDEX attribute_values arrayMap(v -> cityHash64(v, cityHash64(service_name) % 8), mapValues(attributes))
        TYPE bloom_filter(0.0025) GRANULARITY 1,
    INDEX nested_values arrayConcat(
        arrayFlatten(arrayMap(m -> mapValues(m), events.attributes)),
        arrayFlatten(arrayMap(m -> mapValues(m), links.attributes))) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {merge_tree}
PARTITION BY day
PRIMARY KEY intDiv(start_time_unix_nano, 1000000000)
ORDER BY (intDiv(start_time_unix_nano, 1000000000), trace_id)
SETTINGS index_granularity = 1024, index_granularity_bytes = 2097152, fsync_after_insert = 1, fsync_part_directory = 1,
    {deduplication}, string_serialization_version = 'single_stream',
    min_compress_block_size = 16384, max_compress_block_size = 131072, merge_selector_base = 32,
    min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1;

CREATE TABLE logs {on_cluster}
(
    event_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    observed_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    severity_number Int32 CODEC(ZSTD(1)),
    severity_text LowCardinality(String) CODEC(ZSTD(1)),
    event_name LowCardinality(String) CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),
    body_type LowCardinality(String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attribute_types LowCardinality(String) CODEC(ZSTD(1)),
    dropped_attributes_count UInt32 CODEC(ZSTD(1)),
    resource_id LowCardinality(FixedString(16)) CODEC(ZSTD(1)),
    scope_id LowCardinality(FixedString(16)) CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    day Date CODEC(ZSTD(1)),

    INDEX trace_id trace_id TYPE bloom_filter(0.0001) GRANULARITY 4,
    INDEX body_ngrams lowerUTF8(body) TYPE ngrambf_v1(4, 8192, 2, 0) GRANULARITY 1,
    INDEX attribute_values arrayMap(v -> cityHash64(v, cityHash64(service_name) % 8), mapValues(attributes))
        TYPE bloom_filter(0.0025) GRANULARITY 1
)
ENGINE = {merge_tree}
PARTITION BY day
ORDER BY (intDiv(event_time_unix_nano, 1000000000), service_name, event_time_unix_nano)
SETTINGS index_granularity = 1024, index_granularity_bytes = 2097152, fsync_after_insert = 1, fsync_part_directory = 1,
    {deduplication}, string_serialization_version = 'single_stream',
    min_compress_block_size = 16384, max_compress_block_size = 131072, merge_selector_base = 32,
    min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1;

CREATE TABLE agent_spans {on_cluster}
(
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_span_id String,
    start_time_unix_nano UInt64 CODEC(Delta(8), ZSTD(1)),
    duration_ns Int64,
    status_code Int32,
    service_name LowCardinality(String),
    agent_name LowCardinality(String),
    agent_id String,
    conversation_id String,
    user_id String,
    operation LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    tool_name LowCardinality(String),
    input_tokens Nullable(Int64),
    output_tokens Nullable(Int64),
    cached_input_tokens Nullable(Int64),
    reasoning_tokens Nullable(Int64),
    cost_usd Nullable(Float64),
    linked_trace_ids Array(String),
    batch_time_unix_nano UInt64,
    day Date,

    INDEX trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX conversation_id conversation_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX agent_name agent_name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX linked_trace_ids linked_trace_ids TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX batch_time batch_time_unix_nano TYPE minmax GRANULARITY 1
)
ENGINE = {merge_tree}
PARTITION BY day
PRIMARY KEY intDiv(start_time_unix_nano, 1000000000)
ORDER BY (intDiv(start_time_unix_nano, 1000000000), trace_id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1,
    {deduplication}, string_serialization_version = 'single_stream',
    min_compress_block_size = 16384, max_compress_block_size = 131072, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE VIEW span_view {on_cluster} AS
SELECT fromUnixTimestamp64Nano(toInt64(least(start_time_unix_nano, 9223372036854775807)), 'UTC') AS start_time,
    service_name, name, kind, duration_ns / 1000000 AS duration_ms, status_code, status_message,
    lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, lower(hex(parent_span_id)) AS parent_span_id,
    attributes, attribute_types, events, links, trace_state, flags, day
FROM spans;

CREATE VIEW log_view {on_cluster} AS
SELECT fromUnixTimestamp64Nano(toInt64(least(event_time_unix_nano, 9223372036854775807)), 'UTC') AS event_time,
    service_name, severity_number, severity_text, event_name, body, attributes, attribute_types,
    lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, flags, day
FROM logs;
