-- What was allowed, and nothing was recorded of what became of it.
-- param: since = 1970-01-01
SELECT id, decided_at, action, agent, rules FROM decisions
WHERE outcome = 'allow' AND stage <> 'shadow' AND decided_at >= CAST($since AS TIMESTAMP)
    AND id NOT IN (SELECT decision FROM outcomes WHERE decision IS NOT NULL)
ORDER BY id
