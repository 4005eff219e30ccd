#!/usr/bin/env python3
"""Times Kiln's engines of one network in several forms: float32, bfloat16, quantized by Kiln on seeded data, and quantized by ONNX Runtime in
pairs (Q/DQ) and in operators of integers. Interleaved rounds, least times, and what each form changes of the results of random inputs.

Fails when a narrow form is slower than float32, or when the two forms of ONNX Runtime differ by more than 3 %. Needs the packages of
`scripts/setup.sh --optional`."""
import argparse
import pathlib
import subprocess
import sys

import numpy as np
import onnx

import quantized
from networks import ROOT, Failed, found, measured_process, write_models

SAME = 1.03         # of two forms of one network
SLOWER = 1.02       # than float32: noise, beyond it a failure
SAMPLES = 4         # to calibrate on
FORMS = ("float32", "bfloat16", "calibrated", "pairs", "operators")
DEFAULT = ("resnet50", "mobilenet_v2", "bert_base")
HEAD = """| network | form | ms | float32 ÷ this | error of the results | build s |
| --- | --- | --: | --: | --: | --: |"""


def random_inputs(model, random):
    """{name: array}; integers are 0 or 1, dimensions that are not numbers 1."""
    values = {}
    for value in onnx.load(model, load_external_data=False).graph.input:
        kind = value.type.tensor_type
        dims = [d.dim_value or 1 for d in kind.shape.dim]
        if kind.elem_type == onnx.TensorProto.FLOAT:
            values[value.name] = random.uniform(-1, 1, dims).astype(np.float32)
        else:
            values[value.name] = random.integers(0, 2, dims).astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return values


class Form:
    """An engine, its least time, and its results of the inputs in a folder."""

    def __init__(self, options, folder, name, model, *flags):
        self.name, self.options, self.engine = name, options, folder / f"{model.stem}.{name}.engine"
        command = [options.kiln, "build", str(model), "-o", str(self.engine), *flags]
        self.report, _, self.build_s = measured_process(command)
        self.ms = float("inf")

    def run_round(self):
        report = measured_process([self.options.kiln, "bench", f"--loadEngine={self.engine}", f"--duration={self.options.seconds}"])[0]
        self.ms = min(self.ms, found(r"Compute Time:.*median = ([0-9.e-]+) ms", report))

    def results(self, inputs, out):
        given = ",".join(f"{name}:{path}" for name, path in inputs.items())
        measured_process([self.options.kiln, "run", str(self.engine), f"--loadInputs={given}", f"--saveOutputs={out}"])
        with np.load(out) as arrays:
            return {name: arrays[name].astype(np.float64) for name in arrays}


def forms_of(name, folder, options):
    """Float32 first."""
    model = folder / f"{name}.onnx"
    write_models(folder, [name])
    random = np.random.default_rng(0)
    samples = [random_inputs(model, random) for _ in range(SAMPLES)]
    data = folder / f"{name}.npz"
    np.savez(data, **{key: np.stack([sample[key] for sample in samples]) for key in samples[0]})
    made = [Form(options, folder, "float32", model)]
    if "bfloat16" in options.forms:
        made.append(Form(options, folder, "bfloat16", model, "--bf16"))
    if "calibrated" in options.forms:
        calibrated = folder / f"{name}.calib"
        table = measured_process([options.kiln, "calibrate", str(model), f"--data={data}", "-o", str(calibrated)])[0]
        print(f"{name}, ranges of tensors:", table, sep="\n", flush=True)
        made.append(Form(options, folder, "calibrated", model, "--int8", f"--calib={calibrated}"))
    for form, suffix, flags in (("pairs", quantized.SUFFIX, []), ("operators", quantized.OPERATORS, ["--operators"])):
        if form in options.forms:
            subprocess.run([sys.executable, str(ROOT / "bench/quantized.py"), str(model), *flags], check=True)
            made.append(Form(options, folder, form, folder / f"{name}{suffix}.onnx"))
    return made


def error(got, wanted):
    """‖got - wanted‖ / ‖wanted‖ of the worst output."""
    worst = 0.0
    for name, want in wanted.items():
        size = float(np.linalg.norm(want))
        difference = float(np.linalg.norm(got[name] - want))
        worst = max(worst, difference / size if size else float(difference > 0))
    return worst


def problems(name, ms):
    """What a network's forms, {form: ms}, do not reach."""
    for form, taken in ms.items():
        if form != "float32" and taken > SLOWER * ms["float32"]:
            yield f"{name}: {form} takes {taken / ms['float32']:.3f} times as long as float32"
    if "pairs" in ms and "operators" in ms:
        ratio = max(ms["pairs"], ms["operators"]) / min(ms["pairs"], ms["operators"])
        if ratio > SAME:
            yield f"{name}: pairs take {ms['pairs']:.4g} ms, operators {ms['operators']:.4g} ms, which differ by more than {SAME - 1:.0%}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=DEFAULT, metavar="NETWORK", help=f"of models/write.py (default: {', '.join(DEFAULT)})")
    parser.add_argument("--forms", default=",".join(FORMS), type=lambda text: text.split(","), help="beside float32 (default: %(default)s)")
    parser.add_argument("--kiln", default=str(ROOT / "build/release/bin/kiln"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each round (default: %(default)s)")
    options = parser.parse_args()
    unknown = sorted(set(options.forms) - set(FORMS))
    if unknown:
        parser.error(f"unknown forms: {', '.join(unknown)}; there are {', '.join(FORMS)}")
    return options


def main():
    options = parse()
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    lines, failures = [], []
    for name in options.names:
        try:
            forms = forms_of(name, folder, options)
            for _ in range(options.rounds):
                for form in forms:
                    form.run_round()
            inputs = {}
            for key, array in random_inputs(folder / f"{name}.onnx", np.random.default_rng(1)).items():
                inputs[key] = folder / f"{name}.{len(inputs)}.npy"
                np.save(inputs[key], array)
            wanted = forms[0].results(inputs, folder / "wanted.npz")
            for form in forms:
                got = form.results(inputs, folder / "got.npz")
                lines.append(f"| {name} | {form.name} | {form.ms:.4g} | {forms[0].ms / form.ms:.2f} | {error(got, wanted):.2g} | {form.build_s:.1f} |")
            failures += problems(name, {form.name: form.ms for form in forms})
        except Failed as failure:
            failures.append(f"{name}: {failure}")
    print(HEAD, *lines, "", *failures, f"{len(options.names)} networks, {len(failures)} problems", sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
