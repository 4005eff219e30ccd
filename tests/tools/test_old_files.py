"""What old exporters wrote, and arrays of other machines and languages."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

X = np.random.default_rng(3).standard_normal((2, 3, 4, 4)).astype(np.float32)


def tensor(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def answer(kiln, folder, nodes, opset, outputs=("y",), constants=None, ir_version=3, inputs_are_all=False, x=X):
    """What the program makes of a model of one input x."""
    weights = [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()]
    inputs = [tensor("x", x.shape)]
    if inputs_are_all:
        inputs += [tensor(w.name, list(w.dims), w.data_type) for w in weights]
    graph = helper.make_graph(nodes, "net", inputs, [tensor(o) for o in outputs], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    if ir_version is None:
        model.ClearField("ir_version")
    else:
        model.ir_version = ir_version
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "x.npy", x)
    kiln.ok("run", "model.onnx", "--loadInputs=x:x.npy", "--saveOutputs=out.npz", "--builderOptimizationLevel=0")
    return np.load(folder / "out.npz")


@pytest.mark.parametrize("opset", [7, 9])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample(kiln, tmp_path, opset, mode):
    scales = [1.0, 1.0, 2.0, 3.0]
    if opset == 7:
        node, constants = helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=scales), {}
    else:
        node, constants = helper.make_node("Upsample", ["x", "s"], ["y"], mode=mode), {"s": np.array(scales, np.float32)}
    got = answer(kiln, tmp_path, [node], opset, constants=constants)["y"]
    assert got.shape == (2, 3, 8, 12)
    if mode == "nearest":
        np.testing.assert_array_equal(got, X.repeat(2, 2).repeat(3, 3))
    else:
        np.testing.assert_allclose(got[:, :, ::2, ::3], X, rtol=1e-6)  # asymmetric: each element stays where it is
        np.testing.assert_allclose(got[:, :, 1, 0], (X[:, :, 0, 0] + X[:, :, 1, 0]) / 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize("scales", [[1, 1, .6, .6], [1, 1, 2, .5], [1, 1, 1.3, 1], [1, 1, .7, 2.5]], ids=str)
def test_resize_of_opset_10(kiln, tmp_path, scales, computed):
    """Nearest rounds down where an axis grows and up where it shrinks, also where only running can tell."""
    constants = {"s": np.array(scales, np.float32), "zero": np.zeros([], np.float32)}
    nodes = [helper.make_node("Mul", ["x", "zero"], ["none"]), helper.make_node("ReduceSum", ["none"], ["n"], keepdims=0),
             helper.make_node("Add", ["s", "n"], ["t"])] if computed else []
    got = answer(kiln, tmp_path, [*nodes, helper.make_node("Resize", ["x", "t" if computed else "s"], ["y"])], 10, constants=constants)["y"]
    want = X
    for axis, scale in enumerate(scales):
        at = np.arange(int(np.floor(X.shape[axis] * scale + 1e-6))) / scale
        rows = np.ceil(at - 1e-6) if scale < 1 else np.floor(at + 1e-6)
        want = want.take(rows.astype(int).clip(0, X.shape[axis] - 1), axis)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("opset", [7, 10, 12, 13])
def test_dropout_with_its_mask(kiln, tmp_path, opset):
    got = answer(kiln, tmp_path, [helper.make_node("Dropout", ["x"], ["y", "m"])], opset, outputs=("y", "m"))
    np.testing.assert_array_equal(got["y"], X)
    assert got["m"].shape == X.shape and got["m"].astype(bool).all()


def test_dropout_that_was_left_in_training(kiln, tmp_path):
    """Opset 6 has is_test; before 12 there is no other form, and inference is meant."""
    got = answer(kiln, tmp_path, [helper.make_node("Dropout", ["x"], ["y"], ratio=0.9, is_test=1)], 6)
    np.testing.assert_array_equal(got["y"], X)


STATISTICS = {"s": np.array([1, 2, .5], np.float32), "b": np.array([0, 1, -1], np.float32), "m": np.array([.1, .2, .3], np.float32),
              "v": np.array([1, 4, .25], np.float32)}


def normalised(mean, variance):
    shape = (1, 3, 1, 1)
    return (X - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-5) * STATISTICS["s"].reshape(shape) + STATISTICS["b"].reshape(shape)


@pytest.mark.parametrize("opset", [7, 9])
def test_batch_normalization_with_the_outputs_of_training(kiln, tmp_path, opset):
    """Exporters left the outputs for running and saved statistics in; nobody reads them."""
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "mean", "var", "saved_mean", "saved_var"])
    got = answer(kiln, tmp_path, [node], opset, constants=STATISTICS)["y"]
    np.testing.assert_allclose(got, normalised(STATISTICS["m"], STATISTICS["v"]), rtol=1e-4, atol=1e-5)


def test_batch_normalization_whose_statistics_are_read_is_one_of_training(kiln, tmp_path):
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "mean", "var", "saved_mean", "saved_var"])
    with pytest.raises(AssertionError, match="its statistics are read"):
        answer(kiln, tmp_path, [node], 9, outputs=("y", "var"), constants=STATISTICS)


def test_batch_normalization_in_training_mode(kiln, tmp_path):
    """The batch's own statistics, and the running ones moved towards them."""
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "mean", "var"], training_mode=1, momentum=0.75)
    got = answer(kiln, tmp_path, [node], 15, outputs=("y", "mean", "var"), constants=STATISTICS, ir_version=8)
    mean, variance = X.mean((0, 2, 3)), X.var((0, 2, 3))
    np.testing.assert_allclose(got["y"], normalised(mean, variance), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got["mean"], .75 * STATISTICS["m"] + .25 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got["var"], .75 * STATISTICS["v"] + .25 * variance, rtol=1e-4, atol=1e-6)


def test_initializers_that_are_inputs(kiln, tmp_path):
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])
    got = answer(kiln, tmp_path, [node], 7, constants=STATISTICS, inputs_are_all=True)["y"]
    np.testing.assert_allclose(got, normalised(STATISTICS["m"], STATISTICS["v"]), rtol=1e-4, atol=1e-5)


def test_a_model_without_its_version(kiln, tmp_path):
    got = answer(kiln, tmp_path, [helper.make_node("Relu", ["x"], ["y"])], 11, ir_version=None)["y"]
    np.testing.assert_array_equal(got, np.maximum(X, 0))


@pytest.mark.parametrize("kind", [">f4", "<f4", "=f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("archive", [False, True])
def test_arrays_of_any_byte_order_and_order_of_dimensions(kiln, tmp_path, kind, order, archive):
    answer(kiln, tmp_path, [helper.make_node("Neg", ["x"], ["y"])], 13)
    x = np.asarray(X.astype(kind), order=order)
    if archive:
        np.savez(tmp_path / "x.npz", x=x)
    else:
        np.save(tmp_path / "x.npy", x)
    kiln.ok("run", "model.onnx", f"--loadInputs=x:x.{'npz' if archive else 'npy'}", "--saveOutputs=out", "--builderOptimizationLevel=0")
    np.testing.assert_array_equal(np.load(tmp_path / "out/y.npy"), -X)
