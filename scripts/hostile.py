#!/usr/bin/env python3
"""Gives the program damaged models and engine files: each must end in a right answer or a clear error, in bounded time and memory.

    scripts/hostile.py [--models=N] [--plans=N] [--seconds=S] [--seed=K] [--program=build/release/bin/kiln]

Models are those of onnx's own tests and of the reader's fuzzer, with fields of any message changed, added, taken away or put elsewhere;
engine files are built from some of them, with bytes changed, cut off or put in twice. What is wrong: a signal, an exit code that is none of
the program's, a failure without code, one that calls itself a fault of Kiln (K1000), more than CPU_SECONDS, or more memory than twice the file,
INPUT_COPIES of the inputs that a model declares, and MEMORY. Finds stay in build/hostile. Ends after S seconds, or when all are tried. The same files for the same seed.
"""
import argparse
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/fuzz"))
CPU_SECONDS, MEMORY = 5, 256 << 20
INPUT_COPIES = 8  # made at random, as arrays, in the session, in the results
FINDS = ROOT / "build/hostile"
# What the program itself takes: libraries, and what they set aside at start.
BASE = 96 << 20


def model_files():
    import onnx
    tests = pathlib.Path(onnx.__file__).parent / "backend/test/data"
    return sorted([*tests.glob("node/*/model.onnx"), *tests.glob("simple/*/model.onnx")])


def declared_bytes(data):
    """Of the inputs with known sizes."""
    import onnx
    total = 0
    try:
        inputs = onnx.load_model_from_string(data).graph.input
    except Exception:  # what is no model declares none
        return 0
    for info in inputs:
        count = 8
        for dim in info.type.tensor_type.shape.dim:
            count *= max(dim.dim_value, 1)
        total += count
    return total


def damaged_model(path, seed):
    import onnx
    from model_seeds import Mutator
    model = onnx.load(path, load_external_data=False)
    mutator = Mutator(model, seed)
    for _ in range(1 + mutator.random.randrange(4)):
        mutator.edit()
    return model.SerializePartialToString()


def damaged_bytes(data, seed):
    chance, data = random.Random(seed), bytearray(data)
    for _ in range(1 + chance.randrange(3)):
        at, length = chance.randrange(len(data)), 1 + chance.randrange(64)
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.choice([0, 1, 127, 128, 255, data[at] ^ 1 << chance.randrange(8)])
        elif kind == 1:
            del data[at:at + length]
        elif kind == 2:
            data[at:at] = data[at:at + length]
        else:
            del data[at:]
            data = data or bytearray(b"\0")
    return bytes(data)


def limited():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS + 1, CPU_SECONDS + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def complaint(program, path, folder):
    """What is wrong with how the program takes the file; empty when nothing is."""
    command = [program, "run", str(path), "--backend=cpu", "--builderOptimizationLevel=0", "--quiet", f"--saveOutputs={folder}/out.npz"]
    if path.suffix == ".plan":
        command = [program, "run", str(path), "--quiet"]
    with open(folder / "log", "w+b") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=limited,
                                 env={**os.environ, "OMP_NUM_THREADS": "1"})
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        text = log.read().decode("utf-8", "replace")
    seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    if seconds > CPU_SECONDS:
        return f"took {seconds:.1f} s of processor time"
    if child.returncode < 0:
        return f"ended by signal {-child.returncode}"
    if child.returncode not in (0, 1):
        return f"exit code {child.returncode}: {text[-300:]}"
    inputs = declared_bytes(path.read_bytes()) if path.suffix == ".onnx" else 0
    if memory > BASE + MEMORY + 2 * path.stat().st_size + INPUT_COPIES * inputs:
        return f"took {memory >> 20} MiB"
    if child.returncode == 1 and not re.search(r"error\[K\d{4}\]", text):
        return f"failed without a code: {text[-300:]}"
    return f"called it a fault of its own: {text[-400:]}" if "error[K1000]" in text else ""


def plans_of(program, folder, models):
    for number, model in enumerate(models):
        path = folder / f"{number}.plan"
        if subprocess.run([program, "build", str(model), "-o", str(path), "--backend=cpu", "--builderOptimizationLevel=0", "--quiet"],
                          capture_output=True).returncode == 0:
            yield path.read_bytes()


def cases(options, folder):
    models = model_files()
    order = random.Random(options.seed)
    for number in range(options.models):
        model = order.choice(models)
        yield f"{model.parent.name}.{number}.onnx", lambda m=model, n=number: damaged_model(m, f"{options.seed} {n}")
    plans = list(plans_of(options.program, folder, order.sample(models, 24 if options.plans else 0)))
    for number in range(options.plans if plans else 0):
        plan = order.choice(plans)
        yield f"{number}.plan", lambda p=plan, n=number: damaged_bytes(p, f"{options.seed} {n}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/kiln"))
    options = parser.parse_args()
    start, tried, found = os.times().elapsed, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, make in cases(options, folder):
            if os.times().elapsed - start > options.seconds:
                break
            try:
                data = make()
            except Exception:  # what protobuf itself refuses to write
                continue
            path = folder / ("case" + pathlib.Path(label).suffix)
            path.write_bytes(data)
            tried += 1
            if text := complaint(options.program, path, folder):
                found += 1
                FINDS.mkdir(parents=True, exist_ok=True)
                (FINDS / label).write_bytes(data)
                print(f"{FINDS / label}: {text}", flush=True)
    print(f"hostile: {tried} files, {found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
