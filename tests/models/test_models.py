"""Tests of the scripts in models/: what they write is valid ONNX, has the published size, and computes something.

usage: pytest tests/models [-k NAME] [-s]       onnxruntime is used when it can be imported
"""
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "models")
sys.path.insert(0, MODELS)

import graph  # noqa: E402
import write  # noqa: E402

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_onnxruntime = pytest.mark.skipif(onnxruntime is None, reason="onnxruntime is not installed")
WRITTEN = [name for name, model in write.CATALOGUE.items() if not model.on_request]
SEQUENCE = 24


@pytest.fixture
def tmp_path(tmp_path):
    """An empty folder that is gone after the test: the models are large."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def written(folder, name, **options):
    path = str(folder / f"{name}.onnx")
    write.write(write.CATALOGUE[name], path, **options)
    return path


def learned_numbers(path):
    """Elements of all weights, without the statistics of batch normalisations and without constants."""
    network = onnx.load(path, load_external_data=False).graph
    statistics = {name for node in network.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    return sum(int(np.prod(t.dims)) for t in network.initializer
               if t.data_type == onnx.TensorProto.FLOAT and t.dims and t.name not in statistics)


def inputs(path, count, seed=0):
    """Random inputs for `count` samples; the last quarter of a sequence is masked."""
    random, feed = np.random.default_rng(seed), {}
    for value in onnx.load(path, load_external_data=False).graph.input:
        shape = [count] + [d.dim_value or SEQUENCE for d in value.type.tensor_type.shape.dim[1:]]
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            feed[value.name] = random.standard_normal(shape, np.float32)
        elif value.name == "mask":
            feed[value.name] = np.tile(np.arange(shape[1]) < shape[1] * 3 // 4, [count, 1]).astype(np.int64)
        else:
            feed[value.name] = random.integers(0, 30000, shape)
    return feed


def run(path, feed):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


@pytest.mark.parametrize("name", WRITTEN)
def test_model(name, tmp_path):
    """Valid, of the published size; outputs are finite, of unit size, depend on the input; dynamic sizes agree."""
    path = written(tmp_path, name, seq=SEQUENCE)
    onnx.checker.check_model(path, full_check=True)
    count, published = learned_numbers(path), write.CATALOGUE[name].parameters
    print(f"{name}: {count:,} parameters, published {published:,}")
    assert abs(count - published) <= 0.01 * published
    names = [node.name for node in onnx.load(path).graph.node]
    assert len(set(names)) == len(names)
    two = inputs(path, 2)
    one = {key: value[:1] for key, value in two.items()}
    static = run(path, one) if onnxruntime else None
    path = written(tmp_path, name, batch=None, seq=None)
    onnx.checker.check_model(path, full_check=True)
    if onnxruntime:
        for expected, y in zip(static, run(path, two), strict=True):
            assert np.isfinite(y).all()
            assert 0.05 < np.std(y[0]) < 10
            assert np.std(y[0] - y[1]) > 0.05 * np.std(y[0])
            np.testing.assert_allclose(y[:1], expected, rtol=1e-3, atol=1e-3)


@needs_onnxruntime
def test_later_positions_do_not_reach_earlier_ones(tmp_path):
    path = written(tmp_path, "gpt2", seq=SEQUENCE)
    before = inputs(path, 1)
    after = {"ids": before["ids"].copy()}
    after["ids"][0, 10] = 7
    a, b = run(path, before)[0], run(path, after)[0]
    np.testing.assert_allclose(a[:, :10], b[:, :10], atol=1e-4)
    assert np.std(a[:, 10:] - b[:, 10:]) > 1e-2


@needs_onnxruntime
def test_masked_tokens_do_not_reach_others(tmp_path):
    path = written(tmp_path, "bert_base", seq=SEQUENCE)
    before = inputs(path, 1)
    after = {"ids": before["ids"].copy(), "mask": before["mask"]}
    after["ids"][0, -1] = 7
    a, b = run(path, before)[0], run(path, after)[0]
    np.testing.assert_allclose(a[:, :-1], b[:, :-1], atol=1e-4)
    assert np.std(a[:, -1] - b[:, -1]) > 1e-2


def test_same_seed_same_file(tmp_path):
    contents = []
    for seed in (0, 0, 1):
        with open(written(tmp_path, "squeezenet", seed=seed), "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1] != contents[2]


def test_number_of_threads_does_not_change_the_file(tmp_path):
    with open(written(tmp_path, "resnet18"), "rb") as file:
        expected = file.read()
    subprocess.run([sys.executable, os.path.join(MODELS, "write.py"), str(tmp_path), "resnet18"], check=True,
                   env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    with open(tmp_path / "resnet18.onnx", "rb") as file:
        assert file.read() == expected


def test_external_data_holds_the_same_weights(tmp_path):
    inside = onnx.load(written(tmp_path, "mobilenet_v3"))
    path = written(tmp_path, "mobilenet_v3", external_data=True)
    onnx.checker.check_model(path, full_check=True)
    assert os.path.getsize(path) < os.path.getsize(path + ".data") / 10
    outside = onnx.load(path)
    for a, b in zip(inside.graph.initializer, outside.graph.initializer, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))


@pytest.mark.parametrize("opset", [graph.OLDEST_OPSET, graph.NEWEST_OPSET])
def test_opset(opset, tmp_path):
    for name in ("mobilenet_v3", "lstm"):
        path = written(tmp_path, name, opset=opset)
        onnx.checker.check_model(path, full_check=True)
        assert onnx.load(path).opset_import[0].version == opset


@pytest.mark.parametrize("arguments, message", [
    ([], "OUTDIR is missing"),
    (["OUT", "resnet51"], "no network is called 'resnet51'"),
    (["OUT", "mlp", "--batch", "0"], "neither a positive number"),
    (["OUT", "bert_base", "--seq", "513"], "at most 512 tokens"),
    (["OUT", "mlp", "--opset", "17"], "opset 17"),
])
def test_bad_arguments(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        write.main([str(tmp_path / a) if a == "OUT" else a for a in arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_command(tmp_path):
    command = [sys.executable, os.path.join(MODELS, "write.py"), str(tmp_path), "mlp", "--batch", "dynamic"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "[ 1/1] mlp" in done.stdout
    assert onnx.load(tmp_path / "mlp.onnx").graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_digits(tmp_path):
    """The trained network reaches 97 % on digits it has not seen, and the stored outputs are its own."""
    pytest.importorskip("sklearn")
    command = [sys.executable, os.path.join(MODELS, "digits.py"), str(tmp_path)]
    assert "held-out accuracy" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    path, data = str(tmp_path / "digits.onnx"), tmp_path / "digits_data" / "test_data_set_0"
    onnx.checker.check_model(path, full_check=True)
    images, labels = (np.load(tmp_path / "digits_test" / f"{name}.npy") for name in ("input_0", "labels"))
    stored_images, logits = (onnx.numpy_helper.to_array(onnx.load_tensor(data / f"{name}_0.pb"))
                             for name in ("input", "output"))
    assert images.shape == (359, 1, 8, 8) and images.min() == 0 and images.max() == 1
    np.testing.assert_array_equal(images, stored_images)
    assert np.mean(logits.argmax(axis=1) == labels) >= 0.97
    if onnxruntime:
        np.testing.assert_allclose(run(path, {"image": images})[0], logits, rtol=1e-3, atol=1e-4)
