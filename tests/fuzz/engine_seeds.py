"""Writes engines of small models into the folder argv[1], so that every kernel of the CPU, branches, loops and late sizes occur.

They are built by the program build/release/bin/kiln.
"""
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).parents[2]
KILN = ROOT / "build" / "release" / "bin" / "kiln"
FOLDER = pathlib.Path(sys.argv[1])
F = TensorProto.FLOAT
random = np.random.default_rng(0)


def weight(name, *dims, dtype=np.float32):
    return numpy_helper.from_array((random.standard_normal(dims) / 2).astype(dtype), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def info(name, dims, kind=F):
    return helper.make_tensor_value_info(name, kind, dims)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(" ") if inputs else [], outputs.split(), **attributes)


def branch_models():
    then = helper.make_graph([node("Relu", "x", "t")], "then", [], [info("t", None)])
    other = helper.make_graph([node("MatMul", "x w", "e")], "else", [], [info("e", None)])
    yield "if", [node("If", "c", "y", then_branch=then, else_branch=other)], {"x": [2, 4], "c": ([], TensorProto.BOOL)}, [weight("w", 4, 4)]
    body = helper.make_graph([node("Add", "s x", "s2"), node("Identity", "c", "c2"), node("Identity", "s2", "scan")], "body",
                             [info("i", [], TensorProto.INT64), info("c", [], TensorProto.BOOL), info("s", None)],
                             [info("c2", [], TensorProto.BOOL), info("s2", None), info("scan", None)])
    yield "loop", [node("Loop", "count  x", "z y", body=body)], {"x": [2, 3]}, [numpy_helper.from_array(np.array(3, np.int64), "count")]
    step = helper.make_graph([node("Add", "s e", "s2"), node("Mul", "s2 e", "o")], "step", [info("s", [3]), info("e", [3])],
                             [info("s2", [3]), info("o", [3])])
    yield "scan", [node("Scan", "s0 x", "z y", body=step, num_scan_inputs=1)], {"s0": [3], "x": ["n", 3]}, []


# name, nodes, inputs, initializers; the output is y.
MODELS = [
    ("conv", [node("Conv", "x w b", "a", pads=[1] * 4), node("Relu", "a", "y")], {"x": ["n", 4, 7, 7]}, [weight("w", 8, 4, 3, 3), weight("b", 8)]),
    ("conv_group", [node("Conv", "x w", "y", group=2, strides=[2, 1], dilations=[1, 2])], {"x": [1, 4, 9, 9]}, [weight("w", 8, 2, 3, 3)]),
    ("conv_sum", [node("Conv", "x w", "a", auto_pad="SAME_UPPER"), node("Conv", "a v", "c"), node("Add", "c a", "s"), node("Relu", "s", "y")],
     {"x": ["n", 8, 6, 6]}, [weight("w", 8, 8, 3, 3), weight("v", 8, 8, 1, 1)]),
    ("depthwise", [node("Conv", "x w", "a", group=16, pads=[1] * 4), node("Conv", "a v", "y")], {"x": [1, 16, 6, 6]},
     [weight("w", 16, 1, 3, 3), weight("v", 8, 16, 1, 1)]),
    ("pool", [node("MaxPool", "x", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), node("AveragePool", "a", "b", kernel_shape=[2, 2]),
              node("GlobalAveragePool", "b", "y")], {"x": ["n", 8, 9, 9]}, []),
    ("dense", [node("Gemm", "x w b", "a"), node("Sigmoid", "a", "c"), node("MatMul", "c v", "y")], {"x": ["n", 8]},
     [weight("w", 8, 16), weight("b", 16), weight("v", 16, 4)]),
    ("products", [node("Transpose", "b", "t", perm=[0, 2, 1]), node("MatMul", "a t", "y")], {"a": ["n", 3, 8], "b": [1, 5, 8]}, []),
    ("pointwise", [node("Mul", "x w", "a"), node("Tanh", "a", "b"), node("Where", "m b x", "y")], {"x": ["n", 4, 5], "m": ([1, 5], TensorProto.BOOL)},
     [weight("w", 4, 1)]),
    ("cast", [node("Cast", "x", "a", to=TensorProto.INT32), node("Add", "a a", "b"), node("Cast", "b", "y", to=TensorProto.FLOAT16)], {"x": ["n", 7]}, []),
    ("moves", [node("Transpose", "x", "a", perm=[0, 2, 1]), node("Slice", "a s e ax st", "b"), node("Tile", "b r", "c"), node("Reshape", "c sh", "y")],
     {"x": ["n", 4, 6]}, [ints("s", -1), ints("e", -9), ints("ax", 1), ints("st", -2), ints("r", 1, 2, 1), ints("sh", 0, -1)]),
    ("expand", [node("Expand", "x s", "a"), node("DepthToSpace", "a", "b", blocksize=2), node("SpaceToDepth", "b", "y", blocksize=2)],
     {"x": [1, 4, 1, 3]}, [ints("s", 2, 4, 2, 3)]),
    ("concat", [node("Relu", "x", "a"), node("Neg", "x", "b"), node("Concat", "a b x", "c", axis=1), node("Split", "c", "d y", axis=1, num_outputs=2)],
     {"x": ["n", 4, 3]}, []),
    ("gather", [node("Gather", "w i", "a"), node("Softmax", "a", "y")], {"i": (["n", 3], TensorProto.INT64)}, [weight("w", 10, 4)]),
    ("softmax", [node("LogSoftmax", "x", "y", axis=1)], {"x": ["n", 5, 3]}, []),
    ("layer_norm", [node("LayerNormalization", "x w b", "y", axis=-1)], {"x": ["n", 5, 8]}, [weight("w", 8), weight("b", 8)]),
    ("group_norm", [node("InstanceNormalization", "x w b", "y")], {"x": ["n", 4, 3, 3]}, [weight("w", 4), weight("b", 4)]),
    ("reduce", [node("ReduceMean", "x a", "m"), node("ArgMax", "m", "y", axis=1, keepdims=0)], {"x": ["n", 5, 4]}, [ints("a", 2)]),
    ("attention", [node("Attention", "q k v", "y", q_num_heads=2, kv_num_heads=2)], {"q": ["n", 3, 8], "k": ["n", 5, 8], "v": ["n", 5, 8]}, []),
    ("lstm", [node("LSTM", "x w r b", "y h c", hidden_size=4)], {"x": [3, "n", 5]}, [weight("w", 1, 16, 5), weight("r", 1, 16, 4), weight("b", 1, 32)]),
    ("gru", [node("GRU", "x w r", "y h", hidden_size=4, direction="bidirectional")], {"x": [3, "n", 5]}, [weight("w", 2, 12, 5), weight("r", 2, 12, 4)]),
    ("pad", [node("Pad", "x p", "a", mode="reflect"), node("Pad", "a q v", "y")], {"x": ["n", 5, 4]},
     [ints("p", 0, 2, 1, 0, 1, 2), ints("q", 0, -1, 1, 0, 2, 0), numpy_helper.from_array(np.array(1.5, np.float32), "v")]),
    ("affine", [node("BatchNormalization", "x s b m v", "y")], {"x": ["n", 4, 3, 3]},
     [weight("s", 4), weight("b", 4), weight("m", 4), numpy_helper.from_array(np.ones(4, np.float32), "v")]),
    ("late", [node("NonZero", "x", "i"), node("Transpose", "i", "t"), node("GatherND", "x t", "v"), node("ReduceSum", "v", "y")], {"x": [3, 4]}, []),
    ("late_shape", [node("Unique", "x", "u"), node("Shape", "u", "s"), node("ConstantOfShape", "s", "z"), node("Add", "z u", "y")], {"x": [6]}, []),
    ("resize", [node("Resize", "x  s", "y", mode="linear")], {"x": [1, 2, 4, 4]}, [numpy_helper.from_array(np.array([1, 1, 1.5, 2], np.float32), "s")]),
    ("order", [node("TopK", "x k", "v i"), node("CumSum", "v ax", "a"), node("OneHot", "i d o", "b"), node("ReduceMax", "b", "m"), node("Add", "a m", "y")],
     {"x": ["n", 6]}, [ints("k", 3), numpy_helper.from_array(np.array(1, np.int64), "ax"), ints("d", 6),
                       numpy_helper.from_array(np.array([0, 1], np.float32), "o")]),
    ("scatter", [node("ScatterND", "x i u", "a"), node("GatherElements", "a j", "y", axis=1)], {"x": [4, 3], "u": [2, 3]},
     [numpy_helper.from_array(np.array([[1], [3]], np.int64), "i"), numpy_helper.from_array(np.zeros((4, 2), np.int64), "j")]),
    ("sequence", [node("SequenceConstruct", "x x", "s"), node("SequenceAt", "s i", "a"), node("ConcatFromSequence", "s", "c", axis=0), node("Add", "a a", "b"),
                  node("Concat", "c b", "y", axis=0)], {"x": [2, 3]}, [numpy_helper.from_array(np.array(0, np.int64), "i")]),
    ("quantized", [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")], {"x": ["n", 4]},
     [numpy_helper.from_array(np.array(0.1, np.float32), "s"), numpy_helper.from_array(np.array(3, np.uint8), "z")]),
    ("transposed", [node("ConvTranspose", "x w", "y", strides=[2, 2])], {"x": [1, 3, 4, 4]}, [weight("w", 3, 2, 3, 3)]),
    ("einsum", [node("Einsum", "a b", "y", equation="bij,bjk->bik")], {"a": ["n", 2, 3], "b": ["n", 3, 4]}, []),
    *branch_models(),
]
# Choices beside the first: each model is built with every one of them.
FLAGS = {"first": [], "tiles": ["--disable=winograd_f4_3x3,winograd_f2_3x3,conv_depthwise"], "f2": ["--disable=winograd_f4_3x3"], "ref": ["--backend=ref"]}


def build(folder, model, flags):
    name, nodes, inputs, initializers = model
    shapes = {n: (dims if isinstance(dims, tuple) else (dims, F)) for n, dims in inputs.items()}
    graph = helper.make_graph(nodes, name, [info(n, *s) for n, s in shapes.items()], [info("y", None)], initializers)
    path = folder / f"{name}.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10).SerializeToString())
    command = [KILN, "build", path, "--builderOptimizationLevel=0", "--noTimingCache", "-o", FOLDER / f"{name}_{flags}.plan", *FLAGS[flags]]
    dynamic = {n: dims for n, (dims, _) in shapes.items() if "n" in dims}
    for bound, value in (("min", 1), ("opt", 2), ("max", 3)):
        if dynamic:
            command.append(f"--{bound}Shapes=" + ",".join(n + ":" + "x".join(str(value if d == "n" else d) for d in dims) for n, dims in dynamic.items()))
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"engine_seeds: {name}: {result.stdout}{result.stderr}")


with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(2) as pool:
    jobs = []
    for flags in FLAGS:
        folder = pathlib.Path(temporary) / flags
        folder.mkdir()
        jobs += [pool.submit(build, folder, model, flags) for model in MODELS if flags in ("first", "ref") or "conv" in model[0] or "depth" in model[0]]
    for job in jobs:
        job.result()
