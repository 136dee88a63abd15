"""Who was on the list in a month, whose case each was, and who had been on it before."""

WHOSE = """CASE
        WHEN serving.team IS NULL THEN coalesce(nullif(owned.owner, ''), nominating_ocu)
        WHEN owned.home_ocu = ANY (serving.ocus) THEN owned.home_ocu
        WHEN nominating_ocu = ANY (serving.ocus) THEN nominating_ocu
        ELSE serving.ocus[1] END"""

# `living`: into whom each nominal had been merged just before the month began and just before it ended.
# `stretch`: each registration in force in the month, with who the person was known to be after and before it.
# `whose`: the OCU whose area the case is counted in: its owner, or by which a youth offending team is.
# `head`: a person on the list in the month. `earlier`: a person on it at the end of the month before.
LISTED = f"""
WITH RECURSIVE
month AS (
    SELECT CAST(:start AS timestamptz) AS start_time, CAST(:end AS timestamptz) AS end_time
),
place AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:areas AS text[]), CAST(:ocus AS text[])) AS place (area, ocu)
),
serving AS MATERIALIZED (
    SELECT team, array_agg(ocu ORDER BY ocu COLLATE "C") AS ocus
    FROM unnest(CAST(:teams AS text[]), CAST(:team_ocus AS text[])) AS one (team, ocu) GROUP BY team
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
    SELECT person, {WHOSE} AS whose,
        CASE WHEN coalesce(living.root, person) = ANY (heads) THEN coalesce(living.root, person)
            ELSE (SELECT min(one COLLATE "C") FROM unnest(heads) AS one) END AS head
    FROM person_before CROSS JOIN month
    LEFT JOIN change USING (person)
    LEFT JOIN living ON living.at = month.end_time AND living.nominal_id = person
    LEFT JOIN LATERAL (
        (
            SELECT owner, home_ocu FROM ownership
            WHERE change.changed IS NULL AND ownership.nominal_id = person AND superseded_time IS NULL
                AND effective_time < month.start_time
            ORDER BY effective_time DESC LIMIT 1
        )
        UNION ALL
        -- Of somebody who was found to be another since, as was known until then.
        (
            SELECT owner, home_ocu FROM ownership
            WHERE change.changed IS NOT NULL AND ownership.nominal_id = person
                AND (superseded_time IS NULL OR superseded_time >= change.changed)
                AND effective_time < month.start_time
            ORDER BY recorded_time < change.changed DESC, effective_time DESC LIMIT 1
        )
    ) AS owned ON true
    LEFT JOIN serving ON serving.team = owned.owner
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
        {WHOSE} AS whose,
        coalesce(person.sex, 0) AS sex, coalesce(person.ethnicity_code, '') AS ethnicity,
        coalesce(stage.position, 0) AS position,
        person.born_first, person.born_last,
        CAST(head.snapshot AT TIME ZONE 'Europe/London' AS date) AS on_day
    FROM head
    LEFT JOIN before USING (head)
    LEFT JOIN person ON person.nominal_id = head.head
    LEFT JOIN LATERAL (
        SELECT owner, home_ocu FROM ownership
        WHERE ownership.nominal_id = head.head AND superseded_time IS NULL AND effective_time <= head.snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS owned ON true
    LEFT JOIN serving ON serving.team = owned.owner
    LEFT JOIN LATERAL (
        SELECT position FROM stage
        WHERE stage.nominal_id = head.head AND effective_time <= head.snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) AS stage ON true
)
"""
