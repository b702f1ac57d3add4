from __future__ import annotations

import threading

import numpy as np

from camera_sources.agent.mailbox import Mailbox, Shot


def shot(number):
    return Shot(number, float(number), np.zeros((1, 1, 3), np.uint8))


def test_a_shot_is_taken_once():
    mailbox, one = Mailbox(), shot(1)
    assert mailbox.put_shot(one) is None
    assert mailbox.take_shot() is one
    assert mailbox.take_shot() is None


def test_the_newest_wins_and_the_one_it_replaced_is_returned():
    mailbox, older, newer = Mailbox(), shot(1), shot(2)
    mailbox.put_shot(older)
    assert mailbox.put_shot(newer) is older
    assert mailbox.take_shot() is newer


def test_a_mailbox_knows_whether_it_is_empty():
    mailbox = Mailbox()
    assert mailbox.empty
    assert mailbox.wait_until_empty(0)
    mailbox.put_shot(shot(1))
    assert not mailbox.empty
    assert not mailbox.wait_until_empty(0)
    mailbox.take_shot()
    assert mailbox.empty
    assert mailbox.wait_until_empty(0)


def test_who_waits_for_room_is_woken_when_the_shot_is_taken():
    mailbox = Mailbox()
    mailbox.put_shot(shot(1))
    woken = []
    waiting = threading.Thread(target=lambda: woken.append(mailbox.wait_until_empty(60)))
    waiting.start()
    mailbox.take_shot()
    waiting.join()
    assert woken == [True]


def test_every_shot_is_taken_or_replaced_whatever_the_threads_do():
    mailbox, replaced, taken = Mailbox(), [], []

    def fill():
        for number in range(2000):
            older = mailbox.put_shot(shot(number))
            if older is not None:
                replaced.append(older.number)

    filling = threading.Thread(target=fill)
    filling.start()
    while filling.is_alive() or not mailbox.empty:
        found = mailbox.take_shot()
        if found is not None:
            taken.append(found.number)
    filling.join()
    assert taken == sorted(taken)
    assert sorted(replaced + taken) == list(range(2000))
