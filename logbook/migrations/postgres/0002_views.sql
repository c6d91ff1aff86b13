-- What reports made for the proxies that this one replaces read, by the names that those had.

-- aiproxy's table: a row for the request, and one for its reply or its error.
CREATE VIEW accesslog AS
    SELECT id || ':request' AS id, id AS request_id, started_at AS created_at, 'request' AS direction, NULL::integer AS status_code,
           NULL::text AS content, NULL::text AS function_call, NULL::text AS tool_calls, request_body AS raw_body,
           request_headers::text AS raw_headers, model_requested AS model, prompt_tokens, NULL::bigint AS completion_tokens,
           NULL::double precision AS request_time, NULL::double precision AS request_time_api
      FROM requests
    UNION ALL
    SELECT id || CASE WHEN failed THEN ':error' ELSE ':response' END, id, completed_at, CASE WHEN failed THEN 'error' ELSE 'response' END, status,
           coalesce(response_content, error), NULL, tool_calls::text, response_body,
           NULL, coalesce(model_reported, model_sent, model_requested), prompt_tokens, completion_tokens,
           duration_ms / 1000.0, upstream_ms / 1000.0
      FROM requests;

-- openai-model-rerouter's table.
CREATE VIEW requestlog AS
    SELECT id, started_at AS timestamp, client_address AS source_ip, method, path, client_dialect AS service_type, upstream_url,
           model_requested AS original_model, model_sent AS mapped_model, duration_ms, request_bytes AS request_size,
           response_bytes AS response_size, status AS status_code, completed_at, request_body, response_body, error AS error_message
      FROM requests;
