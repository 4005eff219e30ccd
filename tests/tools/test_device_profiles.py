"""Engines for GPUs that this machine need not have, built from profiles of them."""
import json
import pathlib
import re
import subprocess

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


@pytest.mark.parametrize("options, wide", [(["--fp16"], "float32"), (["--fp16", "--bf16"], "bfloat16"), (["--best"], "bfloat16")])
def test_weights_beyond_float16_compute_in_another_type(kiln, gpu, options, wide):
    weights = np.full((16, 16, 3, 3), 0.5, np.float32)
    large = weights.copy()
    large[3, 2, 1, 0] = 70000
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "fits", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"], "relu"),
             helper.make_node("Conv", ["r", "large"], ["d"], "large", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["d"], ["y"], "last")]
    save_model(kiln.folder / "large.onnx", nodes, {"x": (TensorProto.FLOAT, [1, 16, 16, 16])}, {"y": (TensorProto.FLOAT, [1, 16, 16, 16])},
               {"w": weights, "large": large})
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    told = kiln.run("build", "large.onnx", "--deviceProfile=card.json", *options, "-o", "large.plan")
    assert told.returncode == 0 and f"'large' overflow float16: the layer 'large' computes in {wide}" in told.stderr
    computes = {origin: layer["computes"] for layer in json.loads(kiln.ok("inspect", "large.plan", "--json"))["layers"] if layer["op"] == "Conv"
                for origin in layer["origins"]}
    assert computes["fits"] == "float16" and computes["large"] == wide, computes
    asked = ["--precisionConstraints=obey", "--layerPrecisions=fits:bf16"]
    done = kiln.run("build", "large.onnx", "--deviceProfile=card.json", *options, *asked, "-o", "asked.plan")
    assert (done.returncode == 0) == (wide == "bfloat16"), done.stderr


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
        for command in (["bench", "--loadEngine=net.plan"], ["run", "net.plan"], ["report", "net.plan", "-o", "page.html"]):
            assert "error[K1004] 'net.plan': the device 'cuda' is not available" in kiln.fails(1, *command)
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


@pytest.mark.parametrize("command, code", [("bench --onnx=net.onnx --saveEngine=net.plan", 1), ("run net.onnx", 1), ("compare net.onnx", 2)])
def test_what_is_to_run_here_is_not_built_for_another_device(kiln, gpu, network, command, code):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    error = kiln.fails(code, *command.split(), "--deviceProfile=card.json")
    assert "error[K3003] an engine for the device of 'card.json' does not run here" in error and "--skipInference --saveEngine" in error
    assert "tactics chosen" not in error and not (kiln.folder / "net.plan").exists()
    kiln.ok("bench", "--onnx=net.onnx", "--deviceProfile=card.json", "--skipInference", "--saveEngine=net.plan")


def test_an_engine_is_looked_at_without_its_device(kiln, gpu, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    kiln.ok(*build(kiln, network, "card.json", "-o", "net.plan"))
    look = ["bench", "--loadEngine=net.plan"]
    assert "built by Kiln " in kiln.ok(*look, "--getPlanVersionOnly")
    for more in ([], ["--device=0"]):
        assert " cuda/" in kiln.ok(*look, "--dumpLayerInfo", "--skipInference", *more)
    for device in ("garbage:x", "cpu"):
        assert "--device: " in kiln.fails(2, *look, "--dumpLayerInfo", "--skipInference", f"--device={device}")
    kiln.ok(*look, "--skipInference", "--exportLayerInfo=layers.json")
    assert json.loads((kiln.folder / "layers.json").read_text())["Layers"]
    assert "profile 0: x min 8x3x32x32" in kiln.ok(*look, "--skipInference", "--dumpOptimizationProfile")
    assert " cuda/" in kiln.ok("inspect", "net.plan")
    if "cuda:0" not in kiln.ok("list", "devices"):
        assert "'net.plan': the device 'cuda'" in kiln.fails(1, *look, "--skipInference")


def test_layers_without_a_time_are_told(kiln, gpu, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    told = lambda name, *more: kiln.run(*build(kiln, network, name, "--verbose", "-o", "net.plan", *more)).stderr
    log = told("card.json")
    warning = re.search(r"\[W\] (\d+) of (\d+) layers (?:is|are) untuned: 'card.json' has no times of them.*--saveProfile", log)
    assert warning and 0 < int(warning[1]) <= int(warning[2]), log
    assert " untuned: " not in told("card.json", "--builderOptimizationLevel=0"), "nothing was to be measured"
    untimed = re.findall(r": (\S+\.\d+\{.*?\}) has no time; key ([0-9a-f]{32})", log)
    (kiln.folder / "timed.json").write_text(json.dumps(profile(90, times={f"{key} {choice}": 1 for choice, key in untimed})))
    assert " untuned: " not in told("timed.json")


def test_the_processor_has_no_profile_to_build_for(kiln, network):
    kiln.ok("list", "devices", "--device=cpu", "--saveProfile=cpu.json")
    error = kiln.fails(1, "build", network, "--shapes=x:8x3x32x32", "--deviceProfile=cpu.json")
    assert "knows devices of this machine only" in error and "symbol" not in error, error


def test_back_ends_without_a_library_are_named(kiln, network):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90, backend="elsewhere")))
    error = kiln.fails(1, *build(kiln, network, "card.json"))
    assert "error[K1004] this Kiln has no library of the back end 'elsewhere'" in error and "libkiln_elsewhere.so" in error
    assert "remedy: use a Kiln that was built with this back end" in error


def save_chain(kiln, name, *operators):
    nodes = [helper.make_node(op, [f"v{i}"], [f"v{i + 1}"], op.lower()) for i, op in enumerate(operators)]
    shape = (TensorProto.FLOAT, [8, 40])
    save_model(kiln.folder / name, nodes, {"v0": shape}, {f"v{len(nodes)}": shape}, {})


GENERATED = ["--deviceProfile=card.json", "--disable=pointwise", "--verbose"]


def generated(kiln, model, plan, *options):
    """How many kernels the timing cache keeps after a build, how many of them are new, and the log."""
    done = kiln.run("build", model, *GENERATED, "-o", plan, *options)
    assert done.returncode == 0, done.stderr
    if "no kernels are generated: " in done.stderr:
        pytest.skip(done.stderr)
    found = re.search(r"the timing cache has the code of (\d+) kernels, (\d+) of them new", done.stderr)
    return (int(found[1]), int(found[2])) if found else None, done.stderr


@pytest.fixture
def chain(kiln, gpu):
    (kiln.folder / "card.json").write_text(json.dumps(profile(90)))
    save_chain(kiln, "chain.onnx", "Tanh", "Neg")
    return "chain.onnx"


def test_generated_kernels_are_kept_beside_times(kiln, chain):
    keep = "--timingCacheFile=net.times"
    assert generated(kiln, chain, "none.plan")[0] is None
    assert generated(kiln, chain, "first.plan", keep)[0] == (1, 1)
    kept = (kiln.folder / "net.times").read_bytes()
    assert generated(kiln, chain, "second.plan", keep)[0] == (1, 0)
    assert (kiln.folder / "net.times").read_bytes() == kept
    plans = {(kiln.folder / name).read_bytes() for name in ("none.plan", "first.plan", "second.plan")}
    assert len(plans) == 1, "a plan does not tell where its kernels come from"
    save_chain(kiln, "other.onnx", "Exp", "Neg")
    assert generated(kiln, "other.onnx", "other.plan", keep)[0] == (2, 1)


def test_generated_kernels_are_not_kept_when_nobody_wants_it(kiln, chain):
    assert generated(kiln, chain, "net.plan", "--timingCacheFile=net.times", "--noCompilationCache")[0] == (0, 0)
    assert generated(kiln, chain, "net.plan", "--timingCacheFile=none.times", "--noTimingCache")[0] is None
    assert not (kiln.folder / "none.times").exists()


def test_kept_kernels_that_are_damaged_or_of_another_version_are_made_again(kiln, chain):
    keep, file = "--timingCacheFile=net.times", kiln.folder / "net.times"
    generated(kiln, chain, "good.plan", keep)
    good = file.read_bytes()
    middle = good.index(b"\x7fELF") + 100
    for bad in (good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:], good[:middle], good + b"\n",
                good.replace(b"KILN timing cache 3", b"KILN timing cache 2")):
        file.write_bytes(bad)
        counts, log = generated(kiln, chain, "net.plan", keep)
        assert counts == (1, 1) and "[W] the timing cache is not used: error[K3004] 'net.times': " in log and "remedy: " in log, log
        assert file.read_bytes() == good and (kiln.folder / "net.plan").read_bytes() == (kiln.folder / "good.plan").read_bytes()


def test_builds_at_the_same_time_keep_the_kernels_of_both(kiln, chain):
    generated(kiln, chain, "net.plan")  # or skips
    functions = ["Tanh", "Exp", "Sin", "Cos"]
    for op in functions:
        save_chain(kiln, f"{op}.onnx", op, "Neg")
    builds = [subprocess.Popen([kiln.program, "build", f"{op}.onnx", *GENERATED, "-o", f"{op}.plan", "--timingCacheFile=net.times"],
                               cwd=kiln.folder, stderr=subprocess.PIPE) for op in functions]
    for build in builds:
        log = build.communicate()[1]
        assert build.returncode == 0 and b"[W] the timing cache" not in log, log
    assert (kiln.folder / "net.times").read_bytes().count(b"\ncode ") == len(functions)
