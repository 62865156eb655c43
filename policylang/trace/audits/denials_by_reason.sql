-- Denials, counted by reason and rule.
-- param: since = 1970-01-01
SELECT r.kind AS reason, r.rule, d.action, count(DISTINCT d.id) AS decisions, max(d.decided_at) AS last
FROM decisions AS d JOIN reasons AS r ON r.decision = d.id
WHERE d.outcome = 'deny' AND d.stage <> 'shadow' AND d.decided_at >= CAST($since AS TIMESTAMP)
GROUP BY ALL ORDER BY decisions DESC, reason, r.rule
