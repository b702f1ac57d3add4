from __future__ import annotations

import pytest

from gateway.membership.name_conflicts import CONTEST_SHOWN_S, MAX_CLAIM_QUESTIONS, MAX_CONTESTS, ContestedNames
from shared.payloads.cluster import Identity, NameClaim

OWNER = Identity(instance="a", device="raspberrypi", address="10.0.0.7")
CLONE = Identity(instance="b", device="raspberrypi", address="10.0.0.9")


def ask(identity=CLONE):
    return NameClaim(identity=identity, attempt=1)


def answer(to=CLONE, by=OWNER):
    return NameClaim(identity=by, answers=to.instance)


@pytest.fixture
def names():
    return ContestedNames()


def test_a_name_that_two_want_is_a_problem_for_some_minutes_after_the_last_attempt(names):
    for at in (100.0, 110.0):
        names.on_claim("shed", ask(), at)
        names.on_claim("shed", answer(), at)
    (said,) = names.problems(110 + CONTEST_SHOWN_S - 1)
    assert said == (
        "two edges are called shed: the one on raspberrypi (10.0.0.7) is used, the one on raspberrypi (10.0.0.9) is "
        "not: give one of them a name of its own, for example --name shed-2"
    )
    assert names.problems(110 + CONTEST_SHOWN_S) == []


def test_a_question_that_nobody_answers_is_an_edge_that_comes_back(names):
    names.on_claim("shed", ask(), 100)
    names.on_claim("attic", answer(), 100)
    assert names.problems(101) == []


def test_the_name_of_the_gateway_is_contested_too(names):
    names.on_claim("", ask(), 100)
    names.on_claim("", answer(), 100)
    (said,) = names.problems(101)
    assert "another gateway, on raspberrypi (10.0.0.9)" in said
    assert "mqtt.topic_prefix" in said


def test_what_strangers_invent_is_not_remembered_without_end(names):
    for number in range(MAX_CLAIM_QUESTIONS + MAX_CONTESTS + 5):
        clone = CLONE.model_copy(update={"instance": str(number)})
        names.on_claim(f"shed-{number}", ask(clone), 100)
        names.on_claim(f"shed-{number}", answer(clone), 100)
        names.on_claim("attic", ask(clone), 100)
    assert len(names.problems(101)) == MAX_CONTESTS
    assert len(names._questions) == MAX_CLAIM_QUESTIONS


def test_nothing_of_an_identity_begins_a_line(names):
    odd = CLONE.model_copy(update={"device": "pi\nERROR"})
    names.on_claim("shed", ask(odd), 100)
    names.on_claim("shed", answer(odd), 100)
    assert "\n" not in names.problems(101)[0]
