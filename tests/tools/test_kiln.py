"""kiln run, build, inspect, list and the command line: values, files, shapes, messages."""
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import dense, save_model
from onnx import TensorProto, helper, numpy_helper

X = np.array([[1, -2, 0.5], [0, 3, 1]], np.float32)
COMMANDS = ["bench", "build", "calibrate", "run", "inspect", "compare", "debug", "report", "list", "completion"]


def read_pb(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


# ---- files in and out

def write_input(folder, form, value):
    if form == "npy":
        np.save(folder / "x.npy", value)
        return "x:x.npy"
    if form == "npz":
        np.savez(folder / "all.npz", x=value)
        return "all.npz"
    if form == "npz_compressed":
        np.savez_compressed(folder / "all.npz", x=value)
        return "all.npz"
    if form == "name:npz":
        np.savez_compressed(folder / "all.npz", other=value + 1, x=value)
        return "x:all.npz"
    if form == "only:npz":
        np.savez(folder / "all.npz", whatever=value)
        return "x:all.npz"
    if form == "pb":
        (folder / "x.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
        return "x:x.pb"
    value.tofile(folder / "x.bin")
    return "x:x.bin"


@pytest.mark.parametrize("form", ["npy", "npz", "npz_compressed", "name:npz", "only:npz", "pb", "raw"])
def test_inputs_of_every_form(kiln, model, tmp_path, form):
    text = write_input(tmp_path, form, X)
    shapes = ["--shapes=x:2x3"] if form == "raw" else []  # the other forms bring their shape
    out = kiln.ok("run", model, f"--loadInputs={text}", "--saveOutputs=out", *shapes)
    assert "y float32 2x4" in out
    np.testing.assert_allclose(np.load(tmp_path / "out/y.npy"), dense(X), rtol=1e-6)


def test_outputs_of_every_form(kiln, network, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.ones((1, 8, 9, 7), np.float32), z=np.zeros((1, 8, 9, 7), np.float32))
    kiln.ok("build", network, "-o", "net.plan")  # once: another tuning may choose kernels that round otherwise
    kiln.ok("run", "net.plan", "--inputs=in.npz", "--saveOutputs=folder")
    kiln.ok("run", "net.plan", "--inputs=in.npz", "--saveOutputs=pb", "--format=pb")
    kiln.ok("run", "net.plan", "--inputs=in.npz", "--saveOutputs=all.npz")
    s, q = np.load(tmp_path / "folder/s.npy"), np.load(tmp_path / "folder/q.npy")
    assert s.shape == (1, 8, 9, 7) and q.shape == (1, 8, 1, 1)
    assert abs(q.sum() - 1) < 1e-5
    archive = np.load(tmp_path / "all.npz")
    assert sorted(archive) == ["q", "s"]
    np.testing.assert_array_equal(archive["s"], s)
    np.testing.assert_array_equal(archive["q"], q)
    np.testing.assert_array_equal(read_pb(tmp_path / "pb/output_0.pb"), s)
    np.testing.assert_array_equal(read_pb(tmp_path / "pb/output_1.pb"), q)


def test_stored_outputs_agree_with_themselves(kiln, model, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/input_0.pb").write_bytes(numpy_helper.from_array(X).SerializeToString())
    kiln.ok("run", model, "--loadInputs=x:data/input_0.pb", "--saveOutputs=data", "--format=pb")
    assert "agrees exactly" in kiln.ok("compare", model, "--data=data")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint8, np.int32, np.int64, np.bool_])
def test_element_types(kiln, tmp_path, dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    save_model(tmp_path / "copy.onnx", [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
               {"x": (kind, [2, 3])}, {"y": (kind, [3, 2])})
    value = np.array([[0, 1, 2], [3, 0, 5]]).astype(dtype)
    np.savez_compressed(tmp_path / "in.npz", x=value)
    kiln.ok("run", "copy.onnx", "--loadInputs=in.npz", "--saveOutputs=out.npz")
    got = np.load(tmp_path / "out.npz")["y"]
    assert got.dtype == value.dtype
    np.testing.assert_array_equal(got, value.T)
    kiln.ok("run", "copy.onnx", "--loadInputs=in.npz", "--saveOutputs=pb", "--format=pb")
    np.testing.assert_array_equal(read_pb(tmp_path / "pb/output_0.pb"), value.T)


def test_bfloat16_leaves_as_pb(kiln, tmp_path):
    save_model(tmp_path / "cast.onnx", [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)],
               {"x": (TensorProto.FLOAT, [2, 3])}, {"y": (TensorProto.BFLOAT16, [2, 3])})
    np.save(tmp_path / "x.npy", X)
    assert "remedy: write .pb files" in kiln.fails(1, "run", "cast.onnx", "--loadInputs=x:x.npy", "--saveOutputs=out")
    kiln.ok("run", "cast.onnx", "--loadInputs=x:x.npy", "--saveOutputs=out", "--format=pb")
    np.testing.assert_array_equal(read_pb(tmp_path / "out/output_0.pb").astype(np.float32), X)


# ---- archives that lie

def test_array_beyond_the_networks_shape_is_refused(kiln, model, tmp_path):
    kiln.ok("build", model, "--minShapes=x:1x3", "--optShapes=x:2x3", "--maxShapes=x:4x3", "-o", "net.plan")
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((1 << 22, 3), np.float32))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 20
    error = kiln.fails(1, "run", "net.plan", "--loadInputs=bomb.npz")
    assert "error[K2005]" in error and "the network takes at most" in error


def bare_zip(path, name, content, claim=None):
    """A zip with one deflated file whose headers may claim another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    if claim is not None:
        data = bytearray(path.read_bytes())
        size = len(content).to_bytes(4, "little")
        for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            start = data.index(magic) + at
            assert data[start:start + 4] == size
            data[start:start + 4] = claim.to_bytes(4, "little")
        path.write_bytes(bytes(data))


def npy(value):
    import io

    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def test_archives_that_lie(kiln, model, tmp_path):
    good = npy(X)
    bare_zip(tmp_path / "short.npz", "x.npy", good, claim=len(good) + 64)
    bare_zip(tmp_path / "long.npz", "x.npy", good, claim=len(good) - 4)
    bare_zip(tmp_path / "text.npz", "x.txt", b"no array")
    bare_zip(tmp_path / "junk.npz", "x.npy", b"no array at all, but long enough")
    bare_zip(tmp_path / "missing.npz", "elsewhere.npy", good)
    bare_zip(tmp_path / "object.npz", "x.npy", npy(np.array(["a", "b"], dtype=object)))
    bare_zip(tmp_path / "huge.npz", "x.npy", good.replace(b"(2, 3)", b"(9999999999999999999999, 3)", 1))
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "noise.npz").write_bytes(bytes(range(256)) * 8)
    whole = (tmp_path / "junk.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:len(whole) // 2])
    flipped = bytearray((tmp_path / "missing.npz").read_bytes().replace(b"elsewhere", b"xxxxxxxxx"))
    flipped[50] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(bytes(flipped))
    for path in sorted(tmp_path.glob("*.npz")):
        error = kiln.fails(1, "run", model, f"--loadInputs=x:{path.name}" if path.stem == "flipped" else f"--loadInputs={path.name}")
        assert re.search(r"error\[K\d{4}\]", error) and "remedy:" in error, f"{path.name}: {error}"


def test_nearest_input_name(kiln, network, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.ones((1, 8, 9, 7), np.float32), zz=np.ones(1, np.float32))
    assert "has no input 'zz'; did you mean 'z'?" in kiln.fails(1, "run", network, "--loadInputs=in.npz")
    assert "has no input 'q'" in kiln.fails(2, "run", network, "--shapes=q:1x2")


# ---- profiles

def test_several_profiles(kiln, model, tmp_path):
    kiln.ok("build", model, "-o", "net.plan", "--profile=0", "--minShapes=x:1x3", "--optShapes=x:1x3", "--maxShapes=x:2x3",
            "--profile=1", "--minShapes=x:5x3", "--optShapes=x:6x3", "--maxShapes=x:7x3")
    shown = kiln.ok("inspect", "net.plan")
    assert "profile 0: min 1x3 opt 1x3 max 2x3" in shown and "profile 1: min 5x3 opt 6x3 max 7x3" in shown
    for rows, right in ((1, True), (2, True), (3, False), (5, True), (7, True), (8, False)):
        value = np.full((rows, 3), 0.25, np.float32)
        np.save(tmp_path / "x.npy", value)
        done = kiln.run("run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out")
        assert (done.returncode == 0) == right, done.stderr
        if right:
            np.testing.assert_allclose(np.load(tmp_path / "out/y.npy"), dense(value), rtol=1e-6)
        else:
            assert f"shape [{rows},3] is outside profile 0, min [1,3] max [2,3]; profile 1 has min [5,3] max [7,3]" in done.stderr
    np.save(tmp_path / "x.npy", X)
    error = kiln.fails(1, "run", "net.plan", "--loadInputs=x:x.npy", "--useOptimizationProfile=1")
    assert "error[K4003]" in error and "outside profile 1, min [5,3]" in error
    assert "no optimisation profile 2" in kiln.fails(1, "run", "net.plan", "--useOptimizationProfile=2")
    error = kiln.fails(2, "build", model, "--profile=3", "--minShapes=x:1x3")
    assert "the shapes of profile 3 are given before those of profile 1" in error
    assert "--useOptimizationProfile=2 chooses" in kiln.fails(2, "run", "net.plan", "--profile=2")


def test_shapes_behind_a_profile_are_its_own(kiln, model):
    kiln.ok("build", model, "-o", "net.plan", "--profile=0", "--shapes=x:4x3", "--profile=1", "--shapes=x:1x3")
    shown = kiln.ok("inspect", "net.plan")
    assert "profile 0: min 4x3 opt 4x3 max 4x3" in shown and "profile 1: min 1x3 opt 1x3 max 1x3" in shown


def test_missing_bounds_follow_the_given_ones(kiln, model):
    kiln.ok("build", model, "-o", "a.plan", "--maxShapes=x:7x3")
    assert "profile" not in kiln.ok("inspect", "a.plan")  # one shape only: the largest
    kiln.ok("build", model, "-o", "b.plan", "--minShapes=x:1x3", "--maxShapes=x:7x3")
    assert "profile 0: min 1x3 opt 7x3 max 7x3" in kiln.ok("inspect", "b.plan")


def test_dynamic_input_without_shape_warns(kiln, model):
    done = kiln.run("run", model)
    assert done.returncode == 0
    assert "[W] input 'x' has dynamic dimensions and no shape; using 1x3 (remedy: --shapes=x:" in done.stderr


# ---- build, inspect, list

def test_inspect(kiln, network):
    kiln.ok("build", network, "-o", "net.plan", "--report")
    data = json.loads(kiln.ok("inspect", "net.plan", "--json"))
    assert [t["name"] for t in data["inputs"]] == ["x", "z"]
    assert [t["name"] for t in data["outputs"]] == ["s", "q"]
    names = {o for layer in data["layers"] for o in layer["origins"]}
    assert {"conv1", "conv2", "softmax"} <= names
    assert all(layer["tactic"] and layer["backend"] for layer in data["layers"])
    text = kiln.ok("inspect", "net.plan")
    assert "input   x float32 1x8x9x7" in text
    assert re.search(r"^built by Kiln \d+\.\d+\.\d+ \(level 3\) on .", text, re.MULTILINE)
    assert "channels-last" in text and "0231" not in text


def test_inspect_shows_profiles_as_they_are(kiln, model):
    kiln.ok("build", model, "--shapes=x:8x3", "-o", "fixed.plan")
    text = kiln.ok("inspect", "fixed.plan")
    assert "input   x float32 8x3" in text and "output  y float32 8x4" in text and "float32[8,4]" in text and "-1" not in text
    data = json.loads(kiln.ok("inspect", "fixed.plan", "--json"))
    assert data["inputs"][0]["dims"] == [8, 3] and data["inputs"][0]["profiles"] == [{"min": [8, 3], "opt": [8, 3], "max": [8, 3]}]
    kiln.ok("build", model, "--profile=0", "--shapes=x:8x3", "--profile=1", "--minShapes=x:1x3", "--maxShapes=x:2x3", "-o", "two.plan")
    text = kiln.ok("inspect", "two.plan")
    assert "profile 0: min 8x3 opt 8x3 max 8x3" in text and "profile 1: min 1x3 opt 2x3 max 2x3" in text
    assert "input   x float32 -1x3" in text


def test_inspect_a_model(kiln, model, tmp_path):
    text = kiln.ok("inspect", model, "--shapes=x:10x3")
    assert "input   x float32 (rows)x3" in text and "output  y float32 (rows)x4" in text and "opset 18" in text
    data = json.loads(kiln.ok("inspect", model, "--shapes=x:10x3", "--json"))
    assert data["operators"] == {"Add": 1, "MatMul": 1, "Relu": 1} and data["parameters"] == 16 and data["parameter_bytes"] == 64
    assert data["flops"] == 2 * 10 * 3 * 4 + 2 * 10 * 4 and data["unsupported"] == []
    assert "has no input 'y'; did you mean 'x'?" in kiln.fails(1, "inspect", model, "--shapes=y:1x3")
    node = helper.make_node("Nonsense", ["x"], ["y"], name="strange")
    graph = helper.make_graph([node], "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "strange.onnx")
    text = kiln.ok("inspect", "strange.onnx")
    assert "1 node cannot be built:" in text and "'strange' (Nonsense, opset 18)" in text and "input   x float32 (n)x3" in text


def test_build_keeps_its_engine(kiln, model):
    assert "saved " in kiln.ok("build", model, "--shapes=x:2x3")
    assert model.with_suffix(".plan").is_file()
    model.with_suffix(".plan").unlink()
    done = kiln.run("build", model, "--shapes=x:2x3", "--dump=fuse")
    assert "the engine is not kept" in done.stderr and not model.with_suffix(".plan").exists()
    assert "place of its model" in kiln.fails(1, "build", model, "-o", model)


def test_a_dump_can_be_built(kiln, network, tmp_path):
    np.savez(tmp_path / "in.npz", **{name: np.random.default_rng(i).standard_normal((1, 8, 9, 7)).astype(np.float32)
                                     for i, name in enumerate("xz")})
    kiln.ok("run", network, "--inputs=in.npz", "--saveOutputs=whole.npz")
    for stage in ("import", "fuse"):
        kiln.ok("build", network, f"--dump={stage}", "--dumpFile=graph.kir")
        kiln.ok("run", "graph.kir", "--inputs=in.npz", "--saveOutputs=again.npz")
        for name in ("s", "q"):
            np.testing.assert_allclose(np.load(tmp_path / "again.npz")[name], np.load(tmp_path / "whole.npz")[name], rtol=1e-4, atol=1e-4)
    text = (tmp_path / "graph.kir").read_text()
    weights = (tmp_path / "graph.kir.weights").read_bytes()
    (tmp_path / "graph.kir.weights").write_bytes(weights[:100])
    assert "ends before the weight" in kiln.fails(1, "build", "graph.kir")
    for broken in (text.replace("// weight float32 ", "// weight float33 "), text.replace("// weight float32 8x8x3x3", "// weight float32 8x8x3x99999999999999999"),
                   text.replace("// weight float32", "// weight"), text[:len(text) // 3]):
        (tmp_path / "broken.kir").write_text(broken)
        (tmp_path / "broken.kir.weights").write_bytes(weights)
        assert "error[K1001]" in kiln.fails(1, "build", "broken.kir")


def test_one_output_in_one_file(kiln, model, network, tmp_path):
    np.save(tmp_path / "x.npy", X)
    done = kiln.run("run", model, "--loadInputs=x:x.npy", "--saveOutputs=y.npy")
    assert done.returncode == 0 and "random" not in done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), dense(X), rtol=1e-6)
    printed = re.search(r"^\[I\] y float32 2x4: (.*)$", done.stdout, re.MULTILINE)[1]
    np.testing.assert_allclose(np.fromstring(printed, sep=" "), dense(X).ravel(), rtol=1e-5)
    error = kiln.fails(2, "run", network, "--saveOutputs=y.npy")
    assert "there are 2 outputs: s, q" in error and not (tmp_path / "y.npy.npy").exists()
    done = kiln.run("run", network)
    assert "random values for x, z" in done.stderr and re.search(r"s float32 1x8x9x7, from -?[\d.]+ to [\d.]+", done.stdout)


def test_dump_of_all_layers(kiln, tmp_path):
    save_model(tmp_path / "log.onnx", [helper.make_node("Abs", ["x"], ["a"], name="abs"), helper.make_node("MatMul", ["a", "w"], ["m"], name="product"),
                                       helper.make_node("Log", ["m"], ["l"], name="log"), helper.make_node("Softmax", ["l"], ["y"], name="soft")],
               {"x": (TensorProto.FLOAT, [2, 3])}, {"y": (TensorProto.FLOAT, [2, 4])}, {"w": np.zeros((3, 4), np.float32)})
    done = kiln.run("run", "log.onnx", "--dump-all=layers", "--disable=post_operations,pointwise_chain")
    assert done.returncode == 0 and "the first NaN or infinity is in 'l'" in done.stderr, done.stderr
    values = {path.name.split(".")[1]: np.load(path) for path in sorted((tmp_path / "layers").iterdir())}
    assert (values["m"] == 0).all() and np.isinf(values["l"]).all()


def test_a_result_that_is_not_finite_names_its_layer(kiln, tmp_path):
    save_model(tmp_path / "log.onnx", [helper.make_node("MatMul", ["x", "w"], ["m"], name="product"), helper.make_node("Log", ["m"], ["y"], name="log")],
               {"x": (TensorProto.FLOAT, [2, 3])}, {"y": (TensorProto.FLOAT, [2, 4])}, {"w": np.zeros((3, 4), np.float32)})
    done = kiln.run("run", "log.onnx", "--disable=post_operations,pointwise_chain")
    assert done.returncode == 0 and "the first NaN or infinity is in 'y', made by layer 'log' (Log, " in done.stderr, done.stderr
    assert "NaN or infinity" not in kiln.run("run", "log.onnx", "--dump-all=layers", "--stop-after=0").stdout


def test_report_page(kiln, network, tmp_path):
    kiln.ok("build", network, "-o", "a.plan")
    kiln.ok("build", network, "-o", "b.plan", "--builderOptimizationLevel=0", "--disable=post_operations")
    kiln.ok("report", "a.plan", "b.plan", "-o", "report.html", "--iterations=3")
    page = (tmp_path / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page and "src=" not in page
    data = json.loads(re.search(r"^const data = (.*);$", page, re.MULTILINE)[1])
    assert len(data["engines"]) == 2 and all(e["limits"]["flops"] > 0 and e["limits"]["bytes"] > 0 for e in data["engines"])
    first = data["engines"][0]
    assert all(layer["ms"] > 0 for layer in first["layers"]) and any(layer["least"] > 0 for layer in first["layers"])
    assert any(len(layer["tried"]) > 1 for layer in first["layers"])
    assert first["memory"] and all(m["offset"] + m["size"] <= first["context_bytes"] for m in first["memory"])
    assert len(data["engines"][1]["layers"]) > len(first["layers"])
    kiln.fails(2, "report", "a.plan")
    assert "error[K1004]" in kiln.fails(1, "report", "a.plan", "-o", "nowhere/report.html", "--iterations=1")


def test_manual_page(kiln):
    text = kiln.ok("completion", "man")
    assert text.startswith(".TH KILN 1") and all(f".SS kiln {c}" in text for c in COMMANDS) and r"\-\-saveEngine" in text


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_keeps_the_times(kiln, tmp_path, ending):
    nodes, constants = [], {}
    for i in range(12):
        nodes.append(helper.make_node("Conv", ["x" if i == 0 else f"v{i - 1}", f"w{i}"], [f"v{i}"], name=f"conv{i}", pads=[1, 1, 1, 1]))
        constants[f"w{i}"] = np.ones((16 + i + 1, 16 + i, 3, 3), np.float32)
    save_model(tmp_path / "deep.onnx", nodes, {"x": (TensorProto.FLOAT, [1, 16, 64, 64])}, {"v11": (TensorProto.FLOAT, [1, 28, 64, 64])}, constants)
    with subprocess.Popen([kiln.program, "build", "deep.onnx", "--timingCacheFile=times.cache", "--builderOptimizationLevel=5", "--avgTiming=200"],
                          cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("tactics chosen for "):
                process.send_signal(ending)
                break
        rest = process.stderr.read()
    assert process.returncode == 130 and "error[K1002] the build was interrupted; what it measured is in times.cache" in rest
    assert (tmp_path / "times.cache").stat().st_size > 100 and not (tmp_path / "deep.plan").exists()


def test_interrupt_with_a_partial_engine(kiln, tmp_path):
    """The measuring ends, the build does not; what is left takes its first tactic, and the result is right."""
    nodes, constants = [], {}
    for i in range(12):
        nodes.append(helper.make_node("Conv", ["x" if i == 0 else f"v{i - 1}", f"w{i}"], [f"v{i}"], name=f"conv{i}", pads=[1, 1, 1, 1]))
        constants[f"w{i}"] = np.full((16 + i + 1, 16 + i, 3, 3), 0.01, np.float32)
    save_model(tmp_path / "deep.onnx", nodes, {"x": (TensorProto.FLOAT, [1, 16, 64, 64])}, {"v11": (TensorProto.FLOAT, [1, 28, 64, 64])}, constants)
    with subprocess.Popen([kiln.program, "build", "deep.onnx", "--timingCacheFile=times.cache", "--builderOptimizationLevel=5", "--avgTiming=1000",
                           "--partialEngine"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("tactics chosen for "):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 0 and "the measuring was interrupted" in rest, rest
    assert (tmp_path / "times.cache").stat().st_size > 100
    tried = [layer.get("built_ms", -1) >= 0 for layer in json.loads(kiln.ok("inspect", "deep.plan", "--json"))["layers"] if layer["op"] == "Conv"]
    assert tried[0] and not all(tried), tried
    assert "agrees" in kiln.ok("compare", "deep.onnx", "--loadEngine=deep.plan")


def test_dump_stages(kiln, network):
    assert "Relu" in kiln.ok("build", network, "--dump=import", "--builderOptimizationLevel=0")
    kiln.ok("build", network, "--dump=final", "--builderOptimizationLevel=0")
    assert "--dump" in kiln.fails(2, "build", network, "--dump=nothing")


def test_list_devices(kiln, tmp_path):
    text = kiln.ok("list", "devices")
    devices = json.loads(kiln.ok("list", "devices", "--json"))
    assert {d["backend"] for d in devices} >= set(kiln.ok("list", "backends").split())
    for d in devices:
        if not d["available"]:
            assert d["reason"] and f"{d['backend']}: not available: " in text
            continue
        assert d["name"] and d["fingerprint"] and d["units"] >= 1 and d["alignment"] >= 1
        assert f"{d['backend']}:{d['ordinal']}: {d['name']}" in text and f"  fingerprint: {d['fingerprint']}" in text
    (cpu,) = [d for d in devices if d["backend"] == "cpu"]
    assert cpu["memory"] > 2 ** 28 and cpu["host_memory"] and 0 < cpu["free_memory"] <= cpu["memory"]
    assert "0 units" not in text and kiln.ok("list", "devices", "--device=cpu").startswith("cpu:0: ")


def test_profiles_of_devices(kiln, tmp_path):
    assert "memory" in kiln.ok("list", "devices", "--device=cpu", "--saveProfile=cpu.json")
    profile = json.loads((tmp_path / "cpu.json").read_text())
    assert profile["bytes_per_second"] > 1e6 and profile["operations_per_second"]["float32"] > 1e6  # measured
    other = {**profile, "backend": "elsewhere", "ordinal": 2, "name": "a device that is not here"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert kiln.ok("list", "devices", "--loadProfile=other.json").startswith("elsewhere:2: a device that is not here\n")
    kiln.ok("list", "devices", "--loadProfile=other.json", "--saveProfile=again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == other
    error = kiln.fails(1, "list", "devices", "--device=cpu", "--saveProfile=other.json")
    assert "error[K1005] 'other.json' holds the profile of another device" in error and "a device that is not here" in error and "remedy: " in error
    assert json.loads((tmp_path / "other.json").read_text()) == other
    timed = {**profile, "times": {"0" * 32 + " conv.1{}": 0.5}}
    (tmp_path / "cpu.json").write_text(json.dumps(timed))
    kiln.ok("list", "devices", "--device=cpu", "--saveProfile=cpu.json")
    kiln.ok("list", "devices", "--loadProfile=cpu.json", "--saveProfile=copy.json")
    for name in ("cpu.json", "copy.json"):
        assert json.loads((tmp_path / name).read_text())["times"] == timed["times"], name
    (tmp_path / "settings.json").write_text('{"of": "somebody"}')
    assert "holds something else" in kiln.fails(1, "list", "devices", "--device=cpu", "--saveProfile=settings.json")
    assert (tmp_path / "settings.json").read_text() == '{"of": "somebody"}'
    assert "there is no device 'gpu'" in kiln.fails(1, "list", "devices", "--device=gpu")
    (tmp_path / "bad.json").write_text(json.dumps({k: v for k, v in profile.items() if k != "memory"}))
    assert "'bad.json' is not the profile of a device: there is no 'memory'" in kiln.fails(1, "list", "devices", "--loadProfile=bad.json")
    for arguments in (["devices", "--loadProfile=nothing.json"], ["devices", "--device=cpu", "--saveProfile=nowhere/x.json"]):
        assert "error[K1004]" in kiln.fails(1, "list", *arguments)
    (tmp_path / "model.onnx").write_bytes(b"a model")
    assert "error[K1005]" in kiln.fails(1, "list", "devices", "--device=cpu", "--saveProfile=model.onnx")
    assert "goes with `kiln list devices`" in kiln.fails(2, "list", "rules", "--json")


def test_list(kiln):
    assert {"ref", "cpu"} <= set(kiln.ok("list", "backends").split())
    assert {"Conv", "MatMul", "Softmax"} <= set(kiln.ok("list", "operators").split())
    knobs = {line.split()[0]: line for line in kiln.ok("list", "knobs").splitlines()}
    assert knobs["--builderOptimizationLevel"].split()[1:6] == ["INT:INT", "in", "[0", "-", "5]"]
    assert " 3 " in knobs["--builderOptimizationLevel"] and " off " in knobs["--noTimingCache"]
    everything = kiln.ok("list")
    assert all(f"{title} (" in everything for title in ("backends", "operators", "rules", "knobs", "tactics of cpu"))
    assert set(knobs) == {w.rstrip("=") for w in words_of(kiln, "build", "--")} & set(knobs)


# ---- the command line

@pytest.mark.parametrize("command", COMMANDS)
def test_help(kiln, command):
    text = kiln.ok(command, "--help")
    assert "Examples:\n  kiln " + command in text and "Exit codes: 0" in text


def test_help_of_the_program(kiln):
    text = kiln.ok("--help")
    assert all(re.search(rf"^  {c} ", text, re.MULTILINE) for c in COMMANDS)
    assert "Exit codes:" in text and re.fullmatch(r"\d+\.\d+\.\d+\n", kiln.ok("--version"))


def test_help_lists_the_variables_that_are_read(kiln):
    sources = [p for folder in ("src", "tools") for p in (Path(__file__).resolve().parents[2] / folder).rglob("*.cpp")]
    read = {name for p in sources for name in re.findall(r'getenv\("(KILN_\w+)"\)', p.read_text())}
    help_text, manual = kiln.ok("--help"), kiln.ok("completion", "man")
    assert read and all(f"  {name}=" in help_text and name in manual for name in read | {"NO_COLOR", "OMP_NUM_THREADS"})


@pytest.mark.parametrize("typed, meant", [
    (["bnech"], "'bnech' is no command; did you mean 'bench'?"),
    (["bench", "--itertions=3"], "'--itertions' is no option of bench; did you mean '--iterations'?"),
    (["run", "--saveoutput=x", "m"], "'--saveoutput' is no option of run; did you mean '--saveOutputs'?"),
    (["build", "--zzzzzzzzzzzz", "m"], "'--zzzzzzzzzzzz' is no option of build\n"),
])
def test_typing_errors(kiln, typed, meant):
    assert meant in kiln.fails(2, *typed)


@pytest.mark.parametrize("words, said", [
    (["--calib=", "--int8"], "--calib: there is no value behind '='"),
    (["--calib", "--int8"], "--calib: it takes a value, and '--int8' is another option"),
    (["--calib", ""], "--calib: its value is empty"),
    (["--calib="], "--calib: there is no value behind '='"),
    (["--int8="], "--int8: there is no value behind '='"),
    (["--minShapes=", "--maxShapes=x:9x3"], "--minShapes: there is no value behind '='"),
    (["--timingCacheFile=", "--verbose"], "--timingCacheFile: there is no value behind '='"),
])
def test_an_option_without_its_value_takes_no_other_word(kiln, model, words, said):
    for command in (["build", model], ["run", model], ["bench", f"--onnx={model}"]):
        assert said in kiln.fails(2, *command, *words)
    done = kiln.run(f"--onnx={model}", *words, program=str(Path(kiln.program).parent / "trtexec"))
    assert done.returncode == 2 and said in done.stderr


def test_short_options_and_values_that_begin_with_a_dash(kiln, model):
    assert "-o: its value stands behind a space: -o net.plan" in kiln.fails(2, "build", model, "-o=net.plan")
    assert "-o: it takes a value, and '-h' is another option" in kiln.fails(2, "build", model, "-o", "-h")
    assert "--check: it takes a value" in kiln.fails(2, "debug", "reduce", model, "--check", "--output", "small.kir")
    kiln.ok("build", model, "--shapes=x:1x3", "--builderOptimizationLevel=0", "--stop-after", "-1", "-o", "--no such option")
    assert (kiln.folder / "--no such option").exists()


def test_errors_of_a_command_in_a_command(kiln, model):
    assert "--output is required" in kiln.fails(2, "debug", "reduce", model, "--check=false")
    assert "'--chek' is no option of reduce; did you mean '--check'?" in kiln.fails(2, "debug", "reduce", model, "--chek=false")
    assert "'redcue' is no command; did you mean 'reduce'?" in kiln.fails(2, "debug", "redcue")


def test_a_missing_folder_is_noticed_before_the_work(kiln, model):
    fast = ["--shapes=x:1x3", "--builderOptimizationLevel=0"]
    for command in (["build", model, *fast, "-o", "nowhere/net.plan"], ["build", model, *fast, "--timingCacheFile=nowhere/cache"],
                    ["bench", f"--onnx={model}", *fast, "--exportTimes=nowhere/times.json"]):
        done = kiln.run(*command)
        assert done.returncode == 1 and "error[K1004] cannot create 'nowhere/" in done.stderr and "remedy: " in done.stderr
        assert "tactics chosen" not in done.stderr and done.stdout == ""
    kiln.ok("build", model, *fast, "-o", "net.plan")
    assert "there is no folder 'nowhere'" in kiln.fails(1, "report", "net.plan", "-o", "nowhere/report.html")


def test_a_report_of_three_engines(kiln, model):
    kiln.ok("build", model, "--shapes=x:1x3", "--builderOptimizationLevel=0", "-o", "net.plan")
    kiln.fails(2, "report", "net.plan", "net.plan", "net.plan", "-o", "report.html")
    assert not (kiln.folder / "report.html").exists()


def test_a_limit_of_time_says_that_it_was_met(kiln, model):
    kiln.ok("build", model, "--shapes=x:1x3", "--builderOptimizationLevel=0", "-o", "net.plan")
    assert "error[K1002] the inference took longer than its limit of time" in kiln.fails(1, "run", "net.plan", "--timeLimit=1e-9")


def test_usage_errors(kiln, model):
    kiln.fails(2)
    kiln.fails(2, "run")
    kiln.fails(2, "bench")
    kiln.fails(2, "bench", f"--onnx={model}", "--loadEngine=x.plan")
    for shapes in ("x", "x:", "x:1x", "x:axb", "x:-1x3", ":1x3", "x:1x3,"):
        kiln.fails(2, "build", model, f"--shapes={shapes}")
    for option in ("--iterations=0", "--iterations=x", "--streams=0", "--streams=65", "--percentile=101", "--percentile=a,b",
                   "--duration=-1", "--builderOptimizationLevel=6", "--latencyBound=0", "--latencyBound=nan", "--stop-after=-2"):
        kiln.fails(2, "bench", f"--onnx={model}", "--shapes=x:1x3", option)


def test_failures(kiln, tmp_path):
    assert "error[K1004]" in kiln.fails(1, "run", "nothing.onnx")
    assert "error[K1004]" in kiln.fails(1, "bench", "--loadEngine=nothing.plan")
    (tmp_path / "text.plan").write_text("no engine")
    assert "error[K3001]" in kiln.fails(1, "inspect", "text.plan")


def on_terminal(kiln, *arguments, environment, columns=80):
    """What the program writes when standard error is a terminal."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([kiln.program, *map(str, arguments)], cwd=kiln.folder, stdout=side, stderr=side,
                          env={**os.environ, **environment}) as process:
        os.close(side)
        text = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
    os.close(main)
    return process.returncode, text.decode()


def test_colours_and_progress_on_a_terminal(kiln, model):
    colours = {"TERM": "xterm", "NO_COLOR": ""}
    code, text = on_terminal(kiln, "run", "nothing.onnx", environment=colours)
    assert code == 1 and "\033[31m[E] error[K1004]" in text
    for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}):
        assert "\033[31m" not in on_terminal(kiln, "run", "nothing.onnx", environment=environment)[1]
    code, text = on_terminal(kiln, "build", model, "--shapes=x:2x3", environment=colours)
    assert code == 0 and re.search(r"\r\[#*\.*\] \d+/\d+ ", text)


@pytest.mark.parametrize("columns", [1, 20, 80])
def test_progress_fits_the_terminal(kiln, network, columns):
    code, text = on_terminal(kiln, "build", network, "-o", "net.plan", "--buildTime=900", environment={"TERM": "xterm", "NO_COLOR": ""}, columns=columns)
    bars = re.findall(r"\r([^\r\033]*)\033\[K", text)
    assert code == 0 and bars and all(len(bar) < columns for bar in bars), bars
    if columns == 80:
        assert any(re.match(r"\[#*\.*\] \d+/\d+ tuning, \d+ s of at most 15:00 min", bar) for bar in bars), bars


@pytest.mark.parametrize("command", [["list"], ["list", "devices", "--json"], ["build", "--help"], ["completion", "man"], ["inspect", "network.onnx"]])
def test_a_closed_pipe(kiln, network, command):
    """Who reads the output may stop: the program ends, without a word, as others do, or with an error and its code."""
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen([kiln.program, *command], cwd=kiln.folder, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        error = process.stderr.read()
    assert process.returncode in (-signal.SIGPIPE, 1) and ("error[K1005]" in error or error == ""), (process.returncode, error)


def test_lines_without_a_terminal(kiln, model):
    done = kiln.run("build", model, "--shapes=x:2x3")
    assert "\033" not in done.stdout + done.stderr and "\r" not in done.stderr
    assert re.search(r"^tactics chosen for (\d+) of \1 problems$", done.stderr, re.MULTILINE)


# ---- completion

def words_of(kiln, *line):
    """What bash offers after `kiln` and these words, the last of which is being typed."""
    script = kiln.ok("completion", "bash")
    words = " ".join(f"'{w}'" for w in ("kiln", *line))
    call = f"{script}\nCOMP_WORDS=({words}); COMP_CWORD={len(line)}; _kiln; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completion(kiln):
    assert set(words_of(kiln, "")) == {*COMMANDS, "--help", "--version"}
    assert words_of(kiln, "co") == ["compare", "completion"]
    assert words_of(kiln, "bench", "--loadE") == ["--loadEngine="]
    assert words_of(kiln, "bench", "--dumpP") == ["--dumpProfile"]
    assert words_of(kiln, "list", "kn") == ["knobs"]
    assert set(words_of(kiln, "build", "--dump", "=", "")) == {"import", "canonicalize", "quantize", "precision", "fuse", "formats", "final"}
    assert words_of(kiln, "build", "--dump", "=", "fu") == ["fuse"]
    offered = set(words_of(kiln, "run", "--"))
    known = set(re.findall(r"--\w[\w-]*", kiln.ok("run", "--help").split("\nExamples")[0]))
    assert {w.rstrip("=") for w in offered} == known


def test_zsh_completion(kiln):
    script = kiln.ok("completion", "zsh")
    assert script.startswith("#compdef kiln trtexec\n")
    assert "'bench:Build or load an engine" in script and "'--dumpProfile[Print the time per layer]'" in script
    assert ":value:(import canonicalize quantize precision fuse formats final)'" in script
    (kiln.folder / "_kiln").write_text(script)
    try:
        done = subprocess.run(["zsh", "-n", kiln.folder / "_kiln"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("zsh is not installed")
    assert done.returncode == 0, done.stderr


def test_completion_of_another_shell(kiln):
    assert "fish" in kiln.fails(2, "completion", "fish")


# ---- debug

def fault_at(folder, text):
    """A check that fails for models whose text holds the words."""
    path = folder / "check.sh"
    path.write_text(f"#!/bin/sh\n! grep -q '{text}' \"$1\"\n")
    path.chmod(0o755)
    return "./check.sh"


def test_a_failing_model_is_cut_down(kiln, network, tmp_path):
    check = fault_at(tmp_path, 'GlobalAveragePool "')
    assert "of 6 nodes are left in small.kir" in kiln.ok("debug", "reduce", network, f"--check={check}", "-o", "small.kir")
    text = (tmp_path / "small.kir").read_text()
    assert re.findall(r"= (\w+) ", text) == ["GlobalAveragePool"] and text.count("return") == 1
    kiln.ok("build", "small.kir", "-o", "small.plan")
    error = kiln.fails(1, "debug", "reduce", network, "--check=true", "-o", "none.kir")
    assert "error[K1002] the check finds no fault in the whole model" in error
    assert "error[K1004] the check cannot be run" in kiln.fails(1, "debug", "reduce", network, "--check=./nothing", "-o", "none.kir")
    assert "does not end in .kir" in kiln.fails(1, "debug", "reduce", network, "--check=false", "-o", "none.onnx")


def test_the_rewrite_at_fault_is_found(kiln, network, tmp_path):
    (tmp_path / "check.sh").write_text(f"#!/bin/sh\n! '{kiln.program}' inspect \"$1\" | grep -q 'conv2 + sum'\n")
    (tmp_path / "check.sh").chmod(0o755)
    done = kiln.run("debug", "bisect", network, "--check=./check.sh", "--builderOptimizationLevel=0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"the check fails from patch \d+ of \d+ on: fuse: post_operations: conv2 \+ sum", done.stderr), done.stderr
    assert "nothing to find" in kiln.ok("debug", "bisect", network, "--check=true", "--builderOptimizationLevel=0")
    assert "no rule is at fault" in kiln.run("debug", "bisect", network, "--check=false", "--builderOptimizationLevel=0").stderr
