import asyncio
import json

import numpy as np
import pytest

from camera_sources.pictures.image_decoding import decode_picture
from gateway.page import live_pictures as module
from gateway.page.live_pictures import MAX_LIVE_WIDTH, LivePictures, encode_live
from shared.errors import PeerLostError

PICTURE = np.zeros((576, 1024, 3), np.uint8)


@pytest.fixture
async def pictures(monkeypatch):
    monkeypatch.setattr(module, "LIVE_PERIOD_S", 0.0)
    monkeypatch.setattr(module, "PICTURES_PER_S", 1e9)
    made = LivePictures()
    yield made
    await made.close()


async def fetch():
    return PICTURE


async def gone():
    raise PeerLostError("its owner is offline")


async def waiting(pictures, *, after="", viewers=1, camera="door"):
    """Somebody who waits for a picture of a camera."""
    tasks = [asyncio.create_task(pictures.next(camera, after, 5.0)) for _ in range(viewers)]
    await asyncio.sleep(0)
    return tasks


async def test_nothing_is_wanted_while_nobody_looks(pictures):
    assert not pictures.wanted("door")
    (looking,) = await waiting(pictures)
    assert pictures.wanted("door")
    assert not pictures.wanted("yard")
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert not pictures.wanted("door")


async def test_everybody_gets_the_same_picture_which_is_encoded_once(pictures):
    tasks = await waiting(pictures, viewers=10)
    pictures.take("door", "door-1-1", lambda: {"frame": "door-1-1"}, fetch)
    assert not pictures.wanted("door"), "it is on its way"
    found = await asyncio.gather(*tasks)
    assert all(each is found[0] for each in found)
    length = int.from_bytes(found[0].body[:4], "big")
    assert json.loads(found[0].body[4 : 4 + length]) == {"frame": "door-1-1"}
    assert decode_picture(found[0].body[4 + length :]).shape == (450, MAX_LIVE_WIDTH, 3)
    assert pictures._viewers == {}


async def test_a_viewer_that_has_the_newest_picture_waits_for_the_next(pictures):
    tasks = await waiting(pictures)
    pictures.take("door", "door-1-1", dict, fetch)
    await asyncio.gather(*tasks)
    assert (await pictures.next("door", "", 0.01)).frame == "door-1-1"
    assert await pictures.next("door", "door-1-1", 0.01) is None
    assert not pictures.wanted("door")


async def test_a_picture_that_cannot_be_fetched_is_left_out(pictures):
    tasks = await waiting(pictures)
    pictures.take("door", "door-1-1", dict, gone)
    await asyncio.gather(*pictures._tasks.values())
    await asyncio.sleep(0)
    assert pictures.wanted("door"), "the next one will do"
    pictures.take("door", "door-1-2", dict, fetch)
    assert (await tasks[0]).frame == "door-1-2"


async def test_the_more_look_the_fewer_pictures_each_gets(monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    pictures = LivePictures()
    tasks = await waiting(pictures, viewers=10) + await waiting(pictures, viewers=14, camera="yard")
    pictures.take("door", "door-1-1", dict, fetch)
    assert pictures._due["door"] == pytest.approx(100 + 24 / module.PICTURES_PER_S)
    await pictures.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_at_the_end_nobody_waits_any_longer(pictures):
    tasks = await waiting(pictures, viewers=2)
    await pictures.close()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in done)


def test_a_small_picture_is_not_enlarged():
    assert decode_picture(encode_live(np.zeros((48, 64, 3), np.uint8))).shape == (48, 64, 3)


async def test_who_waited_in_vain_finds_the_next_picture_of_a_still_scene(pictures, monkeypatch):
    assert await pictures.next("door", "", 0.01) is None
    assert pictures.wanted("door")
    pictures.take("door", "door-1-1", dict, fetch)
    await asyncio.gather(*pictures._tasks.values())
    assert pictures.newest("door").frame == "door-1-1"
    await asyncio.sleep(0)
    assert not pictures.wanted("door"), "one is enough"
    assert await pictures.next("yard", "", 0.01) is None
    later = module.time.monotonic() + module.IN_VAIN_S
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    assert not pictures.wanted("yard")
