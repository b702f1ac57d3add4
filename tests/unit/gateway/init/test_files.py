from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.init import files
from gateway.init.documents import Documents
from gateway.init.files import free_name, require_writable, secrets_beside, write_documents
from shared.errors import ConfigurationError

DOCUMENTS = Documents("cameras: {}\n", {"mqtt_password": "s3cr3t"})


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_both_files_are_written_and_secrets_are_for_their_owner(tmp_path):
    file = tmp_path / "new" / "home.yaml"
    assert write_documents(file, DOCUMENTS) == [file, file.parent / "secrets.yaml"]
    assert (file.read_text(), mode(file)) == ("cameras: {}\n", 0o644)
    assert mode(file.parent / "secrets.yaml") == 0o600
    assert secrets_beside(file) == {"mqtt_password": "s3cr3t"}


def test_without_secrets_there_is_no_file_of_them(tmp_path):
    assert write_documents(tmp_path / "home.yaml", Documents("cameras: {}\n", {})) == [tmp_path / "home.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["home.yaml"]


@pytest.mark.parametrize("before", [None, "# mine\nother: 1\n"])
@pytest.mark.parametrize("failure", [OSError("the disk is full"), KeyboardInterrupt()])
def test_what_fails_between_them_leaves_all_as_it_was(tmp_path, monkeypatch, before, failure):
    secrets = tmp_path / "secrets.yaml"
    if before:
        secrets.write_text(before)
    real = files.write_whole

    def failing(path, *arguments, **options):
        if path.name == "home.yaml":
            raise failure
        real(path, *arguments, **options)

    monkeypatch.setattr(files, "write_whole", failing)
    with pytest.raises(type(failure)):
        write_documents(tmp_path / "home.yaml", DOCUMENTS)
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])


def test_secrets_in_a_style_that_cannot_be_continued_are_left_alone(tmp_path):
    (tmp_path / "secrets.yaml").write_text("{other: 1}\n")
    with pytest.raises(ConfigurationError, match="nothing can be added at its end; write each secret as name: value"):
        write_documents(tmp_path / "home.yaml", DOCUMENTS)
    assert (tmp_path / "secrets.yaml").read_text() == "{other: 1}\n"
    assert not (tmp_path / "home.yaml").exists()


def test_secrets_that_cannot_be_read_are_told_of_before_anything_is_asked(tmp_path):
    (tmp_path / "secrets.yaml").write_text("- a\n")
    with pytest.raises(ConfigurationError, match=r"secrets\.yaml:1: not a list of names with values"):
        secrets_beside(tmp_path / "home.yaml")


def test_another_name_is_one_that_nothing_has(tmp_path):
    for name in ("home.yaml", "home-2.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "home-3.yaml").symlink_to("nowhere")
    assert free_name(tmp_path / "home.yaml") == tmp_path / "home-4.yaml"
    with pytest.raises(ConfigurationError, match=r"home-4\.yaml, or --force"):
        require_writable(tmp_path / "home.yaml", replaces=False)
    require_writable(tmp_path / "home.yaml", replaces=True)


@pytest.mark.parametrize("name", ["home.txt", "home", "secrets.yaml", "a\nb.yaml"])
def test_a_name_that_no_configuration_has_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"end it in \.yaml"):
        require_writable(Path(name), replaces=False)
