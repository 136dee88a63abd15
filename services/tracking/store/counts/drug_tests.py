"""Drug tests in the suites of an area, of anybody: those of PPOs, and the positive ones."""

SUITES = """
suite AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:suites AS text[]), CAST(:suite_ocus AS text[]), CAST(:suite_areas AS text[]))
        AS suite (suite_id, ocu, area)
)
"""

# A detention counts once: as a PPO's where a test of one stands, whenever it was found to be one's.
TESTS = """
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
