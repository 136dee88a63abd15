"""Five years of people on the register, made up in the database itself: what a month is counted of."""

from collections.abc import Sequence

from services.console.bench import bare

# How many of each a person has in the five years.
OWNERS, STAGES, STEPS, TESTS, NOTICES = 5, 20, 30, 3, 10
# Detentions with a test of somebody who is no PPO, for each PPO.
OTHERS = 6

# Somebody comes onto the list every other day or so; a third has left it and come back. What happened to each
# is spread over the time since.
_ROWS = (
    """
    CREATE TEMPORARY TABLE entry AS
    SELECT n, 'n' || n AS nominal_id, timestamptz '2005-01-01' + day * interval '1 day' AS start_time,
        (1825 - day) * interval '1 day' AS since
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN LATERAL (SELECT n %% 1000 * 9 / 5 AS day)
    """,
    """
    INSERT INTO person (nominal_id, flag, flag_version, case_reference, case_version, "case", sex,
        ethnicity_code, born_first, born_last)
    SELECT nominal_id, ''::bytea, 1, md5(n::text), 0, ''::bytea, 1 + (n %% 20 = 0)::int,
        (ARRAY['W1', 'W1', 'W1', 'A2', 'B1', 'M1', 'NS', '', ''])[1 + n %% 9], born, born
    FROM entry CROSS JOIN LATERAL (SELECT date '1970-01-01' + n %% 7000 AS born)
    """,
    """
    INSERT INTO episode (registration_id, nominal_id, strand, nominating_ocu, start_time, end_time,
        removal_reason)
    SELECT 'e' || n || '-' || part, nominal_id, 1, (%(ocus)s::text[])[1 + n %% %(many)s],
        start_time + (part - 1) * since / 2,
        CASE WHEN part = 1 AND n %% 3 = 0 THEN start_time + since / 3 END, (part = 1)::int
    FROM entry CROSS JOIN generate_series(1, 2) AS part WHERE part = 1 OR n %% 3 = 0
    """,
    """
    INSERT INTO ownership (nominal_id, effective_time, owner, rule, state, recorded_time, ownership)
    SELECT nominal_id, at, (%(ocus)s::text[])[1 + (n + turn %% 2) %% %(many)s], 'O5', 1, at, ''::bytea
    FROM entry CROSS JOIN generate_series(0, %(owners)s - 1) AS turn
    CROSS JOIN LATERAL (SELECT start_time + turn * since / %(owners)s AS at)
    """,
    """
    INSERT INTO stage (nominal_id, effective_time, position)
    SELECT nominal_id, start_time + turn * since / %(stages)s, 1 + (n + turn) %% 6
    FROM entry CROSS JOIN generate_series(0, %(stages)s - 1) AS turn
    """,
    """
    INSERT INTO progress (progress_id, nominal_id, kind, done_date, offence_date, organisation, recorded_time,
        recorded_by)
    SELECT 'p' || n || '-' || turn, 'n' || n, kind, on_day, CASE kind WHEN 1 THEN on_day - 10 - n %% 200 END,
        'agency-' || n %% 12, on_day, 'bench'
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(0, %(steps)s - 1) AS turn
    CROSS JOIN LATERAL (SELECT 1 + (n + turn) %% 10 AS kind,
        date '2005-01-01' + (n + turn * 1825 / %(steps)s) %% 1825 AS on_day)
    """,
    """
    INSERT INTO fact (fact_id, nominal_id, message_type, message, occurred_time, recorded_time)
    SELECT 't' || n || '-' || turn, 'n' || n, 'ppo.custody.v1.PpoDrugTested', ''::bytea, at, at
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(0, %(tests)s - 1) AS turn
    CROSS JOIN LATERAL (SELECT timestamptz '2005-01-01'
        + (n + turn * 1825 / %(tests)s) %% 1825 * interval '1 day' AS at)
    """,
    """
    INSERT INTO drug_test (fact_id, detention_id, suite_id, tested_time, result, drug)
    SELECT fact_id, fact_id, 'suite-' || (%(ocus)s::text[])[1 + n %% %(many)s], occurred_time, 1 + n %% 2,
        n %% 2
    FROM fact JOIN entry USING (nominal_id)
    """,
    """
    INSERT INTO detention_count (detention_id, suite_id, disposal_date, test_result, recorded_time)
    SELECT 'd' || n, 'suite-' || (%(ocus)s::text[])[1 + n %% %(many)s], date '2005-01-01' + n %% 1825,
        1 + n %% 2, timestamptz '2005-01-01'
    FROM generate_series(1, %(people)s::int * %(others)s) AS n
    """,
    """
    INSERT INTO notice (notice_id, nominal_id, type, cause, told, revision, state, recorded_time)
    SELECT 'x' || n || '-' || turn, 'n' || n, (ARRAY[4, 5, 10])[1 + turn %% 3], turn::text, '', 1, 2,
        timestamptz '2005-01-01' + (n + turn * 1825 / %(notices)s) %% 1825 * interval '1 day'
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(0, %(notices)s - 1) AS turn
    """,
    """
    INSERT INTO delivery (notice_id, organisation, revision, number, role, topic, key, message_type, message,
        record, state, recorded_time, due_time, acknowledged_time)
    SELECT notice_id, 'o' || place, 1, row_number() OVER (PARTITION BY place), '', '', nominal_id, '',
        ''::bytea, ''::bytea, 2, recorded_time, recorded_time + interval '2 days',
        recorded_time + place * interval '1 day'
    FROM notice CROSS JOIN generate_series(1, 2) AS place
    """,
    "CREATE SCHEMA bare",
    """
    CREATE TABLE bare.place AS
    WITH of_area AS (
        SELECT owner, (number - 1) %% %(areas)s AS area
        FROM unnest(%(ocus)s::text[]) WITH ORDINALITY AS ocu (owner, number)
    )
    SELECT nominal_id AS id, area FROM of_area JOIN (
        SELECT DISTINCT ON (nominal_id) nominal_id, owner FROM ownership
        ORDER BY nominal_id, effective_time DESC
    ) AS standing USING (owner)
    UNION ALL SELECT 'suite-' || owner, area FROM of_area
    """,
)

# What each measure is counted of and told apart by, and whose that is.
BARE = {
    "M0": ("episode", "end_time IS NULL", "nominal_id"),
    "M1": ("episode", "nominating_ocu", "nominal_id"),
    "M2": ("person", "sex", "nominal_id"),
    "M3": ("person", "date_part('year', born_last)", "nominal_id"),
    "M4": ("person", "ethnicity_code", "nominal_id"),
    "M5": ("episode", "removal_reason", "nominal_id"),
    "M6": ("episode", "date_trunc('month', start_time)", "nominal_id"),
    "M7": ("detention_count", "suite_id", "suite_id"),
    "M8": ("drug_test", "suite_id", "suite_id"),
    "M9": ("drug_test", "drug", "suite_id"),
    **dict.fromkeys(("M10", "M11", "M12", "M13", "M14"), ("stage", "position", "nominal_id")),
    "M15": ("ownership", "owner", "nominal_id"),
    "M16": ("progress", "done_date - offence_date", "nominal_id"),
    "M17": ("progress", "kind", "nominal_id"),
    "M18": ("progress", "organisation", "nominal_id"),
    "M19": ("delivery", "acknowledged_time <= due_time", "key"),
    "M20": ("person", "ethnicity_code <> ''", "nominal_id"),
    "M21": ("episode", "date_trunc('month', start_time)", "nominal_id"),
    "M22": ("progress", "date_trunc('month', offence_date)", "nominal_id"),
    "M23": ("progress", "done_date - offence_date", "nominal_id"),
    "M24": ("episode", "strand", "nominal_id"),
}
PLAIN = [f"SELECT {what}, count(*) FROM {rows} GROUP BY 1" for rows, what, _ in BARE.values()]
# Where there are several areas each of them wants to know.
BY_AREA = [
    f"SELECT area, {what}, count(*) FROM {rows} JOIN bare.place ON id = {whose} GROUP BY 1, 2"
    for rows, what, whose in BARE.values()
]


def write(url: str, people: int, ocus: Sequence[str], areas: int) -> None:
    values = {
        "people": people,
        "ocus": list(ocus),
        "many": len(ocus),
        "areas": areas,
        "owners": OWNERS,
        "stages": STAGES,
        "steps": STEPS,
        "tests": TESTS,
        "others": OTHERS,
        "notices": NOTICES,
    }
    with bare.connection(url) as connection:
        connection.execute("SET search_path = tracking")
        for rows in _ROWS:
            connection.execute(rows.encode(), values)
        connection.commit()
    bare.vacuumed(url)


def counted(url: str, statements: Sequence[str]) -> float:
    """In how many seconds these are answered, one after the other."""
    return bare.taken(url, "tracking", statements)
