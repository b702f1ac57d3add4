"""What commands say of input that cannot be, before they start anything."""

from __future__ import annotations

import pytest

BAD = [
    (("detect", "nowhere.png"), 1, "nowhere.png does not exist"),
    (("detect", "notes.txt"), 1, "it is broken"),
    (("detect", "notes.png"), 1, "it is broken"),
    (("detect", "notes.png", "--model", "yolov99"), 2, "unknown model 'yolov99'"),
    (("verify", "--model", "nothing.onnx"), 1, "cannot be read: no such file"),
    (("verify", "--model", "notes.onnx"), 1, "is not a"),
    (("verify", "--grid", "53x1"), 2, "larger than the map it divides (52x52 cells); choose at most 52x52"),
    (("verify", "--grid", "3by3"), 2, "write for example 3x3"),
    (("verify", "--grid", "0x3"), 2, "at least 1"),
    (("verify", "--cut", "conv_99"), 1, "has no layer 'conv_99'"),
    (("verify", "--cut", "concat_44"), 1, "cut behind all of them together (concat_44,concat_28"),
    (("verify", "--cut", "scores_8"), 1, "cut"),
    (("demo", "--source", "gopher://camera/1"), 2, "is not supported; write file://"),
    (("camera", "--name", "Front Door", "--edge", "127.0.0.1:9", "--source", "."), 2, "lower-case letters"),
    (("camera", "--name", "front", "--edge", "nowhere", "--source", "."), 2, "is not HOST:PORT"),
    (("edge", "--gateway", "127.0.0.1:99999"), 2, "is not HOST:PORT"),
    (("edge", "--name", "Edge/1"), 2, "lower-case letters"),
    (("gateway", "--model", "yolov99"), 2, "unknown model"),
]
"""Command, exit code, and words that the one line of the error must have."""


@pytest.mark.parametrize(("arguments", "code", "words"), BAD)
def test_bad_input_is_one_line_that_says_what_to_do(arguments, code, words, deepthings, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture, no model")
    (tmp_path / "notes.onnx").write_text("no model")
    (tmp_path / "notes.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = deepthings(*arguments)
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, done.stdout) == (code, "")
    assert words.lower() in error.lower()
