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


def write_model(name: str, batch: int, folder: pathlib.Path) -> pathlib.Path:
    path = folder / f"{name}_b{batch}.onnx"
    if not path.exists():
        subprocess.run([sys.executable, "models/write.py", "--batch", str(batch), str(folder / "written"), name], check=True)
        (folder / "written" / f"{name}.onnx").rename(path)
    return path


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
    for item in wanted:
        name, _, batch = item.partition(":")
        model = write_model(name, int(batch or 1), folder)
        reference = folder / f"{model.stem}_cpu"
        run(bundle, "build", str(model), "--backend=cpu", "--builderOptimizationLevel=0", "-o", f"{model}.cpu.plan")
        run(bundle, "run", f"{model}.cpu.plan", f"--saveOutputs={reference}")
        for flag in os.environ.get("NETWORK_FLAGS", "--fp16 --noTF32").split():
            plan = f"{model}{flag}.plan"
            start = time.monotonic()
            log = run(bundle, "build", str(model), "--backend=cuda", flag, "-o", plan)
            built = time.monotonic() - start
            hosts = re.findall(r"(\d+) layers run on the host", log)
            outputs = folder / f"{model.stem}{flag}"
            run(bundle, "run", plan, f"--saveOutputs={outputs}")
            report = run(bundle, "bench", f"--loadEngine={plan}", "--duration=1", "--warmUp=200", "--useCudaGraph")
            median = re.search(r"(?:GPU )?Compute Time:.*?median = ([0-9.]+) ms", report, re.I)
            profile = run(bundle, "bench", f"--loadEngine={plan}", "--duration=0", "--iterations=3", "--dumpProfile")
            (pathlib.Path(os.environ.get("OUT", folder)) / f"{model.stem}{flag}.txt").write_text(log + report + profile)
            print(f"{item:18} {flag:9} median {median[1] if median else '?':>8} ms  error {difference(outputs, reference):.1e}  "
                  f"built in {built:5.1f} s  layers on the host: {hosts[0] if hosts else 0}", flush=True)


if __name__ == "__main__":
    main()
