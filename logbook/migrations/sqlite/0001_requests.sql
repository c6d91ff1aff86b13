-- The request log. One row for each request. Times are microseconds since the epoch; the views below have them as text.
CREATE TABLE requests (
    id                TEXT    NOT NULL PRIMARY KEY,
    started_at        INTEGER NOT NULL,
    completed_at      INTEGER NOT NULL,
    proxy             TEXT    NOT NULL,
    route             TEXT,
    namespace         TEXT    NOT NULL,
    client_address    TEXT,
    user_name         TEXT,
    method            TEXT    NOT NULL,
    path              TEXT    NOT NULL,
    client_dialect    TEXT,
    upstream_dialect  TEXT,
    backend           TEXT,
    upstream_url      TEXT,
    model_requested   TEXT,
    model_sent        TEXT,
    model_reported    TEXT,
    stream            INTEGER NOT NULL,
    status            INTEGER,
    error             TEXT,
    finish_reason     TEXT,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER,
    tokens_estimated  INTEGER NOT NULL,
    cost              REAL,
    attempts          TEXT    NOT NULL,
    request_bytes     INTEGER NOT NULL,
    response_bytes    INTEGER NOT NULL,
    ttft_ms           INTEGER,
    duration_ms       INTEGER NOT NULL,
    upstream_ms       INTEGER,
    request_headers   TEXT    NOT NULL,
    request_body      TEXT,
    response_body     TEXT,
    response_content  TEXT,
    tool_calls        TEXT,
    attributes        TEXT,
    -- Whether the request counts as an error: error is set, or status is 400 or more.
    failed            INTEGER NOT NULL
);

-- The newest requests, page by page, by any filter on what it holds, and all charts: each is answered from this index alone,
-- without reading rows that may hold bodies. At the sizes that SQLite is for, one such index serves every filter.
CREATE INDEX requests_by_time ON requests (started_at, id, namespace, route, user_name, model_requested, status, failed,
    duration_ms, ttft_ms, prompt_tokens, completion_tokens, cost);
-- The newest errors. Partial, because errors are few where all is well, and looked for most.
CREATE INDEX requests_failed ON requests (started_at, id) WHERE failed = 1;
-- Custom attributes, looked through by name and value without reading rows; rows without any are not in it.
CREATE INDEX requests_with_attributes ON requests (started_at, id, attributes) WHERE attributes IS NOT NULL;
