"""YAML as it is read: version 1.2, bounded, and without a word of the file in a message."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.configuration.reading.document import MAX_VALUES, read_document
from gateway.configuration.reading.secret_file import MAX_CONFIGURATION_BYTES
from gateway.configuration.reading.yaml_nodes import UnreadableError
from gateway.configuration.root import Configuration
from gateway.models.catalogue import DEFAULT_MODEL


def value_of(text):
    """Plain values of a text without secrets."""
    return read_document("a.yaml", text.encode(), {}, {}).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("21:00", "21:00"), ("1:30", "1:30"),
        ("010", 10), ("0o17", 15), ("0x1F", 31), ("-5", -5), ("+5", 5), ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"), ("null", None), ("~", None), ("", None),
        ("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), (".inf", float("inf")), ("-.INF", float("-inf")),
        ("0.30,0.55", "0.30,0.55"), ("1,2", "1,2"), ("3x3", "3x3"), ("'5'", "5"), ('"on"', "on"), ("!!str 5", "5"),
        ("<<", "<<"), ("=", "="),
    ],
)  # fmt: skip
def test_words_and_numbers_are_those_of_yaml_1_2(text, expected):
    value = value_of(f"a: {text}")["a"]
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("word", ["on", "yes", "true", "On", "YES"])
def test_where_true_or_false_is_wanted_the_old_words_are_understood(reading, word):
    assert reading(f"frigate_compat: {{enabled: {word}}}").require_valid().frigate_compat.enabled


def test_keys_are_text_whatever_they_look_like(reading):
    text = "cameras:\n  no: {source: test://}\n  007: {source: test://}\n  null: {source: test://}\n"
    assert list(reading(text).require_valid().cameras) == ["no", "007", "null"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt: {host: x", "1: invalid YAML: while parsing a flow mapping, expected ',' or '}', but got "
         "'<stream end>'; write 'key: value', and indent one section's keys alike"),
        ("mqtt:\n\thost: x", "2: invalid YAML: while scanning for the next token, found character '\\t' that "
         "cannot start any token; indent with spaces, not with tabs"),
        ("a: 1\nmqtt: @x", "2: invalid YAML: while scanning for the next token, found character '@' that cannot "
         "start any token; put the value in quotes"),
        ("a: b: c", "1: invalid YAML: mapping values are not allowed here; put text with ': ' in it in quotes and "
         "a space after the colon of a key, and indent one section's keys alike"),
        ("a: 'x\n\n\n", "1: invalid YAML: while scanning a quoted scalar, found unexpected end of stream; close the "
         "quotes"),
        ("a: *hunter2", "1: invalid YAML: found undefined alias ...; put a value that begins with * in quotes"),
        ("a: !hunter2!x y", "1: invalid YAML: while parsing a node, found undefined tag handle ...; put a value "
         "that begins with ! in quotes"),
        ("---\na: 1\n---\nb: 2", "3: invalid YAML: expected a single document in the stream, but found another "
         "document; remove the line ---"),
        (b"mqtt:\n  host: \xff", "2: this is not UTF-8; save it as UTF-8 text"),
        (b"mqtt:\n  host: a\x00b", "2: a control character that YAML does not allow; remove it"),
        ("[" * 5000, "1: nested too deeply; remove brackets"),
        ("mqtt: {<<: 5}", "1: mqtt: << needs a section; write for example <<: *front"),
        ("? [a]\n: 5", "1: a key is a list or a section; write text as a key; text in { } needs quotes"),
        ("mqtt: !hunter2 x",
         "1: mqtt: unknown tag; !secret and !file are known, and text that begins with ! needs quotes"),
        ("mqtt: !!python/object:os.system x",
         "1: mqtt: unknown tag; !secret and !file are known, and text that begins with ! needs quotes"),
        ("mqtt: {port: " + "9" * 5000 + "}",
         "1: mqtt.port: invalid number, or too many digits; write for example 30 or 0.5"),
        ("a: &a [*a]", "1: nested too deeply, or too long; check its anchors (&) and aliases (*)"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_with_its_line_and_nothing_of_the_file(told, text, expected):
    assert told(text) == [f"deepthings.yaml:{expected}"]


def test_anchors_in_anchors_do_not_fill_the_memory(told):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (mistake,) = told("\n".join(levels))
    assert mistake.endswith("nested too deeply, or too long; check its anchors (&) and aliases (*)")
    assert MAX_VALUES < 9**12


def test_merged_sections_in_merged_sections_end():
    levels = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    assert value_of("\n".join(levels))["a39"] == {"x": 1}
    assert value_of("a: &a\n  <<: *a\n  x: 1") == {"a": {"x": 1}}


def test_sections_are_merged_and_what_is_written_there_goes_before(reading):
    text = """\
cameras:
  front: &usual
    source: test://
    fps: 5
    motion: {enabled: on}
  back:
    <<: *usual
    fps: 6
"""
    cameras = reading(text).require_valid().cameras
    assert (cameras["back"].fps, cameras["back"].motion, cameras["front"].fps) == (6, cameras["front"].motion, 5)


def test_a_mistake_in_a_merged_section_is_where_it_is_written(told):
    text = "cameras:\n  front: &usual\n    source: test://\n    fps: 500\n  back:\n    <<: *usual\n    fsp: 6\n"
    assert [line.split(":")[1:3] for line in told(text)] == [
        ["4", " cameras.back.fps"],
        ["4", " cameras.front.fps"],
        ["7", " cameras.back.fsp"],
    ]


@pytest.mark.parametrize(
    "text", ["", "\n# nothing\n", "---\n", "mqtt:\ncameras:\nhooks:\nstate:\n", "\ufeffmqtt: {}\r\n"]
)
def test_what_is_not_written_is_as_usual(reading, text):
    assert reading(text).require_valid() == Configuration()


@given(
    st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`#,? \n\t<<$0.") | st.characters(codec="utf-8"), max_size=60)
)
def test_no_text_at_all_is_too_much_for_the_reader(text):
    with suppress(UnreadableError):
        document = read_document("a.yaml", text.encode(), {}, {})
        assert document.line_of(()) >= 1


def test_a_file_that_is_not_there_or_too_large_is_told(reading, tmp_path):
    missing = parse_configuration(tmp_path / "none.yaml", {}).mistakes
    assert [str(mistake) for mistake in missing] == [
        f"{tmp_path}/none.yaml:1: cannot be read: no such file or directory; name a YAML file"
    ]
    (large,) = reading(b"#" * (MAX_CONFIGURATION_BYTES + 1)).mistakes
    assert "it is larger than 1 MiB" in str(large)
    (folder,) = parse_configuration(tmp_path, {}).mistakes
    assert "is a directory" in str(folder)


def test_paths_are_relative_to_the_file(reading, tmp_path):
    found = reading("model: {path: mine.cfg, weights: w/mine.weights}\nstate: state").require_valid()
    assert (found.model.path, found.model.weights) == (f"{tmp_path}/mine.cfg", tmp_path / "w" / "mine.weights")
    assert found.state == tmp_path / "state"


def test_what_is_absolute_at_home_or_built_in_stays(reading):
    found = reading(f"model: {{path: {DEFAULT_MODEL}, weights: /w}}\nstate: ~/state").require_valid()
    assert (found.model.path, found.model.weights) == (DEFAULT_MODEL, Path("/w"))
    assert found.state == Path("~/state").expanduser()


def test_the_state_is_kept_at_home_or_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/var/lib")
    assert Configuration().state == Path("/var/lib/deepthings")
    assert Configuration(mqtt={"topic_prefix": "a/b"}).state == Path("/var/lib/deepthings/a.b")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert Configuration().state == Path("~/.local/state/deepthings").expanduser()


def test_the_environment_is_that_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPTHINGS_TEST_PORT", "1884")
    (tmp_path / "a.yaml").write_text("mqtt: {port: '${DEEPTHINGS_TEST_PORT}'}")
    assert parse_configuration(tmp_path / "a.yaml").require_valid().mqtt.port == int(os.environ["DEEPTHINGS_TEST_PORT"])
