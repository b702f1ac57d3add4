from __future__ import annotations

from gateway.state.state_lock import hold_folder, is_in_use


def test_a_folder_is_in_use_as_long_as_somebody_holds_it(tmp_path):
    folder = tmp_path / "state"
    assert not is_in_use(folder)
    with hold_folder(folder):
        assert is_in_use(folder)
        with hold_folder(folder):
            pass
        assert is_in_use(folder)
    assert not is_in_use(folder)


def test_a_gateway_works_where_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with hold_folder(tmp_path / "file" / "state"):
        pass
