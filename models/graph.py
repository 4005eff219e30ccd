"""A small builder of ONNX graphs with seeded weights.

`Graph` appends nodes and initialisers under readable names (`layer1.0.conv1`, `layer1.0.relu1`). Every `Value` carries
a sample: what it holds for a few random inputs, computed as the graph grows. Random weights are scaled by it (He's and
Xavier's rules, with the measured mean square in place of the assumed one), and the statistics of batch normalisations
are taken from it, as training would. So activations stay near unit size at any depth and outputs depend on inputs. The
evaluation lives in `sample.py`.
"""
import contextlib
import dataclasses
import math
import os
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper

import sample

EXTERNAL_ALIGNMENT = 4096  # a page, so that a reader can map each tensor
EXTERNAL_THRESHOLD = 1024  # smaller tensors stay inside the model file
PROTOBUF_LIMIT = 2**31 - 1
OLDEST_OPSET = 18  # the first in which ReduceMean takes its axes as an input
NEWEST_OPSET = max(version for domain, version in helper.OP_SET_ID_VERSION_MAP if domain == "ai.onnx")
CENTRING = 0.3  # part of the channel means of a convolution that the bias or batch normalisation after it removes


class ModelTooLarge(Exception):
    """The model does not fit into one protobuf message."""


@dataclasses.dataclass(frozen=True)
class Value:
    """A tensor of the graph: its name, its number of channels (or features), and a sample of its contents."""

    name: str
    channels: int = 0
    sample: np.ndarray = None

    def scale(self, fan_in):
        """Standard deviation of the weights that turn this value into one of unit mean square, to three digits."""
        return float(f"{1 / math.sqrt(fan_in * float(np.mean(self.sample**2))):.3g}")


@dataclasses.dataclass(frozen=True)
class Model:
    """An entry of the catalogue: `build(graph)` adds the network, `parameters` is the published count."""

    name: str
    build: object
    parameters: int
    summary: str
    sequence_limit: int = 0   # longest sequence; 0: the network has no sequence dimension
    on_request: bool = False  # written only when named


def tensor_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


class ExternalData:
    """The file beside a model that holds its weights."""

    def __init__(self, path):
        self.location = os.path.basename(path)
        self.file = open(path, "wb")

    def store(self, tensor, array):
        offset = -(-self.file.tell() // EXTERNAL_ALIGNMENT) * EXTERNAL_ALIGNMENT
        self.file.seek(offset)
        self.file.write(array.tobytes())
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.location), ("offset", offset), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))

    def close(self):
        self.file.close()


class Graph:
    """One ONNX model under construction. `batch` and `seq` are numbers, or names of symbolic dimensions."""

    def __init__(self, name, batch=1, seq=128, seed=0, opset=18, external=None):
        self.batch, self.seq, self.seed, self.external = batch, seq, seed, external
        opsets = [helper.make_opsetid("", opset)]
        self.model = onnx.ModelProto(ir_version=helper.find_min_ir_version_for(opsets), producer_name="kiln-models")
        self.model.opset_import.extend(opsets)
        self.graph = self.model.graph
        self.graph.name = name
        self.parameters = 0   # learned numbers
        self.bytes = 0        # of weights inside the model file
        self._scope = ""
        self._counts = {}
        self._constants = {}

    # Names

    @contextlib.contextmanager
    def scope(self, name):
        """Prefixes the names of all that is added inside with `name` and a dot."""
        outer, self._scope = self._scope, f"{self._scope}{name}."
        yield
        self._scope = outer

    def _fresh(self, kind):
        stem = self._scope + kind
        self._counts[stem] = self._counts.get(stem, 0) + 1
        return f"{stem}{self._counts[stem]}"

    # Inputs, outputs, weights

    def input(self, name, shape, dtype=np.float32, channels=0, sample=None):
        self.graph.input.append(helper.make_tensor_value_info(name, tensor_type(dtype), shape))
        return Value(name, channels, sample)

    def image(self, size):
        """The input "image": colour images of size * size, scaled to zero mean and unit variance."""
        images = sample.images(self.random("image"), size)
        return self.input("image", [self.batch, 3, size, size], channels=3, sample=images)

    def output(self, value, name, shape, dtype=np.float32):
        """Makes `value` an output of the model under the given name."""
        for node in self.graph.node:
            for names in (node.input, node.output):
                for i, old in enumerate(names):
                    if old == value.name:
                        names[i] = name
        self.graph.output.append(helper.make_tensor_value_info(name, tensor_type(dtype), shape))

    def _initializer(self, name, array):
        array = np.asarray(array, order="C")
        tensor = self.graph.initializer.add(name=name, data_type=tensor_type(array.dtype), dims=array.shape)
        if self.external and array.nbytes >= EXTERNAL_THRESHOLD:
            self.external.store(tensor, array)
            return name
        self.bytes += array.nbytes
        if self.bytes > PROTOBUF_LIMIT:
            raise ModelTooLarge(f"{self.graph.name}: weights exceed 2 GiB, the limit of one ONNX file")
        tensor.raw_data = array.tobytes()
        return name

    def constant(self, value, dtype=np.float32):
        """A number or a list that is not learned; equal constants share one initialiser."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._initializer(f"constant{len(self._constants) + 1}", array)
        return Value(self._constants[key], sample=array)

    def random(self, name):
        """A generator of its own for each tensor name: changing one layer changes no random numbers of others."""
        return np.random.default_rng([self.seed, zlib.crc32((self._scope + name).encode())])

    def weight(self, name, array, learned=True):
        """A weight tensor; the scope is put before `name`."""
        if learned:
            self.parameters += array.size
        return Value(self._initializer(self._scope + name, array), array.shape[-1], array)

    def normal(self, name, shape, std, mean=0.0):
        """A learned tensor of normal random numbers around `mean`, a number or an array."""
        array = self.random(name).standard_normal(shape, np.float32)
        array *= np.float32(std)
        array += np.asarray(mean, np.float32)
        return self.weight(name, array)

    # Nodes

    def op(self, kind, *inputs, label=None, outputs=1, channels=None, sample=None, **attributes):
        """Appends a node. Its output inherits channels and sample of the first input unless they are given."""
        name = self._fresh(label or kind.lower())
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.graph.node.append(helper.make_node(kind, [v.name for v in inputs], names, name, **attributes))
        channels = inputs[0].channels if channels is None else channels
        sample = inputs[0].sample if sample is None else sample
        values = [Value(n, channels, sample) for n in names]
        return values[0] if outputs == 1 else values

    def next_name(self, kind):
        """The name, without scope, that the next node of this kind gets: the stem of its weights' names."""
        return f"{kind}{self._counts.get(self._scope + kind, 0) + 1}"

    def conv(self, x, channels, kernel, stride=1, pad=None, groups=1, bias=False, gain=1.0):
        """2-D convolution. `kernel` and `pad` are numbers or (height, width); without `pad` odd kernels keep the size
        at stride 1. `gain` is the size of the output."""
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        ph, pw = (pad, pad) if isinstance(pad, int) else pad or (kh // 2, kw // 2)
        name, inner = self.next_name("conv"), x.channels // groups
        weight = self.normal(f"{name}.weight", [channels, inner, kh, kw], gain * x.scale(inner * kh * kw))
        inputs, y = [x, weight], sample.conv(x.sample, weight.sample, stride, (ph, pw), groups)
        if bias:
            inputs.append(self.normal(f"{name}.bias", [channels], 0.1, -CENTRING * sample.channel_means(y)))
            y = y + inputs[2].sample[:, None, None]
        return self.op("Conv", *inputs, channels=channels, sample=y, kernel_shape=[kh, kw], strides=[stride, stride],
                       pads=[ph, pw, ph, pw], dilations=[1, 1], group=groups)

    def batch_norm(self, x, epsilon=1e-5):
        """BatchNormalization with statistics measured on the sample, and scales and shifts near one and zero."""
        name, n = self.next_name("bn"), x.channels
        scale = self.weight(f"{name}.weight", self.random(f"{name}.weight").uniform(0.8, 1.2, n).astype(np.float32))
        shift = self.normal(f"{name}.bias", [n], 0.1)
        mean = self.weight(f"{name}.mean", CENTRING * sample.channel_means(x.sample), learned=False)
        variance = self.weight(f"{name}.variance", sample.channel_variances(x.sample, mean.sample), learned=False)
        y = sample.batch_norm(x.sample, scale.sample, shift.sample, mean.sample, variance.sample, epsilon)
        return self.op("BatchNormalization", x, scale, shift, mean, variance, label="bn", sample=y, epsilon=epsilon)

    def fully_connected(self, x, features):
        """Matrix product and bias of [rows, features], as Gemm."""
        name = self.next_name("fc")
        weight = self.normal(f"{name}.weight", [features, x.channels], x.scale(x.channels))
        y = sample.product(x.sample, weight.sample)
        bias = self.normal(f"{name}.bias", [features], 0.1, -CENTRING * sample.round_statistic(y.mean(axis=0)))
        return self.op("Gemm", x, weight, bias, label="fc", channels=features, sample=y + bias.sample, transB=1)

    def linear(self, x, features, name, gain=1.0):
        """Matrix product and bias over the last of any number of dimensions, as MatMul and Add. `gain` is the size of
        the output."""
        with self.scope(name):
            weight = self.normal("weight", [x.channels, features], gain * x.scale(x.channels))
            bias = self.normal("bias", [features], 0.1 * gain)
            return self.add(self.op("MatMul", x, weight, channels=features, sample=x.sample @ weight.sample), bias)

    def max_pool(self, x, kernel, stride, pad=0, ceil_mode=0):
        return self.op("MaxPool", x, label="pool", sample=sample.pool(x.sample, kernel, stride, pad, np.max),
                       kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad] * 4, ceil_mode=ceil_mode)

    def average_pool(self, x, kernel, stride, pad=0):
        return self.op("AveragePool", x, label="pool", sample=sample.pool(x.sample, kernel, stride, pad, np.mean),
                       kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad] * 4, count_include_pad=1)

    def global_pool(self, x):
        return self.op("GlobalAveragePool", x, label="gap", sample=x.sample.mean(axis=(2, 3), keepdims=True))

    def flatten(self, x, features=None):
        """[batch, ...] to [batch, features]; `features` defaults to the channels of x."""
        features = features or x.channels
        return self.op("Flatten", x, channels=features, sample=np.resize(x.sample, [len(x.sample), features]), axis=1)

    def add(self, a, b):
        return self.op("Add", a, b, sample=a.sample + b.sample)

    def mul(self, a, b):
        return self.op("Mul", a, b, sample=a.sample * b.sample)

    def concat(self, values):
        """Joins images along their channels."""
        joined = np.concatenate([v.sample for v in values], axis=1)
        return self.op("Concat", *values, channels=joined.shape[1], sample=joined, axis=1)

    def reshape(self, x, shape, channels=None):
        """Reshape to numbers; 0 keeps a dimension, -1 is inferred."""
        return self.op("Reshape", x, self.constant(shape, np.int64), channels=channels)

    def transpose(self, x, order, channels=None):
        return self.op("Transpose", x, channels=channels, perm=order)

    def gather(self, x, index, axis):
        return self.op("Gather", x, index, axis=axis)

    # Activations

    def relu(self, x):
        return self.op("Relu", x, sample=np.maximum(x.sample, 0))

    def relu6(self, x):
        return self.op("Clip", x, self.constant(0.0), self.constant(6.0), sample=np.clip(x.sample, 0, 6))

    def sigmoid(self, x):
        return self.op("Sigmoid", x, sample=sample.sigmoid(x.sample))

    def tanh(self, x):
        return self.op("Tanh", x, sample=np.tanh(x.sample))

    def hard_sigmoid(self, x):
        return self.op("HardSigmoid", x, sample=sample.hard_sigmoid(x.sample), alpha=1 / 6, beta=0.5)

    def hard_swish(self, x):
        return self.op("HardSwish", x, sample=x.sample * sample.hard_sigmoid(x.sample))

    def silu(self, x):
        """x * sigmoid(x), as two nodes."""
        return self.mul(x, self.sigmoid(x))

    def gelu_erf(self, x):
        """GELU by the error function, as five nodes: (x * (erf(x / sqrt 2) + 1)) * 0.5."""
        with self.scope("gelu"):
            inner = self.op("Erf", self.op("Div", x, self.constant(math.sqrt(2))))
            y = self.mul(self.mul(x, self.add(inner, self.constant(1.0))), self.constant(0.5))
            return dataclasses.replace(y, sample=sample.gelu(x.sample))

    def gelu_tanh(self, x):
        """GELU by the hyperbolic tangent, as eight nodes: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""
        with self.scope("gelu"):
            half = self.mul(x, self.constant(0.5))
            cubic = self.mul(self.op("Pow", x, self.constant(3.0), sample=x.sample**3), self.constant(0.044715))
            inner = self.tanh(self.mul(self.add(x, cubic), self.constant(math.sqrt(2 / math.pi))))
            return self.mul(half, self.add(inner, self.constant(1.0)))
