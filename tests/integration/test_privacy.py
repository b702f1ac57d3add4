"""Nothing of ours reports to anybody outside."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.models.catalogue import DEFAULT_MODEL

MODEL = f"gateway/models/{DEFAULT_MODEL}/{DEFAULT_MODEL}.onnx"


def test_onnxruntime_keeps_no_reports_for_its_maker(tmp_path):
    """It collects them in a database below the user's cache, where it may not reach the maker, and sends them later."""
    computing = f"import shared.engine.sessions, onnxruntime; onnxruntime.InferenceSession({MODEL!r})"
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", computing], check=True, env=environment, timeout=60)
    assert list(tmp_path.rglob("*")) == []
