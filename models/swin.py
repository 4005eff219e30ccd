"""Swin transformers (Liu et al. 2021, arXiv:2103.14030): attention inside windows of 7x7 tokens, shifted by half a window in every second layer."""
import dataclasses

import numpy as np

from graph import Model
from transformer import BRANCH, TOKENS, attention, layer_norm

PATCH, SIZE, WINDOW = 4, 224, 7
EPSILON = 1e-5
END = np.iinfo(np.int64).max
MASKED = -100.0  # what the paper adds to scores between regions that the shift brought together


def relative_index():
    """For each pair of tokens of a window, the row of the bias table: [window^4]."""
    at = np.stack(np.meshgrid(np.arange(WINDOW), np.arange(WINDOW), indexing="ij")).reshape(2, -1)
    distance = at[:, :, None] - at[:, None, :] + WINDOW - 1
    return (distance[0] * (2 * WINDOW - 1) + distance[1]).reshape(-1)


def shift_mask(side):
    """0 between tokens of one region of the shifted image, MASKED between those of two: [1, windows, 1, tokens, tokens]."""
    region, shift = np.zeros([side, side], np.int64), WINDOW // 2
    bands = [slice(0, -WINDOW), slice(-WINDOW, -shift), slice(-shift, None)]
    for row, rows in enumerate(bands):
        for column, columns in enumerate(bands):
            region[rows, columns] = 3 * row + column
    count = side // WINDOW
    tokens = region.reshape(count, WINDOW, count, WINDOW).transpose(0, 2, 1, 3).reshape(count * count, -1)
    return np.where(tokens[:, None, :] == tokens[:, :, None], 0.0, MASKED)[None, :, None]


def roll(g, x, shift):
    """Rolls rows and columns of [batch, height, width, features] by `shift`."""
    for axis in (1, 2):
        ints = lambda value: g.constant([value], np.int64)
        tail = g.op("Slice", x, ints(-shift), ints(END), ints(axis))
        head = g.op("Slice", x, ints(0), ints(-shift), ints(axis))
        x = g.op("Concat", tail, head, axis=axis)
    return x


def window_attention(g, x, side, heads, shift):
    """Attention inside windows over [batch, side, side, features]."""
    features, count, tokens = x.channels, side // WINDOW, WINDOW * WINDOW
    if shift:
        x = roll(g, x, -shift)
    x = g.reshape(x, [-1, count, WINDOW, count, WINDOW, features])
    x = g.reshape(g.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, tokens, features])
    packed = g.linear(x, features * 3, "qkv")
    packed = dataclasses.replace(packed, channels=features, sample=packed.sample[..., :features])
    packed = g.transpose(g.reshape(packed, [0, 0, 3, heads, features // heads]), [2, 0, 3, 1, 4])
    query, key, value = (g.gather(packed, g.constant(i, np.int64), 0) for i in range(3))
    table = g.normal("bias_table", [(2 * WINDOW - 1) ** 2, heads], 0.5)
    bias = g.reshape(g.gather(table, g.constant(relative_index(), np.int64), 0), [tokens, tokens, heads])
    bias = g.op("Unsqueeze", g.transpose(bias, [2, 0, 1]), g.constant([0], np.int64))

    def masked(scores):
        scores = g.op("Add", scores, bias)
        if not shift:
            return scores
        scores = g.reshape(scores, [-1, count * count, heads, tokens, tokens])
        scores = g.op("Add", scores, g.constant(shift_mask(side)))
        return g.reshape(scores, [-1, heads, tokens, tokens])

    y = g.linear(attention(g, query, key, value, heads, masked), features, "output", BRANCH)
    y = g.reshape(y, [-1, count, count, WINDOW, WINDOW, features])
    y = g.reshape(g.transpose(y, [0, 1, 3, 2, 4, 5]), [-1, side, side, features])
    return roll(g, y, shift) if shift else y


def merge_patches(g, x):
    """Halves height and width: the features of four neighbours become twice as many as one had."""
    ints = lambda *values: g.constant(values, np.int64)
    parts = [g.op("Slice", x, ints(row, column), ints(END, END), ints(1, 2), ints(2, 2)) for column in (0, 1) for row in (0, 1)]
    joined = g.op("Concat", *parts, channels=4 * x.channels, sample=np.concatenate([x.sample] * 4, axis=-1), axis=3)
    joined = layer_norm(g, joined, EPSILON)
    weight = g.normal("reduction.weight", [joined.channels, 2 * x.channels], joined.scale(joined.channels))
    return g.op("MatMul", joined, weight, channels=2 * x.channels, sample=joined.sample @ weight.sample)


def swin(features, depths, heads):
    def build(g):
        x, side = g.conv(g.image(SIZE), features, PATCH, PATCH, pad=0, bias=True), SIZE // PATCH
        tokens = x.sample.reshape(len(x.sample), features, -1).transpose(0, 2, 1)[:, :TOKENS]
        x = dataclasses.replace(g.transpose(x, [0, 2, 3, 1]), sample=tokens)
        with g.scope("patches"):
            x = layer_norm(g, x, EPSILON)
        for stage, depth in enumerate(depths):
            with g.scope(f"stage{stage}"):
                if stage:
                    x, side = merge_patches(g, x), side // 2
                for index in range(depth):
                    with g.scope(f"layer{index}"):
                        shift = WINDOW // 2 if index % 2 and side > WINDOW else 0
                        with g.scope("attention"):
                            x = g.add(x, window_attention(g, layer_norm(g, x, EPSILON), side, heads[stage], shift))
                        with g.scope("feed_forward"):
                            y = g.gelu_erf(g.linear(layer_norm(g, x, EPSILON), 4 * x.channels, "up"))
                            x = g.add(x, g.linear(y, x.channels, "down", BRANCH))
        x = g.op("ReduceMean", layer_norm(g, x, EPSILON), g.constant([1, 2], np.int64), keepdims=0)
        x = dataclasses.replace(x, sample=x.sample.reshape(-1, x.channels))
        g.output(g.fully_connected(x, 1000), "logits", [g.batch, 1000])

    return build


MODELS = [
    Model("swin_t", swin(96, [2, 2, 6, 2], [3, 6, 12, 24]), 28_288_354, "Swin-T, 224x224"),
    Model("swin_b", swin(128, [2, 2, 18, 2], [4, 8, 16, 32]), 87_768_224, "Swin-B, 224x224", on_request=True),
]
