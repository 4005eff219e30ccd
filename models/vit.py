"""ViT-B/16 (Dosovitskiy et al. 2020, arXiv:2010.11929): 12 layers, 768 features, 12 heads, patches of 16x16."""
import dataclasses

import numpy as np

from graph import Model
from transformer import BRANCH, TOKENS, attention, layer_norm

FEATURES, LAYERS, HEADS, PATCH, SIZE = 768, 12, 12, 16, 224
PATCHES = (SIZE // PATCH) ** 2
EPSILON = 1e-6


def class_token(g, image):
    """The learned token repeated for each image, [batch, 1, features]."""
    token = g.normal("class_token", [1, 1, FEATURES], 1.0)
    if isinstance(g.batch, int):
        return g.op("Expand", token, g.constant([g.batch, 1, FEATURES], np.int64))
    count = g.op("Shape", image, start=0, end=1)
    return g.op("Expand", token, g.op("Concat", count, g.constant([1, FEATURES], np.int64), axis=0))


def self_attention(g, x):
    """One product for query, key and value together."""
    packed = g.linear(x, FEATURES * 3, "qkv")
    packed = dataclasses.replace(packed, channels=FEATURES, sample=packed.sample[..., :FEATURES])
    packed = g.transpose(g.reshape(packed, [0, 0, 3, HEADS, FEATURES // HEADS]), [2, 0, 3, 1, 4])
    query, key, value = (g.gather(packed, g.constant(i, np.int64), 0) for i in range(3))
    return g.linear(attention(g, query, key, value, HEADS, lambda scores: scores), FEATURES, "output", BRANCH)


def vit_b16(g):
    image = g.image(SIZE)
    x = g.conv(image, FEATURES, PATCH, PATCH, pad=0, bias=True)
    tokens = x.sample.reshape(len(x.sample), FEATURES, -1).transpose(0, 2, 1)[:, :TOKENS]
    x = g.transpose(g.reshape(x, [0, FEATURES, PATCHES]), [0, 2, 1])
    x = g.op("Concat", class_token(g, image), x, sample=tokens, axis=1)
    x = g.op("Add", x, g.normal("position", [1, PATCHES + 1, FEATURES], 0.5))
    for index in range(LAYERS):
        with g.scope(f"layer{index}"):
            with g.scope("attention"):
                x = g.add(x, self_attention(g, layer_norm(g, x, EPSILON)))
            with g.scope("feed_forward"):
                y = g.gelu_erf(g.linear(layer_norm(g, x, EPSILON), FEATURES * 4, "up"))
                x = g.add(x, g.linear(y, FEATURES, "down", BRANCH))
    x = g.gather(layer_norm(g, x, EPSILON), g.constant(0, np.int64), 1)
    x = dataclasses.replace(x, sample=x.sample.reshape(-1, FEATURES))
    g.output(g.fully_connected(x, 1000), "logits", [g.batch, 1000])


MODELS = [Model("vit_b16", vit_b16, 86_567_656, "ViT-B/16, 224x224")]
