from __future__ import annotations

import pytest

from shared.mqtt.name_dispute import CLAIM_ANSWER_TIMEOUT_S, CLAIM_ECHO_TIMEOUT_S, ClaimAttempt, Verdict, answer_claim
from shared.payloads.cluster import Identity, NameClaim, NodeState, State

OWN = Identity(instance="own", device="pi")
OTHER = Identity(instance="other", device="pi")
QUESTION = NameClaim(identity=OWN, attempt=2)


def state(of=OTHER, how=State.ONLINE):
    return NodeState(node="shed", state=how, protocol=4, identity=of)


@pytest.fixture
def claiming():
    return ClaimAttempt(QUESTION, 100.0)


def test_a_name_that_nobody_had_is_ours_as_soon_as_our_question_comes_back(claiming):
    assert claiming.verdict(100.01) is Verdict.OPEN
    claiming.on_claim(QUESTION, 100.02)
    assert claiming.verdict(100.02) is Verdict.OURS


@pytest.mark.parametrize("retained", [state(OWN), state(OTHER, State.OFFLINE), state(OWN, State.OFFLINE)])
def test_a_state_that_speaks_of_us_or_of_nobody_costs_no_time(claiming, retained):
    claiming.on_state(retained)
    claiming.on_claim(QUESTION, 100.02)
    assert claiming.verdict(100.02) is Verdict.OURS


@pytest.mark.parametrize("retained", [state(OTHER), state(Identity())])
def test_a_stale_state_of_an_earlier_run_costs_the_time_of_an_answer(claiming, retained):
    claiming.on_state(retained)
    claiming.on_claim(QUESTION, 100.5)
    assert claiming.verdict(100.5 + CLAIM_ANSWER_TIMEOUT_S - 0.01) is Verdict.OPEN
    assert claiming.remaining_s(101.5) == pytest.approx(CLAIM_ANSWER_TIMEOUT_S - 1)
    assert claiming.verdict(100.5 + CLAIM_ANSWER_TIMEOUT_S) is Verdict.OURS


def test_only_a_living_other_one_makes_us_give_way(claiming):
    claiming.on_state(state())
    claiming.on_claim(QUESTION, 100.5)
    assert claiming.on_claim(NameClaim(identity=OTHER, answers="somebody else"), 100.6) is None
    assert claiming.verdict(100.6) is Verdict.OPEN
    claiming.on_claim(NameClaim(identity=OTHER, answers="own"), 100.7)
    assert claiming.verdict(100.7) is Verdict.TAKEN
    assert claiming.rival == OTHER


def test_a_question_of_an_earlier_attempt_of_ours_is_not_our_echo(claiming):
    claiming.on_claim(NameClaim(identity=OWN, attempt=1), 100.1)
    assert claiming.verdict(100.1) is Verdict.OPEN


def test_a_broker_that_does_not_bring_our_question_back_does_not_hold_us_up_for_ever(claiming):
    assert claiming.verdict(100 + CLAIM_ECHO_TIMEOUT_S - 0.1) is Verdict.OPEN
    assert claiming.verdict(100 + CLAIM_ECHO_TIMEOUT_S) is Verdict.OURS


@pytest.mark.parametrize("first", ["own", "other"])
def test_of_two_newcomers_at_one_moment_the_one_whose_question_the_broker_had_first_wins(first):
    """Both are subscribed before either asks, so both hear both questions in the same order."""
    parties = {who.instance: ClaimAttempt(NameClaim(identity=who, attempt=1), 100.0) for who in (OWN, OTHER)}
    order = sorted(parties, key=lambda name: name != first)
    heard = [parties[name].own_claim for name in order]
    while heard:
        claim = heard.pop(0)
        heard += [answer for answer in (party.on_claim(claim, 100.1) for party in parties.values()) if answer]
    verdicts = {name: party.verdict(100.2) for name, party in parties.items()}
    assert verdicts == {order[0]: Verdict.OURS, order[1]: Verdict.TAKEN}


def test_who_has_a_name_answers_questions_of_others_and_nothing_else():
    assert answer_claim(NameClaim(identity=OTHER), OWN) == NameClaim(identity=OWN, answers="other")
    assert answer_claim(NameClaim(identity=OWN), OWN) is None
    assert answer_claim(NameClaim(identity=OTHER, answers="own"), OWN) is None
