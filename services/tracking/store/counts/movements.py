"""What a month did to the balance of an area, person by person."""

from services.tracking.store.counts.listed import LISTED

# `:members`: whom the return of the month before counted.
MOVEMENTS = f"""
{LISTED},
told AS (
    SELECT head, added, removed, parted, before, coalesce(whose IN (SELECT ocu FROM place), false) AS here,
        coalesce(was_with IN (SELECT ocu FROM place), false) AS was_here,
        (SELECT count(*) FROM unnest(merged_with) AS one JOIN place ON place.ocu = one) AS merged_here
    FROM listed
)
SELECT head, movement, times FROM told CROSS JOIN LATERAL (VALUES
    ('ADDED', added, here), ('REMOVED', removed, here), ('MOVED_IN', 1, before AND here AND NOT was_here),
    ('MOVED_OUT', 1, before AND was_here AND NOT here), ('MERGED', merged_here, merged_here > 0),
    ('PARTED', 1, parted AND here)
) AS given (movement, times, wanted) WHERE wanted AND times > 0
UNION ALL
SELECT coalesce(person, member), CASE WHEN member IS NULL THEN 'KNOWN_LATER' ELSE 'KNOWN_NOT_TO_BE' END, 1
FROM (SELECT person FROM earlier WHERE whose IN (SELECT ocu FROM place)) AS now_known
FULL JOIN unnest(CAST(:members AS text[])) AS member ON member = person
WHERE (member IS NULL OR person IS NULL) AND CAST(:members AS text[]) IS NOT NULL
ORDER BY 2, 1
"""
