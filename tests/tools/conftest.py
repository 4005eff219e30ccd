"""The program under test, and small models for it."""
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

PROGRAM = os.environ.get("KILN_PROGRAM", str(Path(__file__).resolve().parents[2] / "build/release/bin/kiln"))


class Kiln:
    """Runs the program in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.program = PROGRAM

    def run(self, *arguments, program=None, environment=None):
        return subprocess.run([program or self.program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, errors="replace",
                              env={**os.environ, **(environment or {})})

    def ok(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, code, *arguments):
        done = self.run(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr


def save_model(path, nodes, inputs, outputs, constants=None):
    """inputs, outputs: {name: (type, dims)}; constants: {name: array}."""
    def infos(table):
        return [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in table.items()]

    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(nodes, "net", infos(inputs), infos(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


W = np.arange(12, dtype=np.float32).reshape(3, 4) / 4 - 1
B = np.array([0.5, -0.5, 0, 1], np.float32)


def dense(x):
    return np.maximum(x @ W + B, 0)


@pytest.fixture
def kiln(tmp_path):
    return Kiln(tmp_path)


@pytest.fixture
def model(tmp_path):
    """y = relu(x W + B) with a dynamic number of rows."""
    path = tmp_path / "dense.onnx"
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="product"),
             helper.make_node("Add", ["m", "b"], ["a"], name="bias"),
             helper.make_node("Relu", ["a"], ["y"], name="act")]
    save_model(path, nodes, {"x": (TensorProto.FLOAT, ["rows", 3])}, {"y": (TensorProto.FLOAT, ["rows", 4])},
               {"w": W, "b": B})
    return path


@pytest.fixture
def network(tmp_path):
    """Two convolutions with a residual sum, and a pooling: several layers, static shapes, two inputs, two outputs."""
    random = np.random.default_rng(3)
    path = tmp_path / "network.onnx"
    nodes = [helper.make_node("Conv", ["x", "w1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
             helper.make_node("Conv", ["r1", "w2"], ["c2"], name="conv2", pads=[1, 1, 1, 1]),
             helper.make_node("Add", ["c2", "z"], ["s"], name="sum"),
             helper.make_node("GlobalAveragePool", ["s"], ["p"], name="pool"),
             helper.make_node("Softmax", ["p"], ["q"], name="softmax", axis=1)]
    image = (TensorProto.FLOAT, [1, 8, 9, 7])
    save_model(path, nodes, {"x": image, "z": image}, {"s": image, "q": (TensorProto.FLOAT, [1, 8, 1, 1])},
               {f"w{i}": random.standard_normal((8, 8, 3, 3)).astype(np.float32) for i in (1, 2)})
    return path
