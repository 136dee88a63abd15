"""The topics that the file names, and those that it gives every organisation of the reference data."""

from pathlib import Path

from services.runtime.broker import Topics

FILE = """
[[topic]]
name = "fixed.v1"
partitions = 12
cleanup = "compact"

[[topic]]
name = "to.*.v1"
each = ["north", "south", "nowhere"]
partitions = 3
cleanup = "delete"
"retention.ms" = 1000
"""


def test_a_pattern_makes_one_topic_for_every_id_of_its_tables(tmp_path: Path) -> None:
    (tmp_path / "topics.toml").write_text(FILE)
    ids = {"north": ["a", "b"], "south": ["c"]}

    topics = Topics.load(tmp_path / "topics.toml").of_each(lambda table: ids.get(table, []))

    assert list(topics.by_name) == ["fixed.v1", "to.a.v1", "to.b.v1", "to.c.v1"]
    assert topics["to.c.v1"].partitions == 3
    assert topics["to.c.v1"].config == {"retention.ms": "1000"}


def test_a_pattern_is_no_topic_itself(tmp_path: Path) -> None:
    (tmp_path / "topics.toml").write_text(FILE)

    assert list(Topics.load(tmp_path / "topics.toml").by_name) == ["fixed.v1"]
