from __future__ import annotations

from gateway.state import state_file
from gateway.state.state_folder import StateFolder
from shared.status.cures import find_cure


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_folder_that_can_be_used_has_no_problems(tmp_path):
    folder = StateFolder(tmp_path)
    folder.register_file("names.json", dict[str, str], "names are lost").write({})
    assert folder.problems == ()


def test_what_cannot_be_written_is_one_problem_until_it_can(tmp_path, monkeypatch):
    folder = StateFolder(tmp_path)
    names, places = (
        folder.register_file(f"{kind}.json", dict[str, str], f"{kind} are lost") for kind in ("names", "places")
    )
    with monkeypatch.context() as patched:
        patched.setattr(state_file, "write_whole", full)
        names.write({})
        places.write({})
        (said,) = folder.problems
    assert said == f"state folder {tmp_path} cannot be written (the disk is full): names are lost; places are lost"
    assert "df -h" in find_cure(said)
    names.write({})
    assert folder.problems == (f"state folder {tmp_path} cannot be written (the disk is full): places are lost",)
    places.write({})
    assert folder.problems == ()


def test_a_file_of_a_newer_release_is_a_problem_that_says_what_helps(tmp_path):
    folder = StateFolder(tmp_path)
    (tmp_path / "names.json").write_text('{"version": 7, "release": "2.0", "content": {}}')
    folder.register_file("names.json", dict[str, str], "names are lost").read()
    (said,) = folder.problems
    assert "it was written by release 2.0" in said
    assert find_cure(said) == ""
