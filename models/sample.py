"""Plain numpy evaluation of layers on small samples: images are [count, channels, height, width].

Samples are float64 and what a model takes from them is rounded to a few digits, so that the order of summation, which
differs between machines and numbers of threads, does not change the model.
"""
import math

import numpy as np

COUNT = 4  # images in a sample


def images(random, size):
    """Random colour images of zero mean and unit variance, from fine noise alone to coarse blocks alone."""
    coarse = random.standard_normal([COUNT, 3, -(-size // 8), -(-size // 8)])
    blocks = coarse.repeat(8, axis=2).repeat(8, axis=3)[:, :, :size, :size]
    coarseness = np.linspace(0, 1, COUNT).reshape(-1, 1, 1, 1)
    return np.sqrt(coarseness) * blocks + np.sqrt(1 - coarseness) * random.standard_normal(blocks.shape)


def windows(x, kernel, stride, pad, fill=0.0):
    """The windows under a kernel, as a view: [count, channels, height, width, kernel height, kernel width]."""
    (ph, pw), count = pad, x.shape[:2]
    padded = np.full([*count, x.shape[2] + 2 * ph, x.shape[3] + 2 * pw], fill, x.dtype)
    padded[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]] = x
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def conv(x, weight, stride, pad, groups=1):
    """Convolution that is dense (one group) or depthwise (as many groups as channels)."""
    patches = windows(x, weight.shape[2:], stride, pad)
    if groups > 1:
        return np.einsum("nchwij,cij->nchw", patches, weight[:, 0])
    # one image at a time: the patches of all are large
    return np.stack([np.tensordot(weight, image, axes=([1, 2, 3], [0, 3, 4])) for image in patches])


def product(x, weight):
    """x weight^T, in parts, because a weight in float64 is large."""
    return np.concatenate([x @ part.T for part in np.array_split(weight, 8)], axis=1)


def pool(x, kernel, stride, pad, reduce):
    fill = -np.inf if reduce is np.max else 0.0
    return reduce(windows(x, (kernel, kernel), stride, (pad, pad), fill), axis=(4, 5))


def round_statistic(x):
    """Rounds to 1/256, to float32."""
    return (np.round(x * 256) / 256).astype(np.float32)


def channel_means(x):
    return round_statistic(x.mean(axis=(0, 2, 3)))


def channel_variances(x, means):
    """Mean square of the distance to `means`. Half of each comes from all channels: the sample of one is small."""
    own = np.mean((x - means[:, None, None]) ** 2, axis=(0, 2, 3))
    return round_statistic((own + own.mean()) / 2)


def batch_norm(x, scale, shift, mean, variance, epsilon):
    factor = scale / np.sqrt(variance + epsilon)
    return x * factor[:, None, None] + (shift - mean * factor)[:, None, None]


def layer_norm(x, scale, shift):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-6) * scale + shift


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def gelu(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
