-- One row for each time that days were dropped or everything was: other processes then forget what they remember to have
-- written.

CREATE TABLE removals {on_cluster}
(
    id String
)
ENGINE = {merge_tree}
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1;
