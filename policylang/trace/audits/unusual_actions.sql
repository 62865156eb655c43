-- Decisions by an agent about an action that it asked for in no more than so many percent of its decisions.
-- param: percent = 1
-- param: least = 20
WITH asked AS (SELECT agent, action, count(*) AS n FROM decisions WHERE agent IS NOT NULL GROUP BY ALL),
usual AS (SELECT agent, sum(n) AS total FROM asked GROUP BY agent)
SELECT d.id, d.decided_at, d.agent, d.action, d.outcome, asked.n AS times, usual.total AS of_decisions
FROM decisions AS d JOIN asked USING (agent, action) JOIN usual USING (agent)
WHERE usual.total >= CAST($least AS BIGINT) AND asked.n * 100 <= usual.total * CAST($percent AS BIGINT)
ORDER BY d.id
