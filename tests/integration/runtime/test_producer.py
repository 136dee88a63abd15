"""The producer on a Kafka whose topics do not stay as they are."""

import asyncio
from contextlib import closing

import pytest
from kafka import KafkaAdminClient

from services.runtime import broker
from services.runtime.broker import Producer, Record, Topics, create_topics
from tests import servers

ARRESTS = "ppo.custody.arrests.v1"
RECORD = Record(ARRESTS, "N1", b"1", {})


async def test_a_producer_sends_again_once_its_topic_was_made_anew(
    topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "SEND_SECONDS", 2)
    producer = Producer(topics, mock=False)
    assert await producer.send([RECORD]) == [True]

    await asyncio.to_thread(drop, topics, ARRESTS)
    assert await producer.send([RECORD]) == [False]
    await asyncio.to_thread(create_topics, topics, Topics.load(servers.TOPICS), mock=False)

    assert await producer.send([RECORD]) == [True]
    await producer.close()


def drop(kafka: str, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.split(","))) as admin:
        admin.delete_topics([topic])
        while topic in admin.list_topics():
            pass
