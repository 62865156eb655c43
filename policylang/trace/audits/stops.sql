-- Uses of kill switches: what was stopped or released, by whom, and why.
-- param: since = 1970-01-01
SELECT recorded_at, event, scope, person, why FROM stops
WHERE recorded_at >= CAST($since AS TIMESTAMP) ORDER BY id
