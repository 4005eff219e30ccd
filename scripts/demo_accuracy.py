#!/usr/bin/env python3
"""Prints the share of right answers in the logits of an engine; fails when it is too small."""
import argparse
import sys

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logits", help="float array [images, classes] as .npy")
    parser.add_argument("labels", help="integer array [images] as .npy")
    parser.add_argument("--least", type=float, default=0.0, help="share that is needed, 0 to 1")
    arguments = parser.parse_args()
    logits, labels = np.load(arguments.logits), np.load(arguments.labels)
    if logits.ndim != 2 or len(logits) != len(labels):
        sys.exit(f"{arguments.logits} has the shape {logits.shape}, but there are {len(labels)} labels")
    right = int((logits.argmax(axis=1) == labels).sum())
    share = right / len(labels)
    print(f"test accuracy from the engine: {100 * share:.2f} %  ({right} of {len(labels)} held-out digits)")
    return 0 if share >= arguments.least else f"less than {100 * arguments.least:g} %"


if __name__ == "__main__":
    sys.exit(main())
