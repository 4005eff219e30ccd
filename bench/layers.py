#!/usr/bin/env python3
"""Says where the time of a network goes: its layers by operator and tactic, with their time, their share of it, and what they reach of a loop of products in
registers and of a copy (`peak_bench`). Winograd's convolutions do fewer operations than are counted, so they may stand above 100 %.

Medians of profiled inferences: each layer holds the cost of being timed, about a microsecond. Needs a built `kiln` and `peak_bench`."""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

BUILT = pathlib.Path(__file__).resolve().parents[1] / "build/release/bin"
HEAD = ("| layers | number | ms | share | GFLOP/s | of peak | GB/s | of copy |", "| --- | --: | --: | --: | --: | --: | --: | --: |")


def called(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} fails:\n{done.stderr}{done.stdout[-2000:]}")
    return done.stdout


def engine_of(path, options, folder):
    """The file itself, or a tuned engine of a model."""
    if path.suffix not in (".onnx", ".kir"):
        return path
    engine = folder / f"{path.stem}.plan"
    called(options.kiln, "build", path, f"--saveEngine={engine}", "--backend=cpu", f"--cpuThreads={options.threads}")
    return engine


def layers_of(engine, options, folder):
    page = folder / "report.html"
    called(options.kiln, "report", engine, "-o", page, f"--iterations={options.iterations}", f"--cpuThreads={options.threads}")
    text = page.read_text(encoding="utf-8")
    return json.JSONDecoder().raw_decode(text, text.rindex('{"engines"'))[0]["engines"][0]["layers"]


def kinds(layers):
    """Layers by operator and tactic, the longest first."""
    groups = collections.defaultdict(list)
    for layer in layers:
        groups[f"{layer['op']}, {layer['tactic'] or layer['kernel']}"].append(layer)
    return sorted(groups.items(), key=lambda item: -total(item[1], "ms"))


def total(layers, what):
    """Work that an engine does not tell is negative."""
    return sum(max(layer[what], 0) for layer in layers)


def rate(amount, ms, most):
    """Two cells: in units of 1e9 a second, and as a share of the most."""
    if amount <= 0 or ms <= 0:
        return "– | –"
    return f"{amount / ms / 1e6:.1f} | {1e3 * amount / ms / most:.0%}"


def line(name, group, all_ms, peak):
    ms = total(group, "ms")
    return (f"| {name} | {len(group)} | {ms:.3f} | {ms / all_ms:.1%} | {rate(total(group, 'flops'), ms, peak['flops'])} | "
            f"{rate(total(group, 'bytes'), ms, peak['bytes'])} |")


def table(name, layers, peak, one_by_one):
    groups = [(f"{l['name']} ({l['op']}, {l['tactic'] or l['kernel']})", [l]) for l in layers] if one_by_one else kinds(layers)
    all_ms = max(total(layers, "ms"), 1e-9)
    return [f"### {name}", "", *HEAD, *(line(kind, group, all_ms, peak) for kind, group in groups), line("all", layers, all_ms, peak), ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", type=pathlib.Path, metavar="NETWORK", help="saved engine, or model that is built first")
    parser.add_argument("--kiln", type=pathlib.Path, default=BUILT / "kiln", help="default: %(default)s")
    parser.add_argument("--peak", type=pathlib.Path, default=BUILT / "peak_bench", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--iterations", type=int, default=50, help="that are profiled (default: %(default)s)")
    parser.add_argument("--each", action="store_true", help="a line for each layer, in their order, instead of each kind")
    options = parser.parse_args()
    peak = json.loads(called(options.peak, options.threads))
    print(f"{options.threads} threads; a loop of products in registers does {peak['flops'] / 1e9:.0f} GFLOP/s, a copy reads and writes "
          f"{peak['bytes'] / 1e9:.1f} GB/s.\n")
    for path in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            engine = engine_of(path, options, pathlib.Path(folder))
            layers = layers_of(engine, options, pathlib.Path(folder))
        print("\n".join(table(path.stem, layers, peak, options.each)), flush=True)


if __name__ == "__main__":
    main()
