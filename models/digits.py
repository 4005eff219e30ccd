#!/usr/bin/env python3
"""Trains a small convolutional network on scikit-learn's handwritten digits and writes it as ONNX.

The data are 1,797 real digits of 8x8 pixels; one in five is held out and written as a test set. Training takes a few
seconds and needs numpy alone."""
import argparse
import os
import sys
import time

import numpy as np
from onnx import numpy_helper
from sklearn.datasets import load_digits

from graph import Graph
from sample import windows

EXAMPLES = """\
writes into OUTDIR:
  digits.onnx                           input "image" float32 [batch, 1, 8, 8] in 0..1, output "logits" [batch, 10]
  digits_test/input_0.npy, labels.npy   the held-out images and their digits
  digits_data/test_data_set_0/input_0.pb, output_0.pb
                                        the same images and the logits that belong to them
  digits_calibration.npz                "image": some of the images it was trained on, for kiln calibrate

examples:
  digits.py out
  digits.py out --epochs 60 --seed 1
"""
WIDTHS = (16, 32)  # channels of the two convolutions
HIDDEN = 64
BATCH = 64
CALIBRATION = 256  # images to calibrate with


def he(random, *shape):
    """Weights whose output has unit variance after a ReLU; the first dimension counts outputs."""
    return (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


class Conv:
    """3x3 convolution that keeps the size."""

    def __init__(self, random, inputs, outputs):
        self.weights = [he(random, outputs, inputs, 3, 3), np.zeros(outputs, np.float32)]

    def forward(self, x):
        self.shape = x.shape
        count, channels, height, width = x.shape
        patches = windows(x, (3, 3), 1, (1, 1)).transpose(0, 2, 3, 1, 4, 5)
        self.patches = patches.reshape(count * height * width, channels * 9)
        weight, bias = self.weights
        y = self.patches @ weight.reshape(len(weight), -1).T + bias
        return y.reshape(count, height, width, -1).transpose(0, 3, 1, 2)

    def backward(self, dy):
        count, channels, height, width = self.shape
        weight = self.weights[0]
        rows = dy.transpose(0, 2, 3, 1).reshape(-1, len(weight))
        self.gradients = [(rows.T @ self.patches).reshape(weight.shape), rows.sum(axis=0)]
        patches = (rows @ weight.reshape(len(weight), -1)).reshape(count, height, width, channels, 3, 3)
        dx = np.zeros([count, channels, height + 2, width + 2], np.float32)
        for i in range(3):
            for j in range(3):
                dx[:, :, i : i + height, j : j + width] += patches[..., i, j].transpose(0, 3, 1, 2)
        return dx[:, :, 1:-1, 1:-1]


class Relu:
    weights = []

    def forward(self, x):
        self.positive = x > 0
        return x * self.positive

    def backward(self, dy):
        return dy * self.positive


class MaxPool:
    """2x2 maxima; the gradient goes to every element that equals the maximum, in equal parts."""

    weights = []

    def forward(self, x):
        count, channels, height, width = x.shape
        tiles = x.reshape(count, channels, height // 2, 2, width // 2, 2)
        y = tiles.max(axis=(3, 5), keepdims=True)
        chosen = tiles == y
        self.share = chosen / chosen.sum(axis=(3, 5), keepdims=True, dtype=np.float32)
        return y[:, :, :, 0, :, 0]

    def backward(self, dy):
        count, channels, height, width = dy.shape
        return (self.share * dy[:, :, :, None, :, None]).reshape(count, channels, height * 2, width * 2)


class Flatten:
    weights = []

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class FullyConnected:
    def __init__(self, random, inputs, outputs):
        self.weights = [he(random, outputs, inputs), np.zeros(outputs, np.float32)]

    def forward(self, x):
        self.x = x
        return x @ self.weights[0].T + self.weights[1]

    def backward(self, dy):
        self.gradients = [dy.T @ self.x, dy.sum(axis=0)]
        return dy @ self.weights[0]


class Adam:
    """Adam (Kingma and Ba 2014, arXiv:1412.6980), updating arrays in place."""

    def __init__(self, weights, decays=(0.9, 0.999)):
        self.weights, self.decays, self.step = weights, decays, 0
        self.first, self.second = ([np.zeros_like(w) for w in weights] for _ in range(2))

    def update(self, gradients, rate):
        self.step += 1
        a, b = self.decays
        for weight, first, second, gradient in zip(self.weights, self.first, self.second, gradients):
            first += (1 - a) * (gradient - first)
            second += (1 - b) * (gradient**2 - second)
            corrected = np.sqrt(second / (1 - b**self.step)) + 1e-8
            weight -= np.float32(rate / (1 - a**self.step)) * first / corrected


def network(random):
    side = 8 // 2
    return [Conv(random, 1, WIDTHS[0]), Relu(), Conv(random, *WIDTHS), Relu(), MaxPool(), Flatten(),
            FullyConnected(random, WIDTHS[1] * side * side, HIDDEN), Relu(), FullyConnected(random, HIDDEN, 10)]


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def accuracy(layers, images, labels):
    return float(np.mean(forward(layers, images).argmax(axis=1) == labels))


def loss_gradient(logits, labels):
    """Mean cross entropy and its gradient."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels] + 1e-12).mean()
    probabilities[rows, labels] -= 1
    return loss, probabilities / np.float32(len(labels))


def shifted(random, images):
    """Every image moved by up to one pixel in each direction."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moves = random.integers(0, 3, [len(images), 2])
    return np.stack([image[:, i : i + 8, j : j + 8] for image, (i, j) in zip(padded, moves)])


def train(layers, images, labels, epochs, random):
    trained = [layer for layer in layers if layer.weights]
    adam = Adam([weight for layer in trained for weight in layer.weights])
    for epoch in range(epochs):
        order, losses = random.permutation(len(images)), []
        rate = 2e-3 * (1 + np.cos(np.pi * epoch / epochs)) / 2
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            loss, gradient = loss_gradient(forward(layers, shifted(random, images[chosen])), labels[chosen])
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            adam.update([g for layer in trained for g in layer.gradients], rate)
            losses.append(loss)
        if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
            print(f"epoch {epoch + 1:3}/{epochs}  loss {np.mean(losses):.4f}", flush=True)


def load(random):
    """Training images and labels, held-out images and labels; images are float32 [count, 1, 8, 8] in 0..1."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    order = random.permutation(len(images))
    held_out = len(images) // 5
    test, rest = order[:held_out], order[held_out:]
    return images[rest], labels[rest], images[test], labels[test]


# what each layer is in ONNX: operator, stem of its name, attributes
OPERATORS = {
    Conv: ("Conv", "conv", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
    Relu: ("Relu", "relu", {}),
    MaxPool: ("MaxPool", "pool", dict(kernel_shape=[2, 2], strides=[2, 2])),
    Flatten: ("Flatten", "flatten", {}),
    FullyConnected: ("Gemm", "fc", dict(transB=1)),
}


def build(layers):
    """The network as an ONNX model."""
    graph = Graph("digits", batch="batch")
    x = graph.input("image", ["batch", 1, 8, 8])
    for layer in layers:
        kind, label, attributes = OPERATORS[type(layer)]
        name = graph.next_name(label)
        weights = [graph.weight(f"{name}.{what}", array) for what, array in zip(("weight", "bias"), layer.weights)]
        x = graph.op(kind, x, *weights, label=label, **attributes)
    graph.output(x, "logits", ["batch", 10])
    return graph.model


def save(outdir, model, images, labels, logits):
    with open(os.path.join(outdir, "digits.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    test, data = os.path.join(outdir, "digits_test"), os.path.join(outdir, "digits_data", "test_data_set_0")
    os.makedirs(test, exist_ok=True)
    os.makedirs(data, exist_ok=True)
    np.save(os.path.join(test, "input_0.npy"), images)
    np.save(os.path.join(test, "labels.npy"), labels)
    for name, value, array in (("input_0.pb", "image", images), ("output_0.pb", "logits", logits)):
        with open(os.path.join(data, name), "wb") as file:
            file.write(numpy_helper.from_array(array, value).SerializeToString())


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="digits.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", metavar="OUTDIR", help="folder for the files; made when missing")
    parser.add_argument("--epochs", type=int, default=30, metavar="N",
                        help="passes over the training set (default: 30)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of the split, the weights and the order (default: 0)")
    options = parser.parse_args(arguments)
    start, random = time.time(), np.random.default_rng(options.seed)
    images, labels, test_images, test_labels = load(random)
    layers = network(random)
    print(f"training on {len(images)} digits, {len(test_images)} held out", flush=True)
    train(layers, images, labels, options.epochs, random)
    os.makedirs(options.outdir, exist_ok=True)
    np.savez(os.path.join(options.outdir, "digits_calibration.npz"), image=images[:CALIBRATION])
    save(options.outdir, build(layers), test_images, test_labels, forward(layers, test_images).astype(np.float32))
    print(f"held-out accuracy {100 * accuracy(layers, test_images, test_labels):.2f} %  ({time.time() - start:.1f} s)  "
          f"{os.path.join(options.outdir, 'digits.onnx')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
