"""kiln compare: layer by layer against the reference, and against stored data."""
import os
import re
import sys

import numpy as np
import pytest
from conftest import dense, save_model
from onnx import TensorProto, helper, numpy_helper

X = np.array([[1, -2, 0.5], [0, 3, 1]], np.float32)


def write_set(folder, inputs, outputs):
    folder.mkdir(parents=True)
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, value in enumerate(values):
            (folder / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())


# ---- against the reference

def test_all_layers_agree(kiln, network):
    text = kiln.ok("compare", network)
    assert re.search(r"\[I\] all \d+ layers agree", text)
    assert "output 's' agrees" in text and "output 'q' agrees" in text
    rows = re.findall(r"^\[I\] +(\d+) +([\d.e+-]+) +\S+ +\S+  (.+) \[(\w+)\] \w+/(\w+)$", text, re.MULTILINE)
    assert rows and [float(r[1]) for r in rows] == sorted((float(r[1]) for r in rows), reverse=True)
    assert all(float(r[1]) <= 1 for r in rows)
    assert kiln.ok("compare", network, "--worst=1").count(" cpu/") == 1


def conv_sum(x, w):
    """3x3, padded by 1, in float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    h, width = x.shape[2:]
    return sum(np.einsum("nchw,oc->nohw", padded[:, :, i:i + h, j:j + width], w[:, :, i, j].astype(np.float64))
               for i in range(3) for j in range(3))


def test_engines_of_other_networks_are_refused(kiln):
    def save(name, columns, kind=TensorProto.FLOAT, rank=2):
        save_model(kiln.folder / name, [helper.make_node("Relu", ["x"], ["y"])], {"x": (kind, ["n", columns][:rank])}, {"y": (kind, ["n", columns][:rank])})

    save("net.onnx", 3)
    kiln.ok("build", "net.onnx", "--shapes=x:2x3", "-o", "net.plan")
    kiln.ok("compare", "net.onnx", "--loadEngine=net.plan")
    for name, options in (("wide.onnx", (4,)), ("half.onnx", (3, TensorProto.FLOAT16)), ("flat.onnx", (3, TensorProto.FLOAT, 1))):
        save(name, *options)
        error = kiln.fails(2, "compare", name, "--loadEngine=net.plan")
        assert f"error[K1001] 'net.plan' is no engine of '{name}'" in error and "the inputs of the engine are x float32 " in error, error


def test_names_the_first_layer_that_differs(kiln, tmp_path):
    """Without tolerance the first layer that rounds is the first that differs; those before it are exact."""
    random = np.random.default_rng(5)
    x, w = random.standard_normal((1, 8, 9, 7)).astype(np.float32), random.standard_normal((8, 8, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[0, 3, 1, 2]),
             helper.make_node("MaxPool", ["t"], ["m"], name="largest", kernel_shape=[1, 1]),
             helper.make_node("Conv", ["m", "w"], ["c"], name="sum1", pads=[1, 1, 1, 1]),
             helper.make_node("Conv", ["c", "w"], ["y"], name="sum2", pads=[1, 1, 1, 1])]
    save_model(tmp_path / "net.onnx", nodes, {"x": (TensorProto.FLOAT, [1, 9, 7, 8])}, {"y": (TensorProto.FLOAT, [1, 8, 9, 7])},
               {"w": w})
    np.save(tmp_path / "x.npy", np.transpose(x, (0, 2, 3, 1)))
    done = kiln.run("compare", "net.onnx", "--loadInputs=x:x.npy", "--rtol=0", "--atol=0")
    assert done.returncode == 1
    error = done.stderr
    assert re.search(r"first layer that differs: \d+ 'sum1' \(Conv\)", error)
    assert "  from: sum1\n" in error and "  tactic: cpu/" in error
    assert "float32[1,8,9,7]" in re.search(r"  inputs: (.*)", error)[1]
    found = re.search(r"value '(\w+)' (\d+) of 504 elements differ; worst at \[0,(\d+),(\d+),(\d+)\]: (\S+), expected (\S+), "
                      r"absolute error (\S+), relative (\S+)", error)
    value, index = conv_sum(x, w), tuple(map(int, (0, *found.group(3, 4, 5))))
    got, want, absolute, relative = map(float, found.group(6, 7, 8, 9))
    assert found[1] == "c" and 0 < int(found[2]) <= 504
    assert abs(want - value[index]) < 1e-5 * abs(value).max() and got != want
    assert abs(absolute - abs(got - want)) <= 0.02 * absolute + 1e-7
    assert abs(relative - absolute / abs(want)) <= 0.02 * relative
    assert "--disable=" in error


def test_outputs_are_compared_with_the_model_as_given(kiln, network):
    error = kiln.fails(1, "compare", network, "--rtol=0", "--atol=0")
    assert re.search(r"\[E\] output 's' \d+ of 504 elements differ", error)


def test_values_known_only_while_running(kiln, tmp_path):
    """NonZero, a loop and a concatenation in place."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["go"]), helper.make_node("Add", ["acc", "acc"], ["more"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("going", TensorProto.BOOL, []),
         helper.make_tensor_value_info("acc", TensorProto.FLOAT, [4, 6])],
        [helper.make_tensor_value_info("go", TensorProto.BOOL, []), helper.make_tensor_value_info("more", TensorProto.FLOAT, [4, 6])])
    nodes = [helper.make_node("Sigmoid", ["x"], ["a"], name="sigmoid"),
             helper.make_node("Tanh", ["x"], ["b"], name="tanh"),
             helper.make_node("Concat", ["a", "b"], ["ab"], name="join", axis=1),
             helper.make_node("Loop", ["three", "", "ab"], ["l"], name="loop", body=body),
             helper.make_node("Relu", ["l"], ["r"], name="relu"),
             helper.make_node("NonZero", ["r"], ["n"], name="where"),
             helper.make_node("Reshape", ["r", "flat"], ["f"], name="flatten"),
             helper.make_node("Exp", ["f"], ["e"], name="exp")]
    save_model(tmp_path / "net.onnx", nodes, {"x": (TensorProto.FLOAT, [4, 3])},
               {"n": (TensorProto.INT64, [2, None]), "e": (TensorProto.FLOAT, [24])},
               {"three": np.array(3, np.int64), "flat": np.array([-1], np.int64)})
    text = kiln.ok("compare", "net.onnx")
    assert "layers agree" in text and "output 'n' agrees exactly" in text and "output 'e' agrees" in text


def test_dynamic_shapes_and_given_inputs(kiln, model, tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert "layers agree" in kiln.ok("compare", model, "--loadInputs=x:x.npy")
    assert "layers agree" in kiln.ok("compare", model, "--minShapes=x:1x3", "--optShapes=x:5x3", "--maxShapes=x:9x3")


ONNXRUNTIME = """from onnx.reference import ReferenceEvaluator
class InferenceSession:
    def __init__(self, path, providers):
        self.evaluator = ReferenceEvaluator(path)
    def get_outputs(self):
        return [type("Output", (), {"name": name}) for name in self.evaluator.output_names]
    def run(self, names, inputs):
        return [value + OFFSET for value in self.evaluator.run(names, inputs)]
"""


def with_onnxruntime(folder, offset):
    """An environment in which ONNX's own evaluation stands for ONNX Runtime; it may be made wrong."""
    (folder / "modules").mkdir()
    (folder / "modules/onnxruntime.py").write_text(ONNXRUNTIME.replace("OFFSET", str(offset)))
    return {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "PYTHONPATH": str(folder / "modules")}


@pytest.mark.parametrize("offset, code", [(0, 0), (0.25, 1)])
def test_golden_outputs_of_onnxruntime(kiln, model, tmp_path, offset, code):
    done = kiln.run("compare", model, "--shapes=x:5x3", "--golden=onnxruntime", environment=with_onnxruntime(tmp_path, offset))
    assert done.returncode == code, done.stdout + done.stderr
    assert "running the model by ONNX Runtime" in done.stdout
    assert "output 'y' agrees" in done.stdout if code == 0 else "output 'y' 20 of 20 elements differ" in done.stderr


@pytest.mark.parametrize("offset, code", [(0, 0), (0.25, 1)])
def test_golden_outputs_beside_a_saved_engine(kiln, model, tmp_path, offset, code):
    """The reference evaluates the model only where outputs differ."""
    kiln.ok("build", model, "--shapes=x:5x3", "--builderOptimizationLevel=0", "-o", "net.plan")
    done = kiln.run("compare", model, "--loadEngine=net.plan", "--golden=onnxruntime", environment=with_onnxruntime(tmp_path, offset))
    assert done.returncode == code, done.stdout + done.stderr
    assert "running the model by ONNX Runtime" in done.stdout
    for text in ("by the reference", "layers have a result that the model has"):
        assert (text in done.stdout) == (code == 1), done.stdout


def test_golden_outputs_of_the_real_onnxruntime(kiln, network):
    pytest.importorskip("onnxruntime")
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    text = kiln.ok("compare", network, "--golden=onnxruntime", environment={"PATH": path})
    assert "output 's' agrees" in text and "output 'q' agrees" in text


def test_golden_outputs_of_a_python_without_packages(kiln, model, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    (tmp_path / "bin/python3").chmod(0o755)
    done = kiln.run("compare", model, "--shapes=x:5x3", "--golden=onnxruntime", environment={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    assert done.returncode == 2 and "error[K1004] ONNX Runtime is not there" in done.stderr and "pip install" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "tactics chosen" not in done.stderr


def test_golden_outputs_without_onnxruntime(kiln, model, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    (tmp_path / "bin/python3").chmod(0o755)
    for path, code in ((str(tmp_path / "bin"), "K4001"), (str(tmp_path), "K1004")):
        done = kiln.run("compare", model, "--shapes=x:5x3", "--golden=onnxruntime", environment={"PATH": path})
        assert done.returncode != 0 and code in done.stderr and "remedy: " in done.stderr, done.stderr
    assert "--golden" in kiln.fails(2, "compare", model, "--golden=tensorflow")


# ---- against stored data

def test_folder_of_data(kiln, model, tmp_path):
    write_set(tmp_path / "data", [X], [dense(X)])
    assert "output 'y' agrees" in kiln.ok("compare", model, "--data=data")
    wrong = dense(X)
    wrong[1, 2] += 0.5
    write_set(tmp_path / "wrong", [X], [wrong])
    error = kiln.fails(1, "compare", model, "--data=wrong")
    assert "1 of 8 elements differ; worst at [1,2]:" in error and f"expected {wrong[1, 2]:g}" in error


def test_engine_of_another_model(kiln, model, network):
    kiln.ok("build", model, "--shapes=x:1x3", "--builderOptimizationLevel=0", "-o", "other.plan")
    error = kiln.fails(2, "compare", network, "--loadEngine=other.plan")
    assert "is no engine of" in error and "cause: the inputs of the engine are x float32 1x3, those of the model x float32 1x8x9x7" in error


@pytest.mark.parametrize("option", ["--loadInputs=x:x.npy", "--golden=onnxruntime"])
def test_data_hold_inputs_and_outputs(kiln, model, tmp_path, option):
    write_set(tmp_path / "data", [X], [dense(X)])
    assert f"{option.split('=')[0]}: does not go with --data" in kiln.fails(2, "compare", model, "--data=data", option)


def test_all_sets_of_a_folder(kiln, model, tmp_path):
    for rows in (1, 4, 2):
        x = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
        write_set(tmp_path / f"all/test_data_set_{rows}", [x], [dense(x)])
    assert kiln.ok("compare", model, "--data=all").count("output 'y' agrees") == 3
    write_set(tmp_path / "all/test_data_set_9", [X], [dense(X) + 1])
    done = kiln.run("compare", model, "--data=all")
    assert done.returncode == 1 and done.stdout.count("agrees") == 3 and "output 'y'" in done.stderr


@pytest.mark.parametrize("rtol, atol, change, code", [
    (1e-3, 0, 1 + 9e-4, 0), (1e-3, 0, 1 + 1.2e-3, 1), (0, 1e-3, 1.0, 0), (0.1, 0, 1.09, 0), (0.1, 0, 1.12, 1)])
def test_tolerances(kiln, model, tmp_path, rtol, atol, change, code):
    write_set(tmp_path / "data", [X], [(dense(X) / change).astype(np.float32)])
    done = kiln.run("compare", model, "--data=data", f"--rtol={rtol}", f"--atol={atol}")
    assert done.returncode == code, done.stdout + done.stderr


def test_nan_agrees_with_nan_only(kiln, model, tmp_path):
    x = X.copy()
    x[0, 0] = np.nan
    y = dense(x)
    assert np.isnan(y[0]).all()
    write_set(tmp_path / "nan", [x], [y])
    kiln.ok("compare", model, "--data=nan")
    write_set(tmp_path / "other", [x], [np.nan_to_num(y)])
    differs = kiln.run("compare", model, "--data=other")
    assert differs.returncode == 1 and "4 of 8 elements differ" in differs.stdout + differs.stderr
    assert "all outputs agree with" not in differs.stdout, "no tolerance makes an infinity right"


def test_other_shape_or_type_differs(kiln, model, tmp_path):
    write_set(tmp_path / "shape", [X], [dense(X)[:1]])
    assert "is float32 2x4, expected float32 1x4" in kiln.fails(1, "compare", model, "--data=shape")
    write_set(tmp_path / "type", [X], [dense(X).astype(np.float64)])
    assert "expected float64 2x4" in kiln.fails(1, "compare", model, "--data=type")


def test_errors_have_a_code_of_their_own(kiln, model, tmp_path):
    assert "error[K1004]" in kiln.fails(2, "compare", "nothing.onnx")
    assert "is not a folder" in kiln.fails(2, "compare", model, "--data=nothing")
    (tmp_path / "empty").mkdir()
    assert "error[K1004]" in kiln.fails(2, "compare", model, "--data=empty")
    write_set(tmp_path / "more", [X, X], [dense(X)])
    assert "the model has only 1 inputs" in kiln.fails(2, "compare", model, "--data=more")
    write_set(tmp_path / "junk", [X], [dense(X)])
    (tmp_path / "junk/output_0.pb").write_bytes(b"\xff\xff")
    assert "error[K2001]" in kiln.fails(2, "compare", model, "--data=junk")
    kiln.fails(2, "compare", model, "--rtol=-1")
    kiln.fails(2, "compare", model, "--rtol=x")


def rows_of(text):
    return re.findall(r"^\[I\] +(\d+) +([\d.e+-]+) +\S+ +\S+  (.+) \[(\w+)\] \w+/(\w+)$", text, re.MULTILINE)


def test_layers_of_a_saved_engine(kiln, network):
    kiln.ok("build", network, "-o", "net.plan", "--noTimingCache")
    text = kiln.ok("compare", network, "--loadEngine=net.plan")
    assert re.search(r"\[I\] [1-9]\d* of \d+ layers have a result that the model has, too", text)
    assert rows_of(text) and all(float(row[1]) <= 1 for row in rows_of(text))
    assert kiln.ok("compare", network, "--loadEngine=net.plan", "--worst=1").count(" cpu/") == 1


def test_options_that_a_saved_engine_cannot_heed(kiln, model, tmp_path):
    kiln.ok("build", model, "--shapes=x:2x3", "--builderOptimizationLevel=0", "-o", "net.plan")
    assert "--search: it builds again and again" in kiln.fails(2, "compare", model, "--loadEngine=net.plan", "--search")
    kiln.ok("compare", model, "--loadEngine=net.plan", "--no-search")
    write_set(tmp_path / "data", [X], [dense(X)])
    assert "--shapes: does not go with" in kiln.fails(2, "compare", model, "--loadEngine=net.plan", "--data=data", "--shapes=x:2x3")


@pytest.mark.parametrize("saved", [True, False])
def test_outputs_that_differ_tell_the_tolerance_that_would_do(kiln, network, saved):
    random = np.random.default_rng(11)
    np.savez(kiln.folder / "samples.npz", **{name: random.standard_normal((4, 8, 9, 7)).astype(np.float32) for name in "xz"})
    kiln.ok("calibrate", network, "--data=samples.npz", "-o", "net.calib")
    int8 = ["--int8", "--keepInt8", "--calib=net.calib"]
    kiln.ok("build", network, *int8, "-o", "net.plan")
    compare = ["compare", network, *(["--loadEngine=net.plan"] if saved else [*int8, "--no-search"])]
    done = kiln.run(*compare)
    told = re.search(r"all outputs agree with --atol=(\S+), times the output's largest element; the engine computes \d+ layers? in int8", done.stdout)
    assert done.returncode == 1 and told, done.stdout + done.stderr
    assert 1e-4 < float(told[1]) < 0.1
    assert "all outputs agree with" not in kiln.ok(*compare, f"--atol={told[1]}")
    kiln.fails(1, *compare, f"--atol={float(told[1]) / 2}", "--rtol=0")


def test_layers_of_a_saved_engine_in_other_types(kiln):
    """The model has one result in float16, which the engine has in float32, and an integer of a name that is a matrix's in the engine."""
    random = np.random.default_rng(8)
    x, w = random.standard_normal((3, 5)).astype(np.float32), random.standard_normal((5, 4)).astype(np.float32)
    ends = {"x": (TensorProto.FLOAT, [3, 5])}, {"y": (TensorProto.FLOAT, [3, 4])}, {"w": w}
    save_model(kiln.folder / "wide.onnx", [
        helper.make_node("Softmax", ["x"], ["s"], "first"), helper.make_node("MatMul", ["s", "w"], ["m"], "product"),
        helper.make_node("Softmax", ["m"], ["y"], "last")], *ends)
    save_model(kiln.folder / "half.onnx", [
        helper.make_node("Cast", ["x"], ["h"], "to16", to=TensorProto.FLOAT16), helper.make_node("Softmax", ["h"], ["s"], "first"),
        helper.make_node("Cast", ["s"], ["f"], "to32", to=TensorProto.FLOAT), helper.make_node("MatMul", ["f", "w"], ["p"], "product"),
        helper.make_node("Softmax", ["p"], ["q"], "soft"),
        helper.make_node("NonZero", ["q"], ["m"], "places"), helper.make_node("Size", ["m"], ["n"], "count"),
        helper.make_node("Cast", ["n"], ["e"], "number", to=TensorProto.FLOAT), helper.make_node("Div", ["e", "e"], ["one"], "one"),
        helper.make_node("Mul", ["q", "one"], ["y"], "last")], *ends)
    np.save(kiln.folder / "x.npy", x)
    kiln.ok("build", "wide.onnx", "--builderOptimizationLevel=0", "-o", "net.plan")
    strict = ["--loadEngine=net.plan", "--loadInputs=x:x.npy", "--rtol=1e-6", "--atol=1e-6"]
    text = kiln.run("compare", "half.onnx", *strict).stdout
    assert "2 of 3 layers have a result that the model has, too" in text, text
    row, = [row for row in rows_of(text) if row[2] == "first"]
    assert 0 < float(row[1]) <= 1, text
    assert "of another type or shape than in the model: 'm' float32 3x4, not int64 2x12, of 'product'" in text, text
    assert "not in the model, for" not in text, text
    text = kiln.ok("compare", "wide.onnx", *strict)
    assert "3 of 3 layers" in text and "of another type" not in text, text
