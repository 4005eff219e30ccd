"""BERT-base, uncased (Devlin et al. 2018, arXiv:1810.04805): 12 layers, 768 features, 12 heads.

Layer normalisation and GELU are written as chains of elementary nodes, as older exporters do.
"""
import dataclasses

import numpy as np

from graph import Model
from transformer import BRANCH, attention, layer_norm_decomposed, look_up, positions, split_heads

VOCABULARY, POSITIONS, FEATURES, LAYERS, HEADS = 30522, 512, 768, 12, 12
EPSILON = 1e-12


def embeddings(g, ids):
    with g.scope("embeddings"):
        words = look_up(g, g.normal("words", [VOCABULARY, FEATURES], 1.0), ids)
        kind = g.gather(g.normal("types", [2, FEATURES], 0.1), g.constant(0, np.int64), 0)
        place = look_up(g, g.normal("positions", [POSITIONS, FEATURES], 0.5), positions(g, ids))
        x = g.add(words, dataclasses.replace(kind, sample=kind.sample[0]))
        return layer_norm_decomposed(g, g.add(x, place), EPSILON)


def additive_mask(g, mask):
    """0 where `mask` is 1, the lowest float where it is 0, as [batch, 1, 1, seq]."""
    with g.scope("mask"):
        kept = g.op("Cast", g.op("Unsqueeze", mask, g.constant([1, 2], np.int64)), to=1)
        return g.op("Mul", g.op("Sub", g.constant(1.0), kept), g.constant(np.finfo(np.float32).min))


def layer(g, x, bias):
    with g.scope("attention"):
        query, key, value = (split_heads(g, g.linear(x, FEATURES, name), HEADS) for name in ("query", "key", "value"))
        y = attention(g, query, key, value, HEADS, lambda scores: g.op("Add", scores, bias))
        x = layer_norm_decomposed(g, g.add(g.linear(y, FEATURES, "output", BRANCH), x), EPSILON)
    with g.scope("feed_forward"):
        y = g.linear(g.gelu_erf(g.linear(x, FEATURES * 4, "up")), FEATURES, "down", BRANCH)
        return layer_norm_decomposed(g, g.add(y, x), EPSILON)


def bert_base(g):
    ids = g.input("ids", [g.batch, g.seq], np.int64)
    mask = g.input("mask", [g.batch, g.seq], np.int64)
    bias = additive_mask(g, mask)
    x = embeddings(g, ids)
    for index in range(LAYERS):
        with g.scope(f"layer{index}"):
            x = layer(g, x, bias)
    with g.scope("pooler"):
        pooled = g.tanh(g.fully_connected(g.gather(x, g.constant(0, np.int64), 1), FEATURES))
    g.output(x, "last_hidden_state", [g.batch, g.seq, FEATURES])
    g.output(pooled, "pooled", [g.batch, FEATURES])


MODELS = [
    Model("bert_base", bert_base, 109_482_240, "BERT-base, uncased: int64 ids and mask [batch, seq]",
          sequence_limit=POSITIONS),
]
