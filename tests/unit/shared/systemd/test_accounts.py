from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.systemd.accounts import ServiceAccount, choose_account, find_account, first_barrier

STRANGER = ServiceAccount("stranger", uid=54321, gid=54321, groups=frozenset({54321}))


@pytest.fixture
def home():
    """A folder below one that all can enter, as a home is."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        (home / "clone").mkdir()
        (home / "clone").chmod(0o755)
        (home / "clone" / "program").write_text("")
        (home / "clone" / "program").chmod(0o755)
        yield home


def test_a_file_that_all_may_read_keeps_nobody(home):
    assert first_barrier([home / "clone" / "program"], STRANGER) is None


@pytest.mark.parametrize(("closed", "mode"), [("", 0o700), ("clone", 0o744), ("clone/program", 0o711)])
def test_the_folder_or_file_that_is_closed_is_named(home, closed, mode):
    (home / closed).chmod(mode)
    assert first_barrier([home / "clone" / "program"], STRANGER) == home / closed


def test_its_owner_its_group_and_root_may_read_it(home):
    program = home / "clone" / "program"
    program.chmod(0o640)
    status = program.stat()
    assert first_barrier([program], STRANGER) == program
    assert first_barrier([program], ServiceAccount("owner", uid=status.st_uid)) is None
    assert first_barrier([program], ServiceAccount("member", uid=54321, groups=frozenset({status.st_gid}))) is None
    assert first_barrier([program], ServiceAccount("root", uid=0)) is None


def test_a_user_who_is_still_to_be_made_reads_what_all_may_read(home):
    assert first_barrier([home / "clone" / "program"], ServiceAccount("new")) is None
    home.chmod(0o750)
    assert first_barrier([home / "clone" / "program"], ServiceAccount("new")) == home


def test_a_user_who_is_not_there_is_refused():
    assert find_account("no-such-user") is None
    with pytest.raises(ConfigurationError, match="no such user"):
        choose_account(Path("/bin/true"), "no-such-user")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a clone to another user")
def test_a_clone_in_a_closed_home_runs_as_its_owner(home, monkeypatch):
    monkeypatch.setattr("shared.systemd.accounts.program_files", lambda executable: [executable])
    nobody = find_account("nobody")
    for path in (home, home / "clone", home / "clone" / "program"):
        os.chown(path, nobody.uid, nobody.gid)
    home.chmod(0o700)
    assert choose_account(home / "clone" / "program") == nobody
    home.chmod(0o755)
    assert choose_account(home / "clone" / "program").name == "deepthings"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of root")
def test_a_service_does_not_run_as_root_by_itself(home, monkeypatch):
    monkeypatch.setattr("shared.systemd.accounts.program_files", lambda executable: [executable])
    home.chmod(0o700)
    with pytest.raises(ConfigurationError, match=r"must not run as root.*install DeepThings in /opt/deepthings"):
        choose_account(home / "clone" / "program")
    assert choose_account(home / "clone" / "program", "root").uid == 0
