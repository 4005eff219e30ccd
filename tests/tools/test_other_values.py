"""Strings, sequences, optionals and maps through the program: from files, printed, and written to files."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

STRING = helper.make_tensor_type_proto(TensorProto.STRING, ["n"])


def floats(*dims):
    return helper.make_tensor_type_proto(TensorProto.FLOAT, dims)


def save(path, nodes, inputs, outputs, constants=()):
    """inputs, outputs: {name: type}."""
    infos = [[onnx.ValueInfoProto(name=n, type=t) for n, t in table.items()] for table in (inputs, outputs)]
    graph = helper.make_graph(nodes, "net", *infos, list(constants))
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), path)


WORDS = np.array(["Ä", "two words", "", "x" * 40])


@pytest.mark.parametrize("written", [WORDS, WORDS.astype(">U40"), np.char.encode(WORDS, "utf-8")])
def test_text_in_and_out(kiln, written, tmp_path):
    save(tmp_path / "text.onnx", [helper.make_node("StringConcat", ["a", "b"], ["y"])], {"a": STRING, "b": STRING}, {"y": STRING})
    np.save(tmp_path / "a.npy", written)
    np.save(tmp_path / "b.npy", np.array(["!", "", "-", "."]))
    shown = kiln.ok("run", "text.onnx", "--loadInputs=a:a.npy,b:b.npy", "--saveOutputs=out", "--builderOptimizationLevel=0")
    want = ["Ä!", "two words", "-", "x" * 40 + "."]
    assert f'y string 4: "Ä!" "two words" "-" "{want[3]}"' in shown
    assert np.load(tmp_path / "out/y.npy").tolist() == want
    kiln.ok("run", "text.onnx", "--loadInputs=a:a.npy,b:b.npy", "--saveOutputs=out.npz", "--builderOptimizationLevel=0")
    assert np.load(tmp_path / "out.npz")["y"].tolist() == want


def test_text_of_an_archive_and_of_an_engine(kiln, tmp_path):
    save(tmp_path / "text.onnx", [helper.make_node("StringConcat", ["a", "a"], ["y"])], {"a": STRING}, {"y": STRING})
    np.savez(tmp_path / "in.npz", a=np.array([["a", "b"]])[0])
    kiln.ok("build", "text.onnx", "-o", "text.plan", "--shapes=a:2")
    assert '"aa" "bb"' in kiln.ok("run", "text.plan", "--loadInputs=in.npz")
    assert "--loadInputs=a:FILE.npy" in kiln.fails(1, "run", "text.plan")
    np.save(tmp_path / "numbers.npy", np.zeros(2, np.float32))
    assert "error[K" in kiln.fails(1, "run", "text.plan", "--loadInputs=a:numbers.npy")


def sequence_of(element):
    return helper.make_sequence_type_proto(element)


def test_sequences_in_and_out(kiln, tmp_path):
    save(tmp_path / "seq.onnx", [helper.make_node("SequenceInsert", ["s", "x"], ["t"]), helper.make_node("SequenceLength", ["t"], ["n"])],
         {"s": sequence_of(floats()), "x": floats(2)}, {"t": sequence_of(floats()), "n": helper.make_tensor_type_proto(TensorProto.INT64, [])})
    np.savez(tmp_path / "s.npz", first=np.ones((2, 1), np.float32), second=np.arange(3, dtype=np.float32))
    np.save(tmp_path / "x.npy", np.array([7, 8], np.float32))
    shown = kiln.ok("run", "seq.onnx", "--loadInputs=s:s.npz,x:x.npy", "--saveOutputs=out", "--builderOptimizationLevel=0")
    assert "t sequence of 3 float32" in shown and "t.1 float32 3: 0 1 2" in shown and "n int64 scalar: 3" in shown
    np.testing.assert_array_equal(np.load(tmp_path / "out/t.2.npy"), [7, 8])
    sequence = onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR, tensor_values=[numpy_helper.from_array(np.array([5], np.float32))])
    (tmp_path / "s.pb").write_bytes(sequence.SerializeToString())
    assert "t.0 float32 1: 5" in kiln.ok("run", "seq.onnx", "--loadInputs=s:s.pb,x:x.npy", "--builderOptimizationLevel=0")
    assert "--loadInputs=s:FILE.npz" in kiln.fails(1, "run", "seq.onnx", "--loadInputs=x:x.npy")


def onnx_runtime(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("labels", [{"classlabels_int64s": [7, -2, 5]}, {"classlabels_strings": ["cat", "dog", "ü"]}])
@pytest.mark.parametrize("shape", [(2, 3), (3,)])
def test_zip_map(kiln, tmp_path, labels, shape):
    """A sequence of maps is a matrix of what they hold, and the keys."""
    key = TensorProto.STRING if "classlabels_strings" in labels else TensorProto.INT64
    maps = sequence_of(helper.make_map_type_proto(key, floats()))
    save(tmp_path / "zip.onnx", [helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", **labels)], {"x": floats(*shape)}, {"y": maps})
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    kiln.ok("run", "zip.onnx", "--loadInputs=x:x.npy", "--saveOutputs=out.npz", "--builderOptimizationLevel=0")
    got = np.load(tmp_path / "out.npz")
    assert got["y.keys"].tolist() == list(labels.values())[0]
    np.testing.assert_array_equal(got["y"], np.atleast_2d(x))
    maps = onnx_runtime(tmp_path / "zip.onnx").run(None, {"x": x})[0]
    assert maps == [dict(zip(got["y.keys"].tolist(), row)) for row in got["y"].tolist()]


def map_run(kiln, folder, node, key, value, keys, values):
    """The result of a node on a map, beside ONNX Runtime's."""
    tensor = helper.make_tensor_type_proto(value, [])
    save(folder / "map.onnx", [node], {"m": helper.make_map_type_proto(key, tensor)}, {"y": onnx.TypeProto()})
    np.save(folder / "k.npy", keys)
    np.save(folder / "v.npy", values)
    kiln.ok("run", "map.onnx", "--loadInputs=m.keys:k.npy,m.values:v.npy", "--saveOutputs=out", "--builderOptimizationLevel=0")
    return np.load(folder / "out/y.npy")


def test_dict_vectorizer(kiln, tmp_path):
    node = helper.make_node("DictVectorizer", ["m"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a", "b", "c", "d"])
    y = map_run(kiln, tmp_path, node, TensorProto.STRING, TensorProto.FLOAT, np.array(["d", "z", "b"]), np.array([1.5, 9, np.inf], np.float32))
    np.testing.assert_array_equal(y, [[0, np.inf, 0, 1.5]])
    node = helper.make_node("DictVectorizer", ["m"], ["y"], domain="ai.onnx.ml", int64_vocabulary=[3, 1])
    y = map_run(kiln, tmp_path, node, TensorProto.INT64, TensorProto.DOUBLE, np.array([1, 2]), np.array([0.25, 4.0]))
    np.testing.assert_array_equal(y, [[0, 0.25]])


def test_cast_map(kiln, tmp_path):
    keys, values = np.array([5, 0, 2]), np.array([1.5, 2.5, 3.5], np.float32)
    for form, want in (("DENSE", [[2.5, 3.5, 1.5]]), ("SPARSE", [[2.5, 0, 3.5, 0, 0, 1.5, 0]])):
        node = helper.make_node("CastMap", ["m"], ["y"], domain="ai.onnx.ml", map_form=form, max_map=7)
        np.testing.assert_array_equal(map_run(kiln, tmp_path, node, TensorProto.INT64, TensorProto.FLOAT, keys, values), want)
    node = helper.make_node("CastMap", ["m"], ["y"], domain="ai.onnx.ml", cast_to="TO_INT64")
    got = map_run(kiln, tmp_path, node, TensorProto.INT64, TensorProto.STRING, keys, np.array(["7", "8", "9"]))
    np.testing.assert_array_equal(got, [[8, 9, 7]])
    node = helper.make_node("CastMap", ["m"], ["y"], domain="ai.onnx.ml", cast_to="TO_STRING", map_form="SPARSE", max_map=4)
    got = map_run(kiln, tmp_path, node, TensorProto.INT64, TensorProto.STRING, np.array([2, 0]), np.array(["two", "zero"]))
    np.testing.assert_array_equal(got, [["zero", "0.f", "two", "0.f"]])


def test_what_is_no_map_is_refused(kiln, tmp_path):
    save(tmp_path / "map.onnx", [helper.make_node("CastMap", ["x"], ["y"], domain="ai.onnx.ml")], {"x": floats(2)}, {"y": floats(1, 2)})
    assert "input 0 is no map" in kiln.fails(1, "build", "map.onnx", "-o", "map.plan")
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[1, 2, 3])
    save(tmp_path / "zip.onnx", [node], {"x": floats(1, 2)}, {"y": floats(1, 2)})
    assert "3 labels for 2 values" in kiln.fails(1, "build", "zip.onnx", "-o", "zip.plan")


def test_gradients_are_refused_with_a_reason(kiln, tmp_path):
    node = helper.make_node("Gradient", ["x"], ["g"], domain="ai.onnx.preview.training", xs=["x"], y="x")
    graph = helper.make_graph([node], "net", [onnx.ValueInfoProto(name="x", type=floats(1))], [onnx.ValueInfoProto(name="g", type=floats(1))])
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.preview.training", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), tmp_path / "gradient.onnx")
    assert "derivatives are not taken" in kiln.fails(1, "build", "gradient.onnx", "-o", "g.plan")
