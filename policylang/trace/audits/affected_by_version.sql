-- Decisions by programs that hold a version of a module, and whom they are about: the field that `who` names.
-- param: module = refunds
-- param: version = 1.0.0
-- param: who = customer.id
SELECT f.value AS who, d.id, d.decided_at, d.action, d.agent, d.outcome, d.rules
FROM decisions AS d LEFT JOIN facts AS f
    ON f.decision = d.id AND (f.fact || '.' || f.field = $who OR suffix(f.fact || '.' || f.field, '.' || $who))
WHERE d.stage <> 'shadow'
    AND d.program IN (SELECT program FROM modules WHERE module = $module AND version = $version)
ORDER BY d.id, who
