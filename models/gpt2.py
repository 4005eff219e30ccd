"""GPT-2 (Radford et al. 2019), small and large, without a key-value cache.

The output layer shares its weights with the token table.
"""
import math

import numpy as np

from graph import Model
from transformer import BRANCH, attention, layer_norm, look_up, positions, split_heads

VOCABULARY, POSITIONS = 50257, 1024
EPSILON = 1e-5


def causal_mask(g, places):
    """A function of scores that hides what lies after the position itself."""
    row, column = (g.op("Unsqueeze", places, g.constant([axis], np.int64)) for axis in (0, 1))
    seen = g.op("LessOrEqual", row, column)
    hidden = g.constant(np.finfo(np.float32).min)
    return lambda scores: g.op("Where", seen, scores, hidden)


def self_attention(g, x, heads, mask):
    features = x.channels
    packed = g.linear(x, features * 3, "qkv")
    parts = g.op("Split", packed, g.constant([features] * 3, np.int64), outputs=3, channels=features,
                 sample=packed.sample[..., :features], axis=-1)
    query, key, value = (split_heads(g, part, heads) for part in parts)
    return g.linear(attention(g, query, key, value, heads, mask), features, "output", BRANCH)


def gpt2(g, layers, features, heads):
    ids = g.input("ids", [g.batch, g.seq], np.int64)
    tokens = g.normal("tokens", [VOCABULARY, features], 1 / math.sqrt(features))
    places = positions(g, ids)
    mask = causal_mask(g, places)
    x = g.add(look_up(g, tokens, ids), look_up(g, g.normal("positions", [POSITIONS, features], 0.01), places))
    for index in range(layers):
        with g.scope(f"layer{index}"):
            with g.scope("attention"):
                x = g.add(x, self_attention(g, layer_norm(g, x, EPSILON), heads, mask))
            with g.scope("feed_forward"):
                y = g.gelu_tanh(g.linear(layer_norm(g, x, EPSILON), features * 4, "up"))
                x = g.add(x, g.linear(y, features, "down", BRANCH))
    x = layer_norm(g, x, EPSILON)
    x = g.op("MatMul", x, g.transpose(tokens, [1, 0]))
    g.output(x, "logits", [g.batch, g.seq, VOCABULARY])


MODELS = [
    Model("gpt2", lambda g: gpt2(g, 12, 768, 12), 124_439_808, "GPT-2 small: int64 ids [batch, seq]",
          sequence_limit=POSITIONS),
    Model("gpt2_large", lambda g: gpt2(g, 36, 1280, 20), 774_030_080, "GPT-2 large, 3 GB, needs --external-data",
          sequence_limit=POSITIONS, on_request=True),
]
