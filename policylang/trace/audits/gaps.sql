-- What could not be recorded while a store failed open: how many decisions, which, and when it was known.
-- param: since = 1970-01-01
SELECT id, recorded_at, CAST(body->>'$.count' AS BIGINT) AS lost, json_extract_string(body, '$.lost[*]') AS decisions
FROM events WHERE kind = 'gap' AND recorded_at >= CAST($since AS TIMESTAMP) ORDER BY id
