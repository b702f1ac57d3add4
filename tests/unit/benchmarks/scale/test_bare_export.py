from __future__ import annotations

from benchmarks.depthwise import write_depthwise
from benchmarks.scale.bare_export import export_bare
from benchmarks.scale.bare_model import BareModel


def test_a_model_is_exported_once_with_all_that_a_loop_needs(tmp_path):
    name = str(write_depthwise(tmp_path))
    path = export_bare(name, tmp_path / "exported")
    model = BareModel.read(path)
    assert (model.input_size, model.outputs) == ((416, 416), {"output": (1, 3549, 85)})
    moment = model.file.stat().st_mtime_ns
    assert export_bare(name, tmp_path / "exported") == path
    assert model.file.stat().st_mtime_ns == moment
