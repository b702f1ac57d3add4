import io
import json
import logging
import re

import pytest

from shared.logs.json_lines import LOG_VARIABLE, JsonFormatter
from shared.logs.setup import SparingHandler, _formatter
from tests.documents import ROOT


@pytest.fixture
def handler():
    handler = SparingHandler()
    handler.setStream(io.StringIO())
    handler.setFormatter(JsonFormatter())
    yield handler
    handler.close()


@pytest.fixture
def log(handler):
    log = logging.Logger("part")  # noqa: LOG001  (one without parents: pytest keeps what it hears)
    log.addHandler(handler)
    return log


def lines(handler):
    return [json.loads(line) for line in handler.stream.getvalue().splitlines()]


def test_each_line_is_an_object(log, handler):
    log.warning("camera %s: %s", "door", 'no "picture"\nfor 30 s')
    (line,) = lines(handler)
    assert (line["level"], line["logger"], line["message"]) == (
        "warning",
        "part",
        'camera door: no "picture"\nfor 30 s',
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])


def test_an_exception_is_on_the_same_line(log, handler):
    try:
        int("broken")
    except ValueError:
        log.exception("failed")
    (line,) = lines(handler)
    assert line["exception"].endswith("'broken'")


def test_what_repeats_is_counted_in_json_too(log, handler):
    for number in range(10):
        log.warning("tile %s is late", number)
    handler.close()
    assert lines(handler)[-1]["message"] == "tile 9 is late (7 times in the last 1 s)"


@pytest.mark.parametrize(("value", "is_json"), [("json", True), ("", False), ("text", False)])
def test_the_environment_asks_for_it(monkeypatch, value, is_json):
    monkeypatch.setenv(LOG_VARIABLE, value)
    assert isinstance(_formatter(), JsonFormatter) == is_json


def test_the_documentation_has_a_line_with_all_keys():
    (line,) = re.findall(r"```json\n(.*?)\n```", (ROOT / "docs" / "logs.md").read_text(), re.DOTALL)
    record = logging.LogRecord("a", logging.INFO, "", 0, "b", (), None)
    assert json.loads(line).keys() == json.loads(JsonFormatter().format(record)).keys()
