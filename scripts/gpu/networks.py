"""Builds engines of the networks of models/ for the GPU, compares them with float32 evaluation on the processor, and times them, beside PyTorch
when asked to, in turns, on the same card.

Networks that take milliseconds run in bursts, with pauses in which the card cools down, and held, where its power caps them.
Run it in the project's folder. Usage: networks.py BUNDLE [NAME[:BATCH]...]; a name alone is all its batches of docs/measured.md, "all" all of those networks; without names
resnet50:1 and resnet50:8. networks.py --merge TABLE... makes one table of several runs on cards of the same name. Prints one line a network
and build option, and a table; NETWORK_FLAGS says which options (default: --fp16 --noTF32), PEERS which of scripts/gpu/peers.py (default: none),
STREAMS with how many streams of captured graphs inferences per second are counted (default: none), PROTOTYPES a folder with a program igemm4, whose chains of kernels are a column
(default: none).
Kiln builds its engines while nothing else uses the card, since it chooses by the clock. Then peers compile, those of several rows at a time; those that are not
ready after PEER_SECONDS (default: 3600) are left out. Nothing is timed before. Keeps in $OUT the table, a log of each, and one timing cache of all, which `kiln list devices --saveProfile` takes.
"""
import concurrent.futures
import math
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

ALL = {"resnet50": (1, 8, 128), "bert_base": (1, 8, 128), "bert_large": (1, 8, 128), "vit_b16": (8, 128), "efficientnet_b0": (8, 128), "mobilenet_v3": (8, 128), "swin_b": (1, 8, 128)}
ROWS_AT_ONCE = max(1, (os.cpu_count() or 1) // 2)  # of those whose peers compile: each takes a core, and several now and then
GRACE_SECONDS = 20  # that a peer has to say what is ready when its time is over
PROTOTYPE_SECONDS = 100  # for all of them: they try every tile
PROTOTYPES = {"resnet50": "r", "bert_base": "b", "bert_large": "l"}  # as igemm4 names them, before the batch
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


class Row:
    """PyTorch's forms of a network at one batch, in one process: `failures` says by kind why there is none."""

    def __init__(self, kinds: list[str], name: str, batch: int, log: pathlib.Path, seconds: float, cache: pathlib.Path):
        self.process, self.failures = None, {kind: "not begun in time" for kind in kinds}
        if not kinds or seconds <= 0:
            return
        command = [sys.executable, str(pathlib.Path(__file__).with_name("peers.py")), name, str(batch), str(seconds), *kinds]
        env = dict({"TORCHINDUCTOR_COMPILE_THREADS": "4", "TORCHINDUCTOR_CACHE_DIR": str(cache.resolve())}, **os.environ)
        env.pop("LD_LIBRARY_PATH", None)  # of the bundle
        self.failures = {kind: "not ready in time" for kind in kinds}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True, env=env)
        hangs = threading.Timer(seconds + GRACE_SECONDS, self.process.kill)
        hangs.start()
        for line in self.process.stdout:
            word, *rest = line.split()
            if word == "ready":
                self.failures[rest[0]] = ""
            elif word == "failed":
                self.failures[rest[0]] = "failed"
            elif word == "serving":
                break
        else:
            end = "not ready in time" if self.process.wait() == -signal.SIGKILL else "ended"
            self.failures = {kind: failure if failure == "failed" else end for kind, failure in self.failures.items()}
        hangs.cancel()

    def milliseconds(self, kind: str, seconds: float, rest: float) -> float:
        try:
            self.process.stdin.write(f"{kind} {seconds} {rest}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self.failures = {kind: failure or "ended" for kind, failure in self.failures.items()}
            return math.nan

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


class Peers:
    """Those of all rows, which get ready beside other work, some rows at a time. Each has its share of the time, and what others left of theirs."""

    def __init__(self, kinds: list[str], wanted: list[tuple[str, int]], kept: pathlib.Path, cache: pathlib.Path):
        self.deadline = time.monotonic() + float(os.environ.get("PEER_SECONDS", "3600"))
        self.lock, self.waiting = threading.Lock(), len(wanted)
        self.pool = concurrent.futures.ThreadPoolExecutor(ROWS_AT_ONCE)

        def begin(name: str, batch: int) -> Row:
            with self.lock:
                share = min(1.0, ROWS_AT_ONCE / self.waiting)
                self.waiting -= 1
            own = [kind for kind in kinds if kind != "libraries" or name.startswith(("resnet50", "bert"))]
            return Row(own, name, batch, kept / f"peers_{name}_{batch}.log", share * (self.deadline - time.monotonic()), cache)

        self.made = {row: self.pool.submit(begin, *row) for row in wanted}

    def wait(self) -> None:
        """Until each is ready or left out."""
        self.pool.shutdown()

    def of(self, name: str, batch: int) -> Row:
        return self.made[name, batch].result()

    def close(self) -> None:
        for made in self.made.values():
            made.result().close()


def prototypes(folder: str | None, rows: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Milliseconds of the networks that the program igemm4 of the folder chains of kernels of its own, alone on the card."""
    words = {row: f"{PROTOTYPES[row[0]]}{row[1]}" for row in rows if row[0] in PROTOTYPES}
    if not folder or not words:
        return {}
    program = [str(pathlib.Path(folder) / "igemm4"), *words.values()]
    try:
        text = subprocess.run(program, env=dict(os.environ, NOABL="1"), stdout=subprocess.PIPE, timeout=PROTOTYPE_SECONDS).stdout
    except subprocess.TimeoutExpired as ended:
        text = ended.stdout or b""
    return prototype_times(words, text.decode())


def prototype_times(words: dict[tuple[str, int], str], text: str) -> dict[tuple[str, int], str]:
    found = dict(re.findall(r"NETWORK4 (\w+): .*whole: plain [0-9.]+ us, PDL ([0-9.]+) us", text))
    return {row: f"{float(found[word]) / 1e3:.3f}" if word in found else "failed" for row, word in words.items()}


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


def in_turns(bench, peers: Row, held: float) -> tuple[float, dict[str, str]]:
    """Kiln's median time and those of the peers, each the median of three turns, in bursts where it takes milliseconds when held."""
    own, others, capped = [], {kind: [] for kind in peers.failures}, held > CAPPED_MS
    for _ in range(3 if peers.process else 1):
        own.append(median_of("Compute Time", bench("--idleTime=60", "--duration=1")) if capped else median_of("Compute Time", bench("--duration=0.3")))
        for kind in others:
            if not peers.failures[kind]:
                others[kind].append(peers.milliseconds(kind, 0.5, 0.15) if capped else peers.milliseconds(kind, 0.3, 0))
    texts = {kind: peers.failures[kind] or f"{statistics.median(times):.3f}" for kind, times in others.items()}
    return statistics.median(own), texts


def card() -> str:
    done = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True)
    return done.stdout.splitlines()[0] if done.returncode == 0 else "a card that nvidia-smi does not name"


def items_of(words: list[str]) -> list[tuple[str, int]]:
    """Networks and batches."""
    if words == ["all"]:
        words = list(ALL)
    items = []
    for name, _, batch in (word.partition(":") for word in words or ["resnet50:1", "resnet50:8"]):
        items += [(name, int(batch))] if batch else [(name, each) for each in ALL.get(name, (1,))]
    return items


KEYS = ["network", "batch", "option"]  # the columns that name a row


def read_table(text: str) -> tuple[str, list[str], dict[tuple[str, ...], dict[str, str]]]:
    """The card, the columns, and the rows, by the columns that name them."""
    first, *lines = [line for line in text.splitlines() if line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [dict(zip(cells[0], line)) for line in cells[2:]]
    return first.partition(",")[0], cells[0], {tuple(row[key] for key in KEYS): row for row in rows}


def is_number(cell: str) -> bool:
    return re.fullmatch(r"[0-9.e+-]+", cell) is not None


def merged(texts: list[str]) -> str:
    """One table of several. Where several have a row, a number of an earlier one goes before that of a later one, and before words."""
    tables = [read_table(text) for text in texts]
    if len(cards := {card for card, _, _ in tables}) > 1:
        raise SystemExit(f"the tables are of several cards: {', '.join(sorted(cards))}")
    columns = list(dict.fromkeys(column for _, names, _ in tables for column in names if column != "error")) + ["error"]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for _, _, own in tables:
        for key, row in own.items():
            known = rows.setdefault(key, {})
            known.update({column: cell for column, cell in row.items() if column not in known or (is_number(cell) and not is_number(known[column]))})
    order = list(ALL)
    listed = sorted(rows, key=lambda key: (order.index(key[0]) if key[0] in order else len(order), key[0], int(key[1])))
    return "\n".join([tables[0][0], "", *table_lines(columns, [rows[key] for key in listed])])


def table_lines(columns: list[str], rows: list[dict[str, str]]) -> list[str]:
    line = lambda cells: "| " + " | ".join(cells) + " |"
    rule = ["---" if column in ("network", "option") else "--:" for column in columns]
    return [line(columns), line(rule), *(line([row.get(column, "–") for column in columns]) for row in rows)]


def main() -> None:
    if sys.argv[1] == "--merge":
        print(merged([pathlib.Path(path).read_text() for path in sys.argv[2:]]))
        return
    bundle, items = pathlib.Path(sys.argv[1]).resolve(), items_of(sys.argv[2:])
    folder = pathlib.Path("gpu_networks")
    folder.mkdir(exist_ok=True)
    kept = pathlib.Path(os.environ.get("OUT", folder))
    paths = write_models(items, folder)
    kinds = os.environ.get("PEERS", "").split()
    evaluators = concurrent.futures.ThreadPoolExecutor(2)
    references = {item: evaluators.submit(evaluate, bundle, model) for item, model in paths.items()}
    flags = os.environ.get("NETWORK_FLAGS", "--fp16 --noTF32").split()
    built = {(item, flag): build(bundle, model, flag, kept) for item, model in paths.items() for flag in flags}
    peers = Peers(kinds, items, kept, folder / "inductor")
    peers.wait()
    chains = prototypes(os.environ.get("PROTOTYPES"), items)
    columns = [*KEYS, "Kiln, ms", "held", *kinds, *(["prototype"] if chains else []), "error"]
    table = []
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
            figures = {"Kiln, ms": f"{graph_ms:.3f}", "held": f"{held:.3f}", "error": f"{error:.1e}"}
            table.append({"network": name, "batch": str(batch), "option": flag, **figures, **others, **({"prototype": chains[name, batch]} if (name, batch) in chains else {})})
            print(f"{item:18} {flag:9} median {graph_ms:8} ms, held {held:8} ms, without a graph {median_of('Compute Time', plain):8} ms  "
                  f"enqueue {median_of('Enqueue Time', report)} / {median_of('Enqueue Time', plain)} ms  error {error:.1e}  "
                  f"built in {seconds:5.1f} s, loaded in {loaded[1] if loaded else '?'} s (device {loaded[2] if loaded else '?'} s)  layers on the host: {hosts[0] if hosts else 0}, "
                  f"memory beside weights and contexts: {beside[1] if beside else '?'}", flush=True)
            (kept / "table.md").write_text("\n".join([card(), "", *table_lines(columns, table)]) + "\n")
    peers.close()
    print("\n".join(table_lines(columns, table)))


if __name__ == "__main__":
    main()
