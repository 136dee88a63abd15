"""The servers of the stack: each is the real thing, and keeps its data through a stop and through a kill."""

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from redis import Redis

from deploy.embedded.process import alive
from tests.servers import Database, Running, Servers

ARRESTS = TopicPartition("ppo.custody.arrests.v1", 0)


def note(database: Database, text: str) -> None:
    with psycopg.connect(database.url("flagging"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def notes(database: Database) -> list[str]:
    with psycopg.connect(database.url("flagging")) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM flagging.note ORDER BY text")]


def send(servers: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    producer.send(ARRESTS.topic, partition=ARRESTS.partition, value=value).get(10)
    producer.close()


def received(servers: str) -> list[bytes]:
    consumer = KafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    consumer.assign([ARRESTS])
    end = consumer.end_offsets([ARRESTS])[ARRESTS]
    values: list[bytes] = []
    while consumer.position(ARRESTS) < end:
        values += [record.value for record in consumer.poll(1000).get(ARRESTS, [])]
    consumer.close()
    return values


def test_postgres_keeps_what_is_committed_through_a_kill_and_a_stop(
    postgres: Running, database: Database
) -> None:
    note(database, "before the kill")
    postgres.restart()
    note(database, "before the stop")
    postgres.stop()
    postgres.start()

    assert notes(database) == ["before the kill", "before the stop"]


def test_postgres_starts_where_the_number_it_had_is_another_processs(servers: Servers) -> None:
    other, postgres = servers.own_postgres("other"), servers.own_postgres("killed")
    postgres.kill()
    lock = postgres.home / "postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split()[0], str(other.pids()[0]), 1))

    postgres.start()

    assert postgres.pids()[0] != other.pids()[0]
    postgres.stop()
    other.stop()


def test_postgres_lets_nobody_in_without_a_password(database: Database) -> None:
    stranger = database.superuser.replace(":superuser@", ":guess@")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)


def test_a_services_role_reaches_its_own_schema_and_no_other(database: Database) -> None:
    note(database, "flagging's")

    with psycopg.connect(database.url("custody")) as custody:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            custody.execute("SELECT * FROM flagging.note")
        custody.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            custody.execute("CREATE TABLE public.note (text text)")


def test_each_test_has_a_database_of_its_own(servers: Servers, database: Database) -> None:
    note(database, "mine")

    with servers.database() as other, psycopg.connect(other.superuser) as connection:
        assert connection.execute("SELECT to_regclass('flagging.note')").fetchone() == (None,)


def test_a_database_can_be_a_copy_with_its_owners(servers: Servers, database: Database) -> None:
    note(database, "first")

    with servers.database(template=database) as copy:
        note(copy, "second")

        assert notes(copy) == ["first", "second"]
        assert notes(database) == ["first"]


def test_redis_answers_again_after_a_kill_and_keeps_its_keys_through_a_stop(redis: Running) -> None:
    client = Redis.from_url(redis.address)
    redis.restart()
    client.set("key", "value")
    redis.stop()
    redis.start()

    assert client.get("key") == b"value"
    client.close()


def test_kafka_keeps_what_it_acknowledged_through_a_kill_and_a_stop(kafka: Running, topics: str) -> None:
    send(topics, b"before the kill")
    kafka.restart()
    send(topics, b"before the stop")
    kafka.stop()
    kafka.start()

    assert received(topics) == [b"before the kill", b"before the stop"]


def test_fresh_topics_are_empty_with_no_group_left(servers: Servers, topics: str) -> None:
    send(topics, b"of an earlier test")
    earlier = KafkaConsumer(
        ARRESTS.topic, bootstrap_servers=topics, group_id="earlier", group_instance_id="0"
    )
    while not earlier.assignment():
        earlier.poll(100)
    earlier.commit()

    servers.fresh_topics()

    assert received(topics) == []
    assert servers.groups() == []
    earlier.close()


def test_the_mock_broker_takes_and_gives_records(servers: Servers) -> None:
    mock = servers.mock_broker("mock")
    options = {"bootstrap_servers": mock.address, "api_version": (2, 3)}
    producer = KafkaProducer(**options)
    producer.send("topic", value=b"value", partition=0).get(10)
    producer.close()

    consumer = KafkaConsumer(**options, auto_offset_reset="earliest")
    consumer.assign([TopicPartition("topic", 0)])
    [records] = consumer.poll(10_000).values()

    assert [record.value for record in records] == [b"value"]
    consumer.close()
    mock.stop()


def test_what_is_killed_leaves_no_process(servers: Servers) -> None:
    postgres = servers.own_postgres("another")
    pids = postgres.pids()
    postgres.kill()

    assert len(pids) > 1
    assert not any(alive(pid) for pid in pids)
