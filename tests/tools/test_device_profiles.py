"""Engines for GPUs that this machine need not have, built from profiles of them."""
import json
import pathlib
import re

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
# compute capability: multiprocessors of a card that has it
CARDS = {75: 40, 80: 108, 86: 84, 89: 128, 90: 132, 100: 148, 120: 170}


def profile(compute, **changes):
    return {"kind": "kiln device profile 1", "backend": "cuda", "ordinal": 0, "name": f"card {compute}",
            "fingerprint": f"cuda sm_{compute} card {CARDS.get(compute, 1)} multiprocessors, driver 13000", "memory": 16 << 30,
            "cache": 40 << 20, "units": CARDS.get(compute, 1), "bytes_per_second": 1e12,
            "operations_per_second": {"float16": 1e14, "float32": 1e13}, "alignment": 256, "host_memory": False,
            "switch_milliseconds": 0, "switch_factor": 1} | changes


@pytest.fixture
def gpu(kiln):
    if "cuda" not in kiln.ok("list", "backends").split():
        pytest.skip("built without the back end of GPUs")


@pytest.fixture
def network(kiln):
    random = np.random.default_rng(1)

    def weights(*dims):
        return random.standard_normal(dims).astype(np.float32)

    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1], strides=[2, 2]),
             helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
             helper.make_node("Conv", ["r1", "w2", "b1"], ["c2"], "conv2", pads=[1, 1, 1, 1]),
             helper.make_node("Add", ["c2", "r1"], ["s"], "add"),
             helper.make_node("GlobalAveragePool", ["s"], ["g"], "pool"),
             helper.make_node("Flatten", ["g"], ["f"], "flatten"),
             helper.make_node("Gemm", ["f", "w3", "b3"], ["l"], "fc"),
             helper.make_node("Softmax", ["l"], ["y"], "softmax")]
    save_model(kiln.folder / "net.onnx", nodes, {"x": (TensorProto.FLOAT, ["n", 3, 32, 32])}, {"y": (TensorProto.FLOAT, ["n", 10])},
               {"w1": weights(32, 3, 3, 3), "b1": weights(32), "w2": weights(32, 32, 3, 3), "w3": weights(32, 10), "b3": weights(10)})
    return "net.onnx"


def build(kiln, network, name, *options):
    return ["build", network, "--shapes=x:8x3x32x32", f"--deviceProfile={name}", *options]


@pytest.mark.parametrize("file", sorted((ROOT / "profiles").glob("*.json")), ids=lambda file: file.stem)
def test_the_profiles_of_the_tree(kiln, gpu, network, file):
    kiln.ok(*build(kiln, network, file, "--fp16", "-o", "card.plan"))
    assert json.loads(kiln.ok("inspect", "card.plan", "--json"))["fingerprint"] == json.loads(file.read_text())["fingerprint"]


@pytest.mark.parametrize("compute", CARDS)
def test_every_architecture(kiln, gpu, network, compute):
    (kiln.folder / "card.json").write_text(json.dumps(profile(compute)))
    for option, plan in ((["--fp16"], "half.plan"), (["--noTF32"], "single.plan"), (["--bf16"], "brain.plan")):
        kiln.ok(*build(kiln, network, "card.json", *option, "-o", plan))
        layers = json.loads(kiln.ok("inspect", plan, "--json"))
        assert f"sm_{compute} " in layers["fingerprint"]
        assert {layer["backend"] for layer in layers["layers"]} == {"cuda"}, layers
        tactics = " ".join(layer["tactic"] for layer in layers["layers"])
        if option == ["--fp16"] and compute >= 80:
            assert "Reformat" not in [layer["op"] for layer in layers["layers"]], "pictures are read as they lie"
            assert "conv_any" not in tactics and "product_any" not in tactics, tactics


def test_the_same_profile_gives_the_same_engine(kiln, gpu, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    for plan in ("a.plan", "b.plan"):
        kiln.ok(*build(kiln, network, "card.json", "--fp16", "-o", plan))
    assert (kiln.folder / "a.plan").read_bytes() == (kiln.folder / "b.plan").read_bytes()


def tactics_of(kiln, plan):
    return {layer["name"]: layer["tactic"] for layer in json.loads(kiln.ok("inspect", plan, "--json"))["layers"]}


def test_times_of_a_profile_choose(kiln, gpu, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    log = kiln.run(*build(kiln, network, "card.json", "--fp16", "--verbose", "-o", "plain.plan")).stderr
    before = tactics_of(kiln, "plain.plan")
    open_choices = re.findall(r"(conv2\S*.*?): (\S+?)(\.\d+\{.*?\}) has no time; key ([0-9a-f]{32})", log)
    layer, taken = next((name, tactic) for name, tactic in before.items() if name.startswith("conv2"))
    tactic, config, key = next((tactic, config, key) for name, tactic, config, key in open_choices if name == layer and tactic != taken)
    (kiln.folder / "timed.json").write_text(json.dumps(profile(90, times={f"{key} {tactic}{config}": 0.01})))
    assert "times of 1 choice" in kiln.ok("list", "devices", "--loadProfile=timed.json")
    kiln.ok(*build(kiln, network, "timed.json", "--fp16", "-o", "timed.plan"))
    assert tactics_of(kiln, "timed.plan") == before | {layer: tactic}


def test_times_of_a_profile_are_checked(kiln, gpu, network):
    key = "0" * 32
    for times, problem in (([], "does not name choices"), ({f"{key} conv.1{{}}": "fast"}, "is not a number"), ({f"{key} conv.1{{}}": -1}, "is not a number"),
                           ({"conv.1{}": 1}, "names no choice of a problem"), ({f"{key} conv\n.1{{}}": 1}, "names no choice of a problem")):
        (kiln.folder / "bad.json").write_text(json.dumps(profile(90, times=times)))
        error = kiln.fails(1, *build(kiln, network, "bad.json"))
        assert problem in error and "remedy: " in error, error
    assert "--saveProfile" in kiln.fails(2, "list", "devices", "--timingCacheFile=a.times")


def test_libraries_that_are_missing_are_told(kiln, gpu, network, monkeypatch):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    monkeypatch.setenv("KILN_CUBLASLT", "/there/is/no/such/file")
    log = kiln.run(*build(kiln, network, "card.json", "--fp16", "-o", "net.plan")).stderr
    assert "cuBLASLt is not there: KILN_CUBLASLT names a file that cannot be opened" in log, log


def test_kernels_are_generated_for_cards_that_are_not_there(kiln, gpu):
    nodes = [helper.make_node("Tanh", ["x"], ["t"], "tanh"), helper.make_node("Mul", ["t", "x"], ["y"], "mul")]
    save_model(kiln.folder / "chain.onnx", nodes, {"x": (TensorProto.FLOAT, [8, 40])}, {"y": (TensorProto.FLOAT, [8, 40])}, {})
    for compute in (80, 90):
        (kiln.folder / "card.json").write_text(json.dumps(profile(compute)))
        text = kiln.ok("build", "chain.onnx", "--deviceProfile=card.json", "--disable=pointwise", "-o", "chain.plan")
        if "no kernels are generated: " in text:
            pytest.skip(text)
        layers = json.loads(kiln.ok("inspect", "chain.plan", "--json"))["layers"]
        assert [layer["tactic"] for layer in layers] == ["pointwise_generated"], layers
        assert f"sm_{compute}".encode() in (kiln.folder / "chain.plan").read_bytes()


def test_what_cannot_be_is_said(kiln, gpu, network):
    folder = kiln.folder
    (folder / "card.json").write_text(json.dumps(profile(90)))
    kiln.ok(*build(kiln, network, "card.json", "-o", "net.plan"))
    if "cuda:0" not in kiln.ok("list", "devices"):
        assert "error[K1004] the device 'cuda' is not available" in kiln.fails(1, "bench", "--loadEngine=net.plan")
    error = kiln.fails(1, "bench", "--onnx=net.onnx", "--shapes=x:1x3x32x32", "--deviceProfile=card.json")
    assert "error[K3003] the engine is of a device that this machine lacks" in error and "remedy: " in error
    assert "is of the back end 'cuda', not of 'cpu'" in kiln.fails(1, *build(kiln, network, "card.json", "--backend=cpu"))
    for changes in ({"fingerprint": "x86"}, {"fingerprint": "cuda sm_x"}, {"fingerprint": "cuda sm_61 old card"},
                    {"fingerprint": "cuda sm_999 card to come"}, {"alignment": 64}, {"host_memory": True}):
        (folder / "bad.json").write_text(json.dumps(profile(90, **changes)))
        assert "error[K1004] the back end 'cuda' builds for no device that is not there" in kiln.fails(
            1, *build(kiln, network, "bad.json")), changes
    for backend in ("cpu", "ref", "nothing", "../cuda"):
        (folder / "bad.json").write_text(json.dumps(profile(90, backend=backend)))
        assert "error[K1004]" in kiln.fails(1, *build(kiln, network, "bad.json")), backend
    assert "is not the profile of a device" in kiln.fails(1, *build(kiln, network, "net.onnx"))


def test_back_ends_without_a_library_are_named(kiln, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90, backend="elsewhere")))
    error = kiln.fails(1, *build(kiln, network, "card.json"))
    assert "error[K1004] this Kiln has no library of the back end 'elsewhere'" in error and "libkiln_elsewhere.so" in error
    assert "remedy: use a Kiln that was built with this back end" in error
