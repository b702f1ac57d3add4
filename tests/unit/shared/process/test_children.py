from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.process.children import BACKGROUND_NICENESS, lower_thread_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")


def niceness():
    """Of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def niceness_in(executor):
    return executor.submit(niceness).result()


def test_only_the_thread_that_steps_back_lets_others_go_first():
    before = niceness()
    with ThreadPoolExecutor(1, initializer=lower_thread_priority) as patient, ThreadPoolExecutor(1) as usual:
        assert niceness_in(patient) == max(BACKGROUND_NICENESS, before)
        assert niceness_in(usual) == before
    assert niceness() == os.getpriority(os.PRIO_PROCESS, os.getpid()) == before


def test_it_is_the_thread_whose_priority_is_changed_and_not_the_process(monkeypatch):
    """Also where this process is as patient already."""
    asked = []
    monkeypatch.setattr(os, "setpriority", lambda *said: asked.append(said))

    def lower_and_report_thread():
        lower_thread_priority()
        return threading.get_native_id()

    with ThreadPoolExecutor(1) as executor:
        thread = executor.submit(lower_and_report_thread).result()
    assert thread != os.getpid()
    assert asked == [(os.PRIO_PROCESS, thread, max(BACKGROUND_NICENESS, niceness()))]


def test_threads_that_it_starts_are_as_patient():
    def of_a_child():
        with ThreadPoolExecutor(1) as child:
            return niceness_in(child)

    with ThreadPoolExecutor(1, initializer=lower_thread_priority) as patient:
        assert patient.submit(of_a_child).result() == niceness_in(patient) >= BACKGROUND_NICENESS


def test_who_is_more_patient_already_stays_so():
    def lower_again():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        lower_thread_priority()
        return niceness()

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(lower_again).result() == 19


def test_where_it_is_not_allowed_everything_goes_on(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    before = niceness()
    lower_thread_priority()
    assert niceness() == before
