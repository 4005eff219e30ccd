#!/usr/bin/env python3
"""Times products of one row, which read each weight once, in float32, with weights kept in float16, and with weights of 4 and 8 bits in blocks, and prints the share of the
bandwidth with which the same threads copy memory. Fails below 0.90 in float32 and 0.80 in 4 bits, and where a build takes more than 1.3 times the memory of
the float32 weights."""
import argparse
import multiprocessing
import pathlib
import sys
import tempfile
import threading
import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from networks import ROOT, Failed, found, measured_process

LEAST = {"float32": 0.90, "float16": 0.0, "int8": 0.0, "int4": 0.80}
MOST_MEMORY = 1.3  # of a build, times the weights
BITS = {"float32": 32, "float16": 16, "int8": 8 + 32 / 32, "int4": 4 + 32 / 32}  # of a weight with its share of the scale of a block


def stack(path, width, layers):
    """`layers` products of a row of `width` numbers by square matrices."""
    random = np.random.default_rng(0)
    weights = [numpy_helper.from_array((random.standard_normal((width, width), np.float32) / np.sqrt(width)).astype(np.float32), f"w{i}")
               for i in range(layers)]
    names = ["x", *(f"t{i}" for i in range(1, layers)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]], name=f"product{i}") for i in range(layers)]
    row = [1, width]
    graph = helper.make_graph(nodes, "stack", [helper.make_tensor_value_info("x", TensorProto.FLOAT, row)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, row)], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path, save_as_external_data=True,
         location=path.name + ".data")


def copied_bytes_per_s(threads, size=1 << 28, rounds=9):
    """Of memory read and written at once, the most of several rounds."""
    pairs = [(np.ones(size // 8), np.zeros(size // 8)) for _ in range(threads)]
    best = 0.0
    for _ in range(rounds):
        workers = [threading.Thread(target=np.copyto, args=(to, source)) for source, to in pairs]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, 2 * size * threads / (time.perf_counter() - start))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=8, help="together they must not fit the caches (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kiln", default=str(ROOT / "build/release/bin/kiln"))
    options = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        model, engines, ms = pathlib.Path(folder) / "stack.onnx", {}, {}
        # By another process: the most memory of one that is started begins with that of the one that starts it.
        writer = multiprocessing.Process(target=stack, args=(model, options.width, options.layers))
        writer.start()
        writer.join()
        print("| weights | ms | GB/s of weights | copy GB/s | share | peak memory of the build ÷ weights |")
        print("| --- | --: | --: | --: | --: | --: |")
        for form in LEAST:
            engines[form] = pathlib.Path(folder) / f"{form}.engine"
            flags = {"float32": [], "float16": ["--fp16"]}.get(form, [f"--weights={form}:block=32"])
            try:
                _, memory, _ = measured_process([options.kiln, "build", str(model), *flags, "-o", str(engines[form])])
            except Failed as failure:
                sys.exit(str(failure))
            ms[form] = [float("inf"), memory]
        copies = 0.0
        for _ in range(options.rounds):
            copies = max(copies, copied_bytes_per_s(options.threads, rounds=3))
            for form, engine in engines.items():
                report = measured_process([options.kiln, "bench", f"--loadEngine={engine}", f"--threads={options.threads}", "--duration=0.5"])[0]
                ms[form][0] = min(ms[form][0], found(r"Compute Time:.*median = ([0-9.e-]+) ms", report))
        weights = options.layers * options.width ** 2
        for form, (least, memory) in ms.items():
            rate = weights * BITS[form] / 8 / least * 1e3
            share = rate / copies
            taken = memory * 2**20 / (weights * 4)
            print(f"| {form} | {least:.3f} | {rate / 1e9:.1f} | {copies / 1e9:.1f} | {share:.2f} | {taken:.2f} |")
            if taken > MOST_MEMORY:
                failures.append(f"{form}: the build takes {taken:.2f} times the memory of the weights, allowed {MOST_MEMORY}")
            if share < LEAST[form]:
                failures.append(f"{form}: {share:.2f} of the bandwidth of a copy, needs {LEAST[form]:.2f}")
    print("", *failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
