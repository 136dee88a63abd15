"""Five years of people on the register, made up in the database itself: what a month is counted of."""

from collections.abc import Sequence

from services.console.bench import bare

# How many of each a person has in the five years.
OWNERS, STAGES, STEPS, TESTS, NOTICES = 5, 20, 30, 3, 10
# Detentions with a test of somebody who is no PPO, for each PPO.
OTHERS = 6

# A third has left the list and come back; whoever has is on it again.
_ROWS = (
    """
    INSERT INTO person (nominal_id, flag, flag_version, case_reference, case_version, "case", sex,
        ethnicity_code, born_first, born_last)
    SELECT 'n' || n, ''::bytea, 1, md5(n::text), 0, ''::bytea, 1 + (n %% 20 = 0)::int,
        (ARRAY['W1', 'W1', 'W1', 'A2', 'B1', 'M1', 'NS', '', ''])[1 + n %% 9], born, born
    FROM generate_series(1, %(people)s::int) AS n
    CROSS JOIN LATERAL (SELECT date '1970-01-01' + n %% 7000 AS born)
    """,
    """
    INSERT INTO episode (registration_id, nominal_id, strand, nominating_ocu, start_time, end_time,
        removal_reason)
    SELECT 'e' || n || '-' || part, 'n' || n, 1, (%(ocus)s::text[])[1 + n %% %(many)s], start_time,
        CASE WHEN part = 1 AND n %% 3 = 0 THEN start_time + interval '300 days' END, (part = 1)::int
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(1, 2) AS part
    CROSS JOIN LATERAL (SELECT timestamptz '2005-01-01' + (n %% 1000 + (part - 1) * 700) * interval '1 day'
        AS start_time)
    WHERE part = 1 OR n %% 3 = 0
    """,
    """
    INSERT INTO ownership (nominal_id, effective_time, owner, rule, state, recorded_time, ownership)
    SELECT 'n' || n, at, (%(ocus)s::text[])[1 + (n + turn %% 2) %% %(many)s], 'O5', 1, at, ''::bytea
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(0, %(owners)s - 1) AS turn
    CROSS JOIN LATERAL (SELECT timestamptz '2005-01-01'
        + (n %% 1000 + turn * 1700 / %(owners)s) * interval '1 day' AS at)
    """,
    """
    INSERT INTO stage (nominal_id, effective_time, position)
    SELECT 'n' || n, timestamptz '2005-01-01' + (n %% 1000) * interval '1 day'
        + turn * 1700 / %(stages)s * interval '1 day', 1 + (n + turn) %% 6
    FROM generate_series(1, %(people)s::int) AS n CROSS JOIN generate_series(0, %(stages)s - 1) AS turn
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
    SELECT fact_id, fact_id, 'D' || 1 + length(fact_id) %% 3, occurred_time, 1 + length(fact_id) %% 2,
        length(fact_id) %% 2
    FROM fact
    """,
    """
    INSERT INTO detention_count (detention_id, suite_id, disposal_date, test_result, recorded_time)
    SELECT 'd' || n, 'D' || 1 + n %% 3, date '2005-01-01' + n %% 1825, 1 + n %% 2, timestamptz '2005-01-01'
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
)

# The bare thing: for each measure the rows that it is counted of, told apart once.
BARE = {
    "M0": "SELECT end_time IS NULL, count(*) FROM episode GROUP BY 1",
    "M1": "SELECT nominating_ocu, count(*) FROM episode GROUP BY 1",
    "M2": "SELECT sex, count(*) FROM person GROUP BY 1",
    "M3": "SELECT date_part('year', born_last), count(*) FROM person GROUP BY 1",
    "M4": "SELECT ethnicity_code, count(*) FROM person GROUP BY 1",
    "M5": "SELECT removal_reason, count(*) FROM episode GROUP BY 1",
    "M6": "SELECT date_trunc('month', start_time), count(*) FROM episode GROUP BY 1",
    "M7": "SELECT suite_id, count(*) FROM detention_count GROUP BY 1",
    "M8": "SELECT suite_id, count(*) FROM drug_test GROUP BY 1",
    "M9": "SELECT drug, count(*) FROM drug_test GROUP BY 1",
    **dict.fromkeys(("M10", "M11", "M12", "M13", "M14"), "SELECT position, count(*) FROM stage GROUP BY 1"),
    "M15": "SELECT owner, count(*) FROM ownership GROUP BY 1",
    "M16": "SELECT done_date - offence_date, count(*) FROM progress GROUP BY 1",
    "M17": "SELECT kind, count(*) FROM progress GROUP BY 1",
    "M18": "SELECT organisation, count(*) FROM progress GROUP BY 1",
    "M19": "SELECT acknowledged_time <= due_time, count(*) FROM delivery GROUP BY 1",
    "M20": "SELECT ethnicity_code <> '', count(*) FROM person GROUP BY 1",
    "M21": "SELECT date_trunc('month', start_time), count(*) FROM episode GROUP BY 1",
    "M22": "SELECT date_trunc('month', offence_date), count(*) FROM progress GROUP BY 1",
    "M23": "SELECT done_date - offence_date, count(*) FROM progress GROUP BY 1",
    "M24": "SELECT strand, count(*) FROM episode GROUP BY 1",
}


def write(url: str, people: int, ocus: Sequence[str]) -> None:
    values = {
        "people": people,
        "ocus": list(ocus),
        "many": len(ocus),
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


def counted(url: str) -> float:
    """In how many seconds one bare statement for each measure is answered, one after the other."""
    return bare.taken(url, "tracking", list(BARE.values()))
