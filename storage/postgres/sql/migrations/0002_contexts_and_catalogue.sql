-- What items refer to, and what searches suggest: small tables. An entry is written again for each day it is used on,
-- so that dropping a day never orphans an item.

CREATE TABLE shapes
(
    day date NOT NULL,
    id uuid NOT NULL,
    keys text[] COLLATE "C" NOT NULL,
    types text[] NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

CREATE TABLE resources
(
    day date NOT NULL,
    id uuid NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    keys text[] COLLATE "C" NOT NULL,
    texts text[] COLLATE "C" NOT NULL,
    types text[] NOT NULL,
    context bytea NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

CREATE TABLE scopes
(
    day date NOT NULL,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    keys text[] COLLATE "C" NOT NULL,
    texts text[] COLLATE "C" NOT NULL,
    types text[] NOT NULL,
    context bytea NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

-- Names can be longer than an index entry, so uniqueness is kept over their hash.
CREATE TABLE services
(
    day date NOT NULL,
    id uuid NOT NULL,
    signal text COLLATE "C" NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

CREATE TABLE operations
(
    day date NOT NULL,
    id uuid NOT NULL,
    service_name text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    kind integer NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

CREATE TABLE attribute_keys
(
    day date NOT NULL,
    id uuid NOT NULL,
    signal text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);

-- How many items start in each ten seconds, one row for each batch and bucket: chooses search windows.
CREATE TABLE histogram
(
    day date NOT NULL,
    signal text COLLATE "C" NOT NULL,
    bucket bigint NOT NULL,
    items bigint NOT NULL
) PARTITION BY RANGE (day);
