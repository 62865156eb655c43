-- Actions that ran otherwise than they were decided: not allowed, another action, other arguments, twice, undecided.
-- param: since = 1970-01-01
WITH ran AS (
    SELECT o.*, d.id AS known, d.outcome, d.action AS decided_action, d.arguments AS decided_arguments, d.agent,
        row_number() OVER (PARTITION BY o.decision ORDER BY o.id) AS turn
    FROM outcomes AS o LEFT JOIN decisions AS d ON d.id = o.decision
    WHERE o.status = 'executed' AND o.recorded_at >= CAST($since AS TIMESTAMP)),
sides AS (
    SELECT id, 'called' AS side, unnest(json_keys(arguments)) AS name FROM ran WHERE arguments IS NOT NULL
    UNION ALL
    SELECT id, 'decided', unnest(json_keys(decided_arguments)) FROM ran WHERE arguments IS NOT NULL),
named AS (SELECT DISTINCT id, name FROM sides),
differing AS (
    SELECT id, string_agg(name || ': ' || coalesce(decided, '(none)') || ' decided, '
            || coalesce(called, '(none)') || ' called', '; ' ORDER BY name) AS arguments
    FROM (SELECT id, name, decided_arguments->>('/' || replace(replace(name, '~', '~0'), '/', '~1')) AS decided,
            ran.arguments->>('/' || replace(replace(name, '~', '~0'), '/', '~1')) AS called
          FROM named JOIN ran USING (id))
    WHERE decided IS DISTINCT FROM called
        AND NOT coalesce(try_cast(decided AS DECIMAL(38, 10)) = try_cast(called AS DECIMAL(38, 10)), false)
    GROUP BY id)
SELECT ran.decision, ran.id AS outcome_record, ran.recorded_at, ran.agent, concat_ws('; ',
    CASE WHEN known IS NULL THEN 'there is no such decision' END,
    CASE WHEN ran.outcome <> 'allow' THEN 'the decision was ' || ran.outcome END,
    CASE WHEN ran.action IS NOT NULL AND known IS NOT NULL AND ran.action <> decided_action
        AND NOT suffix(decided_action, '.' || ran.action)
        THEN decided_action || ' was decided, ' || ran.action || ' called' END,
    CASE WHEN turn > 1 THEN 'it ran ' || turn || ' times' END,
    CASE WHEN known IS NOT NULL THEN differing.arguments END) AS finding
FROM ran LEFT JOIN differing USING (id)
WHERE finding <> '' ORDER BY ran.id
