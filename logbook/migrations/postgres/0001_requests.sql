-- The request log. One row for each request, one partition for each day (UTC) of started_at.
-- Partitions are made by the logbook, ahead of time and on demand; there is no default partition, because a row in it would
-- stand in the way of its own day's. Retention drops partitions, so that nothing is ever deleted row by row.
-- What is indexed is ordered by its bytes, which is quicker than any language's order, and the same everywhere.
CREATE TABLE requests (
    id                text COLLATE "C" NOT NULL,
    started_at        timestamptz      NOT NULL,
    completed_at      timestamptz      NOT NULL,
    proxy             text             NOT NULL,
    route             text COLLATE "C",
    namespace         text COLLATE "C" NOT NULL,
    client_address    text,
    user_name         text COLLATE "C",
    method            text             NOT NULL,
    path              text             NOT NULL,
    client_dialect    text,
    upstream_dialect  text,
    backend           text,
    upstream_url      text,
    model_requested   text COLLATE "C",
    model_sent        text,
    model_reported    text,
    stream            boolean          NOT NULL,
    status            integer,
    error             text,
    finish_reason     text,
    prompt_tokens     bigint,
    completion_tokens bigint,
    cached_tokens     bigint,
    reasoning_tokens  bigint,
    tokens_estimated  boolean          NOT NULL,
    cost              numeric,
    attempts          jsonb            NOT NULL,
    request_bytes     bigint           NOT NULL,
    response_bytes    bigint           NOT NULL,
    ttft_ms           bigint,
    duration_ms       bigint           NOT NULL,
    upstream_ms       bigint,
    request_headers   jsonb            NOT NULL,
    request_body      text,
    response_body     text,
    response_content  text,
    tool_calls        jsonb,
    attributes        jsonb,
    -- Whether the request counts as an error: error is set, or status is 400 or more.
    failed            boolean          NOT NULL,
    -- Ids are unique by themselves; Postgres wants the partition's key beside them.
    PRIMARY KEY (id, started_at)
) PARTITION BY RANGE (started_at);

-- Bodies are compressed by lz4, which costs a fraction of what Postgres takes by default; where it was built without, that stays.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['request_body', 'response_body', 'response_content', 'request_headers', 'tool_calls', 'attributes'] LOOP
        EXECUTE format('ALTER TABLE requests ALTER COLUMN %I SET COMPRESSION lz4', name);
    END LOOP;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
    NULL;
END $$;

-- The newest requests, page by page, by any filter on what is included, and all charts: each is answered from this index alone,
-- without touching rows that may hold bodies.
CREATE INDEX requests_by_time ON requests (started_at, id)
    INCLUDE (namespace, route, user_name, model_requested, status, failed, duration_ms, ttft_ms, prompt_tokens, completion_tokens, cost);
-- The newest requests of one namespace, route, user or model, which may be few among very many: found without reading the others.
CREATE INDEX requests_by_namespace ON requests (namespace, started_at, id);
CREATE INDEX requests_by_route ON requests (route, started_at, id);
CREATE INDEX requests_by_user ON requests (user_name, started_at, id) WHERE user_name IS NOT NULL;
CREATE INDEX requests_by_model ON requests (model_requested, started_at, id) WHERE model_requested IS NOT NULL;
-- The newest errors. Partial, because errors are few where all is well, and looked for most.
CREATE INDEX requests_failed ON requests (started_at, id) WHERE failed;
-- Custom attributes by key and value; rows without any cost nothing.
CREATE INDEX requests_by_attributes ON requests USING gin (attributes jsonb_path_ops) WHERE attributes IS NOT NULL;
