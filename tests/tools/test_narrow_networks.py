"""Networks in float16, bfloat16 and quantized form: right, and without a step of the reference."""
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HALF = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2}


def values(random, *dims, scale=1.0):
    return (random.standard_normal(dims) * scale).astype(np.float32)


def graph_of(nodes, image, output, constants):
    weights = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    return helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
                             [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], weights)


def save(graph, path):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path)
    return model


def narrowed(graph, kind):
    """The same graph with float constants, input and output in a 16-bit type."""
    half = onnx.GraphProto()
    half.CopyFrom(graph)
    for i, tensor in enumerate(half.initializer):
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor)
            dtype = helper.tensor_dtype_to_np_dtype(HALF[kind])
            half.initializer[i].CopyFrom(numpy_helper.from_array(array.astype(dtype), tensor.name))
    for value in [*half.input, *half.output]:
        value.type.tensor_type.elem_type = HALF[kind]
    return half


def tactics_of(kiln):
    """Of the layers of the engine; those in tiles go by the names of those they stand in for."""
    layers = json.loads(kiln.ok("inspect", "net.plan", "--json"))["layers"]
    return [layer["tactic"].removesuffix("_amx") for layer in layers]


def between_casts(half):
    """A graph in bfloat16 with casts at both ends, as numpy files hold none of it."""
    for node in half.node:
        node.input[:] = ["x16" if name == "x" else name for name in node.input]
        node.output[:] = ["y16" if name == "y" else name for name in node.output]
    casts = [helper.make_node("Cast", ["x"], ["x16"], name="to16", to=TensorProto.BFLOAT16), *half.node,
             helper.make_node("Cast", ["y16"], ["y"], name="from16", to=TensorProto.FLOAT)]
    del half.node[:]
    half.node.extend(casts)
    for value in [*half.input, *half.output]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    return half


def convolutions(random):
    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
             helper.make_node("MaxPool", ["r1"], ["p1"], name="pool1", kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Conv", ["p1", "w2"], ["c2"], name="conv2", pads=[1, 1, 1, 1]),
             helper.make_node("BatchNormalization", ["c2", "scale", "shift", "mean", "variance"], ["n2"], name="norm2"),
             helper.make_node("Add", ["n2", "p1"], ["s2"], name="sum2"),
             helper.make_node("Sigmoid", ["s2"], ["g2"], name="gate2"),
             helper.make_node("Mul", ["s2", "g2"], ["m2"], name="swish2"),
             helper.make_node("GlobalAveragePool", ["m2"], ["a3"], name="mean3"),
             helper.make_node("Flatten", ["a3"], ["f3"], name="flat3"),
             helper.make_node("Gemm", ["f3", "w4", "b4"], ["g4"], name="dense4", transB=1),
             helper.make_node("Softmax", ["g4"], ["y"], name="softmax5", axis=-1)]
    constants = {"w1": values(random, 16, 3, 3, 3, scale=0.3), "b1": values(random, 16), "w2": values(random, 16, 16, 3, 3, scale=0.1),
                 "scale": np.ones(16, np.float32), "shift": values(random, 16), "mean": values(random, 16, scale=0.2),
                 "variance": np.abs(values(random, 16)) + 0.5, "w4": values(random, 10, 16, scale=0.3), "b4": values(random, 10)}
    return graph_of(nodes, [2, 3, 20, 18], "y", constants), values(random, 2, 3, 20, 18)


def transformer(random):
    heads, width = 4, 64
    part = width // heads
    nodes = [helper.make_node("LayerNormalization", ["x", "g1", "d1"], ["n1"], name="norm1", axis=-1)]
    for name in "qkv":
        nodes += [helper.make_node("MatMul", ["n1", "w" + name], ["m" + name], name="product_" + name),
                  helper.make_node("Reshape", ["m" + name, "split"], ["s" + name], name="split_" + name),
                  helper.make_node("Transpose", ["s" + name], [name], name="heads_" + name,
                                   perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3])]
    nodes += [helper.make_node("MatMul", ["q", "k"], ["scores"], name="scores"),
              helper.make_node("Mul", ["scores", "factor"], ["scaled"], name="scaled"),
              helper.make_node("Softmax", ["scaled"], ["p"], name="softmax", axis=-1),
              helper.make_node("MatMul", ["p", "v"], ["read"], name="read"),
              helper.make_node("Transpose", ["read"], ["back"], name="back", perm=[0, 2, 1, 3]),
              helper.make_node("Reshape", ["back", "join"], ["joined"], name="joined"),
              helper.make_node("MatMul", ["joined", "wo"], ["o"], name="product_o"),
              helper.make_node("Add", ["o", "x"], ["r1"], name="residual1"),
              helper.make_node("LayerNormalization", ["r1", "g1", "d1"], ["n2"], name="norm2", axis=-1),
              helper.make_node("MatMul", ["n2", "wu"], ["up"], name="up"),
              helper.make_node("Add", ["up", "bu"], ["upb"], name="up_bias"),
              helper.make_node("Gelu", ["upb"], ["act"], name="gelu"),
              helper.make_node("MatMul", ["act", "wd"], ["down"], name="down"),
              helper.make_node("Add", ["down", "r1"], ["y"], name="residual2")]
    constants = {"g1": np.ones(width, np.float32), "d1": values(random, width, scale=0.1),
                 "split": np.array([0, 0, heads, part], np.int64), "join": np.array([0, 0, width], np.int64),
                 "factor": np.array(part ** -0.5, np.float32), "wu": values(random, width, 4 * width, scale=0.1),
                 "bu": values(random, 4 * width, scale=0.1), "wd": values(random, 4 * width, width, scale=0.1)}
    constants.update({"w" + name: values(random, width, width, scale=0.1) for name in "qkvo"})
    return graph_of(nodes, [2, 24, width], "y", constants), values(random, 2, 24, width)


def steps_by_reference(kiln, model):
    kiln.ok("build", f"--onnx={model}", "--saveEngine=net.plan", "--builderOptimizationLevel=0")
    layers = json.loads(kiln.ok("inspect", "net.plan", "--json"))["layers"]
    assert layers
    return [layer["name"] for layer in layers if layer["backend"] == "ref"]


def result(kiln, model, x, *options):
    np.save(kiln.folder / "x.npy", x)
    kiln.ok("run", model, "--loadInputs=x:x.npy", "--saveOutputs=results", *options)
    return np.load(kiln.folder / "results" / "y.npy")


@pytest.mark.parametrize("network", [convolutions, transformer])
def test_float16_runs_by_kernels(kiln, network):
    graph, x = network(np.random.default_rng(5))
    model = save(graph, kiln.folder / "wide.onnx")
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    save(narrowed(graph, "float16"), kiln.folder / "half.onnx")
    assert steps_by_reference(kiln, "half.onnx") == []
    got = result(kiln, "half.onnx", x.astype(np.float16))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got.astype(np.float32), want, rtol=2e-2, atol=TOLERANCE["float16"] * np.abs(want).max())


@pytest.mark.parametrize("network", [convolutions, transformer])
def test_bfloat16_runs_by_kernels(kiln, network):
    graph, x = network(np.random.default_rng(6))
    model = save(graph, kiln.folder / "wide.onnx")
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    save(between_casts(narrowed(graph, "bfloat16")), kiln.folder / "half.onnx")
    assert steps_by_reference(kiln, "half.onnx") == []
    got = result(kiln, "half.onnx", x)
    np.testing.assert_allclose(got, want, rtol=5e-2, atol=TOLERANCE["bfloat16"] * np.abs(want).max())


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("network", [convolutions, transformer])
def test_layers_compute_in_the_type_that_the_model_declares(kiln, network, kind):
    graph, x = network(np.random.default_rng(13))
    half = narrowed(graph, kind)
    save(between_casts(half) if kind == "bfloat16" else half, kiln.folder / "half.onnx")
    x = x.astype(np.float16) if kind == "float16" else x
    level = "--builderOptimizationLevel=0"
    got, wide = result(kiln, "half.onnx", x, level), result(kiln, "half.onnx", x, level, "--disable=declared_types")
    kiln.ok("build", "half.onnx", level, "-o", "net.plan")
    tactics = tactics_of(kiln)
    multiplies = kind == "bfloat16" and "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    assert multiplies == any(tactic in ("conv_bfloat16", "gemm_bfloat16") for tactic in tactics), tactics
    if multiplies:
        np.testing.assert_allclose(got, wide, rtol=5e-2, atol=TOLERANCE[kind] * np.abs(wide).max())
    else:
        np.testing.assert_array_equal(got, wide)


def test_permission_to_compute_in_bfloat16(kiln):
    graph, x = transformer(np.random.default_rng(7))
    model = save(graph, kiln.folder / "wide.onnx")
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    kiln.ok("build", "wide.onnx", "--bf16", "--builderOptimizationLevel=0", "-o", "net.plan")  # else the clock decides
    tactics = tactics_of(kiln)
    has_products = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    assert tactics.count("gemm_bfloat16") == (4 if has_products else 0)  # one of them by three matrices
    got = result(kiln, "net.plan", x)
    np.testing.assert_allclose(got, want, rtol=2e-2, atol=1e-2 * np.abs(want).max())


@pytest.mark.parametrize("flag", ["--fp16", "--bf16", "--best"])
def test_weights_are_kept_in_16_bits(kiln, flag):
    if "f16c" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor does not widen float16")
    graph, x = transformer(np.random.default_rng(17))
    model = save(graph, kiln.folder / "wide.onnx")
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    options = ["--builderOptimizationLevel=0", "--disable=gemm_bfloat16,gemm_bfloat16_amx"]
    for switched_off, count in (("", 2), (",narrow_weights", 0), (",gemm_narrow", 0)):
        kiln.ok("build", "wide.onnx", flag, *options[:1], options[1] + switched_off, "-o", "net.plan")
        layers = json.loads(kiln.ok("inspect", "net.plan", "--json"))["layers"]
        narrow = [layer for layer in layers if layer["tactic"] == "gemm_narrow"]
        assert len(narrow) == count, [layer["tactic"] for layer in layers]  # the others have few weights
        assert {layer["computes"] for layer in narrow} <= {"bfloat16" if flag == "--bf16" else "float16"}
        got = result(kiln, "net.plan", x)
        np.testing.assert_allclose(got, want, rtol=2e-2, atol=1e-2 * np.abs(want).max())


def test_weights_beyond_float16_stay_wide(kiln):
    graph, x = transformer(np.random.default_rng(18))
    for i, tensor in enumerate(graph.initializer):
        if tensor.name in ("wu", "wd"):
            factor = 1e6 if tensor.name == "wu" else 1e-6
            graph.initializer[i].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))
    save(graph, kiln.folder / "wide.onnx")
    told = kiln.run("build", "wide.onnx", "--fp16", "--builderOptimizationLevel=0", "-o", "net.plan").stderr
    assert ("'wu' overflow float16" in told) == ("f16c" in Path("/proc/cpuinfo").read_text()), told
    told = kiln.run("build", "wide.onnx", "--fp16", "--precisionConstraints=obey", "--layerPrecisions=up:fp16", "-o", "net.plan",
                    "--builderOptimizationLevel=0")
    assert told.returncode != 0 and "up" in told.stderr, told.stderr


def test_convolutions_may_compute_in_bfloat16(kiln):
    graph, x = convolutions(np.random.default_rng(8))
    model = save(graph, kiln.folder / "wide.onnx")
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    kiln.ok("build", "wide.onnx", "--bf16", "--builderOptimizationLevel=0", "-o", "net.plan")
    tactics = tactics_of(kiln)
    assert ("conv_bfloat16" in tactics) == ("avx512_bf16" in Path("/proc/cpuinfo").read_text())
    np.testing.assert_allclose(result(kiln, "net.plan", x), want, rtol=2e-2, atol=2e-2 * np.abs(want).max())


def quantized(random, name, array, axis=None):
    """Constants and node of a weight as a quantizer writes it."""
    scale = np.abs(array).max(axis=tuple(i for i in range(array.ndim) if i != axis)) / 127 if axis is not None else np.abs(array).max() / 127
    scale = np.asarray(scale, np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    whole = np.clip(np.round(array / scale.reshape(shape if axis is not None else [])), -128, 127).astype(np.int8)
    constants = {name + "_q": whole, name + "_scale": scale, name + "_zero": np.zeros(scale.shape, np.int8)}
    node = helper.make_node("DequantizeLinear", [name + "_q", name + "_scale", name + "_zero"], [name], name="dq_" + name,
                            **({"axis": axis} if axis is not None else {}))
    return constants, node


def pair(name, source, constants, scale=0.05, zero=128):
    constants.update({name + "_scale": np.array(scale, np.float32), name + "_zero": np.array(zero, np.uint8)})
    operands = [name + "_scale", name + "_zero"]
    return [helper.make_node("QuantizeLinear", [source, *operands], [name + "_u8"], name="q_" + name),
            helper.make_node("DequantizeLinear", [name + "_u8", *operands], [name], name="dq_" + name)]


def test_block_between_quantize_and_dequantize(kiln):
    random = np.random.default_rng(7)
    constants, nodes = {}, []
    for name, array, axis in [("w1", values(random, 8, 8, 3, 3, scale=0.2), 0), ("w2", values(random, 8, 8, 3, 3, scale=0.2), 0),
                              ("w3", values(random, 8, 5, scale=0.3), None)]:
        more, node = quantized(random, name, array, axis)
        constants.update(more)
        nodes.append(node)
    nodes += pair("x0", "x", constants)
    nodes += [helper.make_node("Conv", ["x0", "w1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
              helper.make_node("Relu", ["c1"], ["r1"], name="relu1")]
    nodes += pair("x1", "r1", constants, zero=0)
    nodes += [helper.make_node("Conv", ["x1", "w2"], ["c2"], name="conv2", pads=[1, 1, 1, 1])]
    nodes += pair("x2", "c2", constants)
    nodes += [helper.make_node("Add", ["x2", "x0"], ["s"], name="sum"), helper.make_node("Relu", ["s"], ["r2"], name="relu2"),
              helper.make_node("GlobalAveragePool", ["r2"], ["p"], name="pool"), helper.make_node("Flatten", ["p"], ["f"], name="flat")]
    nodes += pair("x3", "f", constants, zero=0)
    nodes += [helper.make_node("MatMul", ["x3", "w3"], ["y"], name="dense")]
    model = save(graph_of(nodes, [2, 8, 12, 12], "y", constants), kiln.folder / "qdq.onnx")
    x = values(random, 2, 8, 12, 12)
    assert steps_by_reference(kiln, "qdq.onnx") == []
    tactics = tactics_of(kiln)
    assert (tactics.count("conv_int8"), tactics.count("gemm_int8")) == (2, 1), tactics
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    # A value on the border between two quantized ones may fall to either side.
    np.testing.assert_allclose(result(kiln, "qdq.onnx", x), want, atol=0.06)


@pytest.mark.parametrize("zero", [0, 100])
def test_relu_and_means_of_dequantized_bytes_take_bytes(kiln, zero):
    """The integers of the specification, wherever they come from."""
    random = np.random.default_rng(12)
    constants, first = quantized(random, "w", values(random, 80, 8, 3, 3, scale=0.2), 0)
    more, second = quantized(random, "v", values(random, 80, 80, 1, 1, scale=0.2), 0)
    constants |= more
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [first, second, *pair("x0", "x", constants),
             helper.make_node("Conv", ["x0", "w"], ["c"], name="conv1", **pads), *pair("c0", "c", constants, 0.04, zero),
             helper.make_node("Relu", ["c0"], ["r"], name="relu"),
             helper.make_node("Conv", ["r", "v"], ["d"], name="conv2"), *pair("d0", "d", constants, 0.03, zero),
             helper.make_node("AveragePool", ["d0"], ["p"], name="window", kernel_shape=[3, 3], strides=[2, 2], **pads),
             *pair("p0", "p", constants, 0.0113, 120),
             helper.make_node("GlobalAveragePool", ["p0"], ["g"], name="pixels"), *pair("y", "g", constants, 0.0031, 90)]
    save(graph_of(nodes, [1, 8, 13, 12], "y", constants), kiln.folder / "qdq.onnx")
    kiln.ok("build", "qdq.onnx", "--builderOptimizationLevel=0", "-o", "net.plan")
    tactics = tactics_of(kiln)
    assert tactics.count("conv_int8") == 2 and tactics.count("mean_bytes") == 2, tactics
    x = values(random, 1, 8, 13, 12)
    np.testing.assert_array_equal(result(kiln, "net.plan", x), result(kiln, "qdq.onnx", x, "--backend=ref"))


def quantized_convolution(kiln, random):
    """A model in Q/DQ form and what it gives."""
    constants, weights = quantized(random, "w", values(random, 8, 8, 3, 3, scale=0.2), 0)
    nodes = [weights, *pair("x0", "x", constants), helper.make_node("Conv", ["x0", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c"], ["y"], name="relu")]
    model = save(graph_of(nodes, [1, 8, 12, 12], "y", constants), kiln.folder / "qdq.onnx")
    x = values(random, 1, 8, 12, 12)
    return x, ReferenceEvaluator(model).run(None, {"x": x})[0]


def test_quantized_networks_are_compared_with_their_float_form(kiln):
    x, want = quantized_convolution(kiln, np.random.default_rng(9))
    done = kiln.run("build", "qdq.onnx", "-o", "net.plan")
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "in int8 " in text and "in float32 " in text, text
    for options in (["--keepInt8"], ["--builderOptimizationLevel=0"]):
        kept = kiln.run("build", "qdq.onnx", *options, "-o", "net.plan")
        assert kept.returncode == 0 and "in float32 " not in kept.stdout + kept.stderr
        assert "conv_int8" in kiln.ok("inspect", "net.plan")
    np.testing.assert_allclose(result(kiln, "qdq.onnx", x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, -0.05, float("nan"), 1e-40, float("inf")])
@pytest.mark.parametrize("where", ["x0_scale", "w_scale"])
def test_scales_that_are_none(kiln, scale, where):
    """They are named, and computed with as the specification says."""
    random = np.random.default_rng(11)
    constants, weights = quantized(random, "w", values(random, 8, 6), 1)
    nodes = [weights, *pair("x0", "x", constants), helper.make_node("MatMul", ["x0", "w"], ["y"], name="dense")]
    constants[where] = np.array(constants[where], np.float32)
    constants[where].reshape(-1)[0] = scale
    save(graph_of(nodes, [4, 8], "y", constants), kiln.folder / "bad.onnx")
    done = kiln.run("build", "bad.onnx", "--builderOptimizationLevel=0", "-o", "bad.plan")
    line = rf"\[W\] .*the scale '{where}' of '.*' \(.*\) has .*: it is computed with as it stands, in float32"
    assert done.returncode == 0 and re.search(line, done.stdout + done.stderr), done.stdout + done.stderr
    assert f"the scale '{where}'" in kiln.ok("inspect", "bad.plan")
    x = values(random, 4, 8)
    wanted = result(kiln, "bad.onnx", x, "--backend=ref", "--builderOptimizationLevel=0")
    np.testing.assert_allclose(result(kiln, "bad.plan", x), wanted, rtol=1e-5, atol=1e-6)


def entries(name, dims, kind, values):
    return TensorProto(name=name, dims=dims, data_type=kind, int32_data=values)


def dequantizing(kiln, constants, kind=TensorProto.UINT8, **attributes):
    """A model of one DequantizeLinear of x [4,8]."""
    node = helper.make_node("DequantizeLinear", ["x", *[c.name for c in constants]], ["y"], name="dq", **attributes)
    graph = helper.make_graph([node], "net", [helper.make_tensor_value_info("x", kind, [4, 8])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    return save(graph, kiln.folder / "dq.onnx")


def grains(scale, zero, zero_kind=np.uint8):
    return [numpy_helper.from_array(np.array(scale, np.float32), "s"), numpy_helper.from_array(np.array(zero, zero_kind), "z")]


@pytest.mark.parametrize("kind, value, range_", [
    (TensorProto.UINT8, 256, "from 0 to 255"), (TensorProto.UINT8, -1, "from 0 to 255"), (TensorProto.INT8, 128, "from -128 to 127"),
    (TensorProto.INT8, -129, "from -128 to 127"), (TensorProto.UINT16, 65536, "from 0 to 65535"), (TensorProto.INT16, 40000, "from -32768 to 32767")])
def test_zero_points_out_of_range(kiln, kind, value, range_):
    dequantizing(kiln, [grains(0.1, 0)[0], entries("z", [], kind, [value])], kind)
    text = kiln.fails(1, "build", "dq.onnx", "-o", "dq.plan")
    assert "error[K" in text and f"tensor 'z' holds {value}" in text and range_ in text, text


def test_zero_points_at_both_ends(kiln):
    for kind, zero, dtype in ((TensorProto.UINT8, 255, np.uint8), (TensorProto.INT8, -128, np.int8), (TensorProto.INT16, 32767, np.int16)):
        model = dequantizing(kiln, [grains(0.1, 0)[0], entries("z", [], kind, [zero])], kind)
        x = np.arange(32).reshape(4, 8).astype(dtype)
        np.testing.assert_array_equal(result(kiln, "dq.onnx", x, "--builderOptimizationLevel=0"), ReferenceEvaluator(model).run(None, {"x": x})[0])


@pytest.mark.parametrize("constants, attributes, error", [
    (grains(0.1, 3, np.int8), {}, "'x_zero_point' of DequantizeLinear is int8, but 'x' is uint8"),
    (grains([0.1] * 8, [1] * 7), {"axis": 1}, "7 values where 8 are needed"),
    (grains([0.1] * 8, [1] * 8), {"axis": 7}, "axis 7 is outside"),
    (grains(np.full((4, 2), 0.1), np.full((4, 2), 5)), {"axis": 1, "block_size": 3}, "2 values where 3 are needed"),
    (grains(np.full((4, 3), 0.1), np.full((4, 2), 5)), {"axis": 1, "block_size": 3}, "2 values where 3 are needed"),
    (grains(np.full((4, 2), 0.1), np.full((4, 2), 5)), {"axis": 1, "block_size": -4}, "block_size is -4"),
])
def test_parameters_that_do_not_fit(kiln, constants, attributes, error):
    dequantizing(kiln, constants, **attributes)
    text = kiln.fails(1, "build", "dq.onnx", "-o", "dq.plan")
    assert "error[K" in text and "'dq'" in text and error in text and "remedy:" in text, text


@pytest.mark.parametrize("block", [3, 5, 7, 8, 100])
def test_blocks_that_do_not_divide(kiln, block):
    random, count = np.random.default_rng(block), -(-8 // block)
    model = dequantizing(kiln, grains(random.uniform(0.1, 1, (4, count)), random.integers(0, 255, (4, count))), axis=1, block_size=block)
    x = random.integers(0, 255, (4, 8)).astype(np.uint8)
    np.testing.assert_array_equal(result(kiln, "dq.onnx", x, "--builderOptimizationLevel=0"), ReferenceEvaluator(model).run(None, {"x": x})[0])


def table_of_rows(kiln, bits=4, block=32, scales=(7, 2), zeros=None, data=None):
    """com.microsoft GatherBlockQuantized of a table [7,48]."""
    width = 48 * bits // 8
    constants = {"t": np.full((7, width), 0x73, np.uint8) if data is None else data, "s": np.full(scales, 0.5, np.float32)}
    if zeros is not None:
        constants["z"] = zeros
    node = helper.make_node("GatherBlockQuantized", ["t", "i", *list(constants)[1:]], ["y"], name="rows", domain="com.microsoft", bits=bits, block_size=block)
    graph = helper.make_graph([node], "net", [helper.make_tensor_value_info("i", TensorProto.INT64, [2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), kiln.folder / "rows.onnx")


@pytest.mark.parametrize("options, error", [
    ({"bits": 3, "data": np.zeros((7, 18), np.uint8)}, "integers of 3 bits"),
    ({"block": 0}, "block_size is 0"),
    ({"scales": (7, 3)}, "3 values where 2 are needed"),
    ({"scales": (14,)}, "the scales have another rank than the table"),
    ({"zeros": np.zeros((7, 2), np.uint8)}, "not rows of 2 integers of 4 bits"),
])
def test_tables_that_do_not_fit(kiln, options, error):
    table_of_rows(kiln, **options)
    text = kiln.fails(1, "build", "rows.onnx", "-o", "rows.plan")
    assert "error[K" in text and error in text, text


def test_tables_stay_in_few_bits(kiln):
    table_of_rows(kiln, zeros=np.full((7, 1), 0x25, np.uint8))
    assert steps_by_reference(kiln, "rows.onnx") == []
    shown = kiln.ok("inspect", "net.plan")
    assert "GatherDequantized" in shown and "gather_dequantized" in shown, shown
    np.save(kiln.folder / "i.npy", np.array([6, -7], np.int64))
    kiln.ok("run", "net.plan", "--loadInputs=i:i.npy", "--saveOutputs=results")
    row = np.tile([3.0, 7.0], 24)
    row[:32], row[32:] = (row[:32] - 5) * 0.5, (row[32:] - 2) * 0.5
    np.testing.assert_array_equal(np.load(kiln.folder / "results" / "y.npy"), np.stack([row, row]).astype(np.float32))
    np.save(kiln.folder / "i.npy", np.array([7, 0], np.int64))
    assert "outside its axis" in kiln.fails(1, "run", "net.plan", "--loadInputs=i:i.npy")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_weights_stay_in_bytes(kiln, kind, directions):
    random, gates, width, hidden = np.random.default_rng(12), 4 if kind == "LSTM" else 3, 6, 20
    constants, nodes = {}, []
    for name, inputs in (("w", width), ("r", hidden)):
        more, node = quantized(random, name, values(random, directions, gates * hidden, inputs, scale=0.3), 1 if name == "r" else None)
        constants.update(more)
        nodes.append(node)
    constants["b"] = values(random, directions, 2 * gates * hidden, scale=0.1)
    attributes = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes.append(helper.make_node(kind, ["x", "w", "r", "b"], ["y"], name="cell", hidden_size=hidden,
                                  direction="bidirectional" if directions == 2 else "forward", **attributes))
    graph = graph_of(nodes, [5, 1, width], "y", constants)
    model = save(graph, kiln.folder / "cell.onnx")
    assert steps_by_reference(kiln, "cell.onnx") == []
    assert "recurrent_int8" in kiln.ok("inspect", "net.plan")
    kiln.ok("build", "cell.onnx", "--builderOptimizationLevel=0", "--disable=dequantized_recurrence", "-o", "wide.plan")
    assert "recurrent_int8" not in kiln.ok("inspect", "wide.plan")
    x = values(random, 5, 1, width)
    got, wide = result(kiln, "net.plan", x), result(kiln, "wide.plan", x)
    np.testing.assert_allclose(got, wide, rtol=1e-4, atol=1e-5)
    if directions == 1:
        np.testing.assert_allclose(got, ReferenceEvaluator(model).run(None, {"x": x})[0], rtol=1e-3, atol=1e-4)


def test_layers_of_quantized_networks_compute_in_float32_on_demand(kiln):
    x, want = quantized_convolution(kiln, np.random.default_rng(10))
    kiln.ok("build", "qdq.onnx", "--precisionConstraints=obey", "--layerPrecisions=conv:fp32", "-o", "wide.plan")
    shown = kiln.ok("inspect", "wide.plan")
    assert "conv_int8" not in shown and "'conv' (Conv) stays in float32: it is to compute in float32" in shown, shown
    np.testing.assert_allclose(result(kiln, "wide.plan", x), want, rtol=1e-4, atol=1e-5)


def test_operators_on_integers(kiln):
    random = np.random.default_rng(8)
    constants = {"xs": np.array(0.02, np.float32), "xz": np.array(120, np.uint8), "w": random.integers(-128, 128, (6, 4, 3, 3), np.int8),
                 "ws": np.full(6, 0.01, np.float32), "wz": np.zeros(6, np.int8), "ys": np.array(0.1, np.float32),
                 "yz": np.array(128, np.uint8), "b": random.integers(-1000, 1000, 6, np.int32),
                 "m": random.integers(-128, 128, (6, 7), np.int8), "ms": np.array(0.02, np.float32), "mz": np.array(3, np.int8)}
    nodes = [helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], name="quantize"),
             helper.make_node("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
             helper.make_node("Transpose", ["c"], ["t"], name="last", perm=[0, 2, 3, 1]),
             helper.make_node("QLinearMatMul", ["t", "ys", "yz", "m", "ms", "mz", "ys", "yz"], ["p"], name="product"),
             helper.make_node("MatMulInteger", ["p", "n", "yz"], ["i"], name="integers"),
             helper.make_node("Cast", ["i"], ["y"], name="real", to=TensorProto.FLOAT)]
    constants["n"] = random.integers(0, 256, (7, 5), np.uint8)
    model = save(graph_of(nodes, [2, 4, 9, 11], "y", constants), kiln.folder / "integers.onnx")
    x = values(random, 2, 4, 9, 11)
    assert steps_by_reference(kiln, "integers.onnx") == []
    want = ReferenceEvaluator(model).run(None, {"x": x})[0]
    got = result(kiln, "integers.onnx", x)
    assert np.mean(got != want) < 0.02 and np.abs(got - want).max() <= 2 * 255 * 2


@pytest.mark.parametrize("zero", [0, 100])
def test_lines_and_volumes_in_bytes(kiln, zero):
    """From bytes to bytes through convolutions, transposed and depthwise ones, maxima, means, and resizes by weights: the reference's integers."""
    random = np.random.default_rng(13)
    for name, spatial in (("line", [33]), ("volume", [6, 7, 9])):
        axes, constants, nodes = len(spatial), {}, []
        for weights, dims, axis in (("w", [24, 8] + [3] * axes, 0), ("v", [24, 1] + [3] * axes, 0), ("u", [24, 8] + [2] * axes, 1)):
            more, node = quantized(random, weights, values(random, *dims, scale=0.2), axis)
            constants |= more
            nodes.append(node)
        padded = {"pads": [1] * (2 * axes)}
        nodes += [*pair("x0", "x", constants, 0.02, zero), helper.make_node("Conv", ["x0", "w"], ["c"], name="conv", **padded),
                  *pair("c0", "c", constants, 0.04, zero),
                  helper.make_node("Conv", ["c0", "v"], ["d"], name="depthwise", group=24, strides=[2] + [1] * (axes - 1), **padded),
                  *pair("d0", "d", constants, 0.03, zero), helper.make_node("Relu", ["d0"], ["r"], name="relu"),
                  helper.make_node("MaxPool", ["r"], ["m"], name="maxima", kernel_shape=[2] * axes, strides=[1] * axes),
                  helper.make_node("ConvTranspose", ["m", "u"], ["t"], name="transposed", strides=[2] * axes), *pair("y", "t", constants, 0.03, zero)]
        save(graph_of(nodes, [1, 8, *spatial], "y", constants), kiln.folder / f"{name}.onnx")
        kiln.ok("build", f"{name}.onnx", "--builderOptimizationLevel=0", "-o", "net.plan")
        assert steps_by_reference(kiln, f"{name}.onnx") == []
        pool = "pool" if axes == 1 else "pool_volumes"
        assert [tactics_of(kiln).count(t) for t in ("conv_int8", "depthwise_int8", pool)] == [2, 1, 1], tactics_of(kiln)
        x = values(random, 1, 8, *spatial)
        np.testing.assert_array_equal(result(kiln, "net.plan", x), result(kiln, f"{name}.onnx", x, "--backend=ref"))


def test_bytes_resized_by_weights(kiln):
    random, constants = np.random.default_rng(14), {"scales": np.array([1, 1, 2, 1.5], np.float32)}
    more, weights = quantized(random, "w", values(random, 24, 8, 3, 3, scale=0.2), 0)
    constants |= more
    nodes = [weights, *pair("x0", "x", constants, 0.02, 100), helper.make_node("Conv", ["x0", "w"], ["c"], name="conv", pads=[1] * 4),
             *pair("c0", "c", constants, 0.04, 110), helper.make_node("Resize", ["c0", "", "scales"], ["r"], name="larger", mode="linear"),
             *pair("y", "r", constants, 0.033, 120)]
    save(graph_of(nodes, [1, 8, 9, 10], "y", constants), kiln.folder / "qdq.onnx")
    kiln.ok("build", "qdq.onnx", "--builderOptimizationLevel=0", "-o", "net.plan")
    assert "resize_bytes" in tactics_of(kiln)
    x = values(random, 1, 8, 9, 10)
    np.testing.assert_array_equal(result(kiln, "net.plan", x), result(kiln, "qdq.onnx", x, "--backend=ref"))
