from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cameras.overrides import OVERRIDES_FILE, OVERRIDES_LOST, Overrides, OverridesFile
from gateway.state.state_folder import StateFolder
from tests.extent import examples

CAMERAS = ("door", "yard", "shed")
overrides = st.builds(
    Overrides,
    enabled=st.none() | st.booleans(),
    detect=st.none() | st.booleans(),
    threshold=st.none() | st.floats(0, 1),
    fps=st.none() | st.floats(0.1, 240),
    labels=st.none() | st.sets(st.sampled_from(["person", "traffic light", "dog"])).map(tuple),
)


class Restarts(RuleBasedStateMachine):
    """Whatever was set: who starts again reads the same."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "made" / "when needed"
        self.file = OverridesFile(StateFolder(self.path))
        self.set_: dict[str, Overrides] = {}

    def teardown(self):
        self.folder.cleanup()

    @rule(camera=st.sampled_from(CAMERAS), said=overrides)
    def is_set(self, camera, said):
        self.file.set_overrides(camera, said)
        self.set_[camera] = said

    @rule()
    def starts_again(self):
        self.file = OverridesFile(StateFolder(self.path))

    @invariant()
    def what_was_set_is_there(self):
        for camera in CAMERAS:
            assert self.file.overrides_of(camera) == self.set_.get(camera, Overrides())

    @invariant()
    def nothing_else_is_in_the_folder(self):
        if self.set_:
            assert [file.name for file in self.path.iterdir()] == [OVERRIDES_FILE]


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(max_examples=examples(30), stateful_step_count=20)  # each step waits for the disk


def test_a_camera_of_which_nothing_was_set_has_nothing(tmp_path, caplog):
    assert OverridesFile(StateFolder(tmp_path / "not there")).overrides_of("door") == Overrides()
    assert not caplog.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"door": 1}', b'{"door": {"threshold": 2}}', b'{"door": {"labels": [1]}}']
)
def test_a_file_that_cannot_be_read_is_said_and_the_next_change_is_kept(tmp_path, caplog, content):
    (tmp_path / OVERRIDES_FILE).write_bytes(content)
    file = OverridesFile(StateFolder(tmp_path))
    assert file.overrides_of("door") == Overrides()
    assert f"{tmp_path / OVERRIDES_FILE} cannot be read" in caplog.text
    file.set_overrides("door", Overrides(detect=False))
    assert OverridesFile(StateFolder(tmp_path)).overrides_of("door") == Overrides(detect=False)


def test_what_a_later_release_has_written_is_read_as_far_as_it_is_known(tmp_path, caplog):
    (tmp_path / OVERRIDES_FILE).write_bytes(b'{"door": {"detect": false, "invented_later": 1}}')
    assert OverridesFile(StateFolder(tmp_path)).overrides_of("door") == Overrides(detect=False)
    assert not caplog.text


def test_what_cannot_be_written_is_said_and_holds_until_the_end(tmp_path, caplog):
    in_the_way = tmp_path / "state"
    in_the_way.write_text("no folder")
    with caplog.at_level(logging.WARNING):
        file = OverridesFile(StateFolder(in_the_way))
        caplog.clear()
        file.set_overrides("door", Overrides(detect=False))
    assert file.overrides_of("door") == Overrides(detect=False)
    assert "cannot be written" in caplog.text
    assert OVERRIDES_LOST in caplog.text
