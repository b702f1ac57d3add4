from __future__ import annotations

import pytest

from shared.payloads import versions
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS, compatible


def test_a_release_understands_what_it_says():
    assert PROTOCOL in UNDERSTOOD_PROTOCOLS
    assert all(version < 256 for version in UNDERSTOOD_PROTOCOLS), "a prefix has one byte for it"
    assert compatible(PROTOCOL, ())


RELEASES = [(5, {5}), (5, {5, 6}), (6, {5, 6}), (6, {6})]
"""What releases say and understand while 6 takes the place of 5, one after the other."""


@pytest.mark.parametrize("ours", RELEASES)
@pytest.mark.parametrize("theirs", RELEASES)
def test_releases_that_follow_each_other_work_together_and_both_sides_agree_who_does(ours, theirs, monkeypatch):
    def sees(one, other):
        monkeypatch.setattr(versions, "PROTOCOL", one[0])
        monkeypatch.setattr(versions, "UNDERSTOOD_PROTOCOLS", one[1])
        return compatible(*other)

    neighbours = abs(RELEASES.index(ours) - RELEASES.index(theirs)) <= 1
    assert sees(ours, theirs) == sees(theirs, ours)
    assert sees(ours, theirs) or not neighbours
    assert sees(ours, theirs) == (ours[0] in theirs[1] and theirs[0] in ours[1])
