"""The statements that count a month of any number of areas at once: who was on the list, and what of them."""

# Parameters of all: start and end of the month, its first and last day; owners: whose cases are an area's,
# and beside each of them its area and whether it is an OCU.

# `living`: into whom each nominal had been merged just before the month began and just before it ended.
# `stretch`: each registration in force in the month, with who the person was known to be after and before it.
# `head`: a person on the list in the month. `earlier`: a person on it at the end of the month before.
LISTED = """
WITH RECURSIVE
month AS (
    SELECT CAST(:start AS timestamptz) AS start_time, CAST(:end AS timestamptz) AS end_time
),
place AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:areas AS text[]), CAST(:owners AS text[]), CAST(:are_ocus AS boolean[]))
        AS place (area, owner, is_ocu)
),
link AS (
    SELECT nominal_id AS one, into_id AS other FROM nominal_merge
    UNION ALL SELECT into_id, nominal_id FROM nominal_merge
),
family AS (
    (
        SELECT nominal_id FROM episode WHERE nominating_ocu = ANY (CAST(:owners AS text[]))
        UNION
        SELECT nominal_id FROM ownership WHERE owner = ANY (CAST(:owners AS text[]))
    )
    UNION
    SELECT link.other FROM family JOIN link ON link.one = family.nominal_id
),
standing AS (
    SELECT DISTINCT ON (at, nominal_id) at, nominal_id, into_id
    FROM month, nominal_merge, unnest(ARRAY[month.start_time, month.end_time]) AS at
    WHERE merged_time < at AND (unmerged_time IS NULL OR unmerged_time >= at)
    ORDER BY at, nominal_id, merged_time DESC
),
chain AS (
    SELECT at, nominal_id, into_id AS root, ARRAY[nominal_id, into_id] AS seen FROM standing
    UNION ALL
    SELECT chain.at, chain.nominal_id, standing.into_id, chain.seen || standing.into_id
    FROM chain JOIN standing ON standing.at = chain.at AND standing.nominal_id = chain.root
    WHERE standing.into_id <> ALL (chain.seen)
),
living AS (
    SELECT DISTINCT ON (at, nominal_id) at, nominal_id, root FROM chain
    ORDER BY at, nominal_id, cardinality(seen) DESC
),
episodes AS MATERIALIZED (
    SELECT registration_id, coalesce(registered_id, nominal_id) AS registered_id, strand, nominating_ocu,
        start_time, coalesce(end_time, 'infinity') AS end_time, removal_reason, merged,
        strand = :prevent AS minor
    FROM episode
    WHERE nominal_id IN (SELECT nominal_id FROM family)
        AND start_time < :end AND (end_time IS NULL OR end_time >= :start)
),
stretch AS MATERIALIZED (
    SELECT episodes.*, coalesce(later.root, registered_id) AS head,
        coalesce(before.root, registered_id) AS person
    FROM episodes CROSS JOIN month
    LEFT JOIN living AS later ON later.at = month.end_time AND later.nominal_id = registered_id
    LEFT JOIN living AS before ON before.at = month.start_time AND before.nominal_id = registered_id
),
-- Whether the person was on the list already when a registration began, and still when it had ended.
course AS (
    SELECT *,
        coalesce(start_time < max(end_time) OVER earlier_begun, false) AS goes_on,
        coalesce(min(start_time) OVER later_ended < end_time, false) AS went_on
    FROM stretch WHERE NOT minor
    WINDOW earlier_begun AS (PARTITION BY head ORDER BY start_time, registration_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        later_ended AS (PARTITION BY head ORDER BY end_time DESC, registration_id DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
head AS (
    SELECT head,
        bool_or(start_time < :start) AS was_on,
        bool_or(end_time >= :end) AS at_end,
        count(*) FILTER (WHERE start_time >= :start AND NOT goes_on) AS added,
        count(*) FILTER (WHERE end_time < :end AND NOT went_on) AS removed,
        array_agg(removal_reason) FILTER (WHERE end_time < :end AND NOT went_on) AS reasons,
        least(max(end_time), :end) - interval '1 microsecond' AS snapshot,
        -- Of those that were in force last the latest; that of a merge ends because the other one stands.
        (array_agg(nominating_ocu
            ORDER BY least(end_time, :end) DESC, merged, start_time DESC, registration_id DESC
        ))[1] AS nominating_ocu
    FROM course GROUP BY head
),
change AS (
    SELECT coalesce(living.root, side) AS person, min(instant) AS changed
    FROM month CROSS JOIN nominal_merge
    CROSS JOIN unnest(ARRAY[nominal_id, into_id]) AS side
    CROSS JOIN unnest(ARRAY[merged_time, unmerged_time]) AS instant
    LEFT JOIN living ON living.at = month.start_time AND living.nominal_id = side
    WHERE instant >= month.start_time AND instant < month.end_time
    GROUP BY 1
),
person_before AS (
    SELECT person, array_agg(head) AS heads,
        (array_agg(nominating_ocu ORDER BY merged, start_time DESC, registration_id DESC))[1]
            AS nominating_ocu
    FROM stretch WHERE start_time < :start AND NOT minor GROUP BY person
),
-- Of two who were one, the one that lived on was on the list, unless the registration is the other's.
earlier AS MATERIALIZED (
    SELECT person, coalesce(nullif(owned.owner, ''), nominating_ocu) AS whose,
        CASE WHEN coalesce(living.root, person) = ANY (heads) THEN coalesce(living.root, person)
            ELSE (SELECT min(one COLLATE "C") FROM unnest(heads) AS one) END AS head
    FROM person_before CROSS JOIN month
    LEFT JOIN change USING (person)
    LEFT JOIN living ON living.at = month.end_time AND living.nominal_id = person
    LEFT JOIN LATERAL (
        (
            SELECT owner FROM ownership
            WHERE change.changed IS NULL AND ownership.nominal_id = person AND superseded_time IS NULL
                AND effective_time < month.start_time
            ORDER BY effective_time DESC LIMIT 1
        )
        UNION ALL
        -- Of somebody who was found to be another since, as was known until then.
        (
            SELECT owner FROM ownership
            WHERE change.changed IS NOT NULL AND ownership.nominal_id = person
                AND (superseded_time IS NULL OR superseded_time >= change.changed)
                AND effective_time < month.start_time
            ORDER BY recorded_time < change.changed DESC, effective_time DESC LIMIT 1
        )
    ) AS owned ON true
),
ranked AS (
    SELECT head, whose,
        row_number() OVER (PARTITION BY head ORDER BY person <> head, person COLLATE "C") AS place
    FROM earlier
),
before AS (
    SELECT head, max(whose) FILTER (WHERE place = 1) AS whose,
        array_agg(whose) FILTER (WHERE place > 1) AS merged
    FROM ranked GROUP BY head
),
listed AS MATERIALIZED (
    SELECT head.*, before.head IS NOT NULL AS before, before.whose AS was_with, before.merged AS merged_with,
        head.was_on AND before.head IS NULL AS parted,
        coalesce(nullif(owned.owner, ''), nominating_ocu) AS whose,
        coalesce(person.sex, 0) AS sex, coalesce(person.ethnicity_code, '') AS ethnicity,
        coalesce(stage.position, 0) AS position,
        person.born_first, person.born_last,
        CAST(head.snapshot AT TIME ZONE 'Europe/London' AS date) AS on_day
    FROM head
    LEFT JOIN before USING (head)
    LEFT JOIN person ON person.nominal_id = head.head
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = head.head AND superseded_time IS NULL AND effective_time <= head.snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS owned ON true
    LEFT JOIN LATERAL (
        SELECT position FROM stage
        WHERE stage.nominal_id = head.head AND effective_time <= head.snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS stage ON true
)
"""

# A person's facts stand under every nominal that is them at the month's end.
_THEIRS = """
counted AS MATERIALIZED (
    SELECT listed.*, place.area,
        CASE WHEN place.is_ocu THEN place.owner ELSE coalesce(nominating.owner, '') END AS ocu
    FROM listed JOIN place ON place.owner = listed.whose
    LEFT JOIN place AS nominating ON nominating.owner = listed.nominating_ocu
        AND nominating.area = place.area AND nominating.is_ocu
),
theirs AS MATERIALIZED (
    SELECT head AS nominal_id, head, area, ocu, on_day FROM counted
    UNION
    SELECT living.nominal_id, head, area, ocu, on_day FROM counted CROSS JOIN month
    JOIN living ON living.at = month.end_time AND living.root = counted.head
)
"""

_BANDED = """
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

_PEOPLE = """
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
) AS course JOIN place ON place.owner = course.whose GROUP BY area, measure
"""

# Young people of Prevent and Deter, by whose case it is.
_MINORS = """
SELECT area, 'M24', CASE GROUPING(cases.owner) WHEN 1 THEN 'total' ELSE 'team' END, coalesce(cases.owner, ''),
    count(*)
FROM (
    SELECT head, coalesce(nullif(owned.owner, ''), nominating_ocu) AS whose,
        coalesce(owned.owner, '') AS owner
    FROM (
        SELECT head, least(max(end_time), :end) - interval '1 microsecond' AS snapshot,
            (array_agg(nominating_ocu ORDER BY merged, start_time DESC, registration_id DESC))[1]
                AS nominating_ocu
        FROM stretch WHERE minor GROUP BY head
    ) AS minors
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = minors.head AND superseded_time IS NULL AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS owned ON true
) AS cases JOIN place ON place.owner = cases.whose
GROUP BY area, GROUPING SETS ((), (cases.owner))
"""

_SUITES = """
suite AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:suites AS text[]), CAST(:suite_ocus AS text[]), CAST(:suite_areas AS text[]))
        AS suite (suite_id, ocu, area)
)
"""

# A detention counts once: as a PPO's where a test of one stands, whenever it was found to be one's.
_TESTS = """
SELECT area, measure, breakdown, category, count(*) FROM (
    SELECT DISTINCT ON (detention_id) area, ocu, result, drug
    FROM drug_test JOIN fact USING (fact_id) JOIN suite USING (suite_id)
    WHERE withdrawn_time IS NULL AND tested_time >= :start AND tested_time < :end
    ORDER BY detention_id, recorded_time DESC, fact_id DESC
) AS test
CROSS JOIN LATERAL (VALUES
    ('M7', 'total', '', true), ('M7', 'ocu', ocu, true), ('M8', 'total', '', true), ('M8', 'ocu', ocu, true),
    ('M9', 'total', '', result = :positive), ('M9', 'ocu', ocu, result = :positive),
    ('M9', 'drug_class', CAST(drug AS text), result = :positive)
) AS given (measure, breakdown, category, wanted)
WHERE wanted AND result IN (:negative, :positive) GROUP BY 1, 2, 3, 4
UNION ALL
SELECT area, 'M7', breakdown, category, count(*) FROM detention_count JOIN suite USING (suite_id)
CROSS JOIN LATERAL (VALUES ('total', ''), ('ocu', ocu)) AS given (breakdown, category)
WHERE disposal_date BETWEEN :first AND :last AND test_result IN (:negative, :positive) AND NOT EXISTS (
    SELECT FROM drug_test JOIN fact USING (fact_id)
    WHERE drug_test.detention_id = detention_count.detention_id AND withdrawn_time IS NULL
) GROUP BY 1, 3, 4
"""

# Of a breakdown by two things the category is `one: the other`.
_PROGRESS = """
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
SELECT area, 'M17', breakdown, category, count(*) FROM (
    SELECT area, ocu,
        max(done_date) FILTER (WHERE kind = :need_identified)
            >= coalesce(max(done_date) FILTER (WHERE kind = :no_need), '-infinity') AS need,
        max(done_date) FILTER (WHERE kind = :treated)
            > coalesce(max(done_date) FILTER (WHERE kind = :treatment_ended), '-infinity') AS treated
    FROM progress JOIN theirs USING (nominal_id)
    WHERE done_date <= on_day AND kind IN (:need_identified, :no_need, :treated, :treatment_ended)
    GROUP BY head, area, ocu
) AS person
CROSS JOIN LATERAL (
    SELECT CASE WHEN treated THEN 'in treatment' ELSE 'not in treatment' END
) AS told (treatment)
CROSS JOIN LATERAL (VALUES ('total', ''), ('ocu', ocu), ('treatment', treatment),
    ('ocu_treatment', ocu || ': ' || treatment)
) AS given (breakdown, category)
WHERE need GROUP BY 1, 3, 4
"""

_DUE = """
due_now AS MATERIALIZED (
    SELECT notice_id, organisation FROM delivery WHERE due_time >= :start AND due_time < :end
)
"""

# Each notice once for each organisation it was told to, by its first time limit; a retraction ends it. What
# is to be told months before a release counts once a stay, by its latest date, under whichever of a person's
# nominals it was told.
_DELIVERY = """
SELECT area, 'M19', breakdown, category, count(*) FROM (
    SELECT area, ocu, prison, type, coalesce(acknowledged <= due, false) AS in_time
    FROM (
        SELECT DISTINCT area, ocu, prison, type, notice_id, organisation
        FROM due_now JOIN notice USING (notice_id) JOIN theirs USING (nominal_id)
        WHERE type = ANY (:limited)
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
        FROM due_now JOIN notice USING (notice_id) JOIN theirs AS told USING (nominal_id)
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
    SELECT CAST(type AS text) || CASE WHEN in_time THEN ' in time' ELSE ' late' END
) AS told (outcome)
CROSS JOIN LATERAL (VALUES ('total', ''), ('limit', outcome), ('ocu_limit', ocu || ': ' || outcome),
    ('prison_limit', prison || ': ' || outcome)
) AS given (breakdown, category)
GROUP BY 1, 3, 4
"""

# Who came onto the list 17 (12) months before is followed up in this month; whoever came since is not yet.
_BEFORE_AFTER = """
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

_FOLLOWED = """
SELECT area, measure, breakdown, category, count(*) FROM entered
CROSS JOIN (VALUES ('M21', 17), ('M22', 12)) AS kind (measure, months)
CROSS JOIN LATERAL (VALUES ('total', ''), ('follow_up', CASE
    WHEN entry + make_interval(months => months) > :last THEN 'not yet followed up'
    WHEN entry + make_interval(months => months) < :first THEN 'followed up before'
    ELSE 'followed up' END
)) AS given (breakdown, category) GROUP BY 1, 2, 3, 4
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

_MEMBERS = """
SELECT area, 'MEMBERS', 'total', string_agg(head, ' ' ORDER BY head COLLATE "C"), count(*)
FROM counted WHERE at_end GROUP BY area
"""

CELLS = " UNION ALL ".join(
    (
        f"{LISTED}, {_THEIRS}, {_BANDED}, {_SUITES}, {_DUE}, {_BEFORE_AFTER} {_PEOPLE}",
        _MEMBERS,
        _MINORS,
        _TESTS,
        _PROGRESS,
        _DELIVERY,
        _FOLLOWED,
    )
)

# What the month did to the balance of one area, person by person; `:members`: whom the return of the month
# before counted.
MOVEMENTS = f"""
{LISTED},
told AS (
    SELECT head, added, removed, parted, before, coalesce(whose IN (SELECT owner FROM place), false) AS here,
        coalesce(was_with IN (SELECT owner FROM place), false) AS was_here,
        (SELECT count(*) FROM unnest(merged_with) AS one JOIN place ON place.owner = one) AS merged_here
    FROM listed
)
SELECT head, movement, times FROM told CROSS JOIN LATERAL (VALUES
    ('ADDED', added, here), ('REMOVED', removed, here), ('MOVED_IN', 1, before AND here AND NOT was_here),
    ('MOVED_OUT', 1, before AND was_here AND NOT here), ('MERGED', merged_here, merged_here > 0),
    ('PARTED', 1, parted AND here)
) AS given (movement, times, wanted) WHERE wanted AND times > 0
UNION ALL
SELECT coalesce(person, member), CASE WHEN member IS NULL THEN 'KNOWN_LATER' ELSE 'KNOWN_NOT_TO_BE' END, 1
FROM (SELECT person FROM earlier WHERE whose IN (SELECT owner FROM place)) AS now_known
FULL JOIN unnest(CAST(:members AS text[])) AS member ON member = person
WHERE (member IS NULL OR person IS NULL) AND CAST(:members AS text[]) IS NOT NULL
ORDER BY 2, 1
"""
