from __future__ import annotations

import asyncio

import pytest

from gateway.configuration.automation import CommandHookSection, HooksSection
from gateway.integrations.hooks.runner import HookRunner
from shared.errors import ConfigurationError
from tests.hook_events import event

ONE = HooksSection(commands=(CommandHookSection(command=("one",)),))
TWO = HooksSection(commands=(CommandHookSection(command=("two",)),))
INVALID = HooksSection()


class FakeHooks:
    """The hooks of a section; they end when the test lets them."""

    def __init__(self, section):
        self.section = section
        self.events = []
        self.started, self.cancelled, self.may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.failure = None

    def notify(self, seen):
        self.events.append(seen)

    def problems(self):
        return [f"{self.section.commands[0].command[0]} fails"]

    async def run(self):
        self.started.set()
        try:
            await asyncio.Event().wait() if self.failure is None else None
        finally:
            self.cancelled.set()
            await self.may_end.wait()
        raise self.failure


@pytest.fixture
async def made():
    return []


@pytest.fixture
async def runner(made):
    def make(section):
        if section is INVALID:
            raise ConfigurationError("no address")
        made.append(FakeHooks(section))
        return made[-1]

    return HookRunner(ONE, make)


@pytest.fixture
async def running(runner, made):
    task = asyncio.create_task(runner.run())
    yield task
    task.cancel()
    for hooks in made:
        hooks.may_end.set()
    await asyncio.gather(task, return_exceptions=True)


async def within(event_):
    await asyncio.wait_for(event_.wait(), 5)


async def test_it_hands_events_to_the_hooks_of_the_configuration(runner, made):
    seen = event()
    runner.notify(seen)
    assert [hooks.section for hooks in made] == [ONE]
    assert made[0].events == [seen]
    assert runner.problems(0.0) == ["one fails"]


async def test_replaced_hooks_get_the_events_from_now_on_and_run_after_the_earlier_ones_have_ended(
    runner, made, running
):
    await within(made[0].started)
    runner.replace_hooks(TWO)
    runner.notify(event())
    await within(made[0].cancelled)
    assert (len(made[0].events), len(made[1].events)) == (0, 1)
    assert not made[1].started.is_set(), "the earlier hooks still deliver"
    made[0].may_end.set()
    await within(made[1].started)
    assert runner.problems(0.0) == ["two fails"]
    assert not running.done()


@pytest.mark.usefixtures("running")
async def test_equal_hooks_go_on(runner, made):
    await within(made[0].started)
    runner.replace_hooks(ONE.model_copy(deep=True))
    runner.replace_hooks(TWO)
    await within(made[0].cancelled)
    assert [hooks.section for hooks in made] == [ONE, TWO]


@pytest.mark.usefixtures("running")
async def test_hooks_that_were_replaced_before_they_ran_are_skipped(runner, made):
    await within(made[0].started)
    runner.replace_hooks(TWO)
    runner.replace_hooks(ONE)
    made[0].may_end.set()
    await within(made[2].started)
    assert not made[1].started.is_set()


async def test_cancelled_it_waits_for_the_end_of_the_hooks(made, running):
    await within(made[0].started)
    running.cancel()
    await within(made[0].cancelled)
    assert not running.done()
    made[0].may_end.set()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def test_a_failure_of_the_hooks_is_its_own(runner, made):
    made[0].failure = RuntimeError("broken")
    made[0].may_end.set()
    with pytest.raises(RuntimeError, match="broken"):
        await asyncio.wait_for(runner.run(), 5)


async def test_hooks_that_cannot_be_made_replace_nothing(runner, made):
    with pytest.raises(ConfigurationError):
        runner.replace_hooks(INVALID)
    runner.notify(event())
    assert len(made[0].events) == 1
