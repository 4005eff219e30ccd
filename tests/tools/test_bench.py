"""kiln bench and its other name trtexec: each option, the report in trtexec's words, the exported files."""
import glob
import json
import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import dense, save_model
from onnx import TensorProto, helper

FAST = ["--iterations=12", "--duration=0", "--warmUp=0", "--builderOptimizationLevel=0"]
TIMES = r"min = ([\d.e+-]+) ms, max = ([\d.e+-]+) ms, mean = ([\d.e+-]+) ms, median = ([\d.e+-]+) ms"


def bench(kiln, model, *options, **more):
    return kiln.ok("bench", f"--onnx={model}", "--shapes=x:2x3", *FAST, *options, **more)


def trtexec(kiln, model, *options):
    """The same program under its other name, whose scripts read the lines of a GPU."""
    return kiln.ok(f"--onnx={model}", "--shapes=x:2x3", *FAST, *options,
                   program=os.path.join(os.path.dirname(kiln.program), "trtexec"))


def times(text, title):
    """min, max, mean, median and percentiles of a line of the report."""
    line = re.search(rf"^\[I\] {title}: {TIMES}(.*)$", text, re.MULTILINE)
    assert line, text
    percentiles = re.findall(r"percentile\(([\d.]+)%\) = ([\d.e+-]+) ms", line[5])
    return [float(line[i]) for i in range(1, 5)], {float(p): float(v) for p, v in percentiles}


def load(kiln, name):
    return json.loads((kiln.folder / name).read_text())


@pytest.mark.parametrize("run, compute", [(bench, "Compute"), (trtexec, "GPU Compute")])
def test_report(kiln, model, run, compute):
    text = run(kiln, model)
    assert "=== Performance summary ===" in text
    assert float(re.search(r"Throughput: ([\d.e+]+) qps", text)[1]) > 0
    copies = ["H2D Latency", "D2H Latency"] if run is trtexec else []
    assert ("H2D" in text) == bool(copies)
    for title in ("Latency", "Enqueue Time", f"{compute} Time", *copies):
        (low, high, mean, median), percentiles = times(text, title)
        assert low <= median <= high and low <= mean * (1 + 1e-5) and mean <= high * (1 + 1e-5)
        assert set(percentiles) == {90, 95, 99} and percentiles[90] <= percentiles[95] <= percentiles[99] <= high
    wall = float(re.search(r"Total Host Walltime: ([\d.e+-]+) s", text)[1])
    compute = float(re.search(rf"Total {compute} Time: ([\d.e+-]+) s", text)[1])
    assert 0 < compute <= wall * 1.001


def test_trtexec_names_the_device_first(kiln, model):
    program = os.path.join(os.path.dirname(kiln.program), "trtexec")
    done = kiln.run(f"--onnx={model}", "--shapes=x:2x3", *FAST, program=program)
    assert re.match(r"\[I\] Device: .+ \(back end \w+, \d+ units?", done.stdout), done.stdout
    absent = [line for line in kiln.ok("list", "devices").splitlines() if line.startswith("cuda: not available")]
    assert ("[W] the engine is built for " in done.stderr and "for want of another device: cuda: " in done.stderr) == bool(absent), done.stderr
    asked = kiln.run(f"--onnx={model}", "--shapes=x:2x3", "--backend=cpu", "--saveEngine=net.plan", *FAST, program=program)
    assert "(back end cpu, " in asked.stdout and "for want of" not in asked.stderr
    assert "(back end cpu, " in kiln.ok("bench", "--loadEngine=net.plan", *FAST)


def test_report_says_what_was_measured(kiln, model):
    text = bench(kiln, model, "--streams=2", "--cpuThreads=1")
    assert "Measured: dense, x float32 2x3; computing in float32, 2 streams, 1 thread each" in text
    rate, items = (float(re.search(pattern, text)[1]) for pattern in (r"Throughput: ([\d.e+]+) qps", r"Items per second: ([\d.e+]+) \(batch 2\)"))
    assert abs(items - 2 * rate) <= 1e-4 * items


def test_trtexec_is_the_same_program(kiln, model):
    assert times(trtexec(kiln, model), "GPU Compute Time")[0][0] > 0


def test_iterations_and_export_times(kiln, model):
    text = bench(kiln, model, "--exportTimes=times.json", "--iterations=37")
    samples = load(kiln, "times.json")
    assert len(samples) == 37
    for s in samples:
        assert s["latencyMs"] >= s["endEnqMs"] - s["startEnqMs"] > 0 and s["latencyMs"] >= s["computeMs"] > 0
        assert s["h2dMs"] == s["d2hMs"] == 0 and abs(s["endComputeMs"] - s["startComputeMs"] - s["computeMs"]) < 1e-6
        assert set(s) == {f"{end}{part}Ms" for end in ("start", "end") for part in ("Enq", "H2d", "Compute", "D2h")} | {
            "h2dMs", "computeMs", "d2hMs", "latencyMs"}
    assert [s["startEnqMs"] for s in samples] == sorted(s["startEnqMs"] for s in samples)
    (low, high, mean, _), _ = times(text, "Compute Time")
    computes = [s["computeMs"] for s in samples]
    np.testing.assert_allclose([low, high, mean], [min(computes), max(computes), np.mean(computes)], rtol=1e-4)


def test_duration_and_warm_up(kiln, model):
    bench(kiln, model, "--iterations=1", "--exportTimes=times.json")
    assert len(load(kiln, "times.json")) == 1
    begin = time.monotonic()
    bench(kiln, model, "--iterations=1", "--duration=0.3", "--warmUp=50", "--exportTimes=times.json")
    assert time.monotonic() - begin >= 0.35
    assert load(kiln, "times.json")[0]["startEnqMs"] >= 50


def test_average_runs(kiln, model):
    assert trtexec(kiln, model, "--avgRuns=4").count("Average on 4 runs - GPU latency:") == 3
    assert "Average on" not in bench(kiln, model)
    assert bench(kiln, model, "--verbose").count("[V] Average on 10 runs - compute latency:") == 1


def test_percentile(kiln, model):
    _, percentiles = times(bench(kiln, model, "--percentile=50,99.5"), "Latency")
    assert set(percentiles) == {50, 99.5}


@pytest.mark.parametrize("streams", [1, 3])
def test_streams(kiln, model, streams):
    bench(kiln, model, f"--streams={streams}", "--threads", "--useSpinWait", "--exportTimes=times.json")
    assert len(load(kiln, "times.json")) == 12 * streams


@pytest.mark.parametrize("option", ["--inputs", "--loadInputs"])
def test_inputs_and_outputs(kiln, model, option):
    x = np.array([[1, -2, 0.5], [0, 3, 1]], np.float32)
    np.save(kiln.folder / "x.npy", x)
    text = bench(kiln, model, f"{option}=x:x.npy", "--exportOutput=out.json", "--dumpOutput")
    (output,) = load(kiln, "out.json")
    assert output["name"] == "y" and output["dimensions"] == "2x4"
    np.testing.assert_allclose(np.reshape(output["values"], (2, 4)), dense(x), rtol=1e-6)
    printed = re.search(r"y \(2x4\): (.*)", text)[1]
    np.testing.assert_allclose(np.fromstring(printed, sep=" "), dense(x).ravel(), rtol=1e-5)


def test_save_load_and_shapes(kiln, model):
    kiln.ok("bench", f"--onnx={model}", "--minShapes=x:1x3", "--optShapes=x:4x3", "--maxShapes=x:8x3",
            "--saveEngine=net.plan", "--skipInference", "--builderOptimizationLevel=0")
    for shapes, rows in (("", 4), ("--shapes=x:8x3", 8), ("--shapes=x:1x3", 1)):
        kiln.ok("bench", "--loadEngine=net.plan", *FAST, "--exportOutput=out.json", *filter(None, [shapes]))
        assert load(kiln, "out.json")[0]["dimensions"] == f"{rows}x4"
    assert "error[K4003]" in kiln.fails(1, "bench", "--loadEngine=net.plan", *FAST, "--shapes=x:9x3")


def test_skip_inference(kiln, model):
    text = bench(kiln, model, "--skipInference", "--saveEngine=net.plan")
    assert "Performance summary" not in text and (kiln.folder / "net.plan").stat().st_size > 0


def test_profile(kiln, network):
    text = kiln.ok("bench", f"--onnx={network}", *FAST, "--dumpProfile", "--exportProfile=profile.json",
                   "--exportLayerInfo=layers.json")
    head, *layers = load(kiln, "profile.json")
    assert head == {"count": 12}
    assert [l["name"] for l in layers] == [l["Name"] for l in load(kiln, "layers.json")["Layers"]]
    assert abs(sum(l["percentage"] for l in layers) - 100) < 1e-6
    for l in layers:
        assert abs(l["averageMs"] * 12 - l["timeMs"]) < 1e-6 and l["medianMs"] >= 0
        assert re.search(rf"\d+\.\d+ +\d+\.\d+ +\d+\.\d+ +\d+\.\d   {re.escape(l['name'])}$", text, re.MULTILINE)
    assert "=== Profile (12 iterations) ===" in text and re.search(r"100\.0   Total$", text, re.MULTILINE)


def test_layer_info(kiln, network):
    text = kiln.ok("bench", f"--onnx={network}", "--skipInference", "--dumpLayerInfo", "--exportLayerInfo=layers.json",
                   "--builderOptimizationLevel=0")
    info = load(kiln, "layers.json")
    assert info["Bindings"] == ["x", "z", "s", "q"]
    read = [t for layer in info["Layers"] for t in layer["Inputs"] if t["Name"] == "x"]
    assert read and read[0]["Dimensions"] == [1, 8, 9, 7] and read[0]["Format/Datatype"] == "Row major linear FP32"
    assert {"[ONNX Layer: conv1]", "[ONNX Layer: relu1]"} <= {o for layer in info["Layers"] for o in layer["Metadata"].split("\x1e")}
    for layer in info["Layers"]:
        assert f"{layer['Name']} [{layer['LayerType']}] {layer['Backend']}/{layer['TacticName']}: " in text


def test_profile_in_the_order_of_time(kiln, network):
    text = kiln.ok("bench", f"--onnx={network}", *FAST, "--dumpProfile", "--profileOrder=time")
    head, *rows = text[text.index("=== Profile"):].splitlines()[1:-1]
    assert all(word in head for word in ("Operator", "Tactic", "GFLOP/s", "GB/s", "of limit", "Layer"))
    spent = [float(re.search(r" +(\d+\.\d+) +\d+\.\d+ +\d+\.\d+ +\d+\.\d   ", row)[1]) for row in rows]
    assert len(spent) > 2 and spent == sorted(spent, reverse=True)


def test_trace(kiln, network):
    kiln.ok("bench", f"--onnx={network}", "--iterations=5", "--duration=0", "--warmUp=0", "--streams=2", "--exportTrace=trace.json",
            "--exportLayerInfo=layers.json")
    events = [e for e in load(kiln, "trace.json")["traceEvents"] if e["ph"] == "X"]
    layers = {layer["Name"] for layer in load(kiln, "layers.json")["Layers"]}
    for stream in (0, 1):
        own = [e for e in events if e["pid"] == 2 and e["tid"] == stream]
        assert sum(e["name"] == "inference" for e in own) == 5 and {e["name"] for e in own} == {"inference", *layers}
        ends = 0
        for e in sorted(own, key=lambda e: e["ts"]):
            assert e["dur"] >= 0 and e["ts"] >= ends - 1e-3
            ends = e["ts"] + e["dur"]
    assert {"reading and passes", "writing"} < {e["name"] for e in events if e["pid"] == 1}


def test_perf_shows_layers(kiln, network):
    """Samples lie below frames that are named after the layers; which of the two that take most of the time they meet is chance."""
    kiln.ok("build", network, "-o", "net.plan")
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,65528", "-o", "perf.data", kiln.program, "bench",
              "--loadEngine=net.plan", "--cpuThreads=1", "--iterations=60000", "--duration=0", "--warmUp=0"]
    before = set(glob.glob("/tmp/perf-*.map"))
    try:
        done = subprocess.run(record, cwd=kiln.folder, capture_output=True, text=True, env={**os.environ, "KILN_PERF_MAP": "1"})
    except FileNotFoundError:
        pytest.skip("perf is not installed (Debian: apt-get install linux-perf)")
    if done.returncode != 0:
        pytest.skip("perf may not record here: " + done.stderr[-300:])
    report = subprocess.run(["perf", "report", "-i", "perf.data", "--stdio", "--children", "--no-inline", "-g", "none", "--sort", "symbol"], cwd=kiln.folder,
                            capture_output=True, text=True).stdout
    for path in set(glob.glob("/tmp/perf-*.map")) - before:
        os.unlink(path)
    shares = {name: float(share) for share, name in re.findall(r"^ +([\d.]+)% +[\d.]+% +\[\.\] kiln: (.*?) \[\w+, \w+\]", report, re.MULTILINE)}
    assert {"conv1 + relu1", "conv2 + sum"} & set(shares), report[:2000]


def test_latency_bound_and_sweep(kiln, model):
    quick = ["--iterations=20", "--duration=0", "--warmUp=0"]
    kiln.ok("build", model, "--minShapes=x:1x3", "--optShapes=x:2x3", "--maxShapes=x:4x3", "-o", "net.plan")
    found = kiln.ok("bench", "--loadEngine=net.plan", *quick, "--latencyBound=500")
    assert float(re.search(r"Highest load with percentile\(99%\) <= 500 ms: ([\d.e+]+) qps", found)[1]) > 0
    done = kiln.run("bench", "--loadEngine=net.plan", *quick, "--latencyBound=1e-9")
    assert done.returncode == 0 and "above the bound of 1e-09 ms" in done.stderr
    table = kiln.ok("bench", "--loadEngine=net.plan", *quick, "--sweep", "--sweepPicture=sweep.svg")
    rows = {tuple(map(int, m)) for m in re.findall(r"^\[I\] +(\d+) +(\d+) +\d+ +[\d.e+]+ +[\d.e+-]+ +[\d.e+-]+$", table, re.MULTILINE)}
    assert {(batch, streams) for batch in (1, 2, 4) for streams in (1, 2)} <= rows
    assert (kiln.folder / "sweep.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize("options, error", [
    (["--sweepPicture=sweep.svg"], "--sweepPicture: draws what --sweep measures"),
    (["--sweep", "--latencyBound=5"], "--sweep: does not go with --latencyBound"),
    (["--sweep", "--exportTimes=t.json", "--dumpProfile"], "--exportTimes, --dumpProfile: of one measurement, and --sweep makes many"),
    (["--latencyBound=5", "--dumpOutput"], "--dumpOutput: of one measurement, and --latencyBound makes many"),
])
def test_options_of_another_measurement(kiln, model, options, error):
    assert error in kiln.fails(2, "bench", f"--onnx={model}", "--shapes=x:2x3", *options)


def test_options_of_a_measurement_that_is_left_out(kiln, model):
    done = kiln.run("bench", f"--onnx={model}", "--shapes=x:2x3", "--skipInference", "--exportTimes=t.json")
    assert done.returncode == 0 and "--exportTimes: no effect, because --skipInference" in done.stderr
    assert not (kiln.folder / "t.json").exists()


TRTEXEC = """accuracyAlgorithm=x accuracyThreshold=1 adjustForDLA allocationStrategy=static allowGPUFallback allowWeightStreaming asyncFileReader
buildDLAStandalone consistency continue cpuOnly decomposableAttentions=x directIO dumpKernelText dumpOptimizationProfile dumpRawBindingsToFile
dumpRefit dynamicPlugins=x enablePluginOverride excludeLeanRuntime exposeDMA hardwareCompatibilityLevel=none helpBuildRoute
ignoreParsedPluginLibs includeDataTransfers inputIOFormats=fp32:chw l2LimitForTiling=1 layerDeviceTypes=x leanDLLPath=x
markUnfusedTensorsAsDebugTensors maxAuxStreams=1 maxTactics=3 monitorMemory noBuilderCache noCompilationCache noCudaGraph noSpinWait
outputIOFormats=fp32:chw persistentCacheRatio=0 pi pluginInstanceNorm preview=x profilingVerbosity=detailed refPair=x refit refitFromOnnx=x
remoteAutoTuningConfig=x reportCapabilityDLA runtimePlatform=x safe safetyPlugins=x saveAllDebugTensors=summary saveAllEngines=x
setBuildRoute=x setPluginsToSerialize=x sleepTime=1 staticPlugins=x stripAllWeights stripWeights stronglyTyped
tacticSources=-CUDNN tempdir=x tempfileControls=x tilingOptimizationLevel=1 timeRefit tuneBuildRouteFile=x tuneBuildRoutes=x
tuningCacheFile=x tuningSearch=x tuningTimeOut=1 uint8AsymmetricQuantizationDLA useDLACore=0 useManagedMemory useProfile=0 useRuntime=full
vc versionCompatible weightStreamingBudget=0 layerOutputTypes=x plugins=x""".split()


def test_every_option_of_trtexec_is_known_and_says_what_it_does(kiln, model):
    text = trtexec(kiln, model, *(f"--{option}" for option in TRTEXEC))
    works = {"dumpOptimizationProfile", "dumpRawBindingsToFile", "inputIOFormats", "maxAuxStreams", "maxTactics", "monitorMemory", "noBuilderCache",
             "outputIOFormats", "tacticSources", "useProfile", "noCompilationCache", "markUnfusedTensorsAsDebugTensors", "saveAllDebugTensors"}
    same = {"pluginInstanceNorm": "pi", "vc": "versionCompatible", "plugins": "staticPlugins"}
    for option in TRTEXEC:
        name = option.split("=")[0]
        if name not in works:
            assert re.search(rf"^\[I\] .*--{same.get(name, name)}\b.*: .", text, re.MULTILINE), name
    assert "profile 0: x min 2x3 opt 2x3 max 2x3" in text and "Peak memory of the process: " in text
    assert (kiln.folder / "x.input.2.3.float32.raw").stat().st_size == 24
    kiln.ok("build", model, "--shapes=x:2x3", "--fp16", "--stronglyTyped", "-o", "net.plan")
    assert "built by Kiln" in kiln.ok("bench", "--loadEngine=net.plan", "--getPlanVersionOnly")
    assert "went into opening the device" in kiln.ok("bench", "--loadEngine=net.plan", "--timeDeserialize")
    assert "nothing was built" in kiln.ok("bench", f"--onnx={model}", "--shapes=x:2x3", "--dryRun")
    assert "K1004" in kiln.fails(1, "build", model, "--shapes=x:2x3", "--errorOnTimingCacheMiss", "--builderOptimizationLevel=5")


def test_tactic_sources(kiln, model):
    build = ["build", model, "--shapes=x:2x3", "--dryRun"]
    assert "'CUDN' is none of CUBLAS, " in kiln.fails(2, *build, "--tacticSources=-CUDN")
    assert "'CUDNN' begins with neither + nor -" in kiln.fails(2, *build, "--tacticSources=CUDNN")
    kiln.ok(*build, "--tacticSources=-CUDNN,+CUBLAS_LT,-JIT_CONVOLUTIONS")


def test_debug_tensors(kiln, network):
    """Marked values survive fusion; those that are named are saved as their file's ending says, raw bytes where it says nothing."""
    random = np.random.default_rng(4)
    x, z = (random.standard_normal((1, 8, 9, 7)).astype(np.float32) for _ in range(2))
    np.savez(kiln.folder / "in.npz", x=x, z=z)
    kiln.ok("bench", f"--onnx={network}", *FAST, "--markDebug=c1,s", "--loadInputs=in.npz", "--saveEngine=net.plan", "--exportOutput=out.json",
            "--saveDebugTensors=c1:c1.npy,s:s.dat")
    c1, (s,) = np.load(kiln.folder / "c1.npy"), [o for o in load(kiln, "out.json") if o["name"] == "s"]
    assert c1.shape == (1, 8, 9, 7) and (c1 < 0).any()  # before Relu, with which it is fused when nobody asks for it
    np.testing.assert_allclose(np.fromfile(kiln.folder / "s.dat", np.float32), s["values"], rtol=1e-6)
    (kiln.folder / "c1.npy").unlink()
    kiln.ok("bench", "--loadEngine=net.plan", *FAST[:3], "--loadInputs=in.npz", "--saveDebugTensors=c1:c1.npy")
    np.testing.assert_array_equal(np.load(kiln.folder / "c1.npy"), c1)
    error = kiln.fails(1, "bench", f"--onnx={network}", *FAST, "--saveDebugTensors=c1:c1.npy")
    assert "no layer of the engine has the result 'c1'" in error and "--markDebug=c1 at the build keeps this one" in error
    assert "the model computes no value 'c3'; did you mean 'c1'?" in kiln.fails(1, "bench", f"--onnx={network}", *FAST, "--markDebug=c3")
    for name in ("x", "w1"):
        assert f"the model computes no value '{name}'" in kiln.fails(1, "bench", f"--onnx={network}", *FAST, f"--markDebug={name}")


def test_all_debug_tensors_in_every_form(kiln, network):
    kiln.ok("bench", f"--onnx={network}", *FAST, "--markDebug=c1,p,q", "--saveAllDebugTensors=summary,numpy,string,raw")
    summary = load(kiln, "tensor_summary.json")
    assert summary["metadata"]["title"] == "Tensor Summary Report" and {t["name"] for t in summary["tensors"]} == {"c1", "p", "q"}
    for tensor in summary["tensors"]:
        value = np.load(kiln.folder / tensor["files"]["numpy"])
        assert tensor["type"] == "FLOAT" and tuple(tensor["shape"]) == value.shape
        np.testing.assert_array_equal(np.fromfile(kiln.folder / tensor["files"]["raw"], np.float32), value.ravel())
        found = tensor["statistics"]
        np.testing.assert_allclose([found["min"], found["max"], found["avg"]], [value.min(), value.max(), value.mean()], rtol=1e-5, atol=1e-6)
        rows = (kiln.folder / tensor["files"]["string"]).read_text()
        np.testing.assert_allclose([float(v) for v in re.findall(r"[-\d.e+]+", rows)], value.ravel(), rtol=1e-5)
        assert rows.count("[") == rows.count("]") == 1 + sum(int(np.prod(value.shape[:n])) for n in range(1, value.ndim))
    done = kiln.run("bench", f"--onnx={network}", *FAST, "--saveAllDebugTensors=numpy")
    assert done.returncode == 0 and "the engine has no debug tensors" in done.stderr
    assert "'nunpy' is none of summary, numpy, string, raw; did you mean 'numpy'?" in kiln.fails(
        2, "bench", f"--onnx={network}", "--saveAllDebugTensors=nunpy")


def test_every_result_as_a_debug_tensor(kiln, network):
    kiln.ok("bench", f"--onnx={network}", *FAST, "--markUnfusedTensorsAsDebugTensors", "--saveAllDebugTensors=numpy", "--exportLayerInfo=layers.json")
    results = [t["Name"] for layer in load(kiln, "layers.json")["Layers"] for t in layer["Outputs"]]
    assert sorted(p.name[5:-4] for p in kiln.folder.glob("0*.npy")) == sorted(results)


def test_debug_tensors_that_numpy_lacks(kiln):
    save_model(kiln.folder / "narrow.onnx", [helper.make_node("Cast", ["x"], ["n"], to=TensorProto.BFLOAT16), helper.make_node("Cast", ["n"], ["y"], to=TensorProto.FLOAT)],
               {"x": (TensorProto.FLOAT, [3])}, {"y": (TensorProto.FLOAT, [3])})
    np.save(kiln.folder / "x.npy", np.array([1.5, np.inf, -3], np.float32))
    done = kiln.run("bench", "--onnx=narrow.onnx", *FAST, "--markDebug=n", "--loadInputs=x:x.npy", "--saveAllDebugTensors=numpy,summary")
    assert done.returncode == 0 and "the first NaN or infinity is in 'n'" in done.stderr, done.stderr
    np.testing.assert_array_equal(np.load(kiln.folder / "0000_n_to_float.npy"), [1.5, np.inf, -3])
    (tensor,) = load(kiln, "tensor_summary.json")["tensors"]
    assert tensor["type"] == "BF16" and tensor["statistics"]["max"] == "inf" and tensor["statistics"]["elements"] == "1.5, inf, -3"


def test_reference_outputs(kiln, model):
    x = np.array([[1, -2, 0.5], [0, 3, 1]], np.float32)
    np.save(kiln.folder / "x.npy", x)
    np.save(kiln.folder / "y.npy", dense(x))
    np.save(kiln.folder / "wrong.npy", dense(x) + 1)
    assert "output 'y' agrees" in bench(kiln, model, "--loadInputs=x:x.npy", "--loadRefOutputs=y:y.npy")
    again = ["bench", f"--onnx={model}", *FAST, "--loadInputs=x:x.npy"]
    assert "output 'y' 8 of 8 elements differ" in kiln.fails(1, *again, "--loadRefOutputs=y:wrong.npy")
    assert "has no output 'z'; did you mean 'y'?" in kiln.fails(2, *again, "--loadRefOutputs=z:y.npy")


# ---- what was measured is what was asked

def test_unknown_names_are_errors_on_every_path(kiln, model):
    kiln.ok("build", model, "--shapes=x:2x3", "-o", "net.plan")
    for command in (["bench", f"--onnx={model}"], ["bench", "--loadEngine=net.plan"], ["run", model], ["run", "net.plan"],
                    ["build", model], ["compare", model]):
        for option in ("--shapes", "--minShapes", "--optShapes", "--maxShapes"):
            error = kiln.fails(2, *command, f"{option}=y:2x3")
            assert f"{option}: the network has no input 'y'; did you mean 'x'? There are: x" in error, (command, error)
    for command in (["bench", f"--onnx={model}", *FAST], ["run", model], ["build", model]):
        error = kiln.fails(1, *command, "--shapes=x:2x3", "--disable=conv_bais")
        assert "error[K1004] nothing is called 'conv_bais'" in error and "did you mean 'conv_bias'?" in error


def test_options_that_only_a_build_heeds(kiln, model):
    kiln.ok("build", model, "--shapes=x:2x3", "-o", "net.plan")
    for command in (["bench", "--loadEngine=net.plan", "--iterations=1", "--duration=0", "--warmUp=0"], ["run", "net.plan"]):
        done = kiln.run(*command, "--disable=conv_bias", "--builderOptimizationLevel=1")
        assert done.returncode == 0 and "[W] --builderOptimizationLevel, --disable: only a build heeds this" in done.stderr
        assert "only a build" not in kiln.run(*command).stderr


def test_quiet(kiln, model):
    done = kiln.run("bench", f"--onnx={model}", "--shapes=x:2x3", *FAST, "--quiet")
    assert done.returncode == 0 and "Throughput" in done.stdout and done.stderr == "" or "[W]" in done.stderr
    assert not re.search(r"^(\[I\]|tactics chosen)", done.stderr, re.MULTILINE)


def test_logs_go_to_standard_error(kiln, network):
    done = kiln.run("build", network, "--dump=final", "--builderOptimizationLevel=0")
    assert done.stdout.startswith("graph ") and done.stdout.rstrip().endswith("}") and "[I] fuse: " in done.stderr
    assert re.search(r"^\[I\] fuse: post_operations \(\d+ times\): ", done.stderr, re.MULTILINE) or "fuse: post_operations: " in done.stderr


def test_timing_cache(kiln, network):
    arguments = ["bench", f"--onnx={network}", "--skipInference", "--timingCacheFile=times.cache"]
    kiln.ok(*arguments, "--saveEngine=a.plan")
    cache = (kiln.folder / "times.cache").read_bytes()
    assert cache
    kiln.ok(*arguments, "--saveEngine=b.plan")
    assert (kiln.folder / "times.cache").read_bytes() == cache  # nothing was measured again
    assert (kiln.folder / "a.plan").read_bytes() == (kiln.folder / "b.plan").read_bytes()
    (kiln.folder / "times.cache").write_bytes(b"no cache")
    done = kiln.run(*arguments)
    assert done.returncode == 0 and "[W] the timing cache is not used: error[K3004] 'times.cache': " in done.stderr


def test_no_timing_cache(kiln, network):
    kiln.ok("bench", f"--onnx={network}", "--skipInference", "--timingCacheFile=times.cache", "--noTimingCache")
    assert not (kiln.folder / "times.cache").exists()


def test_memory_pool_size(kiln, model):
    bench(kiln, model, "--memPoolSize=workspace:1024", "--skipInference")
    text = kiln.run("bench", f"--onnx={model}", "--shapes=x:2x3", "--memPoolSize=workspace:1K,tacticDRAM:1G", "--skipInference").stderr
    assert "'tacticDRAM' has no limit here" in text
    for bad in ("workspace", "workspace:", "workspace:x", "workspace:1X", "workspace:-1", "workspace:nan", "workspace:1e30"):
        assert "is not a pool and a size" in kiln.fails(2, "bench", f"--onnx={model}", f"--memPoolSize={bad}", "--skipInference"), bad


def test_precisions_of_layers(kiln, model):
    built = ["bench", f"--onnx={model}", "--shapes=x:2x3", "--skipInference"]
    assert "counts only with --precisionConstraints" in kiln.run(*built, "--layerPrecisions=*:fp32").stderr
    preferred = kiln.run(*built, "--layerPrecisions=*:fp32,nothing:fp32", "--precisionConstraints=prefer")
    assert preferred.returncode == 0 and "no layer is called 'nothing'" in preferred.stderr
    asked = [*built, "--precisionConstraints=obey"]
    assert "no layer is called 'nothing'" in kiln.fails(1, *asked, "--layerPrecisions=nothing:fp32")
    for bad in ("x", ":fp32", "x:fp", "x:"):
        assert "is not a layer and a type" in kiln.fails(2, *asked, f"--layerPrecisions={bad}"), bad


def test_verbose_tells_more(kiln, model):
    command = ["bench", f"--onnx={model}", "--shapes=x:2x3", *FAST, "--skipInference"]
    quiet, loud = kiln.run(*command), kiln.run(*command, "--verbose")
    assert "[V]" not in quiet.stderr and "[V]" in loud.stderr and "[V]" not in loud.stdout


def test_optimisation_profile_of_an_engine(kiln, model):
    kiln.ok("build", model, "-o", "net.plan", "--shapes=x:1x3", "--profile=1", "--minShapes=x:2x3", "--optShapes=x:5x3",
            "--maxShapes=x:6x3")
    kiln.ok("bench", "--loadEngine=net.plan", *FAST, "--useOptimizationProfile=1", "--exportOutput=out.json")
    assert load(kiln, "out.json")[0]["dimensions"] == "5x4"
    kiln.ok("bench", "--loadEngine=net.plan", *FAST, "--exportOutput=out.json")
    assert load(kiln, "out.json")[0]["dimensions"] == "1x4"


def test_options_of_scripts_for_gpus(kiln, model):
    text = bench(kiln, model, "--fp16", "--int8", "--noTF32", "--useCudaGraph", "--sparsity=enable", "--noDataTransfers",
                 "--separateProfileRun", "--explicitBatch", "--device=0", "--workspace=4096", "--infStreams=2")
    assert "[I] --int8: without --calib or --data only what the model quantizes itself computes in int8" in text
    for backend, acts in (("cpu", "f16c" in Path("/proc/cpuinfo").read_text()), ("ref", False)):
        told = kiln.run("build", model, "--shapes=x:2x3", "--fp16", f"--backend={backend}", "-o", "narrow.plan", "--builderOptimizationLevel=0").stderr
        unsaid = f"[W] float16 is permitted; on the back end '{backend}' each layer computes in the types of the model" not in told
        assert unsaid == acts, told
    assert "--sparsity=enable: permitted" in text
    assert times(text, "Latency")[0][0] > 0
    assert "--sparsity" in kiln.fails(2, "bench", f"--onnx={model}", "--sparsity=force")


def test_device(kiln, model):
    command = ["--shapes=x:2x3", "--builderOptimizationLevel=0"]
    for device in ("0", "cpu", "cpu:0"):
        kiln.ok("build", model, *command, "--backend=cpu", f"--device={device}", "-o", "net.plan")
        kiln.ok("bench", "--loadEngine=net.plan", *FAST, f"--device={device}")
    kiln.ok("build", model, *command, "--device=ref", "-o", "ref.plan")
    assert json.loads(kiln.ok("inspect", "ref.plan", "--json"))["backend"] == "ref"
    for given, path in ((["build", model, *command, "--backend=cpu"], "net.plan"), (["bench", "--loadEngine=net.plan"], None)):
        keep = ["-o", path] if path else []
        error = kiln.fails(1, *given, *keep, "--device=1")
        assert "error[K1004] the device 'cpu:1' is not available" in error and "one such device" in error
        assert "is no device of" in kiln.fails(2, *given, *keep, "--device=ref")
        for nonsense in ("", ":", "cpu:", "cpu:x", ":1", "-1", "99999999999", "cpu:1:2"):
            assert "--device" in kiln.fails(2, *given, *keep, f"--device={nonsense}"), nonsense
    assert "error[K1004]" in kiln.fails(1, "build", model, *command, "--device=gpu", "-o", "net.plan")
    (kiln.folder / "card.json").write_text(kiln.ok("list", "devices", "--device=cpu", "--json"))
    assert "--deviceProfile" in kiln.fails(2, "build", model, *command, "--device=0", "--deviceProfile=card.json")


def test_build_takes_no_options_of_a_measurement(kiln, model):
    for option in ("--useCudaGraph", "--saveDebugTensors=y:y.npy", "--includeDataTransfers", "--loadRefOutputs=y:y.npy", "--timeDeserialize"):
        assert f"'{option.split('=')[0]}' is no option of build" in kiln.fails(2, "build", model, "--shapes=x:2x3", option)
        assert option.split("=")[0] in kiln.ok("bench", "--help")


def test_workspace_is_the_pool_of_that_name(kiln, model):
    kiln.ok("build", model, "--shapes=x:2x3", "--workspace=16")
    for option in ("--workspace=much", "--memPoolSize=workspace:much"):
        assert "'workspace:much'" in kiln.fails(2, "build", model, "--shapes=x:2x3", option)


def test_waiting_for_each_layer(kiln, model):
    assert times(bench(kiln, model, "--debugSync"), "Latency")[0][0] > 0
    assert kiln.ok("run", model, "--shapes=x:2x3", "--debugSync") == kiln.ok("run", model, "--shapes=x:2x3")


def test_copies_between_inferences(kiln, model):
    text = bench(kiln, model, "--includeDataTransfers", "--iterations=30")
    assert times(text, "Latency")[0][0] > 0 and "--includeDataTransfers: the device reads inputs where they lie" in text
    text = bench(kiln, model, "--exposeDMA")
    assert "--exposeDMA: nothing is copied without --includeDataTransfers" in text or "--exposeDMA: the device reads" in text


def test_idle_time(kiln, model):
    bench(kiln, model, "--idleTime=20", "--iterations=4", "--exportTimes=times.json")
    starts = [s["startEnqMs"] for s in load(kiln, "times.json")]
    assert min(b - a for a, b in zip(starts, starts[1:])) >= 20
