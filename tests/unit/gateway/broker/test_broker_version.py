from __future__ import annotations

import pytest

from gateway.broker.broker_version import version_problem

HELP = "mosquitto version {}\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker.\n\nUsage: mosquitto [-c config_file]\n"


@pytest.mark.parametrize("version", ["2.0.0", "2.0.11", "2.0.22", "2.1.2", "2.9.0-rc1"])
def test_mosquitto_2_is_understood(version):
    assert version_problem(HELP.format(version), secured=True) == ""


@pytest.mark.parametrize("secured", [True, False])
def test_mosquitto_3_is_refused_in_words(secured):
    problem = version_problem(HELP.format("3.0.1"), secured=secured)
    assert problem.startswith("Mosquitto 3.0.1 is newer than this release knows")
    assert "install Mosquitto 2, or update DeepThings" in problem


def test_an_old_one_will_do_without_logins():
    assert version_problem(HELP.format("1.6.9"), secured=False) == ""
    assert "update it to 2.0 or later" in version_problem(HELP.format("1.6.9"), secured=True)


def test_an_unknown_version_is_tried():
    assert version_problem("something else", secured=True) == ""
