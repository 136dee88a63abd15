"""What was to be acknowledged or told in the month about the people of the list, and when it was."""

DUE = """
due_now AS MATERIALIZED (
    SELECT notice_id, organisation, nominal_id, type, cause, prison
    FROM delivery JOIN notice USING (notice_id)
    WHERE due_time >= :start AND due_time < :end
)
"""

# Each notice once for each organisation it was told to, by its first time limit; a retraction ends it. Of
# one that nobody has acknowledged it is not recorded whether what it asks for was done in time. What is to be
# told months before a release counts once a stay, by its latest date, under whichever of a person's nominals
# it was told.
DELIVERY = """
SELECT area, 'M19', breakdown, category, count(*) FROM (
    SELECT area, ocu, prison, type, acknowledged <= due AS in_time
    FROM (
        SELECT DISTINCT area, ocu, prison, type, notice_id, organisation
        FROM due_now JOIN theirs USING (nominal_id) WHERE type = ANY (:limited)
    ) AS told
    CROSS JOIN LATERAL (
        SELECT min(due_time) AS due, min(acknowledged_time) AS acknowledged,
            bool_or(delivery.state = :retracted) AS retracted
        FROM delivery
        WHERE delivery.notice_id = told.notice_id AND delivery.organisation = told.organisation
    ) AS course
    WHERE due >= :start AND NOT retracted
    UNION ALL
    SELECT area, ocu, prison, CAST(:ahead AS int), told_on <= due_on - interval '3 months'
    FROM (
        SELECT area, ocu, split_part(cause, '/', 1) AS stay, organisation,
            array_agg(DISTINCT theirs.nominal_id) AS nominals
        FROM due_now JOIN theirs AS told USING (nominal_id)
        JOIN theirs USING (area, ocu, head)
        WHERE type = :ahead GROUP BY area, ocu, head, stay, organisation
    ) AS stays
    CROSS JOIN LATERAL (
        SELECT (array_agg(prison ORDER BY delivery.recorded_time DESC, delivery.revision DESC))[1] AS prison,
            (array_agg(due_time ORDER BY delivery.recorded_time DESC, delivery.revision DESC))[1] AS due,
            (array_agg(delivery.state ORDER BY delivery.recorded_time DESC, delivery.revision DESC))[1]
                AS state,
            CAST(min(delivery.recorded_time) AT TIME ZONE 'Europe/London' AS date) AS told_on
        FROM notice JOIN delivery USING (notice_id)
        WHERE notice.nominal_id = ANY (nominals) AND type = :ahead
            AND split_part(cause, '/', 1) = stay AND delivery.organisation = stays.organisation
    ) AS course
    CROSS JOIN LATERAL (SELECT CAST(due AT TIME ZONE 'Europe/London' AS date)) AS release (due_on)
    WHERE due >= :start AND due < :end AND state <> :retracted
) AS delivered
CROSS JOIN LATERAL (
    SELECT CAST(type AS text)
        || CASE in_time WHEN true THEN ' in time' WHEN false THEN ' late' ELSE ' not recorded' END
) AS told (outcome)
CROSS JOIN LATERAL (VALUES ('total', ''), ('limit', outcome), ('ocu_limit', ocu || ': ' || outcome),
    ('prison_limit', prison || ': ' || outcome)
) AS given (breakdown, category)
GROUP BY 1, 3, 4
"""
