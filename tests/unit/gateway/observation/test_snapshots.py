from __future__ import annotations

import calendar
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.configuration.cameras import SnapshotsSection
from gateway.observation import snapshots
from gateway.observation.snapshots import (
    MAX_SNAPSHOT_BYTES,
    MIN_CLOSE_UP_PART,
    close_up,
    render_object_snapshot,
    render_snapshot,
)
from shared.mqtt.message_size import MAX_MESSAGE_BYTES
from shared.payloads.observations import FollowedObject
from tests.extent import examples

PHOTOS = Path(__file__).parents[3] / "photos"
PLAIN = SnapshotsSection(bounding_box=False, quality=95)
NOON = calendar.timegm((2026, 11, 24, 12, 0, 0, 0, 0, 0))


def found(box, label="person", size=(768, 576)):
    width, height = size
    rel = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
    return FollowedObject(id="1.000-aaaaaa", label=label, score=0.87, box=box, box_rel=rel)


def read(snapshot):
    picture = cv2.imdecode(np.frombuffer(snapshot.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (snapshot.height, snapshot.width, 3)
    return picture


@pytest.fixture(scope="module")
def street():
    """The first picture of the bundled clip, 576 x 768."""
    return next(open_source(str(FOOTAGE)).pictures())


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).integers(0, 256, (1500, 2000, 3), np.uint8)


@pytest.mark.parametrize("name", ["astronaut.jpg", "camera.jpg", "chelsea.webp"])
@pytest.mark.parametrize("height", [60, 240, 480])
def test_a_photo_is_scaled_to_the_height_and_keeps_its_proportions(name, height):
    photo = cv2.imread(str(PHOTOS / name), cv2.IMREAD_COLOR)
    snapshot = render_snapshot(photo, [], SnapshotsSection(height=height), NOON)
    expected = min(height, photo.shape[0])
    assert snapshot.height == expected
    assert abs(snapshot.width - photo.shape[1] * expected / photo.shape[0]) <= 0.5
    difference = cv2.absdiff(read(snapshot), cv2.resize(photo, (snapshot.width, snapshot.height), interpolation=3))
    assert difference.mean() < 10  # another photo differs by some 60


def test_a_picture_is_never_enlarged(street):
    snapshot = render_snapshot(street, [], SnapshotsSection(height=2000), NOON)
    assert (snapshot.width, snapshot.height) == (768, 576)


def test_the_box_is_drawn_where_the_object_is_in_the_smaller_picture(street):
    person = found((400.0, 200.0, 500.0, 400.0))
    with_box = read(render_snapshot(street, [person], SnapshotsSection(height=288, quality=95), NOON)).astype(int)
    without = read(render_snapshot(street, [], SnapshotsSection(height=288, quality=95), NOON)).astype(int)
    rows, columns = np.nonzero(np.abs(with_box - without).max(axis=2) > 60)
    assert abs(columns.min() - 200) <= 3
    assert abs(rows.max() - 200) <= 3
    assert (np.abs(with_box - without)[140:180, 215:235] <= 60).all()


def test_without_boxes_nothing_is_drawn(street):
    person = found((400.0, 200.0, 500.0, 400.0))
    assert render_snapshot(street, [person], PLAIN, NOON) == render_snapshot(street, [], PLAIN, NOON)


def test_the_picture_itself_stays_as_it_is(street):
    before = street.copy()
    render_snapshot(street, [found((400.0, 200.0, 500.0, 400.0))], SnapshotsSection(height=576, timestamp=True), NOON)
    np.testing.assert_array_equal(street, before)


def test_the_time_is_in_the_lower_left_corner_and_differs_a_second_later(street):
    stamped = PLAIN.model_copy(update={"timestamp": True})
    one, later = (read(render_snapshot(street, [], stamped, NOON + step)).astype(int) for step in (0, 1))
    plain = read(render_snapshot(street, [], PLAIN, NOON)).astype(int)
    rows, columns = np.nonzero(np.abs(one - plain).max(axis=2) > 80)
    assert rows.min() > 0.9 * plain.shape[0]
    assert columns.max() < 0.5 * plain.shape[1]
    assert np.abs(one - later).max() > 80


@pytest.mark.parametrize("size", [(60, 80), (12, 16), (1, 1), (1, 900), (700, 1)])
def test_small_and_narrow_pictures_are_taken_too(size):
    picture = np.full((*size, 3), 99, np.uint8)
    everything = SnapshotsSection(timestamp=True)
    there = found((0.0, 0.0, 1.0, 1.0))
    for snapshot in (
        render_snapshot(picture, [there], everything, NOON),
        render_object_snapshot(picture, there, everything, NOON),
    ):
        assert read(snapshot).size > 0


def test_what_hardly_shrinks_is_made_smaller_until_it_fits_the_broker(noise):
    assert MAX_SNAPSHOT_BYTES < MAX_MESSAGE_BYTES
    snapshot = render_snapshot(noise, [], SnapshotsSection(height=1500, quality=100), NOON)
    assert len(snapshot.jpeg) <= MAX_SNAPSHOT_BYTES
    assert (snapshot.width, snapshot.height) == (1000, 750)
    read(snapshot)


def test_quality_is_lowered_before_the_size(noise):
    picture = noise[:1000, :1400]
    best, lower = (len(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, q))[1]) for q in (100, 60))
    assert best > MAX_SNAPSHOT_BYTES > lower
    snapshot = render_snapshot(picture, [], SnapshotsSection(height=1000, quality=100), NOON)
    assert (snapshot.width, snapshot.height) == (1400, 1000)
    assert len(snapshot.jpeg) <= MAX_SNAPSHOT_BYTES


def test_a_low_quality_that_is_wanted_is_kept(noise):
    snapshot = render_snapshot(noise, [], SnapshotsSection(height=480, quality=5), NOON)
    scaled = cv2.resize(noise, (snapshot.width, snapshot.height), interpolation=cv2.INTER_AREA)
    assert snapshot.jpeg == cv2.imencode(".jpg", scaled, (cv2.IMWRITE_JPEG_QUALITY, 5))[1].tobytes()


@settings(max_examples=examples(20))
@given(st.integers(1, 5000), st.integers(1, 100))
def test_whatever_the_cap_it_is_kept(cap, quality):
    picture = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "MAX_SNAPSHOT_BYTES", 700 + cap)
        snapshot = render_snapshot(picture, [], SnapshotsSection(height=90, quality=quality), NOON)
    assert len(snapshot.jpeg) <= 700 + cap


def test_a_close_up_shows_the_object_and_what_is_around(street):
    person = found((400.0, 200.0, 500.0, 400.0))
    part, there = close_up(street, person)
    assert part.shape[:2] == (288, 384)
    left, top, right, bottom = (round(value) for value in there.box)
    np.testing.assert_array_equal(part[top:bottom, left:right], street[200:400, 400:500])
    assert there.id == person.id
    np.testing.assert_allclose(np.array(there.box_rel) * [384, 288, 384, 288], there.box)


def test_a_close_up_is_scaled_and_drawn_as_any_other(street):
    snapshot = render_object_snapshot(street, found((400.0, 200.0, 500.0, 400.0)), SnapshotsSection(height=144), NOON)
    assert (snapshot.width, snapshot.height) == (192, 144)


EDGES = st.floats(-200, 900)


@given(EDGES, EDGES, st.floats(0, 900), st.floats(0, 900))
def test_a_close_up_contains_what_is_seen_of_the_object_and_is_a_quarter_at_least(left, top, wide, high):
    picture = np.zeros((576, 768, 3), np.uint8)
    part, there = close_up(picture, found((left, top, left + wide, top + high)))
    height, width = part.shape[:2]
    assert width >= MIN_CLOSE_UP_PART * 768
    assert height >= MIN_CLOSE_UP_PART * 576
    assert abs(width / height - 768 / 576) < 0.01
    assert -0.5 <= there.box[0] <= there.box[2] <= width + 0.5
    assert -0.5 <= there.box[1] <= there.box[3] <= height + 0.5
    seen = (
        min(max(left + wide, 0), 768) - min(max(left, 0), 768),
        min(max(top + high, 0), 576) - min(max(top, 0), 576),
    )
    assert there.box[2] - there.box[0] == pytest.approx(seen[0], abs=1e-6)
    assert there.box[3] - there.box[1] == pytest.approx(seen[1], abs=1e-6)
