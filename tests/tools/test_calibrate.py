"""kiln calibrate: ranges of a float network, and the engine in int8 that they give."""
import json
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


@pytest.mark.parametrize("algorithm", ["minmax", "entropy", "percentile", "mse"])
def test_engines_in_int8_are_near_the_float_ones(kiln, network, algorithm):
    path, images = network
    text = kiln.ok("calibrate", path, "--data=images.npz", f"--algorithm={algorithm}", "-o", "net.calib")
    assert "from 12 samples" in text and algorithm in text
    kept = json.loads((kiln.folder / "net.calib").read_text())
    assert kept["tensors"]["x"]["high"] == pytest.approx(images.max()) and kept["tensors"]["x"]["low"] == pytest.approx(images.min())
    kiln.ok("build", path, "--int8", "--calib=net.calib", "-o", "net.plan")
    layers = kiln.ok("inspect", "net.plan")
    assert "ConvInteger" in layers and "conv_int8" in layers and "gemm_int8" in layers
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
    kiln.ok("build", path, "--int8", "--calib=net.cache", "-o", "net.plan")
    assert "conv_int8" in kiln.ok("inspect", "net.plan")


def test_folders_of_arrays(kiln, network):
    path, images = network
    folder = kiln.folder / "samples"
    folder.mkdir()
    for i, image in enumerate(images[:3]):
        np.save(folder / f"{i}.npy", image[None])
    assert "from 3 samples" in kiln.ok("calibrate", path, "--data=samples")
    assert "from 2 samples" in kiln.ok("calibrate", path, "--data=samples", "--samples=2")


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
    assert text.returncode == 0 and "the range of 'x' is 0" in text.stdout + text.stderr
