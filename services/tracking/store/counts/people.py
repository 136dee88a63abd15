"""The people of the list in their breakdowns, who came and went, and the young of Prevent and Deter."""

from services.tracking.store.counts.listed import WHOSE

# A person's facts stand under every nominal that is them at the month's end.
THEIRS = """
counted AS MATERIALIZED (
    SELECT listed.*, place.area, place.ocu FROM listed JOIN place ON place.ocu = listed.whose
),
theirs AS MATERIALIZED (
    SELECT head AS nominal_id, head, area, ocu, on_day FROM counted
    UNION
    SELECT living.nominal_id, head, area, ocu, on_day FROM counted CROSS JOIN month
    JOIN living ON living.at = month.end_time AND living.root = counted.head
)
"""

BANDED = """
banded AS (
    SELECT area, ocu, CAST(sex AS text) AS sex, ethnicity, CAST(position AS text) AS position,
        at_end, added, removed, NOT (before OR parted) AS new, parted,
        CASE WHEN born_last IS NULL THEN 'not recorded'
            WHEN born_first > on_day - interval '18 years' THEN 'under 18'
            WHEN born_last > on_day - interval '18 years' THEN 'not recorded'
            WHEN born_first > on_day - interval '26 years' THEN '18-25'
            WHEN born_last > on_day - interval '26 years' THEN 'not recorded'
            ELSE '26+' END AS age_band
    FROM counted
),
grouped AS (
    SELECT area, GROUPING(ocu, sex, age_band, ethnicity, position) AS level,
        coalesce(ocu, sex, age_band, ethnicity, position, '') AS category,
        count(*) AS people, count(*) FILTER (WHERE at_end) AS at_end,
        coalesce(sum(added), 0) AS added, coalesce(sum(removed), 0) AS removed,
        count(*) FILTER (WHERE new) AS new, count(*) FILTER (WHERE parted) AS parted,
        count(*) FILTER (WHERE ethnicity <> '') AS recorded
    FROM banded GROUP BY area, GROUPING SETS ((), (ocu), (sex), (age_band), (ethnicity), (position))
)
"""

PEOPLE = """
SELECT area, measure, breakdown, category, value FROM grouped
JOIN (VALUES (31, 'total'), (15, 'ocu'), (23, 'sex'), (27, 'age_band'), (29, 'ethnicity'), (30, 'position'))
    AS levels (level, breakdown) USING (level)
CROSS JOIN LATERAL (VALUES
    ('M1', people, true), ('M0', at_end, level IN (31, 15)), ('M5', removed, level IN (31, 15)),
    ('M6', added, level IN (31, 15)), ('M20', recorded, level IN (31, 15)), ('ADDED', added, level = 31),
    ('REMOVED', removed, level = 31), ('NEW_PERSONS', new, level = 31), ('MERGED', parted, level = 31)
) AS given (measure, value, wanted) WHERE wanted
UNION ALL
SELECT area, 'M5', 'reason', CAST(reason AS text), count(*) FROM counted CROSS JOIN unnest(reasons) AS reason
GROUP BY area, reason
UNION ALL
SELECT area, measure, 'total', '', sum(value) FROM (
    SELECT whose, 'MOVED' AS measure, 1 AS value FROM listed WHERE before
    UNION ALL SELECT was_with, 'MOVED', -1 FROM listed WHERE before
    UNION ALL SELECT one, 'MERGED', -1 FROM listed CROSS JOIN unnest(merged_with) AS one
) AS course JOIN place ON place.ocu = course.whose GROUP BY area, measure
"""

MEMBERS = """
SELECT area, 'MEMBERS', 'total', string_agg(head, ' ' ORDER BY head COLLATE "C"), count(*)
FROM counted WHERE at_end GROUP BY area
"""

# Young people of Prevent and Deter, by whose case it is.
MINORS = f"""
SELECT area, 'M24', CASE GROUPING(cases.owner) WHEN 1 THEN 'total' ELSE 'team' END, coalesce(cases.owner, ''),
    count(*)
FROM (
    SELECT head, {WHOSE} AS whose, coalesce(owned.owner, '') AS owner
    FROM (
        SELECT head, least(max(end_time), :end) - interval '1 microsecond' AS snapshot,
            (array_agg(nominating_ocu ORDER BY merged, start_time DESC, registration_id DESC))[1]
                AS nominating_ocu
        FROM stretch WHERE minor GROUP BY head
    ) AS minors
    LEFT JOIN LATERAL (
        SELECT owner, home_ocu FROM ownership
        WHERE ownership.nominal_id = minors.head AND superseded_time IS NULL AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS owned ON true
    LEFT JOIN serving ON serving.team = owned.owner
) AS cases JOIN place ON place.ocu = cases.whose
GROUP BY area, GROUPING SETS ((), (cases.owner))
"""
