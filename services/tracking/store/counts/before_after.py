"""Convictions, offences and days at liberty before and after somebody came onto the list."""

# Who came onto the list 17 (12) months before is followed up in this month; whoever came since is not yet.
COHORT = """
entered AS MATERIALIZED (
    SELECT area, head, CAST(min(start_time) AT TIME ZONE 'Europe/London' AS date) AS entry
    FROM theirs JOIN episode USING (nominal_id) WHERE strand <> :prevent AND start_time < :end
    GROUP BY area, head
),
cohort AS MATERIALIZED (
    SELECT area, head, nominal_id, entry, months,
        CAST(entry - make_interval(months => months) AS date) AS since,
        CAST(entry + make_interval(months => months) AS date) AS until
    FROM entered JOIN theirs USING (area, head) CROSS JOIN (VALUES (17), (12)) AS window_of (months)
    WHERE entry + make_interval(months => months) BETWEEN :first AND :last
),
inside AS (
    SELECT cohort.area, cohort.entry, cohort.since, cohort.until,
        CAST(stage.effective_time AT TIME ZONE 'Europe/London' AS date) AS received,
        CAST(coalesce((
            SELECT min(next.effective_time) FROM stage AS next
            WHERE next.nominal_id = stage.nominal_id AND next.effective_time > stage.effective_time
        ), :end) AT TIME ZONE 'Europe/London' AS date) AS left_on
    FROM cohort JOIN stage USING (nominal_id) WHERE months = 12 AND position = ANY (:custody)
),
liberty AS (
    SELECT area, entry - since AS before, until - entry AS after
    FROM (SELECT DISTINCT area, head, entry, since, until FROM cohort WHERE months = 12) AS person
    UNION ALL
    SELECT area, -greatest(least(left_on, entry) - greatest(received, since), 0),
        -greatest(least(left_on, until) - greatest(received, entry), 0) FROM inside
)
"""

FOLLOWED = """
SELECT area, measure, CASE GROUPING(told) WHEN 1 THEN 'total' ELSE 'follow_up' END, coalesce(told, ''),
    count(*)
FROM entered CROSS JOIN (VALUES ('M21', 17), ('M22', 12)) AS kind (measure, months)
CROSS JOIN LATERAL (SELECT CASE
    WHEN entry + make_interval(months => months) > :last THEN 'not yet followed up'
    WHEN entry + make_interval(months => months) < :first THEN 'followed up before'
    ELSE 'followed up' END
) AS follow_up (told) GROUP BY area, measure, GROUPING SETS ((), (told))
UNION ALL
SELECT area, measure, breakdown, category, count(*) FROM progress JOIN cohort USING (nominal_id)
CROSS JOIN LATERAL (VALUES
    ('CONVICTIONS', 'total', '', 17, done_date), ('CONVICTIONS', 'window', '', 17, done_date),
    ('OFFENCES', 'total', '', 12, offence_date), ('OFFENCES', 'window', '', 12, offence_date),
    ('M23', 'total', '', 12, done_date), ('M23', 'window', '', 12, done_date),
    ('M23', 'window_days', ' ' || CAST(done_date - offence_date AS text), 12, done_date)
) AS given (measure, breakdown, rest, wanted_months, at)
CROSS JOIN LATERAL (SELECT CASE breakdown WHEN 'total' THEN '' ELSE
    CASE WHEN at < entry THEN 'before' ELSE 'after' END || rest END AS category) AS named
WHERE kind = :sentenced AND months = wanted_months AND at >= since AND at < until GROUP BY 1, 2, 3, 4
UNION ALL
SELECT area, 'LIBERTY_DAYS', breakdown, category, sum(value) FROM liberty
CROSS JOIN LATERAL (VALUES
    ('total', '', before + after), ('window', 'before', before), ('window', 'after', after)
) AS given (breakdown, category, value) GROUP BY 1, 3, 4
"""
