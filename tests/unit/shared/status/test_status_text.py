from __future__ import annotations

import pytest

from shared.payloads.cluster import NodeReport, State
from shared.status.status_report import build_status
from shared.status.status_text import MAX_REMARK_LENGTH, format_duration, status_lines, table_lines
from tests.unit.shared.status.clusters import ATTIC, DOOR, GARDEN, GATEWAY, HEALTH, NOW, facts_of


def told(width=80, **changes):
    return list(status_lines(build_status(facts_of(**changes), GATEWAY, "192.168.1.5:1883", NOW), width))


def row(name, shown):
    (line,) = [line for line in shown if line.startswith(f"{name} ")]
    return line


def test_all_that_is_known_is_there_at_a_glance():
    shown = told()
    assert shown[0] == "gateway  online for 1 d 1 h, release 1.2.0, on nas (192.168.1.5)"
    assert shown[1] == "model    nanodet-g, whole 1x1"
    assert shown[2].startswith("frames   9.9 a second over the last minute; since it started 852114 published")
    assert row("attic", shown).split() == [
        "attic", "online", "1.2.0", "192.168.1.31:7701", "2x1", "2.1", "of", "4", "(3.5", "usable)", "412", "MiB",
        "31.4", "422", "214", "61.5",
    ]  # fmt: skip
    assert row("front_door", shown).split() == [
        "front_door", "attic", "online", "4.9", "5.0", "768x576", "1270", "20",
    ]  # fmt: skip


def test_why_a_frame_takes_its_time_is_said_below_the_frames():
    shown = told()
    assert shown[3] == "time     a frame takes 310 ms: 190 ms waiting for a device, 80 ms computing, 25"
    assert shown[4].startswith("         ms on the links between devices; most of it is waiting")
    assert not any(line.startswith("time") for line in told(health=HEALTH.model_copy(update={"frame_time": None})))


def test_what_the_devices_can_compute_is_said_as_well():
    shown = told(120)
    (line,) = [line for line in shown if line.startswith("speed")]
    assert line[9:] == "attic can compute up to 16 frames/s; not measured yet: shed"


def test_a_release_that_differs_is_marked():
    shown = told()
    assert "1.1.0 (differs)" in row("shed", shown)
    assert "differs" not in row("attic", shown) + row("hall", shown)


def test_an_edge_that_is_away_has_no_figures():
    assert row("hall", told()).split()[1:] == ["offline", "1.2.0", "-", "-", "-", "-", "-", "-", "-", "-"]


def test_problems_come_last_with_what_to_do():
    shown = told(attic=ATTIC)
    assert shown[-3:] == [
        "problems", "- camera garden: no picture for 30 s",
        "  -> check its power and network; is its address still right?",
    ]  # fmt: skip


def test_where_all_is_well_it_is_said():
    assert told(health=HEALTH.model_copy(update={"problems": ()}), attic=ATTIC)[-1] == "no problems"


def test_an_empty_cluster_is_told_in_words():
    facts = facts_of(info=None, health=None, cameras=())
    facts.on_message("deepthings/bridge/nodes", b'{"nodes": {}}')
    shown = list(status_lines(build_status(facts, GATEWAY, "b", NOW), 80))
    assert shown == [
        "gateway  online, release 1.2.0, on nas (192.168.1.5)",
        "",
        "no edges",
        "",
        "no cameras",
        "",
        "no problems",
    ]


def test_sentences_fit_into_the_width():
    long = HEALTH.model_copy(update={"problems": ("camera garden: " + "much is wrong " * 20,)})
    shown = told(60, health=long, attic=ATTIC)
    sentences = shown[shown.index("problems") + 1 :]
    assert max(map(len, sentences)) <= 60
    assert len(sentences) > 4


def test_a_long_reason_is_short_in_the_table():
    garden = GARDEN.model_copy(update={"reason": "not reachable: " + "words " * 30})
    line = row("garden", told(cameras=(DOOR, garden)))
    assert line.endswith(" ...")
    assert len(line.partition("not reachable")[2]) < MAX_REMARK_LENGTH


def test_a_camera_that_was_started_by_hand_says_so():
    assert told(cameras=(DOOR.model_copy(update={"camera": "campus"}),))
    campus = DOOR.model_copy(update={"camera": "campus"})
    assert row("campus", told(cameras=(campus,))).endswith("started by hand")


def test_nothing_that_others_write_commands_the_terminal():
    evil = "\x1b[2J\n"
    bad = NodeReport(state=State.ONLINE, address=evil, version=evil)
    health = HEALTH.model_copy(update={"problems": (f"edge {evil} is bad",)})
    shown = told(health=health, cameras=(GARDEN.model_copy(update={"reason": evil}),), **{f"edge{evil}": bad})
    assert all(line.isprintable() for line in shown)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3660, "1 h 1 min"), (86_400, "1 d 0 h"), (90_000, "1 d 1 h")],
)
def test_a_time_is_told_in_its_two_largest_units(seconds, words):
    assert format_duration(seconds) == words


def test_columns_are_as_wide_as_their_widest_word():
    assert list(table_lines(("name", "n"), [("a", "10"), ("longer", "9")], "lr")) == [
        "name     n",
        "a       10",
        "longer   9",
    ]
