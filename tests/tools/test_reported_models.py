"""Models of reported_models.py through the program: dynamic and static, tuned and not, from the file of a built engine."""
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from reported_models import CASES

RTOL, ATOL = 1e-3, 1e-4


def write_set(folder, model, feed, answer):
    folder.mkdir()
    for kind, infos, values in (("input", model.graph.input, [feed[i.name] for i in model.graph.input]),
                                ("output", model.graph.output, answer)):
        for k, (info, value) in enumerate(zip(infos, values)):
            tensor = numpy_helper.from_array(np.asarray(value, order="C"), info.name)
            (folder / f"{kind}_{k}.pb").write_bytes(tensor.SerializeToString())


def static_copy(model, feed):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for info in copy.graph.input:
        for d, size in zip(info.type.tensor_type.shape.dim, feed[info.name].shape):
            d.dim_value = size
    return copy


def bounds(feeds):
    """--minShapes, --optShapes, --maxShapes of all sets."""
    text = {}
    for flag, chosen in (("min", lambda s: np.min(s, 0)), ("opt", lambda s: s[0]), ("max", lambda s: np.max(s, 0))):
        shapes = {name: chosen([f[name].shape for f in feeds]) for name in feeds[0]}
        text[flag] = f"--{flag}Shapes=" + ",".join(f"{n}:{'x'.join(map(str, s))}" for n, s in shapes.items())
    return list(text.values())


@pytest.fixture
def written(request, tmp_path):
    model, feeds, answers = CASES[request.param]()
    onnx.save(model, tmp_path / "model.onnx")
    onnx.save(static_copy(model, feeds[0]), tmp_path / "static.onnx")
    for k, (feed, answer) in enumerate(zip(feeds, answers)):
        write_set(tmp_path / f"test_data_set_{k}", model, feed, answer)
    return model, feeds, answers


every_case = pytest.mark.parametrize("written", CASES, indirect=True)
TOLERANCE = f"--rtol={RTOL}", f"--atol={ATOL}"


@every_case
@pytest.mark.parametrize("level", [0, 3])
def test_dynamic(kiln, written, level):
    kiln.ok("compare", "model.onnx", "--data=.", f"--builderOptimizationLevel={level}", *TOLERANCE)


@every_case
@pytest.mark.parametrize("level", [0, 3])
def test_static(kiln, written, level):
    kiln.ok("compare", "static.onnx", "--data=test_data_set_0", f"--builderOptimizationLevel={level}", *TOLERANCE)


@every_case
def test_shapes_of_one_set(kiln, written):
    """--shapes makes a dynamic model a static one."""
    _, feeds, _ = written
    shapes = ",".join(f"{n}:{'x'.join(map(str, v.shape))}" for n, v in feeds[-1].items())
    kiln.ok("compare", "model.onnx", f"--data=test_data_set_{len(feeds) - 1}", f"--shapes={shapes}", *TOLERANCE)


@every_case
def test_saved_and_loaded(kiln, written, tmp_path):
    model, feeds, answers = written
    kiln.ok("build", "model.onnx", "-o", "model.plan", "--builderOptimizationLevel=0", *bounds(feeds))
    for k, (feed, answer) in enumerate(zip(feeds, answers)):
        np.savez(tmp_path / "in.npz", **feed)
        kiln.ok("run", "model.plan", "--loadInputs=in.npz", f"--saveOutputs=out{k}.npz")
        got = np.load(tmp_path / f"out{k}.npz")
        for info, want in zip(model.graph.output, answer):
            np.testing.assert_allclose(got[info.name], want, RTOL, ATOL, err_msg=f"set {k}, output {info.name}")
