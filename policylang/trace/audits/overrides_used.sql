-- Decisions in which a rule overrode another.
-- param: since = 1970-01-01
SELECT id, decided_at, action, agent, outcome, rules, overridden FROM decisions
WHERE len(overridden) > 0 AND decided_at >= CAST($since AS TIMESTAMP) ORDER BY id
