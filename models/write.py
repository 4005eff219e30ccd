#!/usr/bin/env python3
"""Writes well-known networks with seeded random weights as ONNX files."""
import argparse
import os
import sys
import time

import bert
import efficientnet
import gpt2
import inception
import mlp
import mobilenet
import recurrent
import resnet
import squeezenet
import swin
import vgg
import vit
from graph import NEWEST_OPSET, OLDEST_OPSET, ExternalData, Graph, ModelTooLarge

FAMILIES = [resnet, mobilenet, efficientnet, squeezenet, inception, vgg, bert, vit, swin, gpt2, recurrent, mlp]
CATALOGUE = {model.name: model for family in FAMILIES for model in family.MODELS}

EXAMPLES = """\
examples:
  write.py out                                   every network, batch 1
  write.py out resnet50 --batch dynamic          ResNet-50 with a symbolic dimension "batch"
  write.py out bert_base --batch dynamic --seq dynamic
  write.py out gpt2_large --external-data        3 GB of weights in out/gpt2_large.onnx.data
  write.py --list                                names, parameter counts, descriptions
"""


def dimension(text):
    """A positive number, or None for "dynamic"."""
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a positive number nor "dynamic"')
    return int(text)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="write.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", metavar="OUTDIR", nargs="?", help="folder for NAME.onnx; made when missing")
    parser.add_argument("names", metavar="NAME", nargs="*", help="networks to write; default: all but bert_large, gpt2_large and swin_b")
    parser.add_argument("--list", action="store_true", help="list the networks and stop")
    parser.add_argument("--batch", type=dimension, default=1, metavar="N|dynamic", help="batch size (default: 1)")
    parser.add_argument("--seq", type=dimension, default=128, metavar="N|dynamic",
                        help="tokens in a sequence, for BERT and GPT-2 (default: 128)")
    parser.add_argument("--opset", type=int, default=18, metavar="N",
                        help=f"version of the ONNX operators, {OLDEST_OPSET} .. {NEWEST_OPSET} (default: 18)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the weights (default: 0)")
    parser.add_argument("--external-data", action="store_true",
                        help="store the weights in NAME.onnx.data beside the model")
    options = parser.parse_args(arguments)
    if not options.list:
        check(parser, options)
    return options


def check(parser, options):
    if not options.outdir:
        parser.error("OUTDIR is missing")
    for name in options.names:
        if name not in CATALOGUE:
            parser.error(f"no network is called {name!r}; there are: {', '.join(CATALOGUE)}")
        if options.seq and 0 < CATALOGUE[name].sequence_limit < options.seq:
            parser.error(f"{name} takes at most {CATALOGUE[name].sequence_limit} tokens, --seq asks for {options.seq}")
    if not OLDEST_OPSET <= options.opset <= NEWEST_OPSET:
        parser.error(f"opset {options.opset} is not one of {OLDEST_OPSET} .. {NEWEST_OPSET}")


def write(model, path, batch=1, seq=128, opset=18, seed=0, external_data=False):
    """Writes one network; None stands for a dynamic dimension. Returns the number of parameters."""
    external = ExternalData(path + ".data") if external_data else None
    try:
        graph = Graph(model.name, batch or "batch", seq or "seq", seed, opset, external)
        model.build(graph)
    finally:
        if external:
            external.close()
    with open(path, "wb") as file:
        file.write(graph.model.SerializeToString())
    return graph.parameters


def main(arguments=None):
    options = parse(arguments)
    if options.list:
        for model in CATALOGUE.values():
            print(f"{model.name:16} {model.parameters / 1e6:8.2f} M  {model.summary}")
        return 0
    names = options.names or [model.name for model in CATALOGUE.values() if not model.on_request]
    os.makedirs(options.outdir, exist_ok=True)
    for index, name in enumerate(names):
        path, start = os.path.join(options.outdir, name + ".onnx"), time.time()
        print(f"[{index + 1:2}/{len(names)}] {name:16}", end=" ", flush=True)
        try:
            count = write(CATALOGUE[name], path, options.batch, options.seq, options.opset, options.seed,
                          options.external_data)
        except ModelTooLarge as error:
            print(f"\nerror: {error}\nremedy: add --external-data", file=sys.stderr)
            return 1
        size = os.path.getsize(path) + (os.path.getsize(path + ".data") if options.external_data else 0)
        seconds = time.time() - start
        print(f"{count / 1e6:8.2f} M parameters {size / 2**20:8.1f} MiB {seconds:6.1f} s  {path}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
