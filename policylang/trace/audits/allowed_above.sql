-- What was allowed with an argument above a threshold.
-- param: field = amount
-- param: above = 1000
-- param: since = 1970-01-01
SELECT d.id, d.decided_at, d.action, d.agent, f.number AS value, d.rules
FROM decisions AS d JOIN facts AS f ON f.decision = d.id AND f.fact = d.action
WHERE d.outcome = 'allow' AND d.stage <> 'shadow' AND f.field = $field AND f.number > CAST($above AS DECIMAL(38, 6))
    AND d.decided_at >= CAST($since AS TIMESTAMP)
ORDER BY f.number DESC, d.id
