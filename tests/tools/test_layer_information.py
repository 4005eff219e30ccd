"""--exportLayerInfo, --exportProfile and --exportTimes hold what TREx, TensorRT's explorer of engines, reads: these keys, these words."""
import json
import math

import pytest
from conftest import save_model
from onnx import TensorProto, helper

# Formats that it knows, as "layout and type", and words of types that it takes where there is no such format; bytes of an element.
FORMATS = {"Row major linear FP32": 4, "Row major linear FP16 format": 2, "Row major linear BFloat16 format": 2, "Row major Int8 format": 1,
           "Row major linear UInt8 format": 1, "Row major linear Int32": 4, "Row major linear Int64 format": 8, "Row major linear BOOL": 1, "Row major linear FP8 format": 1,
           "Channel major FP32 format": 4, "Channel major FP16 format": 2, "Channel major Int8 format": 1, "Channel major UInt8 format": 1,
           "Float": 4, "Half": 2, "BFloat16": 2, "Double": 8, "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "UInt8": 1, "UInt16": 2,
           "UInt32": 4, "UInt64": 8, "Bool": 1, "FP8": 1}
WEIGHTS = {"Int8": 1, "Half": 2, "Float": 4, "Int32": 4}


class Tensor:
    def __init__(self, raw):
        self.name, self.shape, self.format = raw["Name"], raw["Dimensions"], raw["Format/Datatype"]
        self.bytes = math.prod(self.shape) * FORMATS[self.format]


class Layer:
    def __init__(self, raw):
        self.name, self.type, self.tactic, self.metadata = raw["Name"], raw["LayerType"], raw["TacticName"], raw["Metadata"]
        self.inputs, self.outputs = [Tensor(t) for t in raw["Inputs"]], [Tensor(t) for t in raw["Outputs"]]
        weights = raw.get("Weights")
        self.weight_bytes = weights["Count"] * WEIGHTS[weights["Type"]] if weights else 0


class Explorer:
    def __init__(self, kiln, model, *options):
        kiln.ok("bench", f"--onnx={model}", "--iterations=3", "--duration=0", "--warmUp=0", *options, "--exportLayerInfo=graph.json",
                "--exportProfile=profile.json", "--exportTimes=times.json")
        graph, profile, times = (json.loads((kiln.folder / f"{name}.json").read_text()) for name in ("graph", "profile", "times"))
        self.bindings, self.layers = graph["Bindings"], [Layer(raw) for raw in graph["Layers"]]
        self.profile = [row for row in profile if len(row) in (4, 5)]
        self.latencies = [row["latencyMs"] for row in times]

    def layer(self, origin):
        return next(layer for layer in self.layers if f"[ONNX Layer: {origin}]" in layer.metadata)


def test_the_graph(kiln, network):
    seen = Explorer(kiln, network)
    assert seen.bindings == ["x", "z", "s", "q"] and len({layer.name for layer in seen.layers}) == len(seen.layers)
    made = {t.name: t for layer in seen.layers for t in layer.outputs}
    for layer in seen.layers:
        assert layer.tactic and layer.type and layer.outputs and (layer.metadata or layer.type == "Reformat")
        for t in layer.inputs:
            assert t.name in made or t.name in ("x", "z"), "weights are no inputs"
    assert made["q"].shape == [1, 8, 1, 1] and made["q"].bytes == 32
    assert seen.layer("conv1").weight_bytes >= 8 * 8 * 3 * 3 * 4


def test_the_profile_joins_the_graph(kiln, network):
    seen = Explorer(kiln, network)
    assert [row["name"] for row in seen.profile] == [layer.name for layer in seen.layers]
    for row in seen.profile:
        assert row["timeMs"] >= row["averageMs"] >= 0 and row["medianMs"] >= 0 and 0 <= row["percentage"] <= 100
    assert len(seen.latencies) == 3 and min(seen.latencies) > 0


def test_types(kiln):
    kinds = {"FLOAT16": 2, "BFLOAT16": 2, "DOUBLE": 8, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "UINT8": 1, "UINT16": 2, "UINT32": 4,
             "UINT64": 8, "BOOL": 1, "FLOAT8E4M3FN": 1}
    nodes = [helper.make_node("Cast", ["x"], [kind], name=f"to {kind}", to=getattr(TensorProto, kind)) for kind in kinds]
    save_model(kiln.folder / "types.onnx", nodes, {"x": (TensorProto.FLOAT, [2, 5])}, {kind: (getattr(TensorProto, kind), [2, 5]) for kind in kinds})
    seen = Explorer(kiln, "types.onnx")
    assert {t.name: t.bytes for layer in seen.layers for t in layer.outputs} == {kind: 10 * size for kind, size in kinds.items()}
    assert {t.format for layer in seen.layers for t in layer.inputs} == {"Row major linear FP32"}


def test_dynamic_sizes_and_sizes_that_only_running_tells(kiln):
    nodes = [helper.make_node("Relu", ["x"], ["r"], name="act"), helper.make_node("NonZero", ["r"], ["y"], name="where")]
    save_model(kiln.folder / "late.onnx", nodes, {"x": (TensorProto.FLOAT, ["n", 3])}, {"y": (TensorProto.INT64, [2, "found"])})
    seen = Explorer(kiln, "late.onnx", "--minShapes=x:1x3", "--optShapes=x:2x3", "--maxShapes=x:4x3")
    assert seen.layer("act").inputs[0].shape == [-1, 3] and seen.layer("where").outputs[0].shape == [2, -1]


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "line\nend", "\u00e9\u4e2d\U0001f600", "tab\tand\x01control"])
def test_names_of_every_kind(kiln, name):
    save_model(kiln.folder / "named.onnx", [helper.make_node("Relu", [name], ["y"], name=name)], {name: (TensorProto.FLOAT, [3])}, {"y": (TensorProto.FLOAT, [3])})
    seen = Explorer(kiln, "named.onnx")
    assert seen.bindings == [name, "y"] and seen.layers[0].inputs[0].name == name and name in seen.layers[0].metadata


def test_bytes_that_are_no_text(kiln):
    save_model(kiln.folder / "named.onnx", [helper.make_node("Relu", ["abcd"], ["y"], name="n")], {"abcd": (TensorProto.FLOAT, [3])}, {"y": (TensorProto.FLOAT, [3])})
    for name in (b"a\xffcd", b"\xe0\x80\x80d", b"\xed\xa0\x80d", b"abc\xc3", b"\xf5bcd", b"\xf0\x82\x82\xac"):
        (kiln.folder / "odd.onnx").write_bytes((kiln.folder / "named.onnx").read_bytes().replace(b"abcd", name))
        seen = Explorer(kiln, "odd.onnx")
        assert "\ufffd" in seen.bindings[0] and seen.layers[0].inputs[0].name == seen.bindings[0]


def test_more_about_a_tensor_than_trex_asks(kiln, network):
    kiln.ok("bench", f"--onnx={network}", "--skipInference", "--exportLayerInfo=graph.json")
    for raw in json.loads((kiln.folder / "graph.json").read_text())["Layers"]:
        assert raw["Backend"] and raw["Kernel"] and raw["WorkspaceSize"] >= 0
        for t in raw["Inputs"] + raw["Outputs"] + raw["Constants"]:
            assert t["Location"] in ("Device", "Host") and t["Layout"]
