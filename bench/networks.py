#!/usr/bin/env python3
"""Times tuned engines against ONNX Runtime and OpenVINO: same files, same inputs, same threads, interleaved rounds, medians. NAME_int8 is NAME quantized,
NAME_bf16 is NAME in bfloat16, which OpenVINO alone of the peers has.

Fails when the better peer's time divided by Kiln's is below `least` in bench/targets.json (networks not named there: 1; with --busy: `busy`, or 0.95 where none is
given), when Kiln's peak memory is above 1.3 times that of ONNX Runtime, or when a narrow form is slower than the float form in the same run. Needs the packages of
`scripts/setup.sh --optional`."""
import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from quantized import SUFFIX

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ("onnxruntime", "openvino")
BFLOAT16 = "_bf16"
MEMORY_LIMIT = 1.3  # times ONNX Runtime's peak, load and run
OTHERS = {"least": 1.0, "goal": 1.1}  # networks that bench/targets.json does not name
LEAST_BUSY = 0.95

EXAMPLES = """\
examples:
  networks.py                                all networks of bench/targets.json, written by models/write.py
  networks.py resnet50 mlp --rounds 3        some of them, quicker
  networks.py --models exported/             all files of a folder
  networks.py --report docs/measured.md      keeps the tables
  networks.py --busy 1 --seconds 0.2         beside another program that keeps a core busy
"""


@dataclasses.dataclass
class Row:
    name: str
    rounds: dict        # runtime: milliseconds in each round
    spread: float       # slowest round / fastest, of the steadiest runtime
    build_s: float      # tuned, without a timing cache
    rebuild_s: float    # with the cache of the build before
    load_ms: float
    enqueue_us: float
    memory: dict        # MiB at most resident: "onnxruntime" load and run, "build" and "run" of Kiln

    @property
    def ms(self):
        return {key: statistics.median(values) for key, values in self.rounds.items()}

    @property
    def ratio(self):
        """Of the better peer: the median over rounds, whose parts follow each other at once, so that what slows the machine for a while slows both."""
        return min(statistics.median(a / b for a, b in zip(self.rounds[peer], self.rounds["kiln"])) for peer in PEERS if peer in self.rounds)


class Failed(Exception):
    pass


def measured_process(command):
    """(output, peak resident MiB, seconds) of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise Failed(f"{' '.join(map(str, command))} fails:\n{output[-2000:]}")
    return output, usage.ru_maxrss / 1024, time.perf_counter() - start


class Peer:
    """A runtime in a process of its own, asked for rounds."""

    def __init__(self, name, model, threads, precision):
        self.process = subprocess.Popen([sys.executable, str(ROOT / "bench/peers.py"), name, str(model), str(threads), precision],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.number()  # waits until it is ready

    def number(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the peer {self.process.args[2]} stopped")
        return float(line)

    def round(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        return self.number()

    def close(self):
        """Returns its peak resident MiB."""
        self.process.stdin.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        return usage.ru_maxrss / 1024


def found(pattern, text):
    match = re.search(pattern, text)
    if not match:
        raise Failed(f"no {pattern!r} in the report of kiln:\n{text[-2000:]}")
    return float(match.group(1))


def kiln_build(options, model, engine, cache, *flags):
    command = [options.kiln, "bench", f"--onnx={model}", f"--saveEngine={engine}", f"--timingCacheFile={cache}", "--skipInference", *flags]
    return measured_process(command)


def kiln_round(options, engine):
    return measured_process([options.kiln, "bench", f"--loadEngine={engine}", f"--duration={options.seconds}"])


@contextlib.contextmanager
def busy_cores(count):
    """While it lasts other programs keep so many cores busy."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    programs = [subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"]) for core in cores]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
            program.wait()


def measure(name, model, folder, options):
    engine, cache = folder / f"{name}.engine", folder / f"{name}.cache"
    cache.unlink(missing_ok=True)
    narrow = name.endswith(BFLOAT16)
    flags = ["--bf16"] if narrow else []
    _, build_memory, build_s = kiln_build(options, model, engine, cache, *flags)
    rebuild_s = kiln_build(options, model, engine, cache, *flags)[2]
    peers = {peer: Peer(peer, model, options.threads, "bf16" if narrow else "f32") for peer in PEERS if not narrow or peer == "openvino"}
    rounds, loads, enqueues, run_memory = {key: [] for key in (*peers, "kiln")}, [], [], 0
    for _ in range(options.rounds):
        with busy_cores(options.busy):
            for peer, process in peers.items():
                rounds[peer].append(process.round(options.seconds))
            report, memory, _ = kiln_round(options, engine)
        rounds["kiln"].append(found(r"Compute Time:.*median = ([0-9.e-]+) ms", report))
        enqueues.append(found(r"Enqueue Time:.*median = ([0-9.e-]+) ms", report))
        loads.append(found(r"Engine loaded in ([0-9.e-]+) s", report))
        run_memory = max(run_memory, memory)
    memory = {peer: process.close() for peer, process in peers.items()}
    return Row(name, rounds, min(max(values) / min(values) for values in rounds.values()), build_s, rebuild_s, 1e3 * statistics.median(loads),
               1e3 * statistics.median(enqueues), {"onnxruntime": memory.get("onnxruntime"), "build": build_memory, "run": run_memory})


def least_of(target, options):
    return target.get("busy", min(target["least"], LEAST_BUSY)) if options.busy else target["least"]


def problems(row, least):
    """What the row does not reach."""
    if row.ratio < least:
        yield f"{row.name}: better peer ÷ Kiln is {row.ratio:.3f}, needs {least:.2f}"
    if row.memory["onnxruntime"] is None:
        return
    for phase in ("build", "run"):
        ratio = row.memory[phase] / row.memory["onnxruntime"]
        if ratio > MEMORY_LIMIT:
            yield f"{row.name}: peak memory of the {phase} is {ratio:.2f} times ONNX Runtime's, allowed {MEMORY_LIMIT}"


def is_narrow(name):
    return name.endswith((SUFFIX, BFLOAT16))


def wide_name(name):
    return name.removesuffix(SUFFIX).removesuffix(BFLOAT16)


def slower_narrow_forms(rows):
    """Networks in few bits that take longer than their float form, where both were measured."""
    ms = {row.name: row.ms["kiln"] for row in rows}
    for name, taken in ms.items():
        wide = ms.get(wide_name(name))
        if is_narrow(name) and wide is not None and taken > wide:
            yield f"{name}: {taken:.4g} ms, its float form {wide:.4g} ms"


HEAD = """| network | ONNX Runtime ms | OpenVINO ms | Kiln ms | better peer ÷ Kiln | least | goal | spread | tuned build s | with cache s | load ms |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |"""
MEMORY_HEAD = """| peak memory, MiB | ONNX Runtime, load and run | Kiln, tuned build | ÷ | Kiln, run | ÷ |
| --- | --: | --: | --: | --: | --: |"""


def line(row, target, least):
    times = " | ".join(f"{row.ms[key]:.4g}" if key in row.ms else "–" for key in (*PEERS, "kiln"))
    return (f"| {row.name} | {times} | **{row.ratio:.2f}** | {least:.2f} | {target['goal']:.2f} | {row.spread:.2f} | "
            f"{row.build_s:.2f} | {row.rebuild_s:.2f} | {row.load_ms:.1f} |")


def memory_line(row):
    peer = row.memory["onnxruntime"]
    parts = " | ".join(f"{row.memory[phase]:.0f} | " + (f"{row.memory[phase] / peer:.2f}" if peer else "–") for phase in ("build", "run"))
    return f"| {row.name} | {f'{peer:.0f}' if peer else '–'} | {parts} |"


def geomean_line(rows):
    """Of the networks in float32 but the mlp, whose time is the calls'; empty where there are none."""
    ratios = [row.ratio for row in rows if not is_narrow(row.name) and row.name != "mlp"]
    return f"Geometric mean of {len(ratios)} networks in float32: {statistics.geometric_mean(ratios):.2f}." if ratios else ""


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    return re.search(r"model name\s*: (.*)", info).group(1), len(os.sched_getaffinity(0))


def report(rows, targets, options):
    from importlib import metadata

    model, cores = machine()
    versions = ", ".join(f"{peer} {metadata.version(peer)}" for peer in PEERS)
    return "\n".join([
        "# Measured", "",
        f"What `bench/networks.py` last printed. Batch 1; names in {SUFFIX} are quantized (`bench/quantized.py`), those in {BFLOAT16} bfloat16, the others FP32; "
        f"{f'{options.busy} cores busy with other work; ' if options.busy else ''}{options.threads} threads; {cores} cores of: {model}; {versions}; "
        f"{options.rounds} interleaved rounds of {options.seconds:g} s, medians of times and of quotients. \"least\" and \"goal\" are bounds of the ratio "
        "(`bench/targets.json`); \"spread\" is the slowest round of the steadiest runtime ÷ its fastest.", "",
        HEAD, *(line(row, target, least_of(target, options)) for row in rows for target in [targets.get(row.name, OTHERS)]), "", geomean_line(rows), "",
        MEMORY_HEAD, *map(memory_line, rows), "",
        *(f"One enqueue of {row.name} in all: {row.enqueue_us:.2f} µs." for row in rows if row.name == "mlp"), ""])


def multiplies_bfloat16():
    return "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text()


def file_name(name):
    return name.removesuffix(BFLOAT16) + ".onnx"


def parse(targets):
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"default: {', '.join(targets)}, or all files of --models")
    parser.add_argument("--models", type=pathlib.Path, help="folder with NETWORK.onnx; default: models/write.py writes them")
    parser.add_argument("--kiln", default=str(ROOT / "build/release/bin/kiln"))
    parser.add_argument("--threads", type=int, default=2, help="of each runtime (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each round (default: %(default)s)")
    parser.add_argument("--busy", type=int, default=0, metavar="CORES", help="that other programs keep busy meanwhile")
    parser.add_argument("--report", type=pathlib.Path, help="write the tables there, as Markdown")
    options = parser.parse_args()
    if options.models and not options.names:
        options.names = sorted(path.stem for path in options.models.glob("*.onnx"))
    options.names = options.names or [name for name in targets if not name.endswith(BFLOAT16) or multiplies_bfloat16()]
    missing = [name for name in options.names if options.models and not (options.models / file_name(name)).exists()]
    if missing:
        parser.error(f"{options.models} holds no {', '.join(map(file_name, missing))}")
    return options


def write_models(folder, names):
    """By models/write.py; NAME_int8 is made of NAME."""
    quantized = [name for name in names if name.endswith(SUFFIX)]
    plain = {wide_name(name): None for name in names}
    subprocess.run([sys.executable, str(ROOT / "models/write.py"), str(folder), *plain], check=True)
    if quantized:
        subprocess.run([sys.executable, str(ROOT / "bench/quantized.py"),
                        *(str(folder / f"{name.removesuffix(SUFFIX)}.onnx") for name in quantized)], check=True)


def main():
    targets = json.loads((ROOT / "bench/targets.json").read_text())
    options = parse(targets)
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    models = options.models or folder
    if not options.models:
        write_models(folder, options.names)
    rows, failures = [], []
    print(HEAD, flush=True)
    for name in options.names:
        target = targets.get(name, OTHERS)
        try:
            rows.append(measure(name, models / file_name(name), folder, options))
        except Failed as failure:
            failures.append(f"{name}: {failure}")
            continue
        least = least_of(target, options)
        print(line(rows[-1], target, least), flush=True)
        failures += problems(rows[-1], least)
    failures += slower_narrow_forms(rows)
    if options.report:
        options.report.write_text(report(rows, targets, options), encoding="utf-8")
    print("", geomean_line(rows), "", MEMORY_HEAD, *map(memory_line, rows), "", *failures, f"{len(rows)} networks, {len(failures)} problems", sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
