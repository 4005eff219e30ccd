"""Parts that the transformers share.

Hidden states are [batch, seq, features]; split into heads they are [batch, heads, seq, features of a head].
"""
import dataclasses
import math

import numpy as np

import sample

TOKENS = 16  # tokens in a sample
BRANCH = 0.3  # size of what a residual branch adds, so that a token's own content outlives all layers


def layer_norm(g, x, epsilon):
    """LayerNormalization over the last dimension, as one node."""
    scale, shift = normalization_weights(g, x)
    y = sample.layer_norm(x.sample, scale.sample, shift.sample)
    return g.op("LayerNormalization", x, scale, shift, label="norm", sample=y, axis=-1, epsilon=epsilon)


def layer_norm_decomposed(g, x, epsilon):
    """LayerNormalization over the last dimension, as the nine nodes that older exporters write."""
    scale, shift = normalization_weights(g, x)
    axes = g.constant([-1], np.int64)
    with g.scope("norm"):
        centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
        variance = g.op("ReduceMean", g.op("Pow", centred, g.constant(2.0)), axes, keepdims=1)
        deviation = g.op("Sqrt", g.op("Add", variance, g.constant(epsilon)))
        y = g.op("Add", g.op("Mul", g.op("Div", centred, deviation), scale), shift)
    return dataclasses.replace(y, sample=sample.layer_norm(x.sample, scale.sample, shift.sample))


def normalization_weights(g, x):
    """Scale and shift of a layer normalisation, near one and zero."""
    with g.scope("norm"):
        return g.normal("weight", [x.channels], 0.1, 1.0), g.normal("bias", [x.channels], 0.1)


def split_heads(g, x, heads):
    """[batch, seq, features] to [batch, heads, seq, features of a head]."""
    return g.transpose(g.reshape(x, [0, 0, heads, x.channels // heads]), [0, 2, 1, 3])


def attention(g, query, key, value, heads, mask):
    """softmax(query key^T / sqrt(features of a head)) value, heads merged. `mask` maps the scores."""
    features = query.channels
    scores = g.op("MatMul", query, g.transpose(key, [0, 1, 3, 2]))
    scores = g.mul(scores, g.constant(1 / math.sqrt(features // heads)))
    # The sample of the values stands for that of their average: smaller, by what a softmax over normal scores leaves.
    context = g.op("MatMul", g.op("Softmax", mask(scores), axis=-1), value, sample=value.sample * 0.4)
    return g.reshape(g.transpose(context, [0, 2, 1, 3]), [0, 0, features], channels=features)


def positions(g, ids):
    """The positions 0 .. seq-1, int64 [seq]: a constant when seq is a number, else computed from the shape of `ids`."""
    if isinstance(g.seq, int):
        return g.constant(np.arange(g.seq), np.int64)
    scalar = lambda value: g.constant(value, np.int64)
    length = g.gather(g.op("Shape", ids), scalar(1), 0)
    return g.op("Range", scalar(0), length, scalar(1))


def look_up(g, table, index):
    """Rows of an embedding table."""
    return dataclasses.replace(g.gather(table, index, 0), sample=table.sample[:TOKENS].astype(np.float64))
