-- Decisions by programs that hold a version of a module.
-- param: module = refunds
-- param: version = 1.0.0
SELECT d.id, d.decided_at, d.action, d.agent, d.outcome, d.rules, d.arguments
FROM decisions AS d
WHERE d.program IN (SELECT program FROM modules WHERE module = $module AND version = $version)
ORDER BY d.id
