"""BERT, uncased (Devlin et al. 2018, arXiv:1810.04805).

Layer normalisation and GELU are written as chains of elementary nodes, as older exporters do.
"""
import dataclasses

import numpy as np

from graph import Model
from transformer import BRANCH, attention, layer_norm_decomposed, look_up, positions, split_heads

VOCABULARY, POSITIONS = 30522, 512
EPSILON = 1e-12


def embeddings(g, ids, features):
    with g.scope("embeddings"):
        words = look_up(g, g.normal("words", [VOCABULARY, features], 1.0), ids)
        kind = g.gather(g.normal("types", [2, features], 0.1), g.constant(0, np.int64), 0)
        place = look_up(g, g.normal("positions", [POSITIONS, features], 0.5), positions(g, ids))
        x = g.add(words, dataclasses.replace(kind, sample=kind.sample[0]))
        return layer_norm_decomposed(g, g.add(x, place), EPSILON)


def additive_mask(g, mask):
    """0 where `mask` is 1, the lowest float where it is 0, as [batch, 1, 1, seq]."""
    with g.scope("mask"):
        kept = g.op("Cast", g.op("Unsqueeze", mask, g.constant([1, 2], np.int64)), to=1)
        return g.op("Mul", g.op("Sub", g.constant(1.0), kept), g.constant(np.finfo(np.float32).min))


def layer(g, x, bias, heads):
    features = x.channels
    with g.scope("attention"):
        query, key, value = (split_heads(g, g.linear(x, features, name), heads) for name in ("query", "key", "value"))
        y = attention(g, query, key, value, heads, lambda scores: g.op("Add", scores, bias))
        x = layer_norm_decomposed(g, g.add(g.linear(y, features, "output", BRANCH), x), EPSILON)
    with g.scope("feed_forward"):
        y = g.linear(g.gelu_erf(g.linear(x, features * 4, "up")), features, "down", BRANCH)
        return layer_norm_decomposed(g, g.add(y, x), EPSILON)


def bert(layers, features, heads):
    def build(g):
        ids = g.input("ids", [g.batch, g.seq], np.int64)
        mask = g.input("mask", [g.batch, g.seq], np.int64)
        bias = additive_mask(g, mask)
        x = embeddings(g, ids, features)
        for index in range(layers):
            with g.scope(f"layer{index}"):
                x = layer(g, x, bias, heads)
        with g.scope("pooler"):
            pooled = g.tanh(g.fully_connected(g.gather(x, g.constant(0, np.int64), 1), features))
        g.output(x, "last_hidden_state", [g.batch, g.seq, features])
        g.output(pooled, "pooled", [g.batch, features])

    return build


MODELS = [
    Model("bert_base", bert(12, 768, 12), 109_482_240, "BERT-base, uncased: int64 ids and mask [batch, seq]",
          sequence_limit=POSITIONS),
    Model("bert_large", bert(24, 1024, 16), 335_141_888, "BERT-large, uncased: int64 ids and mask [batch, seq]",
          sequence_limit=POSITIONS, on_request=True),
]
