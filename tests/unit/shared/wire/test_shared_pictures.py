from __future__ import annotations

import gc
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError
from shared.payloads.frames import FrameInfo
from shared.wire.camera_headers import MAX_SHARED_PICTURES, SharedMemory
from shared.wire.shared_pictures import SharedPictureReader, SharedPictureWriter

SHAPE = (48, 64, 3)


def picture_of(number, shape=SHAPE):
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def info_of(number, shape=SHAPE):
    return FrameInfo(
        frame=f"front-{number}", camera="front", number=number, captured_at=1.0, height=shape[0], width=shape[1]
    )


@pytest.fixture
def writer():
    made = SharedPictureWriter()
    yield made
    made.close()


@pytest.fixture
def reader(writer):
    opened = SharedPictureReader(writer.memory)
    yield opened
    opened.close()


def share(writer, reader, number, shape=SHAPE):
    """Put a picture in and read it."""
    offset = writer.put_picture(number, picture_of(number, shape))
    return reader.picture(info_of(number, shape), offset)


def test_a_picture_is_read_as_it_was_put_in(writer, reader):
    made = share(writer, reader, 1)
    assert np.array_equal(made, picture_of(1))
    assert not made.flags.writeable


def test_a_picture_is_released_when_nobody_reads_any_part_of_it(writer, reader):
    made = share(writer, reader, 1)
    row = made[3]
    data = row.data
    del made
    assert reader.take_released() == ()
    del row
    assert reader.take_released() == ()
    assert np.array_equal(np.asarray(data), picture_of(1)[3])
    del data
    assert reader.take_released() == (1,)
    assert reader.take_released() == ()


def test_no_place_is_used_again_before_its_picture_is_released(writer, reader):
    kept = [share(writer, reader, number) for number in range(MAX_SHARED_PICTURES)]
    assert writer.put_picture(100, picture_of(100)) is None
    writer.release(7)
    assert writer.put_picture(101, picture_of(101)) == 7 * mmap.PAGESIZE * -(-picture_of(1).nbytes // mmap.PAGESIZE)
    assert all(np.array_equal(kept[number], picture_of(number)) for number in range(MAX_SHARED_PICTURES) if number != 7)


@given(st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, MAX_SHARED_PICTURES + 2)), max_size=80))
def test_whatever_comes_and_goes_pictures_stay_as_they_are(steps):
    writer = SharedPictureWriter()
    reader = SharedPictureReader(writer.memory)
    held: dict[int, np.ndarray] = {}
    for number, (step, key) in enumerate(steps):
        shape = (4 + key, 64, 3)
        if step == "put" and (offset := writer.put_picture(number, picture_of(number, shape))) is not None:
            held[number] = reader.picture(info_of(number, shape), offset)
        elif step == "drop" and held:
            del held[sorted(held)[key % len(held)]]
        for released in reader.take_released():
            assert released not in held
            writer.release(released)
        assert all(np.array_equal(made, picture_of(key, made.shape)) for key, made in held.items())
    writer.close()
    reader.close()


def test_larger_pictures_wait_until_all_places_are_free(writer, reader):
    larger = (100, 100, 3)
    kept = share(writer, reader, 1)
    assert writer.put_picture(2, picture_of(2, larger)) is None
    del kept
    writer.release(*reader.take_released())
    assert np.array_equal(share(writer, reader, 3, larger), picture_of(3, larger))


def test_pictures_outlive_both_ends(writer):
    reader = SharedPictureReader(writer.memory)
    kept = share(writer, reader, 1)
    reader.close()
    other = SharedPictureWriter()
    second = SharedPictureReader(other.memory)
    kept_too = share(other, second, 2)
    other.close()
    second.close()
    assert np.array_equal(kept, picture_of(1))
    assert np.array_equal(kept_too, picture_of(2))


def test_a_picture_beyond_the_memory_is_refused(writer, reader):
    with pytest.raises(ProtocolError, match="of a shared memory of 0 bytes"):
        reader.picture(info_of(1), 0)
    offset = writer.put_picture(1, picture_of(1))
    with pytest.raises(ProtocolError, match="until byte"):
        reader.picture(info_of(1, (4000, 4000, 3)), offset)
    with pytest.raises(ProtocolError, match="until byte"):
        reader.picture(info_of(1), 2**62)


def test_a_memory_that_could_shrink_or_has_another_name_is_refused(writer, tmp_path):
    unsealed = os.memfd_create(writer.memory.name, os.MFD_ALLOW_SEALING)
    for refused in ({"file": unsealed}, {"name": f"deepthings-{32 * '0'}"}):
        with pytest.raises(OSError, match="is not memory of that agent"):
            SharedPictureReader(writer.memory.model_copy(update=refused))
    os.close(unsealed)
    with (
        (tmp_path / writer.memory.name).open("wb") as file,
        pytest.raises(OSError, match="is not memory of that agent"),
    ):
        SharedPictureReader(writer.memory.model_copy(update={"file": file.fileno()}))


def test_the_memory_never_shrinks(writer):
    writer.put_picture(1, picture_of(1))
    with pytest.raises(PermissionError):
        os.ftruncate(writer.memory.file, 0)


def test_a_memory_that_is_gone_cannot_be_opened(writer):
    with pytest.raises(FileNotFoundError):
        SharedPictureReader(writer.memory.model_copy(update={"file": 2**30}))


def test_the_memory_of_a_killed_process_is_read_to_the_end():
    code = (
        "import numpy as np, time; from shared.wire.shared_pictures import SharedPictureWriter\n"
        "w = SharedPictureWriter(); w.put_picture(1, np.full((48, 64, 3), 7, np.uint8))\n"
        "print(w.memory.model_dump_json(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        reader = SharedPictureReader(SharedMemory.model_validate_json(process.stdout.readline()))
        made = reader.picture(info_of(1), 0)
        process.kill()
    assert (made == 7).all()
    reader.close()
    assert (made == 7).all()


def test_descriptors_and_mappings_do_not_pile_up():
    def mappings():
        with Path("/proc/self/maps").open() as maps:
            return sum("deepthings-pictures" in line for line in maps)

    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir())), mappings()
    for number in range(50):
        writer = SharedPictureWriter()
        reader = SharedPictureReader(writer.memory)
        share(writer, reader, number)
        writer.close()
        reader.close()
    gc.collect()
    assert (len(list(Path("/proc/self/fd").iterdir())), mappings()) == before
