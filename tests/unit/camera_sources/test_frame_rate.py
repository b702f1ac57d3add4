from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from camera_sources.frame_rate import MAX_FPS, FrameLimit, parse_frame_limit


@pytest.mark.parametrize(("said", "fps"), [(5, 5.0), (0.1, 0.1), ("2.5", 2.5), (MAX_FPS, MAX_FPS), ("all", None)])
def test_a_limit_is_a_number_or_all(said, fps):
    assert parse_frame_limit(said) == fps
    assert TypeAdapter(FrameLimit).validate_python(said) == fps


@pytest.mark.parametrize("said", [0, -1, 241, "every", "", "nan", "inf", True, None, [5], {}])
def test_what_is_none_is_told_with_what_would_be_right(said):
    with pytest.raises(ValueError, match="invalid frame rate; write a number above 0 and up to 240, or all"):
        parse_frame_limit(said)
    with pytest.raises(ValidationError):
        TypeAdapter(FrameLimit).validate_python(said)
