#!/usr/bin/env python3
"""Measures one engine with two sets of options in turn and prints the ratio of their throughputs and latencies: of each the median over all
rounds, so that a machine that is busy for a while slows both.

    bench/versus.py resnet18.plan --streams=1 --versus --streams=2          what a second stream brings
    bench/versus.py resnet18.plan --versus --exportTrace=trace.json         what a trace costs
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "build/release/bin/kiln"
SEPARATOR = "--versus"


def measure(program, engine, options, folder):
    """(inferences per second, median latency in milliseconds)"""
    done = subprocess.run([program, "bench", f"--loadEngine={engine}", *options], capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return (float(re.search(r"Throughput: ([\d.e+-]+) qps", done.stdout)[1]),
            float(re.search(r"\] Latency: .*median = ([\d.e+-]+) ms", done.stdout)[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--rounds", type=int, default=7, help="of both (default: %(default)s)")
    parser.add_argument("--program", default=PROGRAM, help="default: %(default)s")
    arguments, options = parser.parse_known_args()
    if options.count(SEPARATOR) != 1:
        parser.error(f"give the options of `kiln bench` before and behind {SEPARATOR}")
    at = options.index(SEPARATOR)
    sides = [options[:at], options[at + 1:]]
    rates, latencies = ([], []), ([], [])
    with tempfile.TemporaryDirectory() as folder:
        for round_number in range(arguments.rounds):
            for side in (0, 1) if round_number % 2 == 0 else (1, 0):
                rate, latency = measure(arguments.program, arguments.engine, sides[side], folder)
                rates[side].append(rate)
                latencies[side].append(latency)
    for side, given in enumerate(sides):
        print(f"{' '.join(given) or '(no options)'}: {statistics.median(rates[side]):.1f} inferences/s, "
              f"latency {statistics.median(latencies[side]):.4f} ms")
    print(f"ratio: throughput {statistics.median(rates[1]) / statistics.median(rates[0]):.3f}, "
          f"latency {statistics.median(latencies[1]) / statistics.median(latencies[0]):.3f} ({arguments.rounds} rounds)")


if __name__ == "__main__":
    main()
