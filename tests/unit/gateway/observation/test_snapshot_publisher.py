from __future__ import annotations

import asyncio

import cv2
import numpy as np
import pytest

from gateway.configuration.cameras import SnapshotsSection
from gateway.observation import snapshot_policy
from gateway.observation.scene.states import SceneUpdate
from gateway.observation.snapshot_publisher import SnapshotPublisher
from shared.errors import PeerLostError
from shared.mqtt import topics
from tests.unit.gateway.observation.test_snapshot_policy import found, scene

ON = SnapshotsSection()


class Bus:
    def __init__(self):
        self.said = []

    async def publish_plain(self, topic, jpeg, *names):
        self.said.append((topic, names, cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape))


class Owner:
    """Keeps the picture of a frame; it sends it when it has time."""

    def __init__(self, *, fails=False):
        self.asked, self.has_time, self.fails = 0, asyncio.Event(), fails

    async def fetch(self):
        self.asked += 1
        await self.has_time.wait()
        if self.fails:
            raise PeerLostError("it is gone")
        return np.zeros((60, 80, 3), np.uint8)


def update(*objects):
    state = scene(*objects)
    state.all = state.all.model_copy(update={"captured_at": 1.0})
    return SceneUpdate(state)


@pytest.fixture
async def publisher():
    made = SnapshotPublisher(Bus(), [])
    yield made
    await made.close()


async def published(publisher):
    async with asyncio.timeout(10):
        await asyncio.gather(*publisher._publishing.values())
    return publisher._bus.said


async def test_a_new_object_gives_a_picture_of_the_whole_and_one_of_itself(publisher):
    owner = Owner()
    owner.has_time.set()
    publisher.publish_due("front", update(found("a")), owner.fetch, ON)
    said = await published(publisher)
    assert [(topic, names) for topic, names, _ in said] == [
        (topics.SNAPSHOT, ("front",)), (topics.LABEL_SNAPSHOT, ("front", "person"))
    ]  # fmt: skip


async def test_a_camera_whose_picture_is_late_holds_up_neither_others_nor_its_own_frames(publisher, monkeypatch):
    monkeypatch.setattr(snapshot_policy, "MIN_PERIOD_S", 0.0)
    late, quick = Owner(), Owner()
    quick.has_time.set()
    publisher.publish_due("front", update(found("a")), late.fetch, ON)
    publisher.publish_due("yard", update(found("b")), quick.fetch, ON)
    async with asyncio.timeout(10):
        await publisher._publishing["yard"]
    assert {names[0] for _, names, _ in publisher._bus.said} == {"yard"}
    publisher.publish_due("front", update(found("a"), found("c")), late.fetch, ON)
    assert late.asked == 1  # one at a time
    late.has_time.set()
    await published(publisher)
    publisher.publish_due("front", update(found("a"), found("c")), late.fetch, ON)
    await published(publisher)
    assert late.asked == 2  # what was due meanwhile came with the next frame


async def test_a_picture_that_was_not_to_be_had_is_fetched_with_the_next_frame(publisher):
    gone, there = Owner(fails=True), Owner()
    gone.has_time.set()
    there.has_time.set()
    publisher.publish_due("front", update(found("a")), gone.fetch, ON)
    assert await published(publisher) == []
    publisher.publish_due("front", update(found("a")), there.fetch, ON)
    assert len(await published(publisher)) == 2


async def test_a_requested_snapshot_needs_no_object_but_snapshots_that_are_on(publisher):
    owner = Owner()
    owner.has_time.set()
    publisher.publish_due("front", update(), owner.fetch, ON)
    publisher.request("front")
    publisher.publish_due("front", update(), owner.fetch, SnapshotsSection(enabled=False))
    assert owner.asked == 0
    publisher.publish_due("front", update(), owner.fetch, ON)
    assert [topic for topic, _, _ in await published(publisher)] == [topics.SNAPSHOT]


async def test_what_is_under_way_ends_with_the_gateway():
    publisher, owner = SnapshotPublisher(Bus(), []), Owner()
    publisher.publish_due("front", update(found("a")), owner.fetch, ON)
    await asyncio.sleep(0)
    await publisher.close()
    assert publisher._bus.said == []
