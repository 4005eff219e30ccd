"""Whole networks with symbolic dimensions: built once, right at every shape of the profile."""
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import bert  # noqa: E402
import resnet  # noqa: E402
import write  # noqa: E402


def shapes(names, dims):
    return ",".join(f"{name}:{'x'.join(map(str, dims))}" for name in names)


def run(kiln, model, feed, out, *options):
    """The outputs of one inference."""
    folder = kiln.folder / out
    folder.mkdir()
    for name, value in feed.items():
        np.save(folder / f"{name}.npy", value)
    files = ",".join(f"{name}:{out}/{name}.npy" for name in feed)
    kiln.ok("run", model, f"--loadInputs={files}", f"--saveOutputs={out}/results", *options)
    return {file.stem: np.load(file) for file in (folder / "results").glob("*.npy")}


@pytest.fixture
def small_bert(monkeypatch):
    for name, value in {"VOCABULARY": 100, "POSITIONS": 64}.items():
        monkeypatch.setattr(bert, name, value)
    return dataclasses.replace(write.CATALOGUE["bert_base"], build=bert.bert(layers=2, features=96, heads=4))


def test_bert_with_dynamic_batch_and_sequence(kiln, small_bert):
    write.write(small_bert, str(kiln.folder / "bert.onnx"), batch=None, seq=None)
    names = ["ids", "mask"]
    kiln.ok("build", "--onnx=bert.onnx", "--saveEngine=bert.engine", f"--minShapes={shapes(names, (1, 1))}",
            f"--optShapes={shapes(names, (2, 32))}", f"--maxShapes={shapes(names, (5, 48))}")
    random = np.random.default_rng(0)
    for batch, seq in [(1, 1), (1, 7), (2, 32), (3, 33), (5, 48), (2, 1)]:
        feed = {"ids": random.integers(0, 100, (batch, seq)),
                "mask": np.tile(np.arange(seq) < max(1, seq * 3 // 4), [batch, 1]).astype(np.int64)}
        got = run(kiln, "bert.engine", feed, f"got{batch}x{seq}")
        want = run(kiln, "bert.onnx", feed, f"want{batch}x{seq}", "--backend=ref", f"--shapes={shapes(names, (batch, seq))}")
        assert got.keys() == want.keys() and got["last_hidden_state"].shape == (batch, seq, 96)
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-3, atol=1e-4, err_msg=f"{name} at {batch}x{seq}")


def test_resnet_with_dynamic_batch(kiln):
    assert "resnet18" in {m.name for m in resnet.MODELS}
    write.write(write.CATALOGUE["resnet18"], str(kiln.folder / "resnet.onnx"), batch=None)
    one, several, most = ((n, 3, 224, 224) for n in (1, 2, 6))
    kiln.ok("build", "--onnx=resnet.onnx", "--saveEngine=resnet.engine", f"--minShapes={shapes(['image'], one)}",
            f"--optShapes={shapes(['image'], several)}", f"--maxShapes={shapes(['image'], most)}")
    images = np.random.default_rng(0).standard_normal((6, 3, 224, 224), np.float32)
    want = run(kiln, "resnet.onnx", {"image": images[:1]}, "want", "--backend=ref", f"--shapes={shapes(['image'], one)}")
    single = [run(kiln, "resnet.engine", {"image": images[i:i + 1]}, f"one{i}")["logits"] for i in range(6)]
    np.testing.assert_allclose(single[0], want["logits"], rtol=1e-3, atol=1e-3)
    for batch in (2, 3, 6):
        got = run(kiln, "resnet.engine", {"image": images[:batch]}, f"batch{batch}")["logits"]
        np.testing.assert_allclose(got, np.concatenate(single[:batch]), rtol=1e-4, atol=1e-4)


def test_shapes_outside_the_profile_are_refused(kiln, small_bert):
    write.write(write.CATALOGUE["bert_base"], str(kiln.folder / "bert.onnx"), batch=None, seq=None)
    names = ["ids", "mask"]
    kiln.ok("build", "--onnx=bert.onnx", "--saveEngine=bert.engine", "--builderOptimizationLevel=0",
            f"--minShapes={shapes(names, (1, 2))}", f"--optShapes={shapes(names, (1, 4))}", f"--maxShapes={shapes(names, (2, 8))}")
    for batch, seq in [(3, 4), (1, 9), (1, 1), (0, 4)]:
        for name in names:
            np.save(kiln.folder / f"{name}.npy", np.zeros((batch, seq), np.int64))
        message = kiln.fails(1, "run", "bert.engine", "--loadInputs=ids:ids.npy,mask:mask.npy")
        assert "ids" in message and "remedy" in message
