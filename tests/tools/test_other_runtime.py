"""Operators of com.microsoft and ai.onnx.ml beside ONNX Runtime, where it is installed, and beside their definitions."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from other_runtime_cases import CASES, DEFINED
from test_reported_models import write_set

# What ONNX Runtime computes in eight bits may round the other way.
STEPS = {"qlinear_sigmoid", "qlinear_softmax", "qlinear_mul", "qlinear_add", "qlinear_leaky_relu", "qlinear_average_pool",
         "qlinear_global_average_pool", "qgemm", "qlinear_concat", "qlinear_where", "qlinear_conv_channels_last"}


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
              "qlinear_where": (2, 3, 5, 6, 7, 8), "qgemm": (1, 2, 4, 5, 7, 8), "qattention": (3, 4, 6, 7), "matmul_integer_to_float": (2, 3, 4, 5), "dynamic_quantize_matmul": (2, 3)}


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


class Pairs:
    """A layer between DequantizeLinear of bytes and QuantizeLinear; `real` is what is quantized, in units of the result."""

    def __init__(self, seed=5):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.feeds = [], {}, {}

    def grain(self, name, scale, zero):
        self.constants |= {name + "_s": np.array(scale, np.float32), name + "_z": np.array(zero, np.uint8)}
        return name + "_s", name + "_z"

    def numbers(self, name, dims, scale, zero):
        """An input of bytes as numbers."""
        self.feeds[name] = self.random.integers(0, 256, dims).astype(np.uint8)
        self.nodes.append(helper.make_node("DequantizeLinear", [name, *self.grain(name, scale, zero)], [name + "_d"]))
        return name + "_d"

    def weights(self, name, dims, axis, scale=None):
        scales = self.random.uniform(0.002, 0.01, dims[axis]) if scale is None else np.full(dims[axis], scale)
        self.constants |= {name: self.random.integers(-127, 128, dims).astype(np.int8), name + "_s": scales.astype(np.float32)}
        self.nodes.append(helper.make_node("DequantizeLinear", [name, name + "_s"], [name + "_d"], axis=axis))
        return name + "_d"

    def layer(self, op, inputs, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [f"t{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def model(self, real, scale, zero, also=()):
        nodes = [*self.nodes, helper.make_node("QuantizeLinear", [real, *self.grain("y", scale, zero)], ["y"])]
        graph = helper.make_graph(nodes, "layer", [helper.make_tensor_value_info(k, TensorProto.UINT8, v.shape) for k, v in self.feeds.items()],
                                  [onnx.ValueInfoProto(name=o) for o in ("y", *also)], [numpy_helper.from_array(v, k) for k, v in self.constants.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolved(p, outputs=24, **attributes):
    x = p.numbers("x", [1, 12, 9, 7], 0.021, 117)
    group = attributes.get("group", 1)
    return p.layer("Relu", [p.layer("Conv", [x, p.weights("w", [outputs, 12 // group, 3, 3], 0)], pads=[1, 1, 1, 1], **attributes)])


def convolved_line(p, outputs=24, **attributes):
    weights = p.weights("w", [outputs, 12 // attributes.get("group", 1), 5], 0)
    return p.layer("Conv", [p.numbers("x", [2, 12, 31], 0.021, 117), weights], pads=[2, 1], **attributes)


def convolved_volume(p, outputs=10, **attributes):
    weights = p.weights("w", [outputs, 4 // attributes.get("group", 1), 3, 3, 2], 0)
    return p.layer("Conv", [p.numbers("x", [1, 4, 6, 5, 7], 0.021, 117), weights], pads=[1, 1, 0, 1, 1, 1], **attributes)


def resized(p, *factors):
    return p.layer("Resize", [p.numbers("x", [1, 3, 9, 8], 0.021, 117), "", p.layer("Constant", [], value_floats=[1.0, 1.0, *factors])], mode="linear")


LAYERS = {
    "convolution": (convolved, 0.037, 0),
    "groups": (lambda p: convolved(p, group=3), 0.021, 0),
    "depthwise": (lambda p: convolved(p, outputs=12, group=12, strides=[2, 2]), 0.013, 0),
    "line": (lambda p: convolved_line(p, strides=[2]), 0.037, 120),
    "line of groups": (lambda p: convolved_line(p, group=2, dilations=[3]), 0.037, 120),
    "depthwise line": (lambda p: convolved_line(p, outputs=12, group=12), 0.013, 120),
    "transposed line": (lambda p: p.layer("ConvTranspose", [p.numbers("x", [1, 6, 19], 0.021, 117), p.weights("w", [6, 5, 4], 1)], strides=[2]), 0.05, 120),
    "volume": (lambda p: convolved_volume(p, strides=[2, 1, 1]), 0.037, 120),
    "volume of groups": (lambda p: convolved_volume(p, group=2), 0.037, 120),
    "depthwise volume": (lambda p: convolved_volume(p, outputs=4, group=4), 0.013, 120),
    "transposed volume": (lambda p: p.layer("ConvTranspose", [p.numbers("x", [1, 6, 3, 4, 5], 0.021, 117), p.weights("w", [6, 5, 2, 2, 2], 1)],
                                            strides=[2, 2, 2]), 0.05, 120),
    "transposed": (lambda p: p.layer("ConvTranspose", [p.numbers("x", [1, 6, 5, 4], 0.021, 117), p.weights("w", [6, 5, 3, 3], 1)], strides=[2, 2]), 0.05, 120),
    "product": (lambda p: p.layer("MatMul", [p.numbers("x", [33, 70], 0.021, 117), p.weights("w", [70, 40], 1)]), 0.05, 120),
    "product of halves": (lambda p: p.layer("MatMul", [p.numbers("x", [330, 3], 0.05, 117), p.weights("w", [3, 40], 1, scale=0.1)]), 1.28, 120),
    "gemm": (lambda p: p.layer("Gemm", [p.numbers("x", [33, 70], 0.021, 117), p.weights("w", [40, 70], 0)], transB=1), 0.05, 120),
    "pair": (lambda p: p.layer("MatMul", [p.numbers("x", [2, 17, 30], 0.021, 117), p.numbers("v", [2, 30, 20], 0.017, 128)]), 0.21, 120),
    "sum": (lambda p: p.layer("Add", [p.numbers("x", [40, 30], 0.021, 117), p.numbers("v", [40, 30], 0.017, 131)]), 0.031, 120),
    "sum of halves": (lambda p: p.layer("Add", [p.numbers("x", [40, 30], 0.05, 117), p.numbers("v", [40, 30], 0.1, 131)]), 0.1, 120),
    "gate": (lambda p: p.layer("Mul", [p.numbers("x", [40, 30], 0.021, 117), p.numbers("v", [40, 30], 0.004, 0)]), 0.012, 120),
    "curve": (lambda p: p.layer("Sigmoid", [p.numbers("x", [40, 30], 0.05, 117)]), 1 / 256, 0),
    "join": (lambda p: p.layer("Concat", [p.numbers("x", [4, 30], 0.021, 117), p.numbers("v", [4, 20], 0.017, 131)], axis=1), 0.0233, 120),
    "maximum": (lambda p: p.layer("MaxPool", [p.numbers("x", [1, 8, 9, 9], 0.021, 117)], kernel_shape=[3, 3], strides=[2, 2]), 0.0233, 120),
    "maximum of a volume": (lambda p: p.layer("MaxPool", [p.numbers("x", [1, 8, 5, 6, 7], 0.021, 117)], kernel_shape=[2, 3, 2], strides=[2, 1, 2]), 0.0233, 120),
    "mean of a line": (lambda p: p.layer("AveragePool", [p.numbers("x", [2, 8, 29], 0.021, 117)], kernel_shape=[3], pads=[1, 1]), 0.0133, 120),
    "mean": (lambda p: p.layer("GlobalAveragePool", [p.numbers("x", [2, 8, 9, 9], 0.021, 117)]), 0.00233, 120),
    "pad": (lambda p: p.layer("Pad", [p.numbers("x", [2, 3, 4], 0.021, 117), p.layer("Constant", [], value_ints=[0, 1, 2, 0, 0, 1])]), 0.0233, 120),
    "larger by weights": (lambda p: resized(p, 2.0, 3.0), 0.0233, 120),
    "smaller by weights": (lambda p: resized(p, 0.6, 0.5), 0.0233, 120),
    "larger": (lambda p: p.layer("Resize", [p.numbers("x", [1, 3, 4, 5], 0.021, 117), "", p.layer("Constant", [], value_floats=[1.0, 1.0, 2.0, 3.0])],
                                 mode="nearest"), 0.0233, 120),
}


@pytest.mark.parametrize("name", LAYERS)
def test_pairs_agree_with_onnx_runtime_without_its_optimisations(kiln, name):
    """One unit of difference at most, and only where what is quantized lies halfway between two units but for the rounding of sums in float32."""
    onnxruntime = pytest.importorskip("onnxruntime")
    make, scale, zero = LAYERS[name]
    pairs = Pairs()
    real = make(pairs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(pairs.model(real, scale, zero, [real]).SerializeToString(), options, providers=["CPUExecutionProvider"])
    want, unrounded = (a.astype(np.float64) for a in session.run(["y", real], pairs.feeds))
    onnx.save(pairs.model(real, scale, zero), kiln.folder / "model.onnx")
    for key, value in pairs.feeds.items():
        np.save(kiln.folder / f"{key}.npy", value)
    given = ",".join(f"{key}:{key}.npy" for key in pairs.feeds)
    kiln.ok("run", "model.onnx", "--backend=cpu", "--builderOptimizationLevel=0", f"--loadInputs={given}", "--saveOutputs=results")
    got = np.load(kiln.folder / "results" / "y.npy").astype(np.float64)
    assert np.ptp(want) > 9, "the case tells little"
    quotient = unrounded / np.float64(np.float32(scale))
    halfway = np.abs(np.abs(quotient - np.floor(quotient)) - 0.5) < 1e-3
    assert np.abs(got - want).max() <= 1 and np.all(halfway[got != want]), (np.abs(got - want).max(), quotient[(got != want) & ~halfway][:5])
