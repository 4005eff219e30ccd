"""Damaged, hostile and missing files given to the program: each ends with an error that says code and remedy, in bounded memory and time."""
import os
import re
import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

KILN = os.environ.get("KILN_PROGRAM", str(Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "kiln"))
MEMORY, CPU_SECONDS = 3 << 30, 60
F, I = TensorProto.FLOAT, TensorProto.INT64


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(*arguments):
    return subprocess.run([KILN, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                          preexec_fn=limit, env={**os.environ, "OMP_NUM_THREADS": "1"})


def described(result):
    return f"exit code {result.returncode}\n{result.stdout}{result.stderr}"


def refused(result):
    """It failed, by its own decision, and said so as docs/errors.md promises."""
    assert result.returncode in (1, 2), described(result)
    errors = result.stderr[result.stderr.rfind("[E]"):]
    assert re.search(r"error\[K[1-4]\d{3}\]", errors) and "K1000" not in errors, described(result)
    assert "remedy:" in errors, described(result)


def survived(result):
    """It may run what is still sound; else as refused()."""
    if result.returncode != 0:
        refused(result)


def all_of(check, commands):
    with ThreadPoolExecutor(2) as pool:
        for command, result in zip(commands, pool.map(lambda c: run(*c), commands)):
            try:
                check(result)
            except AssertionError as error:
                raise AssertionError(f"kiln {' '.join(map(str, command))}: {error}") from None


def info(name, dims, kind=F):
    return helper.make_tensor_value_info(name, kind, dims)


def array(name, values, kind=np.float32):
    return numpy_helper.from_array(np.array(values, kind), name)


def node(op, inputs, outputs="y", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model_bytes(nodes, inputs, constants=(), outputs=None):
    graph = helper.make_graph(nodes, "net", inputs, outputs or [info("y", None)], list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder with model.onnx, its model.plan and times.cache."""
    folder = tmp_path_factory.mktemp("sound")
    weights = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    model = model_bytes([node("Conv", "x w", "a", pads=[1] * 4), node("Relu", "a", "b"), node("GlobalAveragePool", "b", "c"),
                         node("Flatten", "c", "d"), node("Gemm", "d v", "e"), node("Softmax", "e")], [info("x", ["n", 3, 8, 8])],
                        [numpy_helper.from_array(weights, "w"), array("v", np.ones((4, 5)))])
    (folder / "model.onnx").write_bytes(model)
    built = run("build", folder / "model.onnx", "--shapes=x:2x3x8x8", "-o", folder / "model.plan", "--timingCacheFile", folder / "times.cache")
    assert built.returncode == 0, described(built)
    loaded = run("run", folder / "model.plan")
    assert loaded.returncode == 0, described(loaded)
    return folder


def uses(path):
    """Every way in which the program reads such a file."""
    if path.suffix == ".plan":
        return [["run", path], ["inspect", path], ["bench", f"--loadEngine={path}", "--iterations=1", "--duration=0", "--warmUp=0"]]
    return [["run", path], ["inspect", path], ["build", path, "--builderOptimizationLevel=0"], ["bench", f"--onnx={path}", "--skipInference"], ["compare", path]]


# ---- files that are no models and no engines

@pytest.mark.parametrize("suffix", [".onnx", ".plan"])
def test_no_file_at_all(tmp_path, suffix):
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    link = tmp_path / f"link{suffix}"
    link.symlink_to(tmp_path / "nowhere")
    all_of(refused, [use for path in (tmp_path / f"missing{suffix}", tmp_path / f"missing/deep{suffix}", folder, link,
                                      Path(f"/dev/null/x{suffix}")) for use in uses(path)])


@pytest.mark.parametrize("suffix", [".onnx", ".plan"])
def test_bytes_without_meaning(tmp_path, suffix):
    random = np.random.default_rng(2)
    contents = [b"", b"\0", b"\n", b"KILN engine\n", b"\x08", b"\xff" * 1000, b"\0" * 100000, b"PK\x03\x04" + b"a" * 100, "text\n".encode() * 50]
    contents += [random.bytes(n) for n in (1, 10, 255, 256, 300, 4096, 100000)]
    commands = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        commands += uses(path)
    all_of(refused, commands)


# ---- damage to files that were sound

def places(size, count):
    return sorted({int(p) for p in np.linspace(0, size - 1, count)})


def damaged(content, count):
    """(name, bytes) with one bit, byte or stretch changed at many places."""
    random = np.random.default_rng(len(content))
    for place in places(len(content), count):
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(8))
        yield f"bit{place}", bytes(changed)
    for place in places(len(content), count // 4):
        yield f"ones{place}", content[:place] + b"\xff" * 9 + content[place + 9:]
        yield f"removed{place}", content[:place] + content[place + 3:]
        yield f"added{place}", content[:place] + b"\x7f" * 5 + content[place:]


def write_all(folder, suffix, contents):
    for name, content in contents:
        path = folder / f"{name}{suffix}"
        path.write_bytes(content)
        yield path


def test_truncated_engines(sound, tmp_path):
    content = (sound / "model.plan").read_bytes()
    cut = [(f"cut{n}", content[:n]) for n in places(len(content), 40)] + [("longer", content + b"\0"), ("twice", content + content)]
    all_of(refused, [["run", path] for path in write_all(tmp_path, ".plan", cut)])


def test_damaged_engines(sound, tmp_path):
    content = (sound / "model.plan").read_bytes()
    all_of(refused, [["run", path] for path in write_all(tmp_path, ".plan", damaged(content, 80))])


def test_truncated_models(sound, tmp_path):
    content = (sound / "model.onnx").read_bytes()
    cut = [(f"cut{n}", content[:n]) for n in places(len(content), 40)]
    all_of(survived, [["run", path, "--shapes=x:2x3x8x8", "--builderOptimizationLevel=0"] for path in write_all(tmp_path, ".onnx", cut)])


def test_damaged_models(sound, tmp_path):
    content = (sound / "model.onnx").read_bytes()
    all_of(survived, [["run", path, "--shapes=x:2x3x8x8", "--builderOptimizationLevel=0"]
                      for path in write_all(tmp_path, ".onnx", damaged(content, 80))])


def test_damaged_timing_caches(sound, tmp_path):
    """A build without them works; the program says that the file was not used."""
    content = (sound / "times.cache").read_bytes()
    contents = [("text", b"text"), ("noise", os.urandom(1000)), ("cut", content[:-7]), ("other", content.replace(b"x86", b"x87"))]
    contents += list(damaged(content, 12))
    for path in write_all(tmp_path, ".cache", contents):
        result = run("build", sound / "model.onnx", "--shapes=x:2x3x8x8", "--builderOptimizationLevel=0", "--timingCacheFile", path)
        assert result.returncode == 0 and "K3004" in result.stderr, f"{path.name}: {described(result)}"
    (tmp_path / "folder").mkdir()
    survived(run("build", sound / "model.onnx", "--shapes=x:2x3x8x8", "--timingCacheFile", tmp_path / "folder"))


# ---- models that are well formed and wrong

def nested_branches(levels):
    graph = helper.make_graph([node("Identity", "x", "y0")], "leaf", [], [info("y0", None)])
    for level in range(levels):
        branch = node("If", "c", f"y{level + 1}", then_branch=graph, else_branch=graph)
        graph = helper.make_graph([branch], f"g{level}", [], [info(f"y{level + 1}", None)])
    return graph


def hostile_models():
    x = info("x", [2, 3])
    huge = TensorProto(name="w", data_type=F, dims=[1 << 40, 1 << 40], raw_data=b"1234")
    negative = TensorProto(name="w", data_type=F, dims=[-1, 3], raw_data=b"1234" * 3)
    large = TensorProto(name="w", data_type=F, dims=[1 << 31], raw_data=b"1234")
    outside = TensorProto(name="w", data_type=F, dims=[3], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../../../../etc/passwd")
    add = node("Add", "x w")
    yield "huge_weight", model_bytes([add], [x], [huge])
    yield "large_weight", model_bytes([add], [x], [large])
    yield "negative_weight", model_bytes([add], [x], [negative])
    yield "outside_weight", model_bytes([add], [x], [outside])
    yield "negative_input", model_bytes([node("Relu", "x")], [info("x", [-2, 3])])
    yield "overflowing_input", model_bytes([node("Relu", "x")], [info("x", [1 << 62, 1 << 62])])
    yield "overflowing_bytes", model_bytes([node("Relu", "x")], [info("x", [1 << 61, 2])])
    yield "large_input", model_bytes([node("Relu", "x")], [info("x", [1 << 20, 1 << 20])])
    yield "large_product", model_bytes([node("MatMul", "a b")], [info("a", [1 << 24, 1]), info("b", [1, 1 << 24])])
    yield "cycle", model_bytes([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a")], [x])
    yield "self_cycle", model_bytes([node("Add", "x y")], [x])
    yield "output_twice", model_bytes([node("Relu", "x"), node("Neg", "x")], [x])
    yield "input_twice", model_bytes([node("Relu", "x")], [x, x])
    yield "weight_twice", model_bytes([add], [x], [array("w", [1, 2, 3]), array("w", [1, 2, 4])])
    yield "missing_value", model_bytes([node("Add", "x nowhere")], [x])
    yield "missing_output", model_bytes([node("Relu", "x", "z")], [x])
    yield "no_nodes_no_output", model_bytes([], [x])
    yield "unknown_operator", model_bytes([node("Nonsense", "x")], [x])
    yield "too_few_inputs", model_bytes([node("Conv", "x")], [x])
    yield "too_many_inputs", model_bytes([node("Relu", "x x x")], [x])
    yield "wrong_type", model_bytes([node("Relu", "x")], [info("x", [2], TensorProto.STRING)])
    yield "unknown_type", model_bytes([node("Relu", "x")], [info("x", [2], 99)])
    yield "wrong_attribute", model_bytes([node("Softmax", "x", axis="one")], [x])
    yield "axis_outside", model_bytes([node("Softmax", "x", axis=7)], [x])
    yield "no_broadcast", model_bytes([add], [x], [array("w", [1, 2, 3, 4])])
    yield "negative_reshape", model_bytes([node("Reshape", "x s")], [x], [array("s", [-5, 3], np.int64)])
    yield "huge_reshape", model_bytes([node("Reshape", "x s")], [x], [array("s", [1 << 62, 4], np.int64)])
    yield "huge_expand", model_bytes([node("Expand", "x s")], [info("x", [1])], [array("s", [1 << 40, 1 << 20], np.int64)])
    yield "huge_fill", model_bytes([node("ConstantOfShape", "s", "f"), node("Add", "f x")], [info("x", [1])], [array("s", [1 << 45], np.int64)])
    yield "huge_tile", model_bytes([node("Tile", "x s")], [x], [array("s", [1 << 40, 1 << 40], np.int64)])
    yield "huge_range", model_bytes([node("Range", "a b c", "r"), node("Add", "r x")], [info("x", [1], I)],
                                    [array("a", 0, np.int64), array("b", (1 << 63) - 1, np.int64), array("c", 1, np.int64)])
    yield "zero_step", model_bytes([node("Range", "a b c")], [], [array("a", 0, np.int64), array("b", 5, np.int64), array("c", 0, np.int64)])
    yield "huge_pad", model_bytes([node("Pad", "x p")], [x], [array("p", [0, 0, 1 << 50, 0], np.int64)])
    yield "negative_pad", model_bytes([node("Pad", "x p")], [x], [array("p", [0, -10, 0, 0], np.int64)])
    yield "huge_window", model_bytes([node("MaxPool", "x", kernel_shape=[1 << 40, 1 << 40])], [info("x", [1, 1, 8, 8])])
    yield "zero_window", model_bytes([node("MaxPool", "x", kernel_shape=[0, 0])], [info("x", [1, 1, 8, 8])])
    yield "zero_stride", model_bytes([node("MaxPool", "x", kernel_shape=[2, 2], strides=[0, 0])], [info("x", [1, 1, 8, 8])])
    yield "zero_group", model_bytes([node("Conv", "x w", group=0)], [info("x", [1, 2, 8, 8])], [array("w", np.ones((2, 2, 3, 3)))])
    yield "many_groups", model_bytes([node("Conv", "x w", group=1 << 40)], [info("x", [1, 2, 8, 8])], [array("w", np.ones((2, 2, 3, 3)))])
    yield "large_dilation", model_bytes([node("Conv", "x w", dilations=[1 << 62, 1])], [info("x", [1, 2, 8, 8])], [array("w", np.ones((2, 2, 3, 3)))])
    yield "huge_resize", model_bytes([node("Resize", "x r s")], [info("x", [1, 1, 2, 2])], [array("r", []), array("s", [1, 1, 1e30, 1e30])])
    yield "huge_split", model_bytes([node("Split", "x", "y z", num_outputs=1 << 40)], [x])
    yield "index_outside", model_bytes([node("Gather", "w i", "g"), node("Add", "g x")], [info("x", [1])], [array("w", [1, 2, 3]), array("i", [7], np.int64)])
    graph = helper.make_graph([node("Relu", "x")], "n", [x], [info("y", None)])
    yield "opset_twice", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)] * 3, ir_version=99).SerializeToString()
    yield "nested", model_bytes(list(nested_branches(9).node), [x, info("c", [], TensorProto.BOOL)], (), [info("y9", None)])


MODELS = dict(hostile_models())
MAY_RUN = {"opset_twice", "nested", "large_product", "negative_input", "too_many_inputs"}  # sound, or only too large


@pytest.mark.parametrize("name", sorted(MODELS))
def test_hostile_model(tmp_path, name):
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(MODELS[name])
    all_of(survived if name in MAY_RUN else refused, [["run", path, "--builderOptimizationLevel=0"]])


# ---- values for inputs

def input_files(folder):
    np.save(folder / "good.npy", np.zeros((2, 3, 8, 8), np.float32))
    good = (folder / "good.npy").read_bytes()
    np.save(folder / "shape.npy", np.zeros((2, 3, 8, 9), np.float32))
    np.save(folder / "rank.npy", np.zeros(384, np.float32))
    np.save(folder / "type.npy", np.zeros((2, 3, 8, 8), np.float64))
    np.save(folder / "ints.npy", np.zeros((2, 3, 8, 8), np.int64))
    np.save(folder / "objects.npy", np.array([{}, "a"], dtype=object), allow_pickle=True)
    (folder / "empty.npy").write_bytes(b"")
    (folder / "cut_header.npy").write_bytes(good[:40])
    (folder / "cut_data.npy").write_bytes(good[:-1])
    (folder / "huge.npy").write_bytes(good.replace(b"(2, 3, 8, 8)", b"(2, 1" + b"0" * 18 + b")"))
    (folder / "negative.npy").write_bytes(good.replace(b"(2, 3, 8, 8)", b"(-2,-3,8, 8)"))
    (folder / "noise.npy").write_bytes(os.urandom(1000))
    (folder / "noise.pb").write_bytes(os.urandom(1000))
    (folder / "short.bin").write_bytes(b"abc")
    (folder / "folder.npy").mkdir()
    return ["shape.npy", "rank.npy", "type.npy", "ints.npy", "objects.npy", "empty.npy", "cut_header.npy", "cut_data.npy", "huge.npy",
            "negative.npy", "noise.npy", "noise.pb", "short.bin", "folder.npy", "missing.npy"]


def test_bad_input_files(sound, tmp_path):
    commands = [["run", sound / "model.plan", f"--loadInputs=x:{tmp_path / name}"] for name in input_files(tmp_path)]
    all_of(refused, commands)


def test_shapes_outside_the_profile(sound):
    all_of(refused, [["run", sound / "model.plan", f"--shapes=x:{shape}"] for shape in ("3x3x8x8", "2x3x8x9", "2x3x8", "0x3x8x8", "9999999999x3x8x8")])
