-- What items refer to, and what searches suggest: small tables. An entry is written again for each day it is used
-- on, so that dropping a day never orphans an item; repeated entries merge away.

CREATE TABLE resources {on_cluster}
(
    day Date,
    id FixedString(16),
    service_name String,
    attributes Map(LowCardinality(String), String),
    attribute_types String,
    context String CODEC(ZSTD(3))
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY id
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE scopes {on_cluster}
(
    day Date,
    id FixedString(16),
    name String,
    version String,
    attributes Map(LowCardinality(String), String),
    attribute_types String,
    context String CODEC(ZSTD(3))
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY id
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE services {on_cluster}
(
    day Date,
    signal LowCardinality(String),
    service_name String
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY (signal, service_name)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE operations {on_cluster}
(
    day Date,
    service_name String,
    name String,
    kind Int32
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY (service_name, name, kind)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

CREATE TABLE attribute_keys {on_cluster}
(
    day Date,
    signal LowCardinality(String),
    level LowCardinality(String),
    key String
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY (signal, level, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;
