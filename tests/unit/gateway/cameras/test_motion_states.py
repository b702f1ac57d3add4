"""Whether something moves, as a camera's agent says and as it is told."""

from __future__ import annotations

import pytest

from shared.payloads.cluster import State
from tests.unit.gateway.cameras.camera_houses import CameraHouse

WHERE = "cameras/door/motion/state"


@pytest.fixture
def house(tmp_path):
    return CameraHouse(tmp_path, door={}, yard={"motion": {"enabled": False}})


async def test_motion_is_told_when_it_begins_and_when_it_ends(house):
    for motion in (False, True, True, False, None):
        await house.hear(motion=motion)
    assert house.bus.payloads(WHERE) == [b"OFF", b"ON", b"OFF", b"unknown"]


async def test_of_a_camera_that_is_lost_nothing_is_known(house):
    await house.hear(motion=True)
    await house.hear(state=State.OFFLINE, motion=True)
    assert house.bus.retained[WHERE] == b"unknown"
    await house.hear(motion=True)
    await house.cameras.update_nodes(["pi-1"])
    await house.cameras.update_nodes([])
    assert house.bus.retained[WHERE] == b"unknown"


async def test_a_broker_that_has_forgotten_it_is_told_again(house):
    await house.hear(motion=True)
    house.bus.forget()
    await house.cameras.publish_retained()
    assert house.bus.retained[WHERE] == b"ON"


async def test_where_motion_is_not_measured_nothing_is_told(house):
    await house.hear("yard", motion=True)
    await house.cameras.publish_retained()
    assert not [where for where in house.bus.retained if where.startswith("cameras/yard/motion")]


async def test_an_edge_of_an_earlier_release_says_nothing_of_it(house):
    await house.hear()
    await house.cameras.publish_retained()
    assert house.bus.retained[WHERE] == b"unknown"
