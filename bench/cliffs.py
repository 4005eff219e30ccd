#!/usr/bin/env python3
"""Times models of one or a few operators against ONNX Runtime: same files, same inputs, same threads, interleaved rounds, least times.

    bench/cliffs.py [NAME...] [--threads 2] [--rounds 5] [--seconds 0.2] [--kiln build/release/bin/kiln]

Prints ONNX Runtime's time, Kiln's and their quotient; fails when one is below --least (1). Needs onnx and onnxruntime."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper

import peers
from networks import Failed, found

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASES = {}
random = np.random.default_rng(11)


def f32(*shape):
    return random.standard_normal(shape).astype(np.float32)


def f64(*shape):
    return random.standard_normal(shape)


def u8(*shape):
    return random.integers(0, 255, shape).astype(np.uint8)


def one(value, kind=np.int64):
    return np.array(value, kind)


def case(name, nodes, feeds, weights=None):
    """`nodes`: operator, inputs, outputs and attributes of each; the last one's outputs are the model's."""
    CASES[name] = (nodes, feeds, weights or {})


def node(name, op, feeds, weights=None, outputs=("y",), order=None, **attributes):
    """A model of one node, whose inputs are `feeds`, then `weights`, or as `order` says."""
    weights = weights or {}
    case(name, [(op, order or [*feeds, *weights], list(outputs), attributes)], feeds, weights)


IMAGE = f32(1, 64, 56, 56)
node("einsum_of_three", "Einsum", {"a": f32(16, 24), "b": f32(24, 32), "c": f32(32, 20)}, equation="ij,jk,kl->il")
node("dft", "DFT", {"x": f32(8, 4096, 1)}, {"n": one(4096), "axis": one(1)})
node("conv_of_computed_weights", "Conv", {"x": IMAGE, "w": f32(64, 64, 3, 3)}, pads=[1, 1, 1, 1])
node("conv_1x1_of_computed_weights", "Conv", {"x": IMAGE, "w": f32(64, 64, 1, 1)})
node("depthwise_31x31", "Conv", {"x": f32(1, 32, 56, 56)}, {"w": f32(32, 1, 31, 31)}, group=32, pads=[15] * 4)
node("matmul_f64", "MatMul", {"a": f64(256, 256), "b": f64(256, 256)})
node("matmul_f64_few_rows", "MatMul", {"a": f64(8, 512), "b": f64(512, 512)})
node("gemm_f64", "Gemm", {"a": f64(128, 256)}, {"b": f64(64, 256), "c": f64(64)}, transB=1)
node("add_f64", "Add", {"a": f64(512, 1024), "b": f64(512, 1024)})
node("exp_f64", "Exp", {"x": f64(256, 1024)})
node("softmax_f64", "Softmax", {"x": f64(256, 512)}, axis=-1)
node("reduce_mean_f64", "ReduceMean", {"x": f64(64, 128, 64)}, {"axes": one([1])})
node("layer_norm_f64", "LayerNormalization", {"x": f64(128, 512)}, {"scale": f64(512), "bias": f64(512)})
node("deform_conv", "DeformConv", {"x": f32(1, 16, 28, 28), "offset": f32(1, 18, 28, 28), "mask": f32(1, 9, 28, 28)},
     {"w": f32(32, 16, 3, 3), "b": f32(32)}, order=["x", "w", "offset", "b", "mask"], pads=[1, 1, 1, 1])
node("deform_conv_large", "DeformConv", {"x": IMAGE, "offset": f32(1, 18, 56, 56)}, {"w": f32(64, 64, 3, 3)}, order=["x", "w", "offset"],
     pads=[1, 1, 1, 1])
node("lstm_of_computed_weights", "LSTM", {"x": f32(16, 1, 64), "w": f32(1, 256, 64), "r": f32(1, 256, 64)}, hidden_size=64)
node("gru_of_computed_weights", "GRU", {"x": f32(16, 1, 64), "w": f32(1, 192, 64), "r": f32(1, 192, 64)}, hidden_size=64)
node("matmul_integer", "MatMulInteger", {"a": u8(128, 768)}, {"b": u8(768, 3072), "za": one(120, np.uint8), "zb": one(128, np.uint8)})
node("qlinear_conv", "QLinearConv", {"x": u8(1, 64, 56, 56)},
     {"xs": one(0.02, np.float32), "xz": one(120, np.uint8), "w": random.integers(-127, 127, (64, 64, 3, 3)).astype(np.int8), "ws": one(0.01, np.float32),
      "wz": one(0, np.int8), "ys": one(0.3, np.float32), "yz": one(128, np.uint8)}, pads=[1, 1, 1, 1])
case("instance_norm_between_convs",
     [("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}), ("InstanceNormalization", ["c", "s", "b"], ["n"], {}), ("Relu", ["n"], ["r"], {}),
      ("Conv", ["r", "v"], ["y"], {"pads": [1, 1, 1, 1]})],
     {"x": f32(1, 3, 128, 128)}, {"w": f32(32, 3, 3, 3), "v": f32(8, 32, 3, 3), "s": f32(32), "b": f32(32)})
node("instance_norm", "InstanceNormalization", {"x": f32(1, 64, 256, 256)}, {"s": f32(64), "b": f32(64)})
node("conv_transpose_2x2", "ConvTranspose", {"x": f32(1, 128, 32, 32)}, {"w": f32(128, 64, 2, 2)}, strides=[2, 2])
node("conv_transpose_3x3", "ConvTranspose", {"x": f32(1, 128, 32, 32)}, {"w": f32(128, 64, 3, 3)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
node("conv_transpose_4x4", "ConvTranspose", {"x": f32(1, 64, 32, 32)}, {"w": f32(64, 32, 4, 4)}, strides=[2, 2], pads=[1, 1, 1, 1])
node("conv_transpose_depthwise", "ConvTranspose", {"x": f32(1, 64, 56, 56)}, {"w": f32(64, 1, 4, 4)}, group=64, strides=[2, 2], pads=[1, 1, 1, 1])
GRID = np.clip(f32(1, 128, 128, 2) / 2, -1, 1)
for mode in ("linear", "nearest", "cubic"):
    node(f"grid_sample_{mode}", "GridSample", {"x": f32(1, 32, 128, 128), "grid": GRID}, mode=mode)
node("grid_sample_of_three_channels", "GridSample", {"x": f32(1, 3, 128, 128), "grid": GRID}, mode="linear")
node("grid_sample_border", "GridSample", {"x": f32(1, 32, 128, 128), "grid": GRID}, mode="linear", padding_mode="border")
CORNERS = random.uniform(0, 600, (1, 8400, 2)).astype(np.float32)
BOXES = np.concatenate([CORNERS, CORNERS + random.uniform(8, 80, (1, 8400, 2)).astype(np.float32)], 2)
node("box_suppression", "NonMaxSuppression", {"boxes": BOXES, "scores": random.random((1, 80, 8400)).astype(np.float32) ** 8},
     {"most": one([100]), "overlap": one([0.5], np.float32), "least": one([0.25], np.float32)})
ROIS = np.concatenate([random.uniform(0, 30, (100, 2)), random.uniform(31, 50, (100, 2))], 1).astype(np.float32)
node("roi_align", "RoiAlign", {"x": IMAGE, "rois": ROIS}, {"images": np.zeros(100, np.int64)}, output_height=7, output_width=7, sampling_ratio=2)
node("roi_align_free", "RoiAlign", {"x": IMAGE, "rois": ROIS}, {"images": np.zeros(100, np.int64)}, output_height=7, output_width=7)
node("cum_sum", "CumSum", {"x": f32(4, 1024, 256)}, {"axis": one(1)})
node("cum_sum_along_rows", "CumSum", {"x": f32(256, 4096)}, {"axis": one(1)})
node("cum_sum_of_int64", "CumSum", {"x": random.integers(-9, 9, (4, 1024, 256))}, {"axis": one(1)})
node("cum_sum_of_int64_along_rows", "CumSum", {"x": random.integers(-9, 9, (256, 4096))}, {"axis": one(1)})
for k, shape in ((1, (64, 4096)), (5, (64, 1000)), (100, (8, 8400)), (1000, (1, 100000)), (300, (16, 512))):
    node(f"top_{k}_of_{shape[1]}", "TopK", {"x": f32(*shape)}, {"k": one([k])}, outputs=("v", "i"))
node("top_5_of_columns", "TopK", {"x": f32(8, 1000, 64)}, {"k": one([5])}, outputs=("v", "i"), axis=1)


def forest(trees, depth, features, targets, kind):
    """Attributes of random complete trees."""
    inner, nodes = 2 ** depth - 1, 2 ** (depth + 1) - 1
    count = trees * nodes
    numbers, is_leaf = np.tile(np.arange(nodes), trees), np.tile(np.arange(nodes) >= inner, trees)
    tree = np.repeat(np.arange(trees), nodes)
    leaves = np.flatnonzero(is_leaf)
    lists = dict(nodes_treeids=tree, nodes_nodeids=numbers, nodes_featureids=random.integers(0, features, count),
                 nodes_truenodeids=np.where(is_leaf, 0, 2 * numbers + 1), nodes_falsenodeids=np.where(is_leaf, 0, 2 * numbers + 2))
    lists.update({f"{kind}_treeids": tree[leaves], f"{kind}_nodeids": numbers[leaves], f"{kind}_ids": random.integers(0, targets, len(leaves))})
    reals = {"nodes_values": f32(count), f"{kind}_weights": f32(len(leaves))}
    return {**{k: v.tolist() for k, v in {**lists, **reals}.items()}, "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf]}


for rows in (1, 100, 10000):
    node(f"trees_regressor_of_{rows}", "ai.onnx.ml.TreeEnsembleRegressor", {"x": f32(rows, 30)}, n_targets=1, **forest(100, 6, 30, 1, "target"))
node("trees_classifier", "ai.onnx.ml.TreeEnsembleClassifier", {"x": f32(1000, 20)}, outputs=("l", "p"), classlabels_int64s=list(range(5)),
     post_transform="SOFTMAX", **forest(200, 5, 20, 5, "class"))


def model_of(name):
    nodes, feeds, weights = CASES[name]
    made = []
    for op, inputs, outputs, attributes in nodes:
        domain, _, kind = op.rpartition(".")
        made.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()]
    graph = helper.make_graph(made, name, inputs, [onnx.ValueInfoProto(name=o) for o in nodes[-1][2]],
                              [numpy_helper.from_array(a, n) for n, a in weights.items()])
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9), feeds


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))} fails:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def least_ms(call, seconds):
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 10:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1e3 * min(times)


def measure(name, folder, options):
    """Least times over the rounds, ONNX Runtime's and Kiln's: what other work on the machine takes does not count."""
    model, feeds = model_of(name)
    onnx.save(model, folder / "model.onnx")
    for n, value in feeds.items():
        np.save(folder / f"{n}.npy", value)
    files = "--loadInputs=" + ",".join(f"{n}:{folder / n}.npy" for n in feeds)
    threads = f"--cpuThreads={options.threads}"
    run([options.kiln, "build", folder / "model.onnx", "-o", folder / "engine", "--backend=cpu", threads])
    session = peers.session(str(folder / "model.onnx"), options.threads)
    bench = [options.kiln, "bench", f"--loadEngine={folder / 'engine'}", threads, files, f"--duration={options.seconds}", "--warmUp=50"]
    rounds = []
    for _ in range(options.rounds):
        peer = least_ms(lambda: session.run(None, feeds), options.seconds)
        rounds.append((peer, found(r"Compute Time: min = ([0-9.e-]+) ms", run(bench))))
    return tuple(min(column) for column in zip(*rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases; all where none is given")
    parser.add_argument("--kiln", default=ROOT / "build/release/bin/kiln")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a round, for each runtime")
    parser.add_argument("--least", type=float, default=1.0, help="of ONNX Runtime's time divided by Kiln's")
    options = parser.parse_args()
    unknown = set(options.names) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    slow = []
    print(f"{'case':32} {'ORT ms':>9} {'Kiln ms':>9} {'ORT/Kiln':>9}")
    for name in options.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            peer, own = measure(name, pathlib.Path(folder), options)
        print(f"{name:32} {peer:9.4f} {own:9.4f} {peer / own:9.2f}", flush=True)
        if peer / own < options.least:
            slow.append(name)
    if slow:
        sys.exit(f"slower than ONNX Runtime: {', '.join(slow)}")


if __name__ == "__main__":
    main()
