import pytest
from click.testing import CliRunner

from benchmarks import keys_cost
from benchmarks.bench_keys import make_bench_keys
from benchmarks.setting import FrameTimes, Measurement
from shared.errors import DeepThingsError
from shared.security.member_list import Role
from shared.security.node_identity import load_identity


def measurement(setting, factor):
    frames = tuple(
        FrameTimes(camera, number, 0.1, 0.2 * factor, 0.5 * number * factor, 9, 3, 0)
        for camera in ("a", "b")
        for number in range(10)
    )
    return Measurement(setting, frames, {}, 2_000_000, {}, {}, {"gateway": 0.4 * factor, "edge-1": 0.6 * factor})


@pytest.fixture
def measured(monkeypatch):
    """The settings that were measured; a cluster with keys takes a tenth longer."""
    made = []

    async def measure(setting, models, _folder, _cache, *, encrypted):
        assert set(models) >= {setting.workload}
        made.append(encrypted)
        return measurement(setting, 1.1 if encrypted else 1.0)

    monkeypatch.setattr(keys_cost, "measure_setting", measure)
    monkeypatch.setattr(keys_cost, "emulation_unavailable_reason", lambda _: "")
    return made


def test_clusters_with_keys_and_without_take_turns_and_their_ratios_are_printed(measured):
    arguments = ["--rounds", "2", "--workload", "built-in"]
    result = CliRunner().invoke(keys_cost.main, arguments, catch_exceptions=False)
    assert measured == [False, True, False, True, False]
    rows = [line.split() for line in result.output.splitlines() if "keys" in line or "ratio" in line]
    plain, keyed, ratio = rows[-3:]
    assert [word for word in plain if "." in word] == ["200.0", "4.00", "50.0", "100.0"]
    assert [word for word in keyed if "." in word] == ["220.0", "3.64", "55.0", "100.0"]
    assert [word for word in ratio if "." in word] == ["1.100", "0.909", "1.100", "1.000"]


def test_without_emulated_nodes_it_says_why_there_is_nothing_to_measure(monkeypatch):
    monkeypatch.setattr(keys_cost, "emulation_unavailable_reason", lambda _: "not root")
    with pytest.raises(DeepThingsError, match="a cluster on loopback has no keys: not root"):
        CliRunner().invoke(keys_cost.main, [], catch_exceptions=False)


def test_the_edges_of_a_bench_are_members_of_an_open_cluster(tmp_path):
    folders = make_bench_keys(tmp_path, ["edge-1", "edge-2"])
    identities = {name: load_identity(folder) for name, folder in folders.items()}
    assert {(identity.role, identity.name) for identity in identities.values()} == {
        (Role.EDGE, "edge-1"), (Role.EDGE, "edge-2"),
    }  # fmt: skip
    (file,) = (tmp_path / "state" / "deepthings").glob("members.json")
    text = file.read_text()
    assert all(identity.member.key_hash in text for identity in identities.values())
    assert '"open":true' in text.replace(" ", "")
