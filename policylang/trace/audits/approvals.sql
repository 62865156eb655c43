-- Approvals, each with how far it came, who voted, and the decision that used it.
-- param: since = 1970-01-01
SELECT ticket, min(recorded_at) AS asked_at, any_value(action) AS action, any_value(agent) AS agent,
    any_value(subject) AS subject, arg_max(event, (recorded_at, id)) AS last_event, max(recorded_at) AS last_at,
    list(concat(person, ' as ', role, CASE WHEN granted THEN ': granted' ELSE ': refused' END) ORDER BY id)
        FILTER (WHERE event = 'voted') AS votes,
    any_value(decision) AS decision, max(used_by) AS used_by
FROM approvals GROUP BY ticket
HAVING min(recorded_at) >= CAST($since AS TIMESTAMP)
ORDER BY asked_at, ticket
