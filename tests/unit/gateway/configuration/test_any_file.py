"""Whatever is in a file: it is read to the end, and every mistake has its line."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.configuration.reading.layout import sections
from gateway.configuration.root import Configuration

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Line breaks as YAML 1.1 counts them, section 4.2."""

GOOD = {
    "mqtt": {"host": "box", "port": 1883},
    "model": {"path": "nanodet-g"},
    "cluster": {"method": "ftp-wst", "grid": "3x3", "lease": "1s"},
    "objects": {"track": ["person", "cat"], "filters": {"cat": {"min_area": 5, "mask": "0,0,1,0,1,1"}}},
    "cameras": {
        "front": {
            "source": "rtsp://u:p@h/",
            "crop": [0, 0, 1, 0.5],
            "motion": {"enabled": True, "mask": ["0,0,1,0,1,1"]},
            "zones": {"yard": {"coordinates": [[0, 0], [1, 0], [1, 1]], "objects": ["cat"]}},
        },
        "back": {"source": "test://", "fps": 5},
    },
    "hooks": {
        "webhooks": [{"url": "http://h/", "cameras": ["front"], "zones": ["yard"]}, {"url": "http://i/"}],
        "commands": [{"command": ["echo", "x"], "timeout": "5s"}],
    },
}
KEYS = sorted({name for section in sections(Configuration) for name in section.model_fields})

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["front", "cat", "1,2"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value, path=()):
    """Every place in a structure, the top first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def changed(value, path, new):
    """A copy with something else at a place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: changed(value.get(path[0]), path[1:], new)}
    return [changed(item, path[1:], new) if number == path[0] else item for number, item in enumerate(value)]


@pytest.fixture(scope="module")
def say():
    """Reads a structure as a file."""
    with tempfile.TemporaryDirectory() as folder:

        def reads(value):
            text = yaml.safe_dump(value, allow_unicode=True)
            (Path(folder) / "a.yaml").write_text(text, "utf-8")
            return parse_configuration(Path(folder) / "a.yaml", {}), len(LINE_BREAK.findall(text))

        yield reads


def test_the_good_file_is_right(say):
    assert say(GOOD)[0].mistakes == ()


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(sorted(paths(GOOD), key=repr)), anything), min_size=1, max_size=3))
def test_anything_anywhere_is_read_to_the_end(say, changes):
    value = GOOD
    for path, new in changes:
        if path in set(paths(value)):
            value = changed(value, path, new)
    reading, lines = say(value)
    assert isinstance(reading.configuration, Configuration)
    assert all(1 <= mistake.line <= max(1, lines) for mistake in reading.mistakes)
    assert len(set(reading.mistakes)) == len(reading.mistakes)


@given(st.sampled_from([path for path in paths(GOOD) if path and isinstance(path[-1], str)]))
def test_a_key_with_a_letter_too_many_is_told_and_nothing_else_is_lost(say, path):
    """What is right beside it stays, as far as it can."""
    parent, name = path[:-1], path[-1]
    value = GOOD
    for part in parent:
        value = value[part]
    wrong = changed(GOOD, parent, {(key + "x" if key == name else key): item for key, item in value.items()})
    reading, _ = say(wrong)
    told = [mistake.path.rpartition(".")[2] for mistake in reading.mistakes if mistake.what == "unknown key"]
    named = parent and parent[-1] in {"cameras", "zones", "filters"}
    assert told == ([] if named else [f"{name}x"])
    kept = reading.configuration
    assert path[0] == "mqtt" or kept.mqtt.host == "box"
    assert path[0] == "cameras" or kept.cameras["back"].fps == 5
    assert path[0] == "hooks" or len(kept.hooks.webhooks) == 2


@given(st.sampled_from([path for path in paths(GOOD) if path]))
def test_a_section_in_the_place_of_a_value_is_a_mistake_there(say, path):
    reading, _ = say(changed(GOOD, path, {"nonsense": {"nonsense": 1}}))
    assert reading.mistakes
    top = str(path[0])
    assert all(mistake.path.startswith((top, "hooks")) for mistake in reading.mistakes)
