-- Approvals that were granted, of actions with an argument above a threshold, and who granted them.
-- param: field = amount
-- param: above = 1000
-- param: since = 1970-01-01
SELECT a.ticket, a.recorded_at AS granted_at, d.action, d.agent, f.number AS value, v.people, a.decision, u.used_by
FROM approvals AS a
JOIN decisions AS d ON d.id = a.decision
JOIN facts AS f ON f.decision = d.id AND f.fact = d.action AND f.field = $field
LEFT JOIN (SELECT ticket, list(person ORDER BY id) AS people FROM approvals
    WHERE event = 'voted' AND granted GROUP BY ticket) AS v USING (ticket)
LEFT JOIN (SELECT ticket, max(used_by) AS used_by FROM approvals GROUP BY ticket) AS u USING (ticket)
WHERE a.event = 'granted' AND f.number > CAST($above AS DECIMAL(38, 6))
    AND a.recorded_at >= CAST($since AS TIMESTAMP)
ORDER BY f.number DESC, a.ticket
