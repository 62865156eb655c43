-- What hosts reported of the world after decisions, by metric and the versions that decided.
-- param: since = 1970-01-01
SELECT x.name, m.module, m.version, d.stage, count(DISTINCT d.id) AS decisions, count(*) AS reports, sum(x.number) AS total
FROM metrics AS x JOIN decisions AS d ON d.id = x.decision JOIN modules AS m ON m.program = d.program
WHERE x.recorded_at >= CAST($since AS TIMESTAMP)
GROUP BY ALL ORDER BY x.name, m.module, m.version, d.stage
