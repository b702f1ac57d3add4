from __future__ import annotations

import pytest

from gateway.integrations.hooks.responses import MAX_RETRY_AFTER_S, failure_of_response


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_no_failure(status):
    assert failure_of_response(status) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status):
    failure = failure_of_response(status)
    assert failure is not None
    assert failure.again
    assert str(status) in failure.reason


@pytest.mark.parametrize("status", [100, 301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 410, 413, 422, 428])
def test_what_would_be_answered_alike_is_not_tried_again(status):
    failure = failure_of_response(status)
    assert failure is not None
    assert not failure.again
    assert str(status) in failure.reason


def test_a_redirection_tells_what_to_do():
    failure = failure_of_response(308)
    assert failure is not None
    assert "write the final address" in failure.reason


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7), (" 7 ", 7), ("0", 0), ("9999999", MAX_RETRY_AFTER_S), ("9" * 400, MAX_RETRY_AFTER_S),
        ("", 0), ("-5", 0), ("1.5", 0), ("٣", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
    ],
)  # fmt: skip
def test_a_server_may_ask_for_some_patience(header, seconds):
    failure = failure_of_response(503, header)
    assert failure is not None
    assert failure.after_s == seconds
