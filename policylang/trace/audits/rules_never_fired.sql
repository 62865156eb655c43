-- Rules that never fired, by program.
SELECT s.program, s.rule FROM rule_stats AS s WHERE s.fired = 0 ORDER BY s.program, s.rule
