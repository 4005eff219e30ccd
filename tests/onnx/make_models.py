"""Writes the models that the tests of the ONNX reader import into the folder argv[1]."""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = sys.argv[1]
F = TensorProto.FLOAT


def info(name, dims, kind=F):
    return helper.make_tensor_value_info(name, kind, dims)


def save(name, nodes, inputs, outputs, initializers=(), opset=21, functions=(), domains=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)
    with open(os.path.join(FOLDER, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())
    return model


def array(values, name, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype), name)


X = info("x", ["batch", 3])
Y = info("y", None)
relu = helper.make_node("Relu", ["x"], ["y"], name="act")

save("relu", [relu], [X], [Y])
save("unnamed_dim", [relu], [info("x", [None, 3])], [Y])
save("opset0", [relu], [X], [Y], opset=0)
save("opset99", [relu], [X], [Y], opset=99)
save("add", [helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [array([1, 2, 3], "w")])
save("weight_is_input", [helper.make_node("Add", ["x", "w"], ["y"])], [X, info("w", [3])], [Y], [array([1, 2, 3], "w")])
save("cycle", [helper.make_node("Add", ["x", "b"], ["a"], name="n1"), helper.make_node("Relu", ["a"], ["b"], name="n2")], [X], [info("b", None)])
save("unsorted", [helper.make_node("Relu", ["a"], ["y"], name="second"), helper.make_node("Relu", ["x"], ["a"], name="first")], [X], [Y])
save("twice", [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["x"], ["y"])], [X], [Y])
save("missing", [helper.make_node("Add", ["x", "nowhere"], ["y"], name="sum")], [X], [Y])
save("no_output", [relu], [X], [info("z", None)])
save("output_is_input", [relu], [X], [Y, X])
save("same_outputs", [relu], [X], [Y, X, Y])
save("negative_dim", [relu], [info("x", [-3, 3])], [Y])
save("bad_shape", [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], [X], [Y], [array([[1, 2]], "w")])
save("unsupported", [helper.make_node("Nonsense", ["x"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"]),
                     helper.make_node("Other", ["b"], ["y"], name="second", domain="acme")], [X], [Y], domains=["acme"])
save("unknown_attribute", [helper.make_node("Relu", ["x"], ["y"], name="act", slope=1.0)], [X], [Y])

# A function with an attribute reference and a default, called twice.
scale = helper.make_node("LeakyRelu", ["a"], ["t"])
scale.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
leaky = helper.make_function("acme", "Leaky", ["a"], ["t"], [scale], [helper.make_opsetid("", 21)], attribute_protos=[helper.make_attribute("slope", 0.5)])
calls = [helper.make_node("Leaky", ["x"], ["m"], name="call1", domain="acme"), helper.make_node("Leaky", ["m"], ["y"], name="call2", domain="acme", slope=0.25)]
save("function", calls, [X], [Y], functions=[leaky], domains=["acme"])
loop = helper.make_function("acme", "Self", ["a"], ["b"], [helper.make_node("Self", ["a"], ["b"], domain="acme")], [helper.make_opsetid("acme", 1)])
save("recursive", [helper.make_node("Self", ["x"], ["y"], domain="acme")], [X], [Y], functions=[loop], domains=["acme"])

# Old versions.
save("softmax7", [helper.make_node("Softmax", ["x"], ["y"], axis=1)], [info("x", [2, 2, 2])], [Y], opset=7)
save("squeeze7", [helper.make_node("Squeeze", ["x"], ["y"], axes=[0])], [info("x", [1, 3])], [Y], opset=7)
save("sum7", [helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0)], [info("x", [2, 3])], [Y], opset=7)
save("slice7", [helper.make_node("Slice", ["x"], ["y"], axes=[1], starts=[1], ends=[3])], [info("x", [2, 3])], [Y], opset=7)
save("split7", [helper.make_node("Split", ["x"], ["a", "y"], axis=1, split=[1, 2])], [info("x", [2, 3])], [Y], opset=7)
save("pad7", [helper.make_node("Pad", ["x"], ["y"], pads=[0, 1, 0, 0], value=7.0)], [info("x", [2, 3])], [Y], opset=7)
save("clip7", [helper.make_node("Clip", ["x"], ["y"], min=2.0, max=4.0)], [info("x", [2, 3])], [Y], opset=7)

# An initializer in every way that the format stores one.
for kind in ("raw", "typed"):
    for number in TensorProto.DataType.values():
        if number in (0, TensorProto.STRING):
            continue
        data = np.array([1, 0, 1], np.float32).astype(helper.tensor_dtype_to_np_dtype(number))
        t = numpy_helper.from_array(data, "w") if kind == "raw" else helper.make_tensor("w", number, [3], data.tolist())
        name = "%s_%s" % (kind, TensorProto.DataType.Name(number))
        save(name, [relu, ], [X], [Y, info("w", [3], number)], [t])
short = TensorProto(name="w", data_type=F, dims=[1000, 1000], raw_data=b"1234")
save("short_weight", [helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [short])
huge = TensorProto(name="w", data_type=F, dims=[1 << 40, 1 << 40], raw_data=b"1234")
save("huge_weight", [helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [huge])


def external(name, location, offset="0", length="12"):
    t = TensorProto(name="w", data_type=F, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        t.external_data.add(key=key, value=value)
    save(name, [helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [t])


os.makedirs(os.path.join(FOLDER, "sub"), exist_ok=True)
for path in ("weights.bin", "sub/weights.bin"):
    np.arange(8, dtype=np.float32).tofile(os.path.join(FOLDER, path))
outside = os.path.join(os.path.dirname(FOLDER), os.path.basename(FOLDER) + ".outside")
np.arange(8, dtype=np.float32).tofile(outside)
os.symlink(outside, os.path.join(FOLDER, "link.bin"))
external("external", "weights.bin", "4")
external("external_sub", "sub/weights.bin", "4")
external("external_up", "../" + os.path.basename(outside))
external("external_absolute", outside)
external("external_link", "link.bin")
external("external_long", "weights.bin", "24")
external("external_negative", "weights.bin", "-4")
external("external_overflow", "weights.bin", "9223372036854775807")
external("external_absent", "nothing.bin")

# If with a captured value and a captured constant.
then = helper.make_graph([helper.make_node("Add", ["x", "w"], ["t"])], "then", [], [info("t", None)])
other = helper.make_graph([helper.make_node("Relu", ["x"], ["e"])], "else", [], [info("e", None)])
branch = helper.make_node("If", ["c"], ["y"], name="branch", then_branch=then, else_branch=other)
save("branch", [branch], [info("c", [], TensorProto.BOOL), X], [Y], [array([1, 2, 3], "w")])

# Scan of opset 8: axis 0 is a batch, sequences have lengths of their own; the second input runs backwards.
step = helper.make_graph(
    [helper.make_node("Add", ["s", "a"], ["t"]), helper.make_node("Add", ["t", "b"], ["next"]), helper.make_node("Identity", ["next"], ["out"])],
    "step", [info("s", [1]), info("a", [1]), info("b", [1])], [info("next", [1]), info("out", [1])])
batched = helper.make_node("Scan", ["lengths", "start", "x", "x"], ["last", "y"], name="scan", body=step, num_scan_inputs=2, directions=[0, 1])
save("scan8", [batched], [info("x", [2, 3, 1])], [Y, info("last", None)],
     [array([3, 2], "lengths", np.int64), array([[10], [20]], "start")], opset=8)
whole = helper.make_node("Scan", ["", "start", "x", "x"], ["last", "y"], name="scan", body=step, num_scan_inputs=2, directions=[0, 1])
save("scan8_whole", [whole], [info("x", [2, 3, 1])], [Y, info("last", None)], [array([[10], [20]], "start")], opset=8)
