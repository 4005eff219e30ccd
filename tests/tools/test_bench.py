"""kiln bench and its other name trtexec: each option, the report in trtexec's words, the exported files."""
import json
import os
import re
import time

import numpy as np
import pytest
from conftest import dense

FAST = ["--iterations=12", "--duration=0", "--warmUp=0", "--builderOptimizationLevel=0"]
TIMES = r"min = ([\d.e+-]+) ms, max = ([\d.e+-]+) ms, mean = ([\d.e+-]+) ms, median = ([\d.e+-]+) ms"


def bench(kiln, model, *options, **more):
    return kiln.ok("bench", f"--onnx={model}", "--shapes=x:2x3", *FAST, *options, **more)


def times(text, title):
    """min, max, mean, median and percentiles of a line of the report."""
    line = re.search(rf"^\[I\] {title}: {TIMES}(.*)$", text, re.MULTILINE)
    assert line, text
    percentiles = re.findall(r"percentile\(([\d.]+)%\) = ([\d.e+-]+) ms", line[5])
    return [float(line[i]) for i in range(1, 5)], {float(p): float(v) for p, v in percentiles}


def load(kiln, name):
    return json.loads((kiln.folder / name).read_text())


def test_report(kiln, model):
    text = bench(kiln, model)
    assert "=== Performance summary ===" in text
    assert float(re.search(r"Throughput: ([\d.e+]+) qps", text)[1]) > 0
    for title in ("Latency", "Enqueue Time", "H2D Latency", "GPU Compute Time", "D2H Latency"):
        (low, high, mean, median), percentiles = times(text, title)
        assert low <= median <= high and low <= mean * (1 + 1e-5) and mean <= high * (1 + 1e-5)
        assert set(percentiles) == {90, 95, 99} and percentiles[90] <= percentiles[95] <= percentiles[99] <= high
    wall = float(re.search(r"Total Host Walltime: ([\d.e+-]+) s", text)[1])
    compute = float(re.search(r"Total GPU Compute Time: ([\d.e+-]+) s", text)[1])
    assert 0 < compute <= wall * 1.001


def test_trtexec_is_the_same_program(kiln, model):
    program = os.path.join(os.path.dirname(kiln.program), "trtexec")
    text = kiln.ok(f"--onnx={model}", "--shapes=x:2x3", *FAST, program=program)
    assert times(text, "GPU Compute Time")[0][0] > 0


def test_iterations_and_export_times(kiln, model):
    text = bench(kiln, model, "--exportTimes=times.json", "--iterations=37")
    samples = load(kiln, "times.json")
    assert len(samples) == 37
    for s in samples:
        assert s["latencyMs"] >= s["enqueueMs"] > 0 and s["latencyMs"] >= s["computeMs"] > 0
        assert abs(s["endEnqMs"] - s["startEnqMs"] - s["enqueueMs"]) < 1e-6
    assert [s["startEnqMs"] for s in samples] == sorted(s["startEnqMs"] for s in samples)
    (low, high, mean, _), _ = times(text, "GPU Compute Time")
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
    assert bench(kiln, model, "--avgRuns=4").count("Average on 4 runs - GPU latency:") == 3
    assert "Average on" not in bench(kiln, model)
    assert bench(kiln, model, "--verbose").count("[V] Average on 10 runs - GPU latency:") == 1


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
    described = load(kiln, "layers.json")["layers"]
    assert [l["name"] for l in layers] == [l["name"] for l in described]
    assert abs(sum(l["percentage"] for l in layers) - 100) < 1e-6
    for l in layers:
        assert abs(l["averageMs"] * 12 - l["timeMs"]) < 1e-6 and l["medianMs"] >= 0
        assert re.search(rf"\d+\.\d+ +\d+\.\d+ +\d+\.\d+ +\d+\.\d   {re.escape(l['name'])}$", text, re.MULTILINE)
    assert "=== Profile (12 iterations) ===" in text and re.search(r"100\.0   Total$", text, re.MULTILINE)


def test_layer_info(kiln, network):
    text = kiln.ok("bench", f"--onnx={network}", "--skipInference", "--dumpLayerInfo", "--exportLayerInfo=layers.json",
                   "--builderOptimizationLevel=0")
    info = load(kiln, "layers.json")
    assert [t["name"] for t in info["inputs"]] == ["x", "z"] and info["inputs"][0]["dims"] == [1, 8, 9, 7]
    for layer in info["layers"]:
        assert f"{layer['name']} [{layer['op']}] {layer['backend']}/{layer['tactic']}: " in text


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
    assert done.returncode == 0 and "[W] the timing cache is not used: error[K3004]" in done.stderr


def test_no_timing_cache(kiln, network):
    kiln.ok("bench", f"--onnx={network}", "--skipInference", "--timingCacheFile=times.cache", "--noTimingCache")
    assert not (kiln.folder / "times.cache").exists()


def test_memory_pool_size_is_accepted(kiln, model):
    bench(kiln, model, "--memPoolSize=workspace:1024", "--skipInference")


def test_verbose_tells_more(kiln, model):
    quiet, loud = bench(kiln, model, "--skipInference"), bench(kiln, model, "--skipInference", "--verbose")
    assert "[V]" not in quiet and "[V]" in loud


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
    assert "[I] --fp16 --int8: permitted; on the back end 'cpu' each layer computes in the types of the model" in text
    assert "--useCudaGraph: on the back end 'cpu'" in text and "--sparsity=enable: permitted" in text
    assert times(text, "Latency")[0][0] > 0
    assert "--device" in kiln.fails(2, "bench", f"--onnx={model}", "--device=1")
    assert "--sparsity" in kiln.fails(2, "bench", f"--onnx={model}", "--sparsity=force")


def test_idle_time(kiln, model):
    bench(kiln, model, "--idleTime=20", "--iterations=4", "--exportTimes=times.json")
    starts = [s["startEnqMs"] for s in load(kiln, "times.json")]
    assert min(b - a for a, b in zip(starts, starts[1:])) >= 20
