from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gateway.configuration.named_files import find_named_files
from shared.settings.section import Section


def test_a_model_and_what_belongs_to_it_are_named(reading, tmp_path):
    for name in ("mine.cfg", "mine.weights", "mine.json", "other.weights"):
        (tmp_path / name).write_text("")
    configuration = reading("model: {path: mine.cfg}").require_valid()
    assert [path.name for path in find_named_files(configuration, tmp_path)] == [
        "mine.cfg",
        "mine.json",
        "mine.weights",
    ]


def test_commands_of_hooks_are_named_but_programs_of_the_system_are_not(reading, tmp_path):
    (tmp_path / "ring.sh").write_text("")
    configuration = reading(
        "hooks: {commands: [{command: [/bin/sh, ./ring.sh, ./none.sh, bell/ring]}]}"
    ).require_valid()
    assert find_named_files(configuration, tmp_path) == [tmp_path / "ring.sh"]


def test_a_camera_s_path_is_one_on_its_edge(reading, tmp_path):
    (tmp_path / "clip.mp4").write_text("")
    configuration = reading(f"cameras: {{front: {{source: {tmp_path}/clip.mp4}}}}").require_valid()
    assert find_named_files(configuration, tmp_path) == []


def test_certificates_for_the_broker_are_named(reading, tmp_path):
    names = ("authority.pem", "own.key", "own.pem")
    for name in names:
        (tmp_path / name).write_text("")
    tls = "{ca: authority.pem, certificate: own.pem, key: own.key}"
    reading = reading(f"mqtt: {{host: broker.local, tls: {tls}}}")
    assert [path.name for path in find_named_files(reading.configuration, tmp_path)] == list(names)


class Tls(Section):
    ca: Path | None = None
    key: str = ""


class Later(Section):
    tls: Tls = Tls()
    more: dict[str, tuple[Tls, ...]] = Field(default_factory=dict)


def test_files_of_sections_to_come_are_found_as_well(tmp_path):
    for name in ("ca.pem", "key.pem", "other.pem"):
        (tmp_path / name).write_text("")
    later = Later(tls=Tls(ca=Path("ca.pem"), key="./key.pem"), more={"a": (Tls(ca=tmp_path / "other.pem"),)})
    assert [path.name for path in find_named_files(later, tmp_path)] == ["ca.pem", "key.pem", "other.pem"]


def test_text_that_can_be_no_path_names_nothing(tmp_path):
    assert find_named_files(Later(tls=Tls(key="/" + "x" * 5000)), tmp_path) == []
