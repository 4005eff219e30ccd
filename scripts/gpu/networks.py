"""Builds engines of the networks of models/ for the GPU, compares them with float32 evaluation on the processor, and times them.

Run it in the project's folder. Usage: networks.py BUNDLE [NAME[:BATCH]...]; without names resnet50:1 and resnet50:8. Prints one line a network
and build option; NETWORK_FLAGS says which options (default: --fp16 --noTF32).
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import numpy as np

def run(bundle: pathlib.Path, *arguments: str, timeout: int = 300) -> str:
    env = dict(os.environ, LD_LIBRARY_PATH=str(bundle / "lib"), NO_COLOR="1")
    done = subprocess.run([str(bundle / "bin" / "kiln"), *arguments], env=env, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise SystemExit(f"kiln {' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def write_models(wanted: list[tuple[str, int]], folder: pathlib.Path) -> dict[tuple[str, int], pathlib.Path]:
    """The files of the networks, written side by side by a process each."""
    paths = {(name, batch): folder / f"{name}_b{batch}.onnx" for name, batch in wanted}
    writers = []
    for (name, batch), path in paths.items():
        if not path.exists():
            written = folder / f"written_{path.stem}"
            command = [sys.executable, "models/write.py", "--batch", str(batch), str(written), name]
            writers.append((subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ, OPENBLAS_NUM_THREADS="2")), written / f"{name}.onnx", path))
    for writer, written, path in writers:
        if writer.wait() != 0:
            raise SystemExit(f"{written} could not be written")
        written.rename(path)
    return paths


def difference(a: pathlib.Path, b: pathlib.Path) -> float:
    worst = 0.0
    for file in sorted(a.glob("*.npy")):
        x, y = np.load(file).astype(np.float64), np.load(b / file.name).astype(np.float64)
        worst = max(worst, float(np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-30)))
    return worst


def main() -> None:
    bundle = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or ["resnet50:1", "resnet50:8"]
    folder = pathlib.Path("gpu_networks")
    folder.mkdir(exist_ok=True)
    kept = pathlib.Path(os.environ.get("OUT", folder))
    paths = write_models([(name, int(batch or 1)) for name, _, batch in (item.partition(":") for item in wanted)], folder)
    for (name, batch), model in paths.items():
        item, reference = f"{name}:{batch}", folder / f"{model.stem}_cpu"
        run(bundle, "build", str(model), "--backend=cpu", "--builderOptimizationLevel=0", "-o", f"{model}.cpu.plan")
        run(bundle, "run", f"{model}.cpu.plan", f"--saveOutputs={reference}")
        for flag in os.environ.get("NETWORK_FLAGS", "--fp16 --noTF32").split():
            plan = f"{model}{flag}.plan"
            start = time.monotonic()
            times = kept / f"{model.stem}{flag}.times"  # of tactics: builds for this GPU on machines without it can take them
            log = run(bundle, "build", str(model), "--backend=cuda", flag, f"--timingCacheFile={times}", "-o", plan)
            built = time.monotonic() - start
            hosts = re.findall(r"(\d+) layers run on the host", log)
            outputs = folder / f"{model.stem}{flag}"
            run(bundle, "run", plan, f"--saveOutputs={outputs}")
            report = run(bundle, "bench", f"--loadEngine={plan}", "--duration=1", "--warmUp=200", "--useCudaGraph")
            median = lambda row, text: (re.search(row + r":.*?median = ([0-9.]+) ms", text) or [None, "?"])[1]
            plain = run(bundle, "bench", f"--loadEngine={plan}", "--duration=0.3", "--warmUp=100")
            loaded = re.search(r"Engine loaded in ([0-9.]+) s, of which ([0-9.]+) s", plain)
            profile = run(bundle, "bench", f"--loadEngine={plan}", "--duration=0", "--iterations=3", "--dumpProfile")
            (kept / f"{model.stem}{flag}.txt").write_text(log + report + plain + profile)
            print(f"{item:18} {flag:9} median {median('Compute Time', report):>8} ms, without a graph {median('Compute Time', plain):>8} ms  "
                  f"enqueue {median('Enqueue Time', report)} / {median('Enqueue Time', plain)} ms  error {difference(outputs, reference):.1e}  "
                  f"built in {built:5.1f} s, loaded in {loaded[1] if loaded else '?'} s (device {loaded[2] if loaded else '?'} s)  layers on the host: {hosts[0] if hosts else 0}", flush=True)


if __name__ == "__main__":
    main()
