from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cameras.mqtt_values import CAMERA_SETTINGS, MAX_SETTING_BYTES, encode_setting, with_setting
from gateway.cameras.overrides import Overrides
from gateway.configuration.names import MAX_LABEL_LENGTH, check_label
from shared.errors import ConfigurationError
from shared.settings.slugs import RESERVED_SLUGS

SET = Overrides(enabled=False, detect=True, threshold=0.5, fps=5, labels=("person",))


def _is_label(text):
    return text.strip(" _-")


VALUES = {
    "enabled": st.booleans(),
    "detect": st.booleans(),
    "threshold": st.integers(0, 1000).map(lambda parts: parts / 1000),
    "fps": st.integers(1, 2400).map(lambda parts: parts / 10),
    "labels": st.lists(st.text("abcdefg0123456789 _-", min_size=1, max_size=MAX_LABEL_LENGTH).filter(_is_label),
                       max_size=20, unique_by=lambda text: text.replace(" ", "_")).map(tuple),
}  # fmt: skip


def test_there_is_a_word_for_everything_that_can_be_set():
    assert set(CAMERA_SETTINGS) == set(Overrides.model_fields) - {"areas"} == set(VALUES)


@pytest.mark.parametrize(
    ("setting", "payload", "value"),
    [
        ("enabled", b"ON", True),
        ("enabled", b"OFF", False),
        ("enabled", b" off\n", False),
        ("enabled", b"true", True),
        ("enabled", b"0", False),
        ("detect", b"On", True),
        ("detect", b"False", False),
        ("threshold", b"0.65", 0.65),
        ("threshold", b"0", 0),
        ("threshold", b"1", 1),
        ("fps", b"0.5", 0.5),
        ("fps", b"240", 240),
        ("fps", b" 5 ", 5),
        ("labels", b'["person", "traffic light"]', ("person", "traffic light")),
        ("labels", b"person, traffic light", ("person", "traffic light")),
        ("labels", b"person", ("person",)),
        ("labels", b"[]", ()),
    ],
)
def test_a_payload_is_a_value(setting, payload, value):
    assert getattr(with_setting(Overrides(), setting, payload), setting) == value


@pytest.mark.parametrize("setting", CAMERA_SETTINGS)
@pytest.mark.parametrize("payload", [b"", b" \n", b"null", b"None"])
def test_an_empty_payload_takes_one_setting_back_and_no_other(setting, payload):
    after = with_setting(SET, setting, payload)
    assert after == SET.model_copy(update={setting: None})
    assert after != SET


def test_no_label_is_configured_that_could_not_be_set():
    assert check_label("x" * MAX_LABEL_LENGTH)
    with pytest.raises(ValueError, match=f"it has 65 characters; write at most {MAX_LABEL_LENGTH}"):
        check_label("x" * (MAX_LABEL_LENGTH + 1))


def test_setting_one_leaves_the_others():
    assert with_setting(SET, "threshold", b"0.7") == SET.model_copy(update={"threshold": 0.7})


@pytest.mark.parametrize("setting", CAMERA_SETTINGS)
@given(data=st.data())
def test_what_a_state_topic_says_can_be_set(setting, data):
    value = data.draw(VALUES[setting])
    assert getattr(with_setting(Overrides(), setting, encode_setting(value)), setting) == value


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (True, b"ON"),
        (False, b"OFF"),
        (None, b"null"),
        (5.0, b"5"),
        (0.65, b"0.65"),
        (("person", "traffic light"), b'["person", "traffic light"]'),
        ((), b"[]"),
    ],
)
def test_values_are_said_as_home_assistant_reads_them(value, payload):
    assert encode_setting(value) == payload


@pytest.mark.parametrize(
    ("setting", "payload", "right"),
    [
        ("enabled", b"perhaps", "'perhaps' is not a switch state; send ON or OFF"),
        ("enabled", b"2", "send ON or OFF"),
        ("detect", b"\xff\xfe", "send ON or OFF"),
        ("threshold", b"high", "'high' is not a number"),
        ("threshold", b"1.01", "threshold: '1.01': .*less than or equal to 1"),
        ("threshold", b"-0.1", "greater than or equal to 0"),
        ("threshold", b"nan", "finite"),
        ("fps", b"0", "greater than 0"),
        ("fps", b"241", "less than or equal to 240"),
        ("fps", b"1e999", "finite"),
        ("labels", b"[", 'send for example ."person", "car"'),
        ("labels", b'["person"', 'send for example ."person", "car"'),
        ("labels", b"[1]", "labels: .*valid string"),
        ("labels", b'[["person"]]', "valid string"),
        ("labels", b"person,", "invalid label"),
        ("labels", b'["person", "Person"]', "the same word in topics"),
        ("labels", b'["\\ud800"]', 'send for example ."person", "car"'),
        ("labels", b"[" * 60_000, 'send for example ."person", "car"'),
        ("labels", b"x" * (MAX_LABEL_LENGTH + 1), f"at most {MAX_LABEL_LENGTH}"),
        ("labels", json.dumps([f"label {number}" for number in range(257)]).encode(), "at most 256"),
        ("labels", b"x" * (MAX_SETTING_BYTES + 1), f"a value of {MAX_SETTING_BYTES + 1} bytes is too long"),
        ("colour", b"red", "unknown camera setting 'colour'; valid settings: enabled, detect, threshold, fps, labels"),
        ("model_config", b"", "unknown camera setting"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(setting, payload, right):
    with pytest.raises(ConfigurationError, match=right) as refused:
        with_setting(SET, setting, payload)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("word", sorted(RESERVED_SLUGS))
def test_a_label_with_a_meaning_in_topics_is_refused(word):
    """Its state would be retained where every frame is told, or every event."""
    with pytest.raises(ConfigurationError, match="reserved word, as topics use it"):
        with_setting(Overrides(), "labels", word.upper().encode())


@given(st.sampled_from(CAMERA_SETTINGS), st.binary(max_size=200))
def test_garbage_is_a_value_or_refused(setting, payload):
    try:
        after = with_setting(SET, setting, payload)
    except ConfigurationError:
        return
    assert after.model_copy(update={setting: getattr(SET, setting)}) == SET
