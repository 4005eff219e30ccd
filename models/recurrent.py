"""A recurrent network: two LSTM layers (256 to 512 features), 64 steps, and a linear layer to 128 features."""
import math

import numpy as np

from graph import Model

FEATURES, HIDDEN, OUTPUTS, STEPS = 256, 512, 128, 64


def lstm_layer(g, x):
    """One LSTM over [steps, batch, features]; initial states are zero."""
    name = g.next_name("lstm")
    weight = g.normal(f"{name}.weight", [1, 4 * HIDDEN, x.channels], x.scale(x.channels))
    recurrence = g.normal(f"{name}.recurrence", [1, 4 * HIDDEN, HIDDEN], 1 / math.sqrt(HIDDEN))
    bias = g.normal(f"{name}.bias", [1, 8 * HIDDEN], 0.1)
    # The products of gates that an LSTM gives are near 0.2 in size.
    guess = 0.2 * g.random(name).standard_normal([STEPS, HIDDEN])
    y = g.op("LSTM", x, weight, recurrence, bias, channels=HIDDEN, sample=guess, hidden_size=HIDDEN)
    return g.op("Squeeze", y, g.constant([1], np.int64))


def lstm(g):
    sample = g.random("x").standard_normal([STEPS, FEATURES])
    x = g.input("x", [g.batch, STEPS, FEATURES], channels=FEATURES, sample=sample)
    x = g.transpose(x, [1, 0, 2])
    x = g.transpose(lstm_layer(g, lstm_layer(g, x)), [1, 0, 2])
    g.output(g.linear(x, OUTPUTS, "linear"), "y", [g.batch, STEPS, OUTPUTS])


MODELS = [Model("lstm", lstm, 3_743_872, "LSTM: 2 layers, 256 to 512 features, 64 steps; linear layer to 128")]
