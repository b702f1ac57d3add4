import onnx
import pytest
from onnx import TensorProto, helper

from shared.engine.program_check import check_program
from shared.errors import ModelError

OWN = f"{'0' * 64}.weights"


def weight(name="weight", location=None):
    tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], [1.0])
    if location is not None:
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    return tensor


def graph(*nodes, weights=()):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    return helper.make_graph(nodes, "program", [image], [out], list(weights))


ADD = helper.make_node("Add", ["image", "weight"], ["out"])


def written(folder, made, **options):
    path = folder / "program.onnx"
    path.write_bytes(helper.make_model(made, **options).SerializeToString())
    return path


@pytest.mark.parametrize("location", [None, OWN])
def test_a_program_with_its_weights_inside_or_beside_it_passes(tmp_path, location):
    check_program(written(tmp_path, graph(ADD, weights=[weight(location=location)])))


OUTSIDE = ["/etc/passwd", f"../{OWN}", f"sub/{OWN}", "node-key.pem", f"{OWN}/../token", OWN.upper(), ""]


@pytest.mark.parametrize("location", OUTSIDE)
def test_a_program_that_would_read_another_file_is_refused(tmp_path, location):
    with pytest.raises(ModelError, match="would read another file"):
        check_program(written(tmp_path, graph(ADD, weights=[weight(location=location)])))


def test_a_file_that_is_hidden_in_a_branch_or_an_attribute_is_found(tmp_path):
    constant = helper.make_node("Constant", [], ["weight"], value=weight(location="/etc/passwd"))
    shown = helper.make_tensor_value_info("weight", TensorProto.FLOAT, [1])
    inner = helper.make_graph([constant], "inner", [], [shown])
    branch = helper.make_node("If", ["image"], ["out"], then_branch=inner, else_branch=inner)
    for made in (graph(constant, ADD), graph(branch)):
        with pytest.raises(ModelError, match="would read another file, '/etc/passwd'"):
            check_program(written(tmp_path, made))


@pytest.mark.parametrize("node", [
    helper.make_node("Add", ["image", "weight"], ["out"], domain="com.example"),
    helper.make_node("ReadFile", ["image"], ["out"]),
])  # fmt: skip
def test_an_operator_that_is_not_of_the_standard_is_refused(tmp_path, node):
    with pytest.raises(ModelError, match="unknown operator"):
        check_program(written(tmp_path, graph(node, weights=[weight()])))


def test_functions_and_noise_are_refused(tmp_path):
    function = helper.make_function("own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [])
    with pytest.raises(ModelError, match="functions of its own"):
        check_program(written(tmp_path, graph(ADD, weights=[weight()]), functions=[function]))
    (tmp_path / "program.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="no ONNX model"):
        check_program(tmp_path / "program.onnx")


def test_every_program_of_this_release_has_known_operators():
    assert all(onnx.defs.has(name) for name in ("Conv", "QuantizeLinear", "NonMaxSuppression", "Loop", "GridSample"))
