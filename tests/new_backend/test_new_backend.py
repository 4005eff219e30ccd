"""A back end that scripts/new_backend.py begins, in a copy of the tree: a folder and one word suffice to build it and run engines on it.

The copy is built with the settings of the build that is tested, so that the compiler's cache knows all but a few files."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

TREE = Path(__file__).resolve().parents[2]
SETTINGS = ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS", "KILN_ONEDNN", "KILN_UNITY")
sys.path.insert(0, str(TREE / "scripts"))
import tree  # noqa: E402
from new_backend import FILES  # noqa: E402


def call(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def settings_of(build):
    lines = (build / "CMakeCache.txt").read_text().splitlines()
    known = {key.partition(":")[0]: value for key, _, value in (line.partition("=") for line in lines)}
    return [f"-D{name}={known[name]}" for name in SETTINGS if known.get(name)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tree with a back end `foo` and nothing else that is new."""
    root = tmp_path_factory.mktemp("tree") / "kiln"
    for name in tree.files(TREE):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / name, root / name)
    (root / ".venv").symlink_to(TREE / ".venv")
    call(sys.executable, root / "scripts/new_backend.py", "foo", "--root", root)
    return root


@pytest.fixture(scope="module")
def built(copy):
    build = copy / "build" / "release"
    environment = {**os.environ, "CCACHE_BASEDIR": str(copy), "CCACHE_NOHASHDIR": "1"}
    call("cmake", "-S", copy, "-B", build, "-G", "Ninja", "-DKILN_CUDA=OFF", *settings_of(Path(os.environ["KILN_BUILD"])), env=environment)
    call("cmake", "--build", build, "--target", "kiln_tool", "test_device", env=environment)
    return build


def test_a_folder_and_one_word(copy):
    changed = [name for name in tree.files(TREE) if (copy / name).read_bytes() != (TREE / name).read_bytes()]
    assert changed == ["src/backends/CMakeLists.txt"]
    before, after = ((root / changed[0]).read_text().split() for root in (TREE, copy))
    assert len(after) == len(before) + 1 and [word.rstrip(")") for word in after].count("foo") == 1
    for check in ("layers", "lists", "size", "text"):
        call(sys.executable, copy / f"scripts/check_{check}.py")


def test_bad_names_are_refused(copy):
    for name in ("cpu", "foo", "Foo", "a-b", "../x", "", "1st"):
        done = subprocess.run([sys.executable, copy / "scripts/new_backend.py", name, "--root", copy], capture_output=True, text=True)
        assert done.returncode != 0 and done.stderr, name
    assert {name for name in tree.files(copy)} - {name for name in tree.files(TREE)} == {f"src/backends/foo/{file}" for file in FILES}


def test_lists_know_it(built):
    kiln = built / "bin/kiln"
    assert "foo" in call(kiln, "list", "backends").split()
    devices = json.loads(call(kiln, "list", "devices", "--json"))
    (foo,) = [device for device in devices if device["backend"] == "foo"]
    assert foo["available"] and foo["name"] == "foo" and foo["host_memory"]
    assert call(kiln, "list", "devices", "--device=foo").startswith("foo:0: foo\n")
    assert "winograd_f4_3x3" in call(kiln, "list", "tactics").split()  # those of the others; it has none


def test_engine_runs_on_it(built, tmp_path):
    rng = np.random.default_rng(1)
    weight, matrix = rng.standard_normal((8, 3, 3, 3), np.float32), rng.standard_normal((8, 5), np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("GlobalAveragePool", ["r"], ["g"]), helper.make_node("Flatten", ["g"], ["f"]),
             helper.make_node("MatMul", ["f", "m"], ["p"]), helper.make_node("Softmax", ["p"], ["y"])]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 9, 7])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])],
                              [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(matrix, "m")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "net.onnx")
    x = rng.standard_normal((2, 3, 9, 7), np.float32)
    np.save(tmp_path / "x.npy", x)
    kiln = built / "bin/kiln"
    call(kiln, "build", "net.onnx", "-o", "net.plan", "--backend=foo", "--builderOptimizationLevel=0", cwd=tmp_path)
    assert "foo" in call(kiln, "inspect", "net.plan", cwd=tmp_path)
    call(kiln, "run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out", cwd=tmp_path)
    expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(np.load(tmp_path / "out/y.npy"), expected, rtol=1e-4, atol=1e-6)


def test_the_suite_of_devices_runs_on_it(built):
    told = call(built / "bin/test_device", "--gtest_filter=All/DeviceTest.*/foo")
    assert told.count("[       OK ]") >= 10, told
