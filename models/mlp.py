"""A small multilayer perceptron, 256 to six times 64 to 8 features: it measures overhead, not arithmetic."""
import numpy as np

from graph import Model

FEATURES, HIDDEN, OUTPUTS = 256, [64] * 6, 8


def mlp(g):
    sample = g.random("x").standard_normal([16, FEATURES])
    x = g.input("x", [g.batch, FEATURES], channels=FEATURES, sample=sample)
    for features in HIDDEN:
        x = g.relu(g.fully_connected(x, features))
    g.output(g.fully_connected(x, OUTPUTS), "y", [g.batch, OUTPUTS])


MODELS = [Model("mlp", mlp, 37_768, "MLP: 256 to 6 x 64 to 8 features, ReLU")]
