"""kiln calibrate: ranges of a float network, and the engine in int8 that they give."""
import itertools
import json
import re
import struct

import numpy as np
import onnx
import pytest
from conftest import save_model
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


@pytest.fixture
def network(kiln):
    random = np.random.default_rng(0)

    def values(*dims, scale=0.2):
        return (random.standard_normal(dims) * scale).astype(np.float32)

    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
             helper.make_node("Conv", ["r1", "w2"], ["c2"], name="conv2", pads=[1, 1, 1, 1]),
             helper.make_node("Add", ["c2", "r1"], ["s2"], name="sum2"),
             helper.make_node("Relu", ["s2"], ["r2"], name="relu2"),
             helper.make_node("GlobalAveragePool", ["r2"], ["p3"], name="mean3"),
             helper.make_node("Flatten", ["p3"], ["f3"], name="flat3"),
             helper.make_node("Gemm", ["f3", "w4", "b4"], ["y"], name="dense4", transB=1)]
    constants = {"w1": values(16, 3, 3, 3), "b1": values(16), "w2": values(16, 16, 3, 3, scale=0.1), "w4": values(10, 16), "b4": values(10)}
    path = kiln.folder / "net.onnx"
    save_model(path, nodes, {"x": (TensorProto.FLOAT, [1, 3, 8, 8])}, {"y": (TensorProto.FLOAT, [1, 10])}, constants)
    images = random.uniform(-1, 1, [12, 3, 8, 8]).astype(np.float32)
    np.savez(kiln.folder / "images.npz", x=images)
    return path, images


@pytest.mark.parametrize("algorithm", ["minmax", "entropy", "entropy2", "percentile", "mse"])
def test_engines_in_int8_are_near_the_float_ones(kiln, network, algorithm):
    path, images = network
    text = kiln.ok("calibrate", path, "--data=images.npz", f"--algorithm={algorithm}", "-o", "net.calib")
    assert "from 12 samples" in text and algorithm in text
    # straight, and behind what moves elements
    for tensor, reader in (("x", "conv1"), ("r1", "conv2"), ("p3", "dense4")):
        assert re.search(rf"  {tensor}, read by '{reader}'$", text, re.MULTILINE), text
    kept = json.loads((kiln.folder / "net.calib").read_text())
    assert kept["tensors"]["x"]["high"] == pytest.approx(images.max()) and kept["tensors"]["x"]["low"] == pytest.approx(images.min())
    kiln.ok("build", path, "--int8", "--calib=net.calib", "--keepInt8", "-o", "net.plan")
    layers = kiln.ok("inspect", "net.plan")
    assert "ConvInteger" in layers and "conv_int8" in layers and "gemm_int8" in layers
    assert re.search(r"ConvInteger +int8 > int8 > \w+ +cpu/", layers), layers  # types read, computed and written
    assert re.search(r" float32 > float32 > int8 ", layers), layers
    np.save(kiln.folder / "x.npy", images[:1])
    kiln.ok("run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out.npz")
    got = np.load(kiln.folder / "out.npz")["y"]
    want = ReferenceEvaluator(onnx.load(path)).run(None, {"x": images[:1]})[0]
    assert np.abs(got - want).max() < 0.1 * np.abs(want).max()


def test_tensorrt_reads_the_same_ranges(kiln, network):
    path, _ = network
    kiln.ok("calibrate", path, "--data=images.npz", "--algorithm=minmax", "--format=tensorrt", "-o", "net.cache")
    lines = (kiln.folder / "net.cache").read_text().splitlines()
    assert lines[0] == "TRT-8510-MinMaxCalibration"
    scales = {line.split(": ")[0]: struct.unpack(">f", bytes.fromhex(line.split(": ")[1]))[0] for line in lines[1:]}
    kiln.ok("calibrate", path, "--data=images.npz", "--algorithm=minmax", "-o", "net.calib")
    own = json.loads((kiln.folder / "net.calib").read_text())["tensors"]
    assert own.keys() == scales.keys()
    for name, scale in scales.items():
        assert own[name]["range"] == pytest.approx(127 * scale, rel=1e-6)
    (kiln.folder / "other.cache").write_bytes((kiln.folder / "net.cache").read_bytes().replace(b"\n", b"\r\n"))
    for cache in ("net.cache", "other.cache"):
        kiln.ok("build", path, "--int8", f"--calib={cache}", "--keepInt8", "-o", "net.plan")
        assert "conv_int8" in kiln.ok("inspect", "net.plan")


def test_folders_of_arrays(kiln, network):
    path, images = network
    folder = kiln.folder / "samples"
    folder.mkdir()
    for i, image in enumerate(images[:3]):
        np.save(folder / f"{i}.npy", image[None])
    assert "from 3 samples" in kiln.ok("calibrate", path, "--data=samples")
    assert "from 2 samples" in kiln.ok("calibrate", path, "--data=samples", "--samples=2")


def error_of(kiln, path, images, *options):
    """|difference| / |result| of the engine in int8."""
    kiln.ok("build", path, *options, "-o", "net.plan")
    np.save(kiln.folder / "x.npy", images[:1])
    kiln.ok("run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out.npz")
    got = np.load(kiln.folder / "out.npz")["y"]
    want = ReferenceEvaluator(onnx.load(path)).run(None, {"x": images[:1]})[0]
    return np.linalg.norm(got - want) / np.linalg.norm(want)


def test_builds_from_data_with_all_that_makes_int8_better(kiln, network):
    path, images = network
    known = ["--int8", "--keepInt8", "--data=images.npz"]
    for options in ([], ["--biasCorrection"], ["--smooth=0.5"], ["--equalize"], ["--biasCorrection", "--equalize"]):
        assert 0 < error_of(kiln, path, images, *known, *options) < 0.1, options
    kiln.ok("calibrate", path, "--data=images.npz", "--equalize", "--channels", "-o", "net.calib")
    kept = json.loads((kiln.folder / "net.calib").read_text())
    assert kept["equalized"] is True and len(kept["tensors"]["r1"]["mean"]) == 16
    np.testing.assert_allclose(kept["tensors"]["x"]["mean"], images.mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(kept["tensors"]["x"]["most"], np.abs(images).max((0, 2, 3)), rtol=1e-6)
    assert "equalized layers" in kiln.ok("inspect", "net.plan")
    assert error_of(kiln, path, images, "--int8", "--keepInt8", "--calib=net.calib", "--biasCorrection") < 0.1
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "plain.calib")
    text = kiln.fails(1, "build", path, "--int8", "--calib=plain.calib", "--biasCorrection")
    assert "does not tell the channels" in text and "--channels" in text
    assert "kiln calibrate --equalize" in kiln.fails(1, "build", path, "--int8", "--calib=plain.calib", "--equalize")


def test_ranges_of_another_network(kiln, network):
    path, _ = network
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "net.calib")
    warning = "so that the file may be another network's"
    assert warning not in kiln.run("build", path, "--int8", "--calib=net.calib").stderr
    kept = json.loads((kiln.folder / "net.calib").read_text())
    kept["tensors"] = {f"other_{name}" if i else name: tensor for i, (name, tensor) in enumerate(kept["tensors"].items())}
    (kiln.folder / "other.calib").write_text(json.dumps(kept))
    assert warning in kiln.run("build", path, "--int8", "--calib=other.calib").stderr


def test_ranges_of_small_networks(kiln):
    """Few of their tensors are read by products, and passes make some of what is calibrated."""
    image = (TensorProto.FLOAT, [1, 8, 9, 7])
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"], name="relu"),
             helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"), helper.make_node("Softmax", ["p"], ["q"], name="softmax", axis=1)]
    save_model(kiln.folder / "conv.onnx", nodes, {"x": image}, {"r": image, "q": (TensorProto.FLOAT, [1, 8, 1, 1])},
               {"w": np.full((8, 8, 3, 3), 0.1, np.float32)})
    save_model(kiln.folder / "dense.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], {"x": (TensorProto.FLOAT, [2, 3])},
               {"y": (TensorProto.FLOAT, [2, 4])}, {"w": np.ones((3, 4), np.float32)})
    np.savez(kiln.folder / "conv.npz", x=np.random.default_rng(1).random((4, 8, 9, 7), np.float32))
    np.savez(kiln.folder / "dense.npz", x=np.random.default_rng(2).random((4, 2, 3), np.float32))
    for name in ("conv", "dense"):
        kiln.ok("calibrate", f"{name}.onnx", f"--data={name}.npz")
    for name, ranges in itertools.product(("conv", "dense"), repeat=2):
        done = kiln.run("build", f"{name}.onnx", "--int8", f"--calib={ranges}.calib")
        assert ("may be another network's" in done.stderr) == (name != ranges), (name, ranges, done.stderr)


def test_error_budget(kiln, network):
    path, images = network
    options = ["--int8", "--keepInt8", "--data=images.npz", "-o", "net.plan"]
    free = kiln.ok("build", path, *options, "--errorBudget=0.9")
    assert "allowed 0.9" in free and "float32" not in free.split("allowed")[1]
    text = kiln.ok("build", path, *options, "--errorBudget=0.004")
    rows = [line.split() for line in text.splitlines() if line.rstrip().endswith(("conv1", "conv2", "dense4"))]
    assert len(rows) == 3 and {row[-2] for row in rows} >= {"float32"}
    error = float(text.split("error with those in float32: ")[1].split()[0])
    assert error <= 0.004
    shown = kiln.ok("inspect", "net.plan")
    for row in rows:
        why = f"'{row[-1]}' stays in float32 by the error budget of 0.004: in int8 it alone changes results by {row[1]}, and saves {row[2]} µs"
        assert (row[-2] == "float32") == (why in shown), shown
    assert error_of(kiln, path, images, *options[:3], "--errorBudget=0.004") < 0.01
    assert "it counts with --int8 and --data" in kiln.fails(2, "build", path, "--errorBudget=0.1")


def test_bench_takes_samples_too(kiln, network):
    path, _ = network
    quick = ["--iterations=1", "--duration=0", "--warmUp=0"]
    text = kiln.ok("bench", f"--onnx={path}", "--int8", "--keepInt8", "--data=images.npz", "--errorBudget=0.9", "--saveEngine=net.plan", *quick)
    assert "allowed 0.9" in text and "ConvInteger" in kiln.ok("inspect", "net.plan")
    assert "--int8, --data: only a build heeds this" in kiln.run("bench", "--loadEngine=net.plan", "--int8", "--data=images.npz", *quick).stderr


@pytest.mark.parametrize("options, error", [
    (["--samples=3"], "--samples requires --data"),
    (["--int8", "--data=images.npz", "--mean=1"], "they are for images, and 'images.npz' holds arrays"),
    (["--int8", "--data=folder", "--scale=2"], "they are for images, and 'folder/x.npy' holds arrays"),
    (["--int8", "--data=images.npz", "--errorBudget=0"], "--errorBudget"),
])
def test_options_of_samples_that_nothing_heeds(kiln, network, options, error):
    path, images = network
    (kiln.folder / "folder").mkdir()
    np.save(kiln.folder / "folder/x.npy", images)
    assert error in kiln.fails(2, "build", path, *options)


def test_options_of_ranges_that_nobody_gave(kiln, network):
    path, _ = network
    done = kiln.run("build", path, "--builderOptimizationLevel=0", "--smooth=0.5", "--biasCorrection")
    assert done.returncode == 0 and "--biasCorrection, --smooth: no effect without ranges" in done.stderr
    assert "--algorithm=percentile" in kiln.fails(2, "calibrate", path, "--data=images.npz", "--percentile=99")


def test_the_faster_type_is_chosen(kiln, network):
    path, _ = network
    done = kiln.run("build", path, "--int8", "--data=images.npz", "-o", "net.plan")
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "in int8 " in text and "in float32 " in text, text
    remarks = [line for line in text.splitlines() if "slower in int8 by" in line]
    shown = kiln.ok("inspect", "net.plan")
    for line in remarks:
        assert line.removeprefix("[I] ") in shown
    whole = re.search(r"all layers stay in float32: the network is slower in int8 by \S+ ms \((\S+) instead of (\S+)\)", text)
    assert not whole or f"in int8 {whole[1]} ms, in float32 {whole[2]} ms" in text, text


def test_folders_of_images(kiln, network):
    path, _ = network
    folder = kiln.folder / "photos"
    folder.mkdir()
    for i in range(3):
        pixels = np.full((4, 6, 3), [10 * i, 100, 250], np.uint8)
        (folder / f"{i}.ppm").write_bytes(b"P6 6 4 255\n" + pixels.tobytes())
    text = kiln.ok("calibrate", path, "--data=photos", "--mean=0,100,200", "--scale=0.1", "--algorithm=minmax", "-o", "net.calib")
    assert "from 3 samples" in text
    x = json.loads((kiln.folder / "net.calib").read_text())["tensors"]["x"]
    assert x["low"] == pytest.approx(0) and x["high"] == pytest.approx(5)
    assert "one for each of 3" in kiln.fails(2, "calibrate", path, "--data=photos", "--mean=1,2")
    (folder / "3.png").write_bytes(b"no image")
    assert "3.png' is no image" in kiln.fails(1, "calibrate", path, "--data=photos")


def test_weights_in_few_bits(kiln):
    random = np.random.default_rng(1)
    w = random.standard_normal([96, 40]).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")]
    save_model(kiln.folder / "net.onnx", nodes, {"x": (TensorProto.FLOAT, [2, 96])}, {"y": (TensorProto.FLOAT, [2, 40])}, {"w": w})
    x = random.standard_normal([2, 96]).astype(np.float32)
    np.save(kiln.folder / "x.npy", x)
    for form, bound in {"int8": 0.02, "int8:block=32": 0.02, "int4:block=32": 0.2, "int4": 0.2}.items():
        kiln.ok("build", "net.onnx", f"--weights={form}", "-o", "net.plan")
        assert "MatMulDequantized" in kiln.ok("inspect", "net.plan")
        kiln.ok("run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out.npz")
        error = np.linalg.norm(np.load(kiln.folder / "out.npz")["y"] - x @ w) / np.linalg.norm(x @ w)
        assert 0 < error < bound, form
    for form in ["int3", "int4:32", "int4:block=", "int4:block=0", "int4:block=-1", "int4:block=8x", "float16"]:
        assert "is not int4 or int8" in kiln.fails(2, "build", "net.onnx", f"--weights={form}")


def test_layers_stand_beside_the_limit_of_their_type(kiln, network):
    path, _ = network
    kiln.ok("build", path, "--int8", "--keepInt8", "--data=images.npz", "-o", "net.plan")
    text = kiln.ok("bench", "--loadEngine=net.plan", "--iterations=1", "--duration=0", "--dumpProfile")
    assert re.search(r"This device: .* in float32 products, [0-9.e+]+ in u?int8, ", text), text


def test_types_that_have_no_effect_are_named(kiln):
    save_model(kiln.folder / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (TensorProto.FLOAT, [2])}, {"y": (TensorProto.FLOAT, [2])})
    assert "no product has constant weights" in kiln.run("build", "relu.onnx", "--weights=int4", "-o", "a.plan").stderr
    kiln.fails(2, "calibrate", "relu.onnx", "--data=.", "--rows=-1")


def test_progress(kiln, network):
    path, _ = network
    assert "ranges seen in 12 of 12 samples" in kiln.run("calibrate", path, "--data=images.npz").stderr
    assert "ranges seen" not in kiln.run("calibrate", path, "--data=images.npz", "--quiet").stderr


def test_bad_data(kiln, network):
    path, images = network
    np.savez(kiln.folder / "flat.npz", x=images.reshape(12, -1))
    assert "input 'x' takes" in kiln.fails(1, "calibrate", path, "--data=flat.npz")
    np.savez(kiln.folder / "two.npz", z=images, v=images)
    assert "holds no array 'x'" in kiln.fails(1, "calibrate", path, "--data=two.npz")
    np.savez(kiln.folder / "none.npz", x=images[:0])
    assert "error[K" in kiln.fails(1, "calibrate", path, "--data=none.npz")
    broken = images.copy()
    broken[0, 0, 0, 0] = np.nan
    np.savez(kiln.folder / "nan.npz", x=broken)
    done = kiln.run("calibrate", path, "--data=nan.npz")
    assert done.returncode == 0 and "tensor 'x': 1 elements are NaN" in done.stdout + done.stderr
    np.savez(kiln.folder / "nan.npz", x=np.full_like(images, np.nan))
    for command in (["calibrate", path], ["build", path, "--int8", "-o", "nan.plan"]):
        assert "error[K1002] the data give no ranges" in kiln.fails(1, *command, "--data=nan.npz")
    assert not (kiln.folder / "nan.plan").exists()


def test_bad_caches(kiln, network):
    path, _ = network
    for text in ["", "{}", "TRT-8510-EntropyCalibration2\n", "TRT-8510-EntropyCalibration2\nx: 12\n",
                 "TRT-8510-EntropyCalibration2\nx: 7fc00000\n", '{"tensors": {"x": {"range": -1}}}', '{"tensors": {"x": 3}}']:
        (kiln.folder / "bad.calib").write_text(text)
        assert "is no file of calibration" in kiln.fails(1, "build", path, "--int8", "--calib=bad.calib"), text
    (kiln.folder / "other.calib").write_text('{"tensors": {"elsewhere": {"range": 1}}}')
    assert "no product of the network reads a tensor that has a range" in kiln.fails(1, "build", path, "--int8", "--calib=other.calib")
    (kiln.folder / "zero.calib").write_text('{"tensors": {"x": {"range": 0}, "r1": {"range": 2}}}')
    text = kiln.run("build", path, "--int8", "--calib=zero.calib", "-o", "net.plan")
    assert text.returncode == 0 and "[W] ranges: 'conv1' (Conv) stays in float32: the range of 'x' is 0" in text.stderr, text.stderr


def norm_error(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.fixture
def half(kiln):
    """A product of what Relu leaves: most of it zeros."""
    random = np.random.default_rng(4)
    nodes = [helper.make_node("Relu", ["x"], ["r"], name="relu"), helper.make_node("MatMul", ["r", "w"], ["y"], name="fc")]
    save_model(kiln.folder / "half.onnx", nodes, {"x": (TensorProto.FLOAT, [64, 48])}, {"y": (TensorProto.FLOAT, [64, 24])},
               {"w": random.standard_normal([48, 24]).astype(np.float32)})
    return "half.onnx"


@pytest.mark.parametrize("offset", [0, -1.3])
@pytest.mark.parametrize("samples", [1, 7])
def test_zeros_do_not_draw_ranges_together(kiln, half, samples, offset):
    data = np.random.default_rng(5).standard_normal([samples, 64, 48]).astype(np.float32) + np.float32(offset)
    np.savez(kiln.folder / "data.npz", x=data)
    for algorithm in ("minmax", "entropy", "entropy2", "percentile", "mse"):
        kiln.ok("calibrate", half, "--data=data.npz", f"--algorithm={algorithm}", "-o", "half.calib")
        r = json.loads((kiln.folder / "half.calib").read_text())["tensors"]["r"]
        kept = np.maximum(data, 0)
        step = r["range"] / 127
        assert norm_error(np.clip(np.rint(kept / step), -127, 127) * step, kept) < 0.03, (algorithm, r)


def test_the_usual_algorithm_loses_no_more_than_the_largest_element(kiln, half):
    random = np.random.default_rng(6)
    for data in (random.standard_normal([4, 64, 48]), random.standard_t(3, [4, 64, 48]), np.exp(1.5 * random.standard_normal([4, 64, 48]))):
        np.savez(kiln.folder / "data.npz", x=data.astype(np.float32))
        errors = {}
        for options in ([], ["--algorithm=minmax"]):
            kiln.ok("calibrate", half, "--data=data.npz", *options, "-o", "half.calib")
            kept = json.loads((kiln.folder / "half.calib").read_text())
            errors[kept["algorithm"]] = kept["tensors"]["r"]["error"]
        assert errors["mse"] <= errors["minmax"], errors


def test_tensors_that_lose_much_are_named(kiln, half):
    data = np.random.default_rng(7).standard_normal([3, 64, 48]).astype(np.float32)
    np.savez(kiln.folder / "data.npz", x=data)
    quiet = kiln.run("build", half, "--int8", "--keepInt8", "--data=data.npz", "-o", "half.plan")
    data[0, 0, 0] = 1e4
    np.savez(kiln.folder / "data.npz", x=data)
    for command in (["calibrate", half, "--data=data.npz"], ["build", half, "--int8", "--keepInt8", "--data=data.npz", "-o", "half.plan"],
                    ["build", half, "--int8", "--keepInt8", "--calib=half.calib", "-o", "half.plan"]):
        done = kiln.run(*command)
        # and not x, which no product reads
        assert done.returncode == 0 and re.search(r"\[W\] 1 tensor loses more than 10 % in int8: 'r' \(\d+ %, read by 'fc'\) \(remedy", done.stderr), done.stderr
    assert "more than 10 %" not in quiet.stderr


def test_builds_say_how_data_give_ranges(kiln, network):
    path, _ = network
    for algorithm in ("minmax", "entropy2", "percentile"):
        kiln.ok("build", path, "--int8", "--keepInt8", "--data=images.npz", f"--algorithm={algorithm}", "-o", "net.plan")
        assert "ConvInteger" in kiln.ok("inspect", "net.plan")
    kiln.ok("build", path, "--int8", "--data=images.npz", "--algorithm=percentile", "--percentile=99", "-o", "net.plan")
    assert "--algorithm=percentile" in kiln.fails(2, "build", path, "--int8", "--data=images.npz", "--percentile=99")
    assert "requires --data" in kiln.fails(2, "build", path, "--int8", "--algorithm=mse")
    assert "--algorithm" in kiln.fails(2, "build", path, "--int8", "--data=images.npz", "--algorithm=most")
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "net.calib")
    done = kiln.run("build", path, "--int8", "--calib=net.calib", "--data=images.npz", "--algorithm=mse", "-o", "net.plan")
    assert "--algorithm: no effect beside --calib" in done.stderr and "--data: no effect beside --calib" in done.stderr
    done = kiln.run("build", path, "--int8", "--calib=net.calib", "--data=images.npz", "--errorBudget=0.5", "-o", "net.plan")
    assert done.returncode == 0 and "no effect beside --calib" not in done.stderr


def test_a_file_of_ranges_wins_over_samples(kiln, network):
    path, _ = network
    x = np.load(kiln.folder / "images.npz")["x"]
    np.savez(kiln.folder / "others.npz", x=100 * x)
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "net.calib")
    kiln.ok("build", path, "--int8", "--keepInt8", "--calib=net.calib", "--builderOptimizationLevel=0", "-o", "file.plan")
    kiln.ok("build", path, "--int8", "--keepInt8", "--calib=net.calib", "--data=others.npz", "--builderOptimizationLevel=0", "-o", "both.plan")
    assert (kiln.folder / "file.plan").read_bytes() == (kiln.folder / "both.plan").read_bytes()


@pytest.mark.parametrize("command, options", [
    ("calibrate", ["--algorithm=percentile", "--percentile=nan"]), ("calibrate", ["--algorithm=percentile", "--percentile=101"]),
    ("calibrate", ["--scale=nan"]), ("calibrate", ["--scale=1,inf,1"]), ("calibrate", ["--mean=nan"]), ("calibrate", ["--scale=0"]),
    ("calibrate", ["--samples=0"]), ("calibrate", ["--samples=nan"]), ("build", ["--smooth=nan"]), ("build", ["--smooth=1.5"]),
    ("build", ["--errorBudget=nan"]), ("build", ["--int8", "--algorithm=percentile", "--percentile=nan"])])
def test_numbers_are_numbers(kiln, network, command, options):
    path, _ = network
    error = kiln.fails(2, command, path, "--data=images.npz", *options)
    assert options[-1].split("=")[0] in error and len(error) < 400, error


def test_error_budgets_of_profiles_without_a_batch_of_one(kiln):
    random = np.random.default_rng(8)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="conv"), helper.make_node("Relu", ["c"], ["y"], name="relu")]
    save_model(kiln.folder / "net.onnx", nodes, {"x": (TensorProto.FLOAT, ["n", 3, 8, 8])}, {"y": (TensorProto.FLOAT, ["n", 4, 6, 6])},
               {"w": random.standard_normal([4, 3, 3, 3]).astype(np.float32)})
    options = ["--minShapes=x:2x3x8x8", "--optShapes=x:4x3x8x8", "--maxShapes=x:8x3x8x8", "--int8", "--keepInt8", "--data=data.npz", "--errorBudget=0.5"]
    for images, samples in ((12, 3), (10, 5)):
        np.savez(kiln.folder / "data.npz", x=random.standard_normal([images, 3, 8, 8]).astype(np.float32))
        done = kiln.run("build", "net.onnx", *options, "-o", "net.plan")
        assert done.returncode == 0 and f"of {samples} samples" in done.stderr and "allowed 0.5" in done.stdout, done.stderr
    np.savez(kiln.folder / "data.npz", x=random.standard_normal([11, 3, 8, 8]).astype(np.float32))
    error = kiln.fails(1, "build", "net.onnx", *options)
    assert "in batches of 2" in error and "a multiple of 2 along its first" in error


def test_weights_in_few_bits_beside_int8(kiln, half):
    np.savez(kiln.folder / "data.npz", x=np.random.default_rng(9).standard_normal([64, 48]).astype(np.float32))
    error = kiln.fails(2, "build", half, "--weights=int4", "--int8", "--data=data.npz", "--errorBudget=0.1")
    assert "--weights does not go with --errorBudget" in error.replace(":", "") and "remedy" in error
    done = kiln.run("build", half, "--weights=int4", "--int8", "--keepInt8", "--data=data.npz", "-o", "half.plan")
    assert done.returncode == 0 and "[W] weights: weights that are not kept in few bits, for they are integers already" in done.stderr
    assert "no product has constant weights" not in done.stdout + done.stderr
    assert "MatMulInteger" in kiln.ok("inspect", "half.plan")


def test_best_allows_int8_where_ranges_are_known(kiln, half):
    np.savez(kiln.folder / "data.npz", x=np.random.default_rng(9).standard_normal([64, 48]).astype(np.float32))
    done = kiln.run("build", half, "--best", "--keepInt8", "--data=data.npz", "-o", "half.plan")
    assert done.returncode == 0 and "no effect" not in done.stderr, done.stderr
    assert "MatMulInteger" in kiln.ok("inspect", "half.plan")
    assert "allowed 0.9" in kiln.ok("build", half, "--best", "--data=data.npz", "--errorBudget=0.9", "-o", "half.plan")
    kiln.ok("build", half, "--best", "-o", "half.plan")
    assert "MatMulInteger" not in kiln.ok("inspect", "half.plan")


def test_int8_that_nothing_takes(kiln, half):
    for options in (["--keepInt8"], ["--keepInt8", "--int8"]):
        assert "--keepInt8: no effect" in kiln.run("build", half, *options, "-o", "half.plan").stderr


def test_models_with_nothing_to_calibrate(kiln, half):
    data = np.random.default_rng(9).standard_normal([64, 48]).astype(np.float32)
    np.savez(kiln.folder / "data.npz", x=data)
    nodes = [helper.make_node("QuantizeLinear", ["x", "s"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
             helper.make_node("DequantizeLinear", ["wq", "s"], ["w"]), helper.make_node("MatMul", ["d", "w"], ["y"], name="fc")]
    save_model(kiln.folder / "quantized.onnx", nodes, {"x": (TensorProto.FLOAT, [64, 48])}, {"y": (TensorProto.FLOAT, [64, 24])},
               {"s": np.float32(0.05), "wq": np.ones([48, 24], np.uint8)})
    error = kiln.fails(1, "calibrate", "quantized.onnx", "--data=data.npz", "-o", "q.calib")
    assert "error[K1002]" in error and "is quantized already" in error and not (kiln.folder / "q.calib").exists()
    assert "--keepInt8" not in kiln.run("build", "quantized.onnx", "--keepInt8", "-o", "q.plan").stderr
    np.savez(kiln.folder / "data.npz", x=data * np.nan)
    error = kiln.fails(1, "calibrate", half, "--data=data.npz", "-o", "half.calib")
    assert "error[K1002] the data give no ranges" in error and not (kiln.folder / "half.calib").exists()


def test_arrays_are_those_of_the_inputs(kiln, half):
    data = np.zeros([64, 48], np.float32) + 1
    for arrays, error in (({"z": data}, "holds no array 'x'"), ({"x": data, "labels": data}, "holds an array 'labels', and the network has no such input")):
        np.savez(kiln.folder / "data.npz", **arrays)
        assert error in kiln.fails(1, "calibrate", half, "--data=data.npz")


def test_files_of_ranges_hold_tensors_of_the_model(kiln, network):
    path, _ = network
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "net.calib")
    names = {name for node in onnx.load(path).graph.node for name in (*node.input, *node.output)}
    assert json.loads((kiln.folder / "net.calib").read_text())["tensors"].keys() <= names


def test_patches_are_counted_over_the_whole_build(kiln, network):
    path, _ = network
    kiln.ok("calibrate", path, "--data=images.npz", "-o", "net.calib")
    build = ["build", path, "--int8", "--calib=net.calib", "--keepInt8", "--verbose", "--builderOptimizationLevel=0", "-o", "net.plan"]
    patches = re.compile(r"\[V\] \w+: \w+: ")

    def made(*options):
        done = kiln.run(*build, *options)
        assert done.returncode == 0, done.stderr
        assert "not finite" not in done.stderr + done.stdout
        return len(patches.findall(done.stderr))

    whole = made()
    assert whole > 12
    for limit in (0, 1, 5, whole - 1, whole):
        assert made(f"--stop-after={limit}") == limit
    error = kiln.run("compare", path, "--int8", "--calib=net.calib", "--keepInt8", "--rtol=0", "--atol=1e-5").stderr
    assert "ranges: quantized_by_range: " in error and "--disable=quantized_by_range" in error, error
    kiln.ok("compare", path, "--int8", "--calib=net.calib", "--keepInt8", "--disable=quantized_by_range")
    assert {"quantized_by_range", "sums_of_bytes", "weights_in_few_bits"} <= set(kiln.ok("list", "rules").split())
    assert "not finite" not in kiln.run(*build, "--disable=quantized_by_range").stderr


def test_layers_of_a_saved_engine_are_compared(kiln, network):
    path, images = network
    np.save(kiln.folder / "x.npy", images[:1])
    kiln.ok("build", path, "--int8", "--keepInt8", "--data=images.npz", "-o", "net.plan")
    text = kiln.ok("compare", path, "--loadEngine=net.plan", "--loadInputs=x:x.npy", "--rtol=0.3", "--atol=0.3")
    assert re.search(r"\[I\] [1-9]\d* of \d+ layers have a result that the model has, too", text)
    assert re.search(r"not in the model, for passes made or changed them: .*'[^']+' u?int8 of '", text)
    assert re.search(r"^\[I\] +\d+ +[\d.e-]+ +\S+ +\S+  .+ \[ConvInteger\] cpu/", text, re.MULTILINE)
