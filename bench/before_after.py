#!/usr/bin/env python3
"""Compares two builds of Kiln on the networks of a folder, in one run: the rounds of both alternate, so that a machine that is busy for a
while slows both. Each ratio is before ÷ after: above 1, the second program is better. Engines are tuned by the program that runs them,
without a timing cache. Prints per network the ratios of the inference, the tuned build, the load and the peak memory of both, then their
geometric means; and what one enqueue of the network costs the second program.

    bench/before_after.py old/bin/kiln build/release/bin/kiln exported/
    bench/before_after.py old/bin/kiln build/release/bin/kiln exported/ mlp resnet18 --rounds 9
    bench/before_after.py - build/release/bin/kiln exported/ resnet18 --profiles 5     how much longer so many profiles take to build than one

The exit code is 1 when the geometric mean of the inferences is below --least-mean, or one of them below --least.
"""
import argparse
import math
import pathlib
import statistics
import sys
import tempfile

from networks import Failed, found, kiln_build, kiln_round, measured_process

MEASURES = ("inference", "build", "load", "build memory", "run memory")


class Program:
    """One build of Kiln, its engine of a network, and what was measured of it."""

    def __init__(self, kiln, seconds):
        self.kiln, self.seconds = kiln, seconds

    def build(self, model, folder):
        self.engine = folder / "engine.plan"
        cache = folder / "times.cache"
        cache.unlink(missing_ok=True)
        _, memory, seconds = kiln_build(self, model, self.engine, cache)
        self.values = {"inference": [], "build": [seconds], "load": [], "build memory": [memory], "run memory": []}
        self.enqueues = []

    def round(self):
        report, memory, _ = kiln_round(self, self.engine)
        self.values["inference"].append(found(r"Compute Time:.*median = ([0-9.e-]+) ms", report))
        self.values["load"].append(found(r"Engine loaded in ([0-9.e-]+) s", report))
        self.values["run memory"].append(memory)
        self.enqueues.append(found(r"Enqueue Time:.*median = ([0-9.e-]+) ms", report))

    def middle(self, measure):
        return statistics.median(self.values[measure])


def ratios(programs, model, rounds):
    """{measure: before ÷ after} of a network, and microseconds of one enqueue afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for i, program in enumerate(programs):
            own = pathlib.Path(folder) / str(i)
            own.mkdir()
            program.build(model, own)
        for i in range(rounds):
            for program in programs if i % 2 == 0 else reversed(programs):
                program.round()
    before, after = programs
    return ({measure: before.middle(measure) / after.middle(measure) for measure in MEASURES},
            1e3 * statistics.median(after.enqueues))


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def compare(options):
    programs = [Program(kiln, options.seconds) for kiln in (options.before, options.after)]
    rows = {}
    print(f"| network | {' | '.join(MEASURES)} | enqueue µs |\n| --- |{' --: |' * (len(MEASURES) + 1)}")
    for name in options.names:
        rows[name], enqueue = ratios(programs, options.models / f"{name}.onnx", options.rounds)
        print(f"| {name} | {' | '.join(f'{rows[name][m]:.3f}' for m in MEASURES)} | {enqueue:.2f} |", flush=True)
    means = {m: geometric_mean([row[m] for row in rows.values()]) for m in MEASURES}
    print(f"| geometric mean | {' | '.join(f'{means[m]:.3f}' for m in MEASURES)} | |")
    slow = [f"{name} {row['inference']:.3f}" for name, row in rows.items() if row["inference"] < options.least]
    if slow:
        print(f"below {options.least}: {', '.join(slow)}")
    return 1 if slow or means["inference"] < options.least_mean else 0


def build_seconds(options, model, profiles, folder):
    """Of a tuned build for batches 1 to 2 * `profiles`, two sizes in each profile."""
    cache = folder / "times.cache"
    cache.unlink(missing_ok=True)
    command = [options.after, "bench", f"--onnx={model}", "--skipInference", f"--timingCacheFile={cache}"]
    for i in range(profiles):
        if profiles > 1:
            command.append(f"--profile={i}")
        for bound, size in (("min", 2 * i + 1), ("opt", 2 * i + 1), ("max", 2 * i + 2)):
            command.append(f"--{bound}Shapes={options.input}:{size}x{options.dims}")
    return measured_process(command)[2]


def compare_profiles(options):
    print(f"| network | one profile s | {options.profiles} profiles s | ÷ |\n| --- | --: | --: | --: |")
    for name in options.names:
        times = {1: [], options.profiles: []}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(options.rounds):
                for count, list_of in times.items():
                    list_of.append(build_seconds(options, options.models / f"{name}.onnx", count, pathlib.Path(folder)))
        one, many = (statistics.median(values) for values in times.values())
        print(f"| {name} | {one:.2f} | {many:.2f} | {many / one:.2f} |", flush=True)
    return 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="program kiln of the earlier build; - with --profiles")
    parser.add_argument("after", help="program kiln of the later build")
    parser.add_argument("models", type=pathlib.Path, help="folder with NETWORK.onnx")
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="default: all files of the folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each round (default: %(default)s)")
    parser.add_argument("--least", type=float, default=0.97, help="of the inference of a network (default: %(default)s)")
    parser.add_argument("--least-mean", type=float, default=1.0, help="of all inferences (default: %(default)s)")
    parser.add_argument("--profiles", type=int, default=1, help="compare builds for so many profiles with builds for one instead")
    parser.add_argument("--input", default="x", help="the input whose first dimension the profiles bound (default: %(default)s)")
    parser.add_argument("--dims", default="3x224x224", help="its other dimensions (default: %(default)s)")
    options = parser.parse_args()
    options.names = options.names or sorted(path.stem for path in options.models.glob("*.onnx"))
    missing = [name for name in options.names if not (options.models / f"{name}.onnx").exists()]
    if missing or not options.names:
        parser.error(f"{options.models} holds no {', '.join(f'{name}.onnx' for name in missing) or '*.onnx'}")
    return options


def main():
    options = parse()
    try:
        return compare(options) if options.profiles == 1 else compare_profiles(options)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
