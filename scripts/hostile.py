#!/usr/bin/env python3
"""Gives the program damaged files and senseless options: each must end in a right answer or a clear error, in bounded time and memory.

    scripts/hostile.py [--models=N] [--plans=N] [--data=N] [--caches=N] [--profiles=N] [--options=N] [--seconds=S] [--seed=K] [--program=build/release/bin/kiln]

Models are those of onnx's own tests and of the reader's fuzzer, with fields of any message changed, added, taken away or put elsewhere;
engine files are built from some of them, with bytes changed, cut off or put in twice, as are arrays (.npy, .npz, .pb), timing caches, device
profiles and calibrations. Options are those that `--help` names, with values of other kinds. What is wrong: a signal, an exit code that is
none of the program's, a failure without code, one that calls itself a fault of Kiln (K1000), more than CPU_SECONDS, WALL_SECONDS of waiting, or
more memory than twice the file, INPUT_COPIES of the inputs that a model declares, and MEMORY. Finds stay in build/hostile, with the command
in NAME.txt. Ends after S seconds, or when all are tried. The same files for the same seed.
"""
import argparse
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/fuzz"))
CPU_SECONDS, WALL_SECONDS, MEMORY = 5, 300, 256 << 20
MOST_INPUTS = 256 << 20  # of a model that is run; one that declares more is only built
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


FAST = ["--backend=cpu", "--builderOptimizationLevel=0", "--quiet"]


def complaint(program, command, path, folder):
    """What is wrong with how the program takes the file; empty when nothing is."""
    with open(folder / "log", "w+b") as log:
        child = subprocess.Popen([program, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=limited,
                                 cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"})
        hangs = threading.Timer(WALL_SECONDS, os.kill, (child.pid, signal.SIGKILL))
        hangs.start()
        _, status, used = os.wait4(child.pid, 0)
        waited = not hangs.is_alive()
        hangs.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        text = log.read().decode("utf-8", "replace")
    seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    if seconds > CPU_SECONDS:
        return f"took {seconds:.1f} s of processor time"
    if waited:
        return f"waited for {WALL_SECONDS} s"
    if child.returncode < 0:
        return f"ended by signal {-child.returncode}"
    if child.returncode not in (0, 1, 2):
        return f"exit code {child.returncode}: {text[-300:]}"
    inputs = declared_bytes(path.read_bytes()) if path.suffix == ".onnx" else 0
    if memory > BASE + MEMORY + 2 * path.stat().st_size + INPUT_COPIES * inputs:
        return f"took {memory >> 20} MiB"
    if child.returncode == 1 and not re.search(r"error\[K\d{4}\]", text):
        return f"failed without a code: {text[-300:]}"
    if child.returncode == 2 and not text.strip():
        return "refused its options without a word"
    return f"called it a fault of its own: {text[-400:]}" if "error[K1000]" in text else ""


def plans_of(program, folder, models):
    for number, model in enumerate(models):
        path = folder / f"{number}.plan"
        if subprocess.run([program, "build", str(model), "-o", str(path), "--backend=cpu", "--builderOptimizationLevel=0", "--quiet"],
                          capture_output=True).returncode == 0:
            yield path.read_bytes()


class Case:
    """A file to make and a command that reads it; `{}` in the command is the file."""

    def __init__(self, label, make, *command):
        self.label, self.make, self.command = label, make, command


def small_network(folder):
    """A model, its engine, and one sound file of each other kind; all in the folder."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 3]) for n in "xy")
    weight = numpy_helper.from_array(np.arange(9, dtype=np.float32).reshape(3, 3), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])], "net", [x], [y], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), folder / "net.onnx")
    values = np.ones((2, 3), np.float32)
    np.save(folder / "x.npy", values)
    np.savez(folder / "x.npz", x=values)
    np.savez_compressed(folder / "packed.npz", x=values)
    (folder / "x.pb").write_bytes(numpy_helper.from_array(values, "x").SerializeToString())
    return folder / "net.onnx"


def made_by(program, folder, *command):
    done = subprocess.run([program, *map(str, command)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"hostile: {' '.join(map(str, command))}: {done.stderr}")


def data_cases(options, folder, model):
    sound = [folder / name for name in ("x.npy", "x.npz", "packed.npz", "x.pb")]
    for number in range(options.data):
        path = sound[number % len(sound)]
        named = "--loadInputs={}" if path.suffix == ".npz" and number % 3 == 0 else "--loadInputs=x:{}"
        yield Case(f"{number}{path.suffix}", lambda p=path, n=number: damaged_bytes(p.read_bytes(), f"{options.seed} data {n}"),
                   "run", model, named, *FAST)


def cache_cases(options, folder, model):
    made_by(options.program, folder, "build", model, "-o", "cached.plan", "--timingCacheFile=times.cache", "--backend=cpu")
    sound = (folder / "times.cache").read_bytes()
    for number in range(options.caches):
        yield Case(f"{number}.cache", lambda n=number: damaged_bytes(sound, f"{options.seed} cache {n}"),
                   "build", model, "-o", "out.plan", "--timingCacheFile={}", *FAST)


def profile_cases(options, folder, model):
    made_by(options.program, folder, "list", "devices", "--device=cpu", "--saveProfile=device.json")
    made_by(options.program, folder, "calibrate", model, "--data=x.npz", "-o", "ranges.json")
    uses = [("device.json", ("build", model, "-o", "out.plan", "--deviceProfile={}", "--builderOptimizationLevel=0", "--quiet")),
            ("ranges.json", ("build", model, "-o", "out.plan", "--int8", "--calib={}", *FAST))]
    for number in range(options.profiles):
        name, command = uses[number % len(uses)]
        sound = (folder / name).read_bytes()
        yield Case(f"{number}.json", lambda s=sound, n=number: damaged_text(s, f"{options.seed} profile {n}"), *command)


VALUES = ["", "0", "1", "-1", "2", "1e9", "1e400", "nan", "inf", "-0", "99999999999999999999", "0x10", "x", "x:", ":", "x:1x1", "x:2x3", "x:0x3",
          "x:-1x3", "x:2x3:2x3:2x3", "y", "cpu", "ref", "net.onnx", "missing", "/dev/null", "/dev/full", ".", "..", "/", "*", "true", "fp16", "é",
          "\x1b[31m", "a" * 5000, "%s%n", "'", ",", "x:2x3,x:3x3", "workspace:1", "workspace:-1M", "2G"]
# What would wait or work as long as it is told to.
SLOW = {"--duration", "--warmUp", "--idleTime", "--sleepTime", "--iterations", "--avgRuns", "--infStreams", "--streams", "--sweep"}


def option_cases(options, folder, model):
    known = {}
    for command in ("build", "run", "bench", "inspect", "compare", "list", "report", "calibrate", "debug"):
        text = subprocess.run([options.program, command, "--help"], capture_output=True, text=True).stdout
        known[command] = sorted(set(re.findall(r"--[A-Za-z][\w-]*", text)) - SLOW)
    for number in range(options.options):
        chance = random.Random(f"{options.seed} option {number}")
        command = chance.choice(sorted(known))
        words = [model.name] if chance.random() < 0.8 else []
        for _ in range(1 + chance.randrange(4)):
            option, value = chance.choice(known[command] or ["--help"]), chance.choice(VALUES)
            words += chance.choice([[f"{option}={value}"], [option], [option, value]])
        chance.shuffle(words)
        words = [w for w in words if "\0" not in w]
        if command == "bench":
            words += ["--duration=0", "--iterations=1", "--warmUp=0"]
        yield Case(f"{number}.options", lambda w=words: "\n".join(w).encode(), command, *words)


def damaged_text(data, seed):
    """A number, word or sign of a text put in the place of another."""
    chance, text = random.Random(seed), data.decode()
    for _ in range(1 + chance.randrange(3)):
        parts = re.findall(r'"[^"]*"|[-+.\w]+|\s+|.', text)
        at = chance.randrange(len(parts))
        parts[at] = chance.choice(["", "0", "-1", "1e400", "nan", "null", "[]", "{}", '""', "99999999999999999999", '"\\u0000"', chance.choice(parts),
                                   parts[at] * 2, "[" * 2000])
        text = "".join(parts)
    return text.encode()


def cases(options, folder):
    models = model_files()
    order = random.Random(options.seed)
    run = ("run", "{}", *FAST, "--saveOutputs=out.npz")
    for number in range(options.models):
        model = order.choice(models)
        yield Case(f"{model.parent.name}.{number}.onnx", lambda m=model, n=number: damaged_model(m, f"{options.seed} {n}"), *run)
    plans = list(plans_of(options.program, folder, order.sample(models, 24 if options.plans else 0)))
    for number in range(options.plans if plans else 0):
        plan = order.choice(plans)
        yield Case(f"{number}.plan", lambda p=plan, n=number: damaged_bytes(p, f"{options.seed} {n}"), "run", "{}", "--quiet")
    network = small_network(folder)
    for kind, make in (("data", data_cases), ("caches", cache_cases), ("profiles", profile_cases), ("options", option_cases)):
        if getattr(options, kind):
            yield from make(options, folder, network)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind, count in (("models", 2000), ("plans", 1000), ("data", 400), ("caches", 200), ("profiles", 300), ("options", 600)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/kiln"))
    options = parser.parse_args()
    start, tried, found = os.times().elapsed, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for case in cases(options, folder):
            if os.times().elapsed - start > options.seconds:
                break
            try:
                data = case.make()
            except Exception:  # what protobuf itself refuses to write
                continue
            path = folder / ("case" + pathlib.Path(case.label).suffix)
            path.write_bytes(data)
            tried += 1
            if path.suffix == ".onnx" and declared_bytes(data) > MOST_INPUTS:
                case.command = ("build", "{}", "-o", "out.plan", *FAST)
            if text := complaint(options.program, [str(word).replace("{}", str(path)) for word in case.command], path, folder):
                found += 1
                FINDS.mkdir(parents=True, exist_ok=True)
                (FINDS / case.label).write_bytes(data)
                (FINDS / (case.label + ".txt")).write_text(repr(case.command) + "\n" + text)
                print(f"{FINDS / case.label}: {text}", flush=True)
    print(f"hostile: {tried} files, {found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
