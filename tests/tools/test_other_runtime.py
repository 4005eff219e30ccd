"""Operators of com.microsoft and ai.onnx.ml beside ONNX Runtime, where it is installed, and beside their definitions."""
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from other_runtime_cases import CASES, DEFINED
from test_reported_models import write_set

# What ONNX Runtime computes in eight bits may round the other way.
STEPS = {"qlinear_sigmoid", "qlinear_softmax", "qlinear_mul", "qlinear_add", "qlinear_leaky_relu", "qlinear_average_pool",
         "qlinear_global_average_pool", "qgemm", "qlinear_concat"}


def model_of(name, case):
    operator, arrays, attributes, results, weights = case
    domain, _, kind = operator.rpartition(".")
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(results)]
    node = helper.make_node(kind, names, outputs, domain=domain, **attributes)
    feeds = {n: a for i, (n, a) in enumerate(zip(names, arrays)) if n and i not in weights}
    graph = helper.make_graph(
        [node], name, [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()],
        [onnx.ValueInfoProto(name=o) for o in outputs], [numpy_helper.from_array(arrays[i], names[i]) for i in weights])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8), feeds


def agrees(kiln, name, model, feeds, answers):
    onnx.save(model, kiln.folder / "model.onnx")
    write_set(kiln.folder / "test_data_set_0", model, feeds, answers)
    kiln.ok("compare", "model.onnx", "--data=.", "--backend=cpu", "--builderOptimizationLevel=0", "--rtol=1e-3",
            f"--atol={0.006 if name in STEPS else 1e-4}")


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnx_runtime(kiln, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, feeds = model_of(name, CASES[name])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    agrees(kiln, name, model, feeds, session.run(None, feeds))


@pytest.mark.parametrize("name", DEFINED)
def test_agrees_with_its_definition(kiln, name):
    case, answers = DEFINED[name]
    agrees(kiln, name, *model_of(name, case), answers)


@pytest.mark.parametrize("attributes, dims", [
    ({"kernel_shape": [2, 2], "strides": [2, 2]}, (2, 5, 12, 14)),
    ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, (1, 17, 9, 7)),
    ({"kernel_shape": [4, 3], "pads": [1, 0, 2, 1], "count_include_pad": 1}, (1, 33, 9, 7)),
    ({"kernel_shape": [2, 4], "strides": [1, 2], "channels_last": 1}, (2, 8, 10, 19)),
    ({}, (2, 70, 6, 6)), ({}, (1, 3, 14, 9)), ({"channels_last": 1}, (2, 6, 4, 20))])
def test_means_of_bytes_are_those_of_the_reference(kiln, attributes, dims):
    random = np.random.default_rng(3)
    kind = "QLinearAveragePool" if "kernel_shape" in attributes else "QLinearGlobalAveragePool"
    for scale, zeros in ((0.05, (120, 130)), (0.0471, (0, 255)), (0.1, (255, 0))):  # halves of a step are frequent with the first
        arrays = [random.integers(0, 256, dims, np.uint8), np.array(0.05, np.float32), np.array(zeros[0], np.uint8),
                  np.array(scale, np.float32), np.array(zeros[1], np.uint8)]
        model, feeds = model_of("means", ("com.microsoft." + kind, arrays, attributes, 1, (1, 2, 3, 4)))
        onnx.save(model, kiln.folder / "model.onnx")
        np.save(kiln.folder / "x.npy", feeds["x0"])
        results = {}
        for backend in ("ref", "cpu"):
            kiln.ok("run", "model.onnx", f"--backend={backend}", "--loadInputs=x0:x.npy", f"--saveOutputs={backend}")
            results[backend] = np.load(kiln.folder / backend / "y0.npy")
        np.testing.assert_array_equal(results["cpu"], results["ref"])


# Scales and zero points by their places: those that are one value, and those that may have one for each column.
PARAMETERS = {"qlinear_add": (1, 2, 4, 5, 6, 7), "qlinear_mul": (1, 4, 6), "qlinear_concat": (0, 1, 3, 4), "qlinear_leaky_relu": (1, 3),
              "qlinear_sigmoid": (1, 3), "qlinear_softmax": (1, 3), "qlinear_average_pool": (1, 3), "qlinear_global_average_pool": (1, 3),
              "qgemm": (1, 2, 4, 5, 7, 8), "qattention": (3, 4, 6, 7), "matmul_integer_to_float": (2, 3, 4, 5), "dynamic_quantize_matmul": (2, 3)}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_other_shapes_are_refused(kiln, name):
    operator, arrays, attributes, results, weights = CASES[name]
    for i in PARAMETERS[name]:
        for count in (0, 2):
            changed = [*arrays[:i], np.ones(count, arrays[i].dtype), *arrays[i + 1:]]
            model, _ = model_of(name, (operator, changed, attributes, results, weights))
            onnx.save(model, kiln.folder / "model.onnx")
            text = kiln.fails(1, "build", "model.onnx", "-o", "net.plan")
            assert f"has the shape [{count}]" in text and "one value" in text, f"input {i}"
