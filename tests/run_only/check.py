"""The run side alone: an engine that `kiln build` made runs in a program without the build side, and the library holds none of it."""
import argparse
import pathlib
import re
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

BUILD_SIDE = re.compile(r"kiln::(ir|onnx|passes|ops|ref)::|google::protobuf|kiln::(compile|Tuner|Lowering)\b")


def check_symbols(library: pathlib.Path) -> None:
    names = subprocess.run(["nm", "-DC", str(library)], check=True, capture_output=True, text=True).stdout.splitlines()
    assert any("createInferRuntime_INTERNAL" in n for n in names), f"{library} does not offer createInferRuntime"
    build_side = [n for n in names if BUILD_SIDE.search(n)]
    assert not build_side, f"{library} holds the build side: {build_side[:5]}"


def check_needed(program: pathlib.Path) -> None:
    needed = subprocess.run(["readelf", "-d", str(program)], check=True, capture_output=True, text=True).stdout
    kiln = re.findall(r"\[(libkiln[^\]]*)\]", needed)
    assert kiln == ["libkiln_runtime.so"], f"{program} needs {kiln}"


def make_model() -> onnx.ModelProto:
    rng = np.random.default_rng(1)
    weight = numpy_helper.from_array(rng.standard_normal((8, 3, 3, 3), np.float32), "w")
    matrix = numpy_helper.from_array(rng.standard_normal((8, 5), np.float32), "m")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("GlobalAveragePool", ["r"], ["g"]), helper.make_node("Flatten", ["g"], ["f"]),
             helper.make_node("MatMul", ["f", "m"], ["p"]), helper.make_node("Softmax", ["p"], ["y"])]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 9, 7])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])], [weight, matrix])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def check_run(kiln: pathlib.Path, programs: list[pathlib.Path]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = make_model()
        onnx.save(model, folder / "net.onnx")
        subprocess.run([kiln, "build", folder / "net.onnx", "-o", folder / "net.plan"], check=True, stdout=subprocess.DEVNULL)
        x = np.random.default_rng(2).standard_normal((2, 3, 9, 7), np.float32)
        x.tofile(folder / "x")
        expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
        for program in programs:
            subprocess.run([program, folder / "net.plan", folder / "x", folder / "y"], check=True)
            np.testing.assert_allclose(np.fromfile(folder / "y", np.float32).reshape(2, 5), expected, rtol=1e-4, atol=1e-6)
            (folder / "y").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kiln", "library"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("programs", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    check_symbols(arguments.library)
    for program in arguments.programs:
        check_needed(program)
    check_run(arguments.kiln, arguments.programs)


if __name__ == "__main__":
    main()
