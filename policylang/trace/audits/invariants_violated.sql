-- Decisions in which an invariant was violated.
-- param: since = 1970-01-01
SELECT id, decided_at, action, agent, outcome, violated FROM decisions
WHERE len(violated) > 0 AND decided_at >= CAST($since AS TIMESTAMP) ORDER BY id
