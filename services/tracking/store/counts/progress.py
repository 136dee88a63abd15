"""Sentences, appointments and treatment of the people of the list."""

# Of a breakdown by two things the category is `one: the other`.
PROGRESS = """
SELECT area, measure, breakdown, category, count(*) FROM (
    SELECT area, ocu, kind, organisation, CAST(kind AS text) AS outcome,
        CAST(done_date - offence_date AS text) AS days
    FROM progress JOIN theirs USING (nominal_id) WHERE done_date BETWEEN :first AND :last
) AS done
CROSS JOIN LATERAL (VALUES
    ('M16', 'total', '', kind = :sentenced), ('M16', 'ocu', ocu, kind = :sentenced),
    ('M16', 'court', organisation, kind = :sentenced), ('M16', 'days', days, kind = :sentenced),
    ('M16', 'ocu_days', ocu || ': ' || days, kind = :sentenced),
    ('M16', 'court_days', organisation || ': ' || days, kind = :sentenced),
    ('M18', 'total', '', kind = ANY (:due)), ('M18', 'attendance', outcome, kind = ANY (:due)),
    ('M18', 'agency', organisation, kind = ANY (:due)),
    ('M18', 'ocu_attendance', ocu || ': ' || outcome, kind = ANY (:due)),
    ('M18', 'agency_attendance', organisation || ': ' || outcome, kind = ANY (:due)),
    ('FOLLOW_UPS', 'total', '', kind = :followed_up),
    ('FOLLOW_UPS', 'agency', organisation, kind = :followed_up),
    ('RE_ENGAGED', 'total', '', kind = :re_engaged),
    ('RE_ENGAGED', 'agency', organisation, kind = :re_engaged)
) AS given (measure, breakdown, category, wanted)
WHERE wanted GROUP BY 1, 2, 3, 4
UNION ALL
SELECT area, measure, breakdown, category, count(*) FROM (
    SELECT area, ocu, needed IS NOT NULL AND needed >= coalesce(none, '-infinity') AS need,
        needed IS NULL AND none IS NULL AS untold,
        treated > coalesce(ended, '-infinity') AS treated
    FROM (
        SELECT area, ocu,
            max(done_date) FILTER (WHERE kind = :need_identified) AS needed,
            max(done_date) FILTER (WHERE kind = :no_need) AS none,
            max(done_date) FILTER (WHERE kind = :treated) AS treated,
            max(done_date) FILTER (WHERE kind = :treatment_ended) AS ended
        FROM theirs LEFT JOIN progress ON progress.nominal_id = theirs.nominal_id AND done_date <= on_day
            AND kind IN (:need_identified, :no_need, :treated, :treatment_ended)
        GROUP BY head, area, ocu
    ) AS latest
) AS person
CROSS JOIN LATERAL (
    SELECT CASE WHEN treated THEN 'in treatment' ELSE 'not in treatment' END
) AS told (treatment)
CROSS JOIN LATERAL (VALUES ('M17', 'total', '', need), ('M17', 'ocu', ocu, need),
    ('M17', 'treatment', treatment, need), ('M17', 'ocu_treatment', ocu || ': ' || treatment, need),
    ('M1', 'drug_need', 'need identified', need), ('M1', 'drug_need', 'not recorded', untold),
    ('M1', 'drug_need', 'no need', NOT need AND NOT untold)
) AS given (measure, breakdown, category, wanted)
WHERE wanted GROUP BY 1, 2, 3, 4
"""
