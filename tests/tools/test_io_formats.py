"""--inputIOFormats and --outputIOFormats: engines differ in memory alone, files of the program stay row-major."""
import json

import numpy as np
import onnx
import pytest
from conftest import save_model
from onnx import TensorProto, helper

FORMATS = {"chw2": ["fp16", "bf16"], "hwc8": ["fp16", "bf16"], "chw4": ["int8", "fp16"], "chw16": ["fp16"], "chw32": ["int8", "fp16", "fp32"],
           "dhwc8": ["fp16", "bf16"], "cdhw32": ["fp16", "int8"], "hwc": ["fp32", "uint8"], "hwc16": ["fp16", "int8"], "dhwc": ["fp32"]}
TYPES = {"fp32": (TensorProto.FLOAT, np.float32), "fp16": (TensorProto.FLOAT16, np.float16), "bf16": (TensorProto.BFLOAT16, None),
         "int8": (TensorProto.INT8, np.int8), "uint8": (TensorProto.UINT8, np.uint8)}
CASES = [(form, kind) for form, kinds in FORMATS.items() for kind in kinds if kind != "bf16"]  # which numpy has not


def save_plain(path, kind, spatial, channels=5):
    """y = x read as float32, plus one, in the type of x; of dynamic batch."""
    element, _ = TYPES[kind]
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Add", ["f", "one"], ["s"]),
             helper.make_node("Cast", ["s"], ["y"], to=element)]
    dims = ["batch", channels, *spatial]
    save_model(path, nodes, {"x": (element, dims)}, {"y": (element, dims)}, {"one": np.float32(1)})


def shapes(dims):
    text = "x".join(map(str, dims))
    return [f"--minShapes=x:{text}", f"--optShapes=x:{text}", f"--maxShapes=x:3{text[1:]}"]


@pytest.mark.parametrize("form,kind", CASES)
def test_every_format_gives_the_same_file(kiln, tmp_path, form, kind):
    spatial = (2, 3, 4) if "d" in form else (3, 4)
    save_plain(tmp_path / "net.onnx", kind, spatial)
    x = np.random.default_rng(1).integers(0, 50, (2, 5, *spatial)).astype(TYPES[kind][1])
    np.save(tmp_path / "x.npy", x)
    kiln.ok("build", "net.onnx", *shapes((1, 5, *spatial)), f"--inputIOFormats={form}", f"--outputIOFormats={kind}:{form}", "-o", "net.plan")
    out = kiln.ok("run", "net.plan", "--loadInputs=x:x.npy", "--saveOutputs=out")
    assert "y " in out
    np.testing.assert_array_equal(np.load(tmp_path / "out/y.npy"), x + x.dtype.type(1))
    told = json.loads(kiln.ok("inspect", "net.plan", "--json"))
    assert told["inputs"][0]["format"] == told["outputs"][0]["format"] == form
    assert told["inputs"][0]["dims"] == [-1, 5, *spatial]
    lines = kiln.ok("inspect", "net.plan").splitlines()
    assert any(line.startswith("input   x ") and line.endswith(" " + form) for line in lines), lines
    kiln.ok("bench", "--loadEngine=net.plan", "--shapes=x:" + "x".join(map(str, x.shape)), "--loadInputs=x:x.npy", "--iterations=1",
            "--duration=0", "--warmUp=0", "--exportOutput=out.json")
    [y] = json.loads((tmp_path / "out.json").read_text())
    np.testing.assert_array_equal(y["values"], (x + x.dtype.type(1)).ravel().astype(np.float64))


def test_one_for_each_in_order_and_several_to_choose_from(kiln, network):
    fast = ["--builderOptimizationLevel=0", "-o", "net.plan"]
    kiln.ok("build", network, "--inputIOFormats=chw32,hwc", "--outputIOFormats=chw4+chw32+hwc,chw+chw32", *fast)
    told = json.loads(kiln.ok("inspect", "net.plan", "--json"))
    assert [io["format"] for io in told["inputs"] + told["outputs"]] == ["chw32", "hwc", "hwc", "chw"]
    assert "inputs chw32,hwc, outputs chw4+chw32+hwc,chw+chw32" in told["build_options"]
    random = np.random.default_rng(4)
    np.savez(kiln.folder / "in.npz", **{name: random.standard_normal((1, 8, 9, 7)).astype(np.float32) for name in "xz"})
    kiln.ok("run", "net.plan", "--loadInputs=in.npz", "--saveOutputs=formats")
    kiln.ok("build", network, *fast)
    kiln.ok("run", "net.plan", "--loadInputs=in.npz", "--saveOutputs=plain")
    for name in "sq":
        np.testing.assert_allclose(np.load(kiln.folder / f"formats/{name}.npy"), np.load(kiln.folder / f"plain/{name}.npy"), rtol=1e-5, atol=1e-5)


def test_types_at_the_boundary(kiln, network):
    """fp16 before a format makes an input of float16; the network computes as it did."""
    kiln.ok("build", network, "--inputIOFormats=fp16:hwc8,fp32:chw", "--outputIOFormats=fp16:chw2,chw", "--builderOptimizationLevel=0", "-o", "net.plan")
    told = json.loads(kiln.ok("inspect", "net.plan", "--json"))
    assert [(io["name"], io["type"], io["format"]) for io in told["inputs"] + told["outputs"]] == \
        [("x", "float16", "hwc8"), ("z", "float32", "chw"), ("s", "float16", "chw2"), ("q", "float32", "chw")]
    random = np.random.default_rng(4)
    x, z = (random.standard_normal((1, 8, 9, 7)).astype(np.float32) for _ in range(2))
    np.savez(kiln.folder / "half.npz", x=x.astype(np.float16), z=z)
    kiln.ok("run", "net.plan", "--loadInputs=half.npz", "--saveOutputs=half")
    kiln.ok("build", network, "--builderOptimizationLevel=0", "-o", "net.plan")
    np.savez(kiln.folder / "single.npz", x=x.astype(np.float16).astype(np.float32), z=z)
    kiln.ok("run", "net.plan", "--loadInputs=single.npz", "--saveOutputs=single")
    half, single = np.load(kiln.folder / "half/s.npy"), np.load(kiln.folder / "single/s.npy")
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, single.astype(np.float16), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("option,code,said", [
    ("--inputIOFormats=chw4", 1, ["'x', which is float32 of 4 dimensions, cannot have the format chw4", "chw4 (int8, float16; at least 3 dimensions)",
                                  "allow one that takes it: chw, chw32, hwc"]),
    ("--inputIOFormats=dla_linear", 1, ["dla_linear (of a DLA, which no device of Kiln has)"]),
    ("--outputIOFormats=dla_hwc4", 1, ["'s', which is", "dla_hwc4 (of a DLA"]),
    ("--outputIOFormats=chw31", 1, ["no format 'chw31'", "chw32", "hwc16, dhwc\n"]),
    ("--inputIOFormats=chw,chw,chw", 1, ["3 formats for 2 inputs"]),
    ("--inputIOFormats=fp12:chw", 1, ["no type 'fp12'"]),
    ("--inputIOFormats=int8:chw32", 1, ["'x' is float32 in the model, and cannot be int8"]),
])
def test_what_cannot_be_is_refused(kiln, network, option, code, said):
    error = kiln.fails(code, "build", network, option, "--builderOptimizationLevel=0", "-o", "net.plan")
    for text in said:
        assert text in error, error
    assert not (kiln.folder / "net.plan").exists()


def test_strings_stay_as_they_are(kiln, tmp_path):
    nodes = [helper.make_node("StringConcat", ["a", "a"], ["y"])]
    infos = [helper.make_tensor_value_info(name, TensorProto.STRING, [2]) for name in "ay"]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), tmp_path / "net.onnx")
    assert "cannot have the format hwc" in kiln.fails(1, "build", "net.onnx", "--inputIOFormats=hwc")
    kiln.ok("build", "net.onnx", "--inputIOFormats=chw", "--outputIOFormats=chw")


def test_layer_information_names_the_format(kiln, tmp_path):
    save_plain(tmp_path / "net.onnx", "fp16", (3, 4))
    kiln.ok("bench", "--onnx=net.onnx", "--shapes=x:1x5x3x4", "--inputIOFormats=chw16", "--outputIOFormats=hwc8", "--iterations=1", "--duration=0",
            "--warmUp=0", "--exportLayerInfo=layers.json")
    layers = json.loads((tmp_path / "layers.json").read_text())["Layers"]
    assert layers[0]["Inputs"][0]["Format/Datatype"] == "Sixteen wide channel vectorized row major FP16 format"
    assert layers[-1]["Outputs"][0]["Format/Datatype"] == "Channel major FP16 format where channel % 8 == 0"
    assert layers[-1]["Outputs"][0]["Layout"] == "hwc8" and layers[-1]["Outputs"][0]["Dimensions"] == [1, 5, 3, 4]
