-- Requests that two evaluators answered differently, counted by program and by the pair of evaluators.
-- param: since = 1970-01-01
SELECT program, action, live_by, again_by, failure, count(*) AS incidents, min(found_at) AS first, max(found_at) AS last
FROM incidents WHERE recorded_at >= CAST($since AS TIMESTAMP)
GROUP BY ALL ORDER BY incidents DESC, program, action
