#!/usr/bin/env python3
"""Exports networks of torchvision, timm and transformers to ONNX and compares Kiln's outputs with ONNX Runtime's.

    scripts/exports.py OUTDIR [NAME...] [--kiln build/release/bin/kiln] [--report docs/exports.md] [--only-export]

Each network is written twice: with fixed shapes (NAME.onnx) and with a dynamic batch, and sequence where it has one
(NAME.dynamic.onnx), with seeded random weights. Files that exist are kept. Each file is built without measuring and tuned; the
dynamic ones are built once and run at several shapes. Needs the packages of the section python-optional in
scripts/dependencies.txt (scripts/setup.sh --optional).
"""
import argparse
import contextlib
import inspect
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

import exports_networks

RTOL, ATOL = 1e-3, 1e-4  # the absolute part counts in units of the largest element
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
LEVELS = {"level 0": ["--builderOptimizationLevel=0"], "tuned": ["--builderOptimizationLevel=3", "--avgTiming=1"]}


def export(network, path, dynamic):
    import torch

    unfinished = f"{path}.unfinished"
    torch.manual_seed(0)
    module, inputs = network.make()
    settle(module, tuple(inputs.values()))
    shapes = {name: network.dynamic.get(name, {}) for name in inputs} if dynamic else None
    if shapes is not None:
        shapes = tuple({axis: torch.export.Dim.DYNAMIC for axis in axes} or None for axes in shapes.values())
        if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(module.forward).parameters.values()):
            shapes = (shapes,)
    if network.traced:
        options = {"dynamo": False, "opset_version": 17, "dynamic_axes": {n: list(a) for n, a in network.dynamic.items()} if dynamic else None}
    else:
        options = {"dynamo": True, "opset_version": network.opset, "external_data": False, "verbose": False, "dynamic_shapes": shapes}
    with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(inputs.values()), unfinished, input_names=list(inputs), **options)
    os.replace(unfinished, path)


def settle(module, inputs):
    """Gives untrained weights the ranges of trained ones, so that no layer hides: no zeros, normalised activations."""
    import torch

    with torch.no_grad():
        for name, p in module.named_parameters():
            if not p.is_floating_point():
                continue
            if "gamma" in name or "layer_scale" in name or "lambda" in name:
                p.uniform_(0.5, 1)
            elif p.numel() > 1 and not p.any():
                p.normal_(0, 0.1)
        norms = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        for m in norms:
            m.train()
            m.momentum = 1.0
            m.weight.mul_(0.5)  # branches count less than what they are added to: small differences do not grow
        if norms:
            module(*inputs)
        for m in norms:
            m.eval()
            m.running_var.clamp_(min=0.05)


def in_float32(path):
    """The model with all bfloat16 as float32, where ONNX Runtime has no kernels for it; as it is where nothing is bfloat16."""
    import onnx
    from onnx import TensorProto, numpy_helper

    model = onnx.load(path)
    brain = TensorProto.BFLOAT16
    tensors = list(model.graph.initializer)
    attributes = [a for n in model.graph.node for a in n.attribute]
    tensors += [a.t for a in attributes if a.type == onnx.AttributeProto.TENSOR]
    if not any(t.data_type == brain for t in tensors):
        return str(path)
    for t in tensors:
        if t.data_type == brain:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float32), t.name))
    for a in attributes:
        if a.name == "to" and a.i == brain:
            a.i = TensorProto.FLOAT
    del model.graph.value_info[:]
    return model.SerializeToString()


def feeds(session, sizes):
    """Random inputs; a dynamic dimension takes its size from `sizes` by input name and axis."""
    random, values = np.random.default_rng(1), {}
    for i in session.get_inputs():
        dims = [d if isinstance(d, int) else sizes[i.name][axis] for axis, d in enumerate(i.shape)]
        if i.type in FLOATS:
            values[i.name] = random.standard_normal(dims).astype(FLOATS[i.type])
        elif "mask" in i.name:
            values[i.name] = random.integers(0, 2, dims).astype(np.int64)
            values[i.name][:, 0] = 1  # each row reads something
        else:
            values[i.name] = random.integers(0, exports_networks.VOCABULARY, dims).astype(np.int64)
    return values


def error(got, want):
    """Largest difference in units of what is allowed: at most 1 is right."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf")
    if not want.size:
        return 0.0
    g, w = got.astype(np.float64), want.astype(np.float64)
    scale = max(1e-3, float(np.abs(w[np.isfinite(w)]).max(initial=0)))
    excess = np.abs(g - w) / (ATOL * scale + RTOL * np.abs(w))
    return float(np.where((g == w) | (np.isnan(g) & np.isnan(w)), 0, np.nan_to_num(excess, nan=np.inf)).max())


def kiln_outputs(kiln, model, values, folder, options):
    files = []
    for number, (name, value) in enumerate(values.items()):
        np.save(f"{folder}/in{number}.npy", value)
        files.append(f"{name}:{folder}/in{number}.npy")
    call = [kiln, "run", model, "--loadInputs=" + ",".join(files), f"--saveOutputs={folder}/out", *options]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().replace("\n", " ")[-300:])
    return lambda name: np.load(f"{folder}/out/{name.replace('/', '_')}.npy")


def worst(session, kiln, model, values, folder, options):
    want = session.run(None, values)
    got = kiln_outputs(kiln, model, values, folder, options)
    return max(error(got(o.name), w) for o, w in zip(session.get_outputs(), want))


def shapes_flag(option, network, names, pick):
    parts = []
    for name, dims in names.items():
        if network.dynamic.get(name):
            sizes = [pick(network.dynamic[name][axis]) if axis in network.dynamic[name] else d for axis, d in enumerate(dims)]
            parts.append(f"{name}:" + "x".join(map(str, sizes)))
    return f"--{option}=" + ",".join(parts)


def check_static(session, kiln, path, level, folder, _network):
    dims = {i.name: i.shape for i in session.get_inputs()}
    return worst(session, kiln, str(path), feeds(session, dims), folder, level)


def check_dynamic(session, kiln, path, level, folder, network):
    """Built once, run at the smallest, the largest and an odd shape between."""
    dims = {i.name: i.shape for i in session.get_inputs()}
    flags = [shapes_flag(option, network, dims, pick) for option, pick in
             (("minShapes", lambda r: r[0]), ("optShapes", lambda r: r[1]), ("maxShapes", lambda r: r[-1]))]
    engine = f"{folder}/engine.plan"
    done = subprocess.run([kiln, "build", str(path), "-o", engine, *level, *flags],
                          capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().replace("\n", " ")[-300:])
    result = 0.0
    for index in range(len(exports_networks.BATCH)):
        sizes = {name: {axis: r[index] for axis, r in axes.items()} for name, axes in network.dynamic.items()}
        result = max(result, worst(session, kiln, engine, feeds(session, sizes), folder, []))
    return result


def check(kiln, network, path, level, dynamic):
    import onnxruntime

    if not path.exists():
        return "not exported"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 4
    session = onnxruntime.InferenceSession(in_float32(path), options, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = (check_dynamic if dynamic else check_static)(session, kiln, path, level, folder, network) / network.slack
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as e:
            print(f"  {path.name}: {e}", flush=True)
            return "not built"
    return f"right ({result:.2g})" if result <= 1 else f"WRONG ({result:.2g})"


HEAD = f"""# Networks from other exporters

What `scripts/exports.py` last printed: torch's exporter wrote networks of torchvision, timm and transformers with seeded random
weights; Kiln's outputs are compared with ONNX Runtime's. In brackets: the largest difference in units of what is allowed
({RTOL:g} of the element and {ATOL:g} of the output's largest element). "level 0" takes tactics by order, "tuned" measures them. The
dynamic ones were built once (batch {exports_networks.BATCH[0]} to {exports_networks.BATCH[-1]}, sequence {exports_networks.SEQUENCE[0]} to
{exports_networks.SEQUENCE[-1]}) and run at {len(exports_networks.BATCH)} shapes. The detectors are exported by tracing and take images of any size; the
bfloat16 decoder is compared with the same model in float32 (200 times as much is allowed).

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kiln", default=str(pathlib.Path(__file__).parent.parent / "build/release/bin/kiln"))
    parser.add_argument("--report", type=pathlib.Path, help="write the table there")
    parser.add_argument("--only-export", action="store_true")
    parser.add_argument("--levels", default=",".join(LEVELS), help="which builds to check (default: all)")
    options = parser.parse_args()
    unknown = set(options.names) - set(exports_networks.NETWORKS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(exports_networks.NETWORKS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    levels = options.levels.split(",")
    columns = [f"{kind}, {level}" for kind in ("static", "dynamic") for level in levels]
    table = "| network | from | " + " | ".join(columns) + " |\n| --- | --- |" + " --- |" * len(columns) + "\n"
    bad = 0
    for name, network in exports_networks.NETWORKS.items():
        if options.names and name not in options.names:
            continue
        cells = []
        for suffix, dynamic in (("", False), (".dynamic", True)):
            path = options.out / f"{name}{suffix}.onnx"
            if not path.exists():
                start = time.time()
                try:
                    export(network, str(path), dynamic)
                    print(f"{path.name}: {path.stat().st_size >> 20} MiB, {time.time() - start:.0f} s", flush=True)
                except Exception as e:  # whatever the exporter throws is the exporter's answer
                    print(f"{path.name}: torch cannot export it: {str(e)[-600:]}", flush=True)
            if not options.only_export:
                cells += [check(options.kiln, network, path, LEVELS[level], dynamic) for level in levels]
        bad += sum(not c.startswith(("right", "not exported")) for c in cells)
        row = f"| {name} | {network.source} | " + " | ".join(cells) + " |"
        table += row + "\n"
        print(row, flush=True)
    if options.report:
        options.report.write_text(HEAD + table, encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
