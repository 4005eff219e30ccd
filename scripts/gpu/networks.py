"""Builds engines of the networks of models/ for the GPU, compares them with float32 evaluation on the processor, and times them, beside PyTorch
when asked to, in turns, on the same card.

Networks that take milliseconds run in bursts, with pauses in which the card cools down, and held, where its power caps them.
Run it in the project's folder. Usage: networks.py BUNDLE [NAME[:BATCH]...]; without names resnet50:1 and resnet50:8, "all" for those of
docs/measured.md. Prints one line a network
and build option, and a table; NETWORK_FLAGS says which options (default: --fp16 --noTF32), PEERS which of scripts/gpu/peers.py (default: none),
STREAMS with how many streams of captured graphs inferences per second are counted (default: none).
Peers compile, a few at a time, while Kiln builds its engines; those that are not ready PEER_SECONDS after the start (default: 3600) are left
out. Nothing is timed before. Keeps in $OUT the table, a log of each, and one timing cache of all, which `kiln list devices --saveProfile` takes.
"""
import concurrent.futures
import math
import os
import pathlib
import re
import select
import statistics
import subprocess
import sys
import time

import numpy as np

ALL = {"resnet50": (1, 8, 128), "bert_base": (1, 8, 128), "bert_large": (1, 8, 128), "vit_b16": (8, 128), "efficientnet_b0": (8, 128), "mobilenet_v3": (8, 128), "swin_b": (1, 8, 128)}
PEERS_AT_ONCE = 3  # of those that compile: each takes several cores
CAPPED_MS = 2  # networks that take longer are large enough for the card's power to cap them


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


class Peer:
    """PyTorch's form of a network; `failure` says why there is none."""

    def __init__(self, kind: str, name: str, batch: int, log: pathlib.Path, deadline: float):
        if time.monotonic() > deadline:
            self.process, self.failure = None, "not begun in time"
            return
        command = [sys.executable, str(pathlib.Path(__file__).with_name("peers.py")), kind, name, str(batch)]
        env = dict(os.environ, TORCHINDUCTOR_COMPILE_THREADS="4")
        env.pop("LD_LIBRARY_PATH", None)  # of the bundle
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True, env=env)
        answered, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not answered:
            self.failure = "not ready in time"
            self.process.kill()
        else:
            self.failure = "" if self.process.stdout.readline().startswith("ready") else f"failed, see {log.name}"

    def milliseconds(self, seconds: float, rest: float) -> float:
        self.process.stdin.write(f"{seconds} {rest}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


class Peers:
    """Those of all networks, which get ready beside other work, in the order of `kinds`."""

    def __init__(self, kinds: list[str], wanted: list[tuple[str, int]], kept: pathlib.Path):
        deadline = time.monotonic() + float(os.environ.get("PEER_SECONDS", "3600"))
        asked = [(kind, name, batch) for kind in kinds for name, batch in wanted if kind != "libraries" or name.startswith(("resnet50", "bert"))]
        self.pool = concurrent.futures.ThreadPoolExecutor(PEERS_AT_ONCE)
        self.made = {ask: self.pool.submit(Peer, *ask, kept / f"peer_{'_'.join(map(str, ask))}.log", deadline) for ask in asked}

    def wait(self) -> None:
        """Until each is ready or left out."""
        self.pool.shutdown()

    def of(self, name: str, batch: int) -> dict[str, Peer]:
        return {kind: made.result() for (kind, *network), made in self.made.items() if network == [name, batch]}

    def close(self) -> None:
        for made in self.made.values():
            made.result().close()


def evaluate(bundle: pathlib.Path, model: pathlib.Path) -> pathlib.Path:
    """The folder of what the network gives in float32 on the processor."""
    plan, outputs = f"{model}.cpu.plan", model.with_name(f"{model.stem}_cpu")
    run(bundle, "build", str(model), "--backend=cpu", "--builderOptimizationLevel=0", "-o", plan)
    run(bundle, "run", plan, f"--saveOutputs={outputs}")
    return outputs


def build(bundle: pathlib.Path, model: pathlib.Path, flag: str, kept: pathlib.Path) -> tuple[str, str, float]:
    """The engine's file, what the build said, and the seconds that it took."""
    plan, start = f"{model}{flag}.plan", time.monotonic()
    log = run(bundle, "build", str(model), "--backend=cuda", flag, f"--timingCacheFile={kept / 'networks.times'}", "-o", plan)
    return plan, log, time.monotonic() - start


def median_of(row: str, text: str) -> float:
    found = re.search(row + r":.*?median = ([0-9.]+) ms", text)
    return float(found[1]) if found else math.nan


def rates(bundle: pathlib.Path, plan: str, counts: list[str]) -> list[str]:
    """Inferences per second, by the number of streams."""
    reports = (run(bundle, "bench", f"--loadEngine={plan}", "--duration=0.5", "--warmUp=200", "--useCudaGraph", f"--streams={count}") for count in counts)
    return [f"{count}: {float(re.search(r'Throughput: ([0-9.e+]+)', report)[1]):.0f}" for count, report in zip(counts, reports)]


def in_turns(bench, peers: dict[str, Peer], held: float) -> tuple[float, dict[str, str]]:
    """Kiln's median time and those of the peers, each the median of three turns, in bursts where it takes milliseconds when held."""
    own, others, capped = [], {kind: [] for kind in peers}, held > CAPPED_MS
    for _ in range(3 if peers else 1):
        own.append(median_of("Compute Time", bench("--idleTime=60", "--duration=1")) if capped else median_of("Compute Time", bench("--duration=0.3")))
        for kind, peer in peers.items():
            if not peer.failure:
                others[kind].append(peer.milliseconds(0.5, 0.15) if capped else peer.milliseconds(0.3, 0))
    texts = {kind: peer.failure or f"{statistics.median(others[kind]):.3f}" for kind, peer in peers.items()}
    return statistics.median(own), texts


def card() -> str:
    done = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True)
    return done.stdout.splitlines()[0] if done.returncode == 0 else "a card that nvidia-smi does not name"


def main() -> None:
    bundle = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or ["resnet50:1", "resnet50:8"]
    if wanted == ["all"]:
        wanted = [f"{name}:{batch}" for name, batches in ALL.items() for batch in batches]
    items = [(name, int(batch or 1)) for name, _, batch in (item.partition(":") for item in wanted)]
    folder = pathlib.Path("gpu_networks")
    folder.mkdir(exist_ok=True)
    kept = pathlib.Path(os.environ.get("OUT", folder))
    paths = write_models(items, folder)
    kinds = os.environ.get("PEERS", "").split()
    evaluators = concurrent.futures.ThreadPoolExecutor(2)
    references = {item: evaluators.submit(evaluate, bundle, model) for item, model in paths.items()}
    flags = os.environ.get("NETWORK_FLAGS", "--fp16 --noTF32").split()
    peers = Peers(kinds, items, kept)
    built = {(item, flag): build(bundle, model, flag, kept) for item, model in paths.items() for flag in flags}
    peers.wait()
    table = ["| network | batch | option | Kiln, ms | held | " + "".join(f"{kind} | " for kind in kinds) + "error |", "| --- | --: | --- | --: | --: | " + "--: | " * len(kinds) + "--: |"]
    for (name, batch), model in paths.items():
        item, reference = f"{name}:{batch}", references[name, batch].result()
        for flag in flags:
            plan, log, seconds = built[(name, batch), flag]
            hosts = re.findall(r"(\d+) layers run on the host", log)
            outputs = folder / f"{model.stem}{flag}"
            run(bundle, "run", plan, f"--saveOutputs={outputs}")
            bench = lambda *options: run(bundle, "bench", f"--loadEngine={plan}", "--warmUp=200", "--useCudaGraph", *options)
            report = bench("--duration=0.5")
            if (held := median_of("Compute Time", report)) > CAPPED_MS:
                held = median_of("Compute Time", report := bench("--duration=3"))
            graph_ms, others = in_turns(bench, peers.of(name, batch), held)
            plain = run(bundle, "bench", f"--loadEngine={plan}", "--duration=0.2", "--warmUp=50", "--monitorMemory")
            beside = re.search(r"of which (-?[0-9.]+ \w+) beside weights", plain)
            loaded = re.search(r"Engine loaded in ([0-9.]+) s, of which ([0-9.]+) s", plain)
            profile = run(bundle, "bench", f"--loadEngine={plan}", "--duration=0", "--iterations=3", "--dumpProfile")
            (kept / f"{model.stem}{flag}.txt").write_text(log + report + plain + profile)
            error = difference(outputs, reference)
            if counts := os.environ.get("STREAMS", "").split():
                print(f"{item:18} {flag:9} inferences per second by streams: {', '.join(rates(bundle, plan, counts))}", flush=True)
            table.append(f"| {name} | {batch} | {flag} | {graph_ms:.3f} | {held:.3f} | " + "".join(f"{others.get(kind, '–')} | " for kind in kinds) + f"{error:.1e} |")
            print(f"{item:18} {flag:9} median {graph_ms:8} ms, held {held:8} ms, without a graph {median_of('Compute Time', plain):8} ms  "
                  f"enqueue {median_of('Enqueue Time', report)} / {median_of('Enqueue Time', plain)} ms  error {error:.1e}  "
                  f"built in {seconds:5.1f} s, loaded in {loaded[1] if loaded else '?'} s (device {loaded[2] if loaded else '?'} s)  layers on the host: {hosts[0] if hosts else 0}, "
                  f"memory beside weights and contexts: {beside[1] if beside else '?'}", flush=True)
            (kept / "table.md").write_text("\n".join([card(), "", *table]) + "\n")
    peers.close()
    print("\n".join(table))


if __name__ == "__main__":
    main()
