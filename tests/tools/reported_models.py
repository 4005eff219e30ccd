"""Small models of kinds that users of runtimes reported as wrong, refused or crashing, with inputs and right answers.

Each function of CASES gives (model, feeds, answers): one dictionary of inputs for each set, and the outputs in order, by onnx.reference
unless the function computes them itself.
"""
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

F, I64 = TensorProto.FLOAT, TensorProto.INT64
CASES = {}


def case(make):
    CASES[make.__name__] = make
    return make


def random(*shape, seed=0, scale=1.0):
    return (np.random.default_rng([seed, *shape]).standard_normal(shape) * scale).astype(np.float32)


class Net:
    """Builds a model node by node; an operand is a name or an array."""

    def __init__(self, opset=17):
        self.opset, self.nodes, self.inputs, self.outputs, self.constants = opset, [], [], [], []

    def input(self, name, shape, kind=F):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def name_of(self, operand):
        if operand is None:
            return ""
        if isinstance(operand, str):
            return operand
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(operand), name))
        return name

    def __call__(self, op, *operands, results=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(results)]
        domain, _, kind = op.rpartition(".")
        self.nodes.append(helper.make_node(kind, [self.name_of(o) for o in operands], names, domain=domain, **attributes))
        return names[0] if results == 1 else names

    def output(self, *names, kind=F):
        self.outputs += [helper.make_tensor_value_info(n, kind, None) for n in names]

    def model(self):
        graph = helper.make_graph(self.nodes, "net", self.inputs, self.outputs, self.constants)
        domains = {n.domain for n in self.nodes} - {""}
        imports = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in domains]
        return helper.make_model(graph, opset_imports=imports, ir_version=10)


def ints(*values):
    return np.array(values, np.int64)


def number(value):
    return np.array(value, np.int64)


def answered(net, feeds):
    model = net.model()
    evaluator = ReferenceEvaluator(model)
    return model, feeds, [evaluator.run(None, f) for f in feeds]


def late_number(net, x):
    """int64[1]: 2 when any element is above 1, else 1; nothing but running tells."""
    largest = net("ReduceMax", net("Clip", x, np.float32(0), np.float32(1)), keepdims=0)
    return net("Add", net("Reshape", net("Cast", largest, to=I64), ints(1)), ints(1))


# ---- sizes that only running tells

@case
def products_behind_late_sizes():
    n = Net()
    x = n.input("x", ["n", 12])
    late = late_number(n, x)
    tiled = n("Tile", x, n("Concat", late, ints(1), axis=0))
    n.output(n("MatMul", tiled, random(12, 5, seed=1)))
    n.output(n("MatMul", n("Reshape", x, n("Concat", ints(-1), n("Mul", late, ints(3)), axis=0)), random(6, 40, seed=2)))
    n.output(n("Gemm", n("Reshape", x, n("Concat", ints(-1), n("Mul", late, ints(2)), axis=0)), random(7, 4, seed=3), random(7), transB=1))
    n.output(n("Gemm", n("Tile", n("Transpose", x, perm=[1, 0]), n("Concat", ints(1), late, axis=0)), random(12, 3, seed=4), transA=1))
    n.output(n("MatMul", n("Tile", x, n("Concat", ints(1), late, axis=0)), random(24, 70, seed=5)))
    n.output(n("MatMul", random(9, 24, seed=6), n("Tile", n("Transpose", x, perm=[1, 0]), n("Concat", late, ints(1), axis=0))))
    return answered(n, [{"x": np.abs(random(4, 12)) + 1}, {"x": np.abs(random(2, 12)) + 1}])


@case
def wide_weights_behind_a_late_tile():
    """A packer that believed a guess would read far beyond these weights."""
    n = Net()
    x = n.input("x", ["n", 1])
    late = late_number(n, x)
    n.output(n("MatMul", n("Tile", x, n("Concat", late, ints(1), axis=0)), random(1, 30000)))
    return answered(n, [{"x": np.array([[2.0], [3.0]], np.float32)}, {"x": np.array([[5.0]], np.float32)}])


def chosen_images(n):
    """Images [k, 4, h, w] of those whose score is high: behind NonZero and Gather, Compress, Slice, TopK and Tile."""
    x, scores = n.input("x", ["n", 4, "h", "w"]), n.input("scores", ["n"])
    keep = n("Greater", scores, np.float32(0))
    index = n("Squeeze", n("NonZero", keep), ints(0))
    count = n("Shape", index)
    return [n("Gather", x, index, axis=0), n("Compress", x, keep, axis=0), n("Slice", x, ints(0), count, ints(0)),
            n("TopK", x, count, axis=0, results=2)[0],
            n("Tile", n("Slice", x, ints(0), ints(1), ints(0)), n("Concat", count, ints(1, 1, 1), axis=0))]


def chosen_feeds():
    return [{"x": random(5, 4, 6, 7), "scores": np.array([1, -1, 1, 1, -1], np.float32)},
            {"x": random(3, 4, 9, 5, seed=1), "scores": np.array([-1, 2, -1], np.float32)}]


@case
def convolutions_of_chosen_images():
    n = Net()
    for k, v in enumerate(chosen_images(n)):
        c = n("Relu", n("Conv", v, random(8, 4, 3, 3, seed=k, scale=.2), random(8, seed=k), pads=[1, 1, 1, 1]))
        d = n("Conv", c, random(8, 1, 3, 3, seed=k + 9, scale=.3), group=8, pads=[1, 1, 1, 1])
        n.output(n("Add", c, d), n("GlobalAveragePool", d), n("MaxPool", c, kernel_shape=[2, 2], strides=[2, 2]))
    return answered(n, chosen_feeds())


@case
def heads_of_chosen_images():
    n = Net()
    for k, v in enumerate(chosen_images(n)):
        c = n("Conv", v, random(6, 4, 1, 1, seed=k))
        p = n("GlobalMaxPool", n("Sigmoid", c))
        n.output(n("Softmax", n("MatMul", n("Flatten", p), random(6, 3, seed=k)), axis=-1))
        n.output(n("Resize", c, None, np.array([1, 1, 2, 2], np.float32), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    return answered(n, chosen_feeds())


@case
def decoder_with_own_mask_length():
    n = Net()
    q, k, v = (n.input(i, ["n", 4, "s", 8]) for i in "qkv")
    past_k, past_v = (n.input(i, ["n", 4, "p", 8]) for i in ("pk", "pv"))
    mask = n.input("mask", ["n", 1, "s", "total"])
    keys, values = n("Concat", past_k, k, axis=2), n("Concat", past_v, v, axis=2)
    scores = n("Add", n("MatMul", q, n("Transpose", keys, perm=[0, 1, 3, 2])), mask)
    halves = n("Cast", n("Cast", n("Softmax", scores, axis=-1), to=TensorProto.FLOAT16), to=F)
    n.output(n("MatMul", halves, values))

    def feed(b, s, p, seed):
        tokens = [random(b, 4, s, 8, seed=seed + i, scale=.5) for i in range(3)]
        past = [random(b, 4, p, 8, seed=seed + i, scale=.5) for i in (4, 5)]
        return dict(zip(("q", "k", "v", "pk", "pv", "mask"), [*tokens, *past, random(b, 1, s, s + p, seed=seed)]))
    return answered(n, [feed(1, 8, 0, 0), feed(2, 1, 9, 1), feed(1, 3, 7, 2)])


@case
def nothing_is_detected():
    n = Net(13)
    scores, boxes = n.input("scores", ["n"]), n.input("boxes", ["n", 4])
    keep = n("Greater", scores, np.float32(0.5))
    index = n("Squeeze", n("NonZero", keep), ints(0))
    kept, kept_scores = n("Gather", boxes, index), n("Gather", scores, index)
    images = n("Reshape", n("Tile", kept, ints(1, 4)), ints(-1, 1, 4, 4))
    n.output(index, kind=I64)
    n.output(n("Softmax", n("MatMul", kept, random(4, 8)), axis=-1), n("MatMul", n("Transpose", kept, perm=[1, 0]), kept))
    n.output(n("GlobalAveragePool", n("Conv", images, random(8, 1, 3, 3), pads=[1, 1, 1, 1])))
    n.output(n("Concat", kept, boxes, axis=0), n("ReduceSum", kept, ints(0)))
    n.output(n("TopK", kept_scores, n("Min", n("Shape", kept_scores), ints(3)), results=2)[0])
    feeds, answers = [], []
    for seed, (count, high) in enumerate(((9, 1), (5, .4), (0, 1), (1, .2))):
        r = np.random.default_rng(seed)
        f = {"scores": r.uniform(0, high, count).astype(np.float32), "boxes": r.uniform(0, 9, (count, 4)).astype(np.float32)}
        at = np.flatnonzero(f["scores"] > .5)
        k, w = f["boxes"][at], random(8, 1, 3, 3)
        e = np.exp(k @ random(4, 8) - (k @ random(4, 8)).max(-1, keepdims=True))
        padded = np.pad(np.tile(k, (1, 4)).reshape(-1, 4, 4), ((0, 0), (1, 1), (1, 1)))
        means = sum(padded[:, i:i + 4, j:j + 4].mean((1, 2))[:, None] * w[:, 0, i, j] for i in range(3) for j in range(3))
        feeds.append(f)
        answers.append([at, e / e.sum(-1, keepdims=True), k.T @ k, means.reshape(-1, 8, 1, 1).astype(np.float32),
                        np.concatenate([k, f["boxes"]]), k.sum(0, keepdims=True), np.sort(f["scores"][at])[::-1][:3]])
    return n.model(), feeds, answers


# ---- shapes that are computed

@case
def floor_divided_views():
    n = Net()
    t = n.input("t", ["n", 4, "h", "w"])
    shape = n("Shape", t)
    size = [n("Gather", shape, number(i)) for i in range(4)]
    four = n("Mul", size[0], number(4))
    length = n("Div", n("Mul", n("Mul", four, size[2]), size[3]), four)
    tokens = n("Reshape", n("Transpose", t, perm=[0, 2, 3, 1]),
               n("Concat", n("Slice", shape, ints(0), ints(1)), n("Reshape", length, ints(-1)), ints(4), axis=0), allowzero=1)
    y = n("MatMul", tokens, random(4, 9))
    back = n("Concat", *(n("Unsqueeze", s, ints(0)) for s in (size[0], size[2], size[3])), ints(9), axis=0)
    n.output(y, n("Conv", n("Transpose", n("Reshape", y, back), perm=[0, 3, 1, 2]), random(3, 9, 3, 3, scale=.2)))
    return answered(n, [{"t": random(4, 4, 3, 5)}, {"t": random(2, 4, 6, 3)}])


def windowed(n, y, size, width, shift, seed):
    """A residual block of attention in windows of size x size, on images padded to whole windows."""
    vector = lambda *a: n("Concat", *(ints(i) if isinstance(i, int) else n("Unsqueeze", i, ints(0)) for i in a), axis=0)  # noqa: E731
    batch, height, breadth = (n("Gather", n("Shape", y), number(i)) for i in range(3))
    down, right = (n("Mod", n("Sub", number(size), n("Mod", d, number(size))), number(size)) for d in (height, breadth))
    v = n("Pad", y, vector(0, 0, 0, 0, 0, down, right, 0))
    if shift:
        v = n("Concat", n("Slice", v, ints(shift), ints(2 ** 62), ints(2)), n("Slice", v, ints(0), ints(shift), ints(2)), axis=2)
    tall, wide = n("Add", height, down), n("Add", breadth, right)
    rows, columns = n("Div", tall, number(size)), n("Div", wide, number(size))
    v = n("Transpose", n("Reshape", v, vector(batch, rows, size, columns, size, width)), perm=[0, 1, 3, 2, 4, 5])
    v = n("Reshape", v, ints(-1, size * size, width))
    q, k = (n("MatMul", v, random(width, width, seed=seed + i, scale=width ** -.5)) for i in range(2))
    v = n("MatMul", n("Softmax", n("MatMul", q, n("Transpose", k, perm=[0, 2, 1])), axis=-1), v)
    v = n("Transpose", n("Reshape", v, vector(batch, rows, columns, size, size, width)), perm=[0, 1, 3, 2, 4, 5])
    v = n("Reshape", v, vector(batch, tall, wide, width))
    if shift:
        v = n("Concat", n("Slice", v, ints(-shift), ints(2 ** 62), ints(2)), n("Slice", v, ints(0), ints(-shift), ints(2)), axis=2)
    return n("Add", y, n("Slice", v, ints(0, 0), vector(height, breadth), ints(1, 2)))


@case
def windows_of_any_image():
    n = Net()
    y = n.input("x", ["n", "h", "w", 8])
    for k in range(6):
        y = windowed(n, y, 4, 8, 2 * (k % 2), 10 * k)
    n.output(y)
    return answered(n, [{"x": random(1, 9, 16, 8)}, {"x": random(2, 8, 5, 8)}])


@case
def computed_padding_many_times():
    """TensorFlow's SAME: the padding follows from the size, by floats and by integers."""
    n = Net()
    y, channels = n.input("x", ["n", 3, "h", "w"]), 3
    for k in range(5):
        kernel, pads = 3 + 2 * (k % 2), []
        for axis in (2, 3):
            d = n("Slice", n("Shape", y), ints(axis), ints(axis + 1))
            up = (n("Cast", n("Ceil", n("Div", n("Cast", d, to=F), np.array([2], np.float32))), to=I64) if k % 3 == 0
                  else n("Div", n("Add", d, ints(1)), ints(2)))
            lack = n("Max", n("Sub", n("Add", n("Mul", n("Sub", up, ints(1)), ints(2)), ints(kernel)), d), ints(0))
            half = n("Div", lack, ints(2))
            pads.append((half, n("Sub", lack, half)))
        y = n("Pad", y, n("Concat", ints(0, 0), pads[0][0], pads[1][0], ints(0, 0), pads[0][1], pads[1][1], axis=0))
        y = n("Relu", n("Conv", y, random(6, channels, kernel, kernel, seed=k, scale=.2), strides=[2, 2]))
        channels = 6
    n.output(y)
    return answered(n, [{"x": random(1, 3, 65, 50)}, {"x": random(2, 3, 48, 37)}])


# ---- arithmetic

def resized_axis(x, axis, length, place, weigh):
    """Axis by axis: `place(i)` is where output i lies in the input, `weigh(t)` the weights of its neighbours and the first of them."""
    last = x.shape[axis] - 1
    parts = []
    for i in range(length):
        first, weights = weigh(place(i))
        parts.append(sum(w * np.take(x, min(max(first + k, 0), last), axis).astype(np.float64) for k, w in enumerate(weights)))
    return np.stack(parts, axis)


def linear_weights(t):
    first = int(np.floor(t))
    return first, (1 - (t - first), t - first)


def cubic(x, a=-.75):
    x = abs(x)
    return ((a + 2) * x - (a + 3)) * x * x + 1 if x <= 1 else ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0


def cubic_weights(t):
    first = int(np.floor(t)) - 1
    return first, tuple(cubic(t - (first + k)) for k in range(4))


@case
def corners_by_fractional_scales():
    """align_corners: the last element falls on the last, whatever length times scale is."""
    n, feeds = Net(13), [{"x": random(1, 2, 10, 7)}, {"x": random(2, 2, 5, 9)}]
    x = n.input("x", ["n", 2, "h", "w"])
    answers = [[] for _ in feeds]
    for scales in ((.75, .75), (1.7, .6), (2.5, 1.3), (.35, 3.1)):
        for mode, weigh in (("linear", linear_weights), ("cubic", cubic_weights)):
            n.output(n("Resize", x, None, np.array([1, 1, *scales], np.float32), mode=mode, coordinate_transformation_mode="align_corners"))
            for feed, list_ in zip(feeds, answers):
                y = feed["x"]
                for axis, scale in zip((2, 3), scales):
                    old, new = y.shape[axis], int(np.floor(np.float32(y.shape[axis]) * np.float32(scale)))
                    y = resized_axis(y, axis, new, lambda i: 0 if new == 1 else i * (old - 1) / (new - 1), weigh)
                list_.append(y.astype(np.float32))
    return n.model(), feeds, answers


@case
def nearest_by_fractional_scales():
    """3 * (1 / 0.6f) is 5 in float: the fifth element, not the fourth."""
    n, feeds = Net(13), [{"x": random(1, 1, 20, 30)}, {"x": random(2, 1, 15, 10)}]
    x = n.input("x", ["n", 1, "h", "w"])
    answers = [[] for _ in feeds]
    for scale in (.6, .3, .7, 1.4, .1):
        for mode, shift in (("asymmetric", 0), ("tf_half_pixel_for_nn", .5)):
            n.output(n("Resize", x, None, np.array([1, 1, scale, scale], np.float32), mode="nearest",
                       coordinate_transformation_mode=mode, nearest_mode="floor"))
            for feed, list_ in zip(feeds, answers):
                y = feed["x"]
                for axis in (2, 3):
                    new = int(np.floor(np.float32(y.shape[axis]) * np.float32(scale)))
                    at = np.arange(new, dtype=np.float32) + np.float32(shift)
                    at = at / np.float32(scale) if shift else at * np.float32(1 / np.float64(np.float32(scale)))
                    at = np.floor(at).astype(int)
                    y = np.take(y, np.minimum(at, y.shape[axis] - 1), axis)
                list_.append(y)
    return n.model(), feeds, answers


def inside(i, length, padding, corners):
    """The index that stands for i; None for a zero."""
    if 0 <= i < length:
        return i
    if padding == "zeros":
        return None
    if padding == "border":
        return min(max(i, 0), length - 1)
    low, high = (0, length - 1) if corners else (-.5, length - .5)
    if high <= low:
        return 0
    while not low <= i <= high:
        i = 2 * low - i if i < low else 2 * high - i
    return int(min(max(i, 0), length - 1))


@case
def bicubic_grids():
    """At the border each neighbour is moved inside, not the point."""
    n, feeds = Net(20), []
    x, grid = n.input("x", ["n", 2, "h", "w"]), n.input("grid", ["n", "p", "q", 2])
    for k, (b, h, w, p, q) in enumerate(((1, 5, 7, 6, 4), (2, 4, 3, 3, 5))):
        feeds.append({"x": random(b, 2, h, w, seed=k), "grid": random(b, p, q, 2, seed=k, scale=1.2)})
    answers = [[] for _ in feeds]
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            n.output(n("GridSample", x, grid, mode="cubic", padding_mode=padding, align_corners=corners))
            for feed, list_ in zip(feeds, answers):
                images, points = feed["x"].astype(np.float64), feed["grid"].astype(np.float64)
                sizes, y = images.shape[2:], np.zeros((*images.shape[:2], *points.shape[1:3]))
                for b, i, j in np.ndindex(*points.shape[:3]):
                    taps = []
                    for axis in (0, 1):
                        g, length = points[b, i, j, 1 - axis], sizes[axis]
                        first, weights = cubic_weights((g + 1) / 2 * (length - 1) if corners else ((g + 1) * length - 1) / 2)
                        taps.append([(inside(first + k, length, padding, corners), weights[k]) for k in range(4)])
                    for row, a in taps[0]:
                        for column, c in taps[1]:
                            if row is not None and column is not None:
                                y[b, :, i, j] += a * c * images[b, :, row, column]
                list_.append(y.astype(np.float32))
    return n.model(), feeds, answers


# ---- operators

@case
def unread_parts():
    n = Net(18)
    x = n.input("x", ["n", 9])
    a, _, c = n("Split", x, ints(2, 3, 4), axis=1, results=3)
    d, _ = n("Split", x, axis=1, num_outputs=2, results=2)
    _, _, _, h = n("Split", x, ints(1, 1, 1, 6), axis=1, results=4)
    n.output(n("Neg", a), n("Exp", c), n("Relu", d), n("Abs", h))
    return answered(n, [{"x": random(3, 9)}, {"x": random(1, 9)}])


@case
def far_slices():
    n = Net()
    x = n.input("x", ["n", 7])
    least, most = -2 ** 63, 2 ** 63 - 1
    n.output(n("Slice", x, ints(least), ints(most), ints(1)), n("Slice", x, ints(least), ints(4), ints(1), ints(2)))
    n.output(n("Slice", x, ints(most), ints(least), ints(1), ints(-2)), n("Slice", x, ints(5), ints(least), ints(1), ints(least)))
    model, feeds = n.model(), [{"x": random(2, 7)}, {"x": random(1, 7)}]
    return model, feeds, [[f["x"], f["x"][:, :4:2], f["x"][:, ::-2], f["x"][:, 5:6]] for f in feeds]


@case
def thousands_of_operands():
    n = Net()
    x = n.input("x", ["n", 3])
    terms = [n("Mul", x, np.float32(k % 7 - 3)) for k in range(8)]
    many = [terms[k % 8] for k in range(5000)]
    n.output(n("Sum", *many), n("Max", *many), n("Min", *many), n("Mean", *many))
    feeds = [{"x": np.round(random(2, 3) * 8)}, {"x": np.round(random(1, 3) * 8)}]
    answers = []
    for f in feeds:
        parts = np.stack([f["x"] * np.float32(k % 8 % 7 - 3) for k in range(5000)])
        answers.append([parts.sum(0), parts.max(0), parts.min(0), parts.mean(0, dtype=np.float64).astype(np.float32)])
    return n.model(), feeds, answers


@case
def turned_by_negative_axes():
    n = Net()
    x = n.input("x", ["n", 3, 4])
    t = n("Transpose", n("Transpose", x, perm=[0, -1, 1]), perm=[-3, 2, -2])
    n.output(n("Add", t, np.float32(1)), n("MatMul", n("Transpose", x, perm=[0, -1, -2]), x))
    feeds = [{"x": random(2, 3, 4)}, {"x": random(1, 3, 4)}]
    return n.model(), feeds, [[f["x"] + 1, np.swapaxes(f["x"], 1, 2) @ f["x"]] for f in feeds]


@case
def sums_in_einstein_notation():
    n = Net()
    a, b, c = n.input("a", ["n", 4, 5]), n.input("b", ["n", 5, 6]), n.input("c", [6, 3])
    equations = (("nij,njk,kl->nil", a, b, c), ("nij,njk,kl->l", a, b, c), ("nij,nij->ijn", a, a), ("nij,kl->nk", a, c),
                 ("nij,njk,nij,kl->nl", a, b, a, c))
    for equation, *operands in equations:
        n.output(n("Einsum", *operands, equation=equation))
    feeds = [{"a": random(s, 4, 5, seed=s), "b": random(s, 5, 6, seed=s), "c": random(6, 3, seed=s)} for s in (2, 1, 3)]
    return n.model(), feeds, [[np.einsum(e, *(f[o] for o in operands)) for e, *operands in equations] for f in feeds]


@case
def transforms_of_any_length():
    """Lengths of small and of large prime factors, halves and inverses, the axis in front."""
    n = Net(20)
    x, z = n.input("x", ["n", 60, 1]), n.input("z", ["n", 74, 2])
    n.output(n("DFT", x, None, number(1), onesided=1), n("DFT", z, None, number(1)), n("DFT", z, None, number(1), inverse=1))
    n.output(n("DFT", x, number(67), number(1)), n("DFT", z, number(16), number(-2)))
    feeds = [{"x": random(s, 60, 1), "z": random(s, 74, 2)} for s in (3, 1)]
    answers = []
    for f in feeds:
        real, complex_ = f["x"][..., 0].astype(np.float64), f["z"][..., 0] + 1j * f["z"][..., 1].astype(np.float64)
        spectra = [np.fft.rfft(real), np.fft.fft(complex_), np.fft.ifft(complex_), np.fft.fft(real, 67), np.fft.fft(complex_, 16)]
        answers.append([np.stack([s.real, s.imag], -1).astype(np.float32) for s in spectra])
    return n.model(), feeds, answers


@case
def weights_that_are_computed():
    n = Net()
    x, w = n.input("x", ["n", 4, 9, 8]), n.input("w", [6, 4, 3, 3])
    n.output(n("Relu", n("Conv", x, n("Tanh", w), random(6), pads=[1, 1, 1, 1])), n("Conv", x, w, strides=[2, 2]))
    return answered(n, [{"x": random(2, 4, 9, 8), "w": random(6, 4, 3, 3)}, {"x": random(1, 4, 9, 8), "w": random(6, 4, 3, 3, seed=2)}])


# ---- what ONNX Runtime's optimiser writes

def erf(x):
    from math import erf as one
    return np.vectorize(one)(x)


def gelu(x):
    return .5 * x * (1 + erf(x / np.sqrt(2)))


def normalized(x, scale, bias, epsilon):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + epsilon) * scale + bias


@case
def fused_by_onnx_runtime():
    n, m = Net(), "com.microsoft."
    x, t = n.input("x", ["n", 4, 8, 8]), n.input("t", ["n", 5, 16])
    w, b, k = random(6, 4, 1, 1, scale=.3), random(6), random(16, 16, seed=2, scale=.2)
    scale, bias, more = 1 + random(16, scale=.1), random(16, seed=3), random(16, seed=4)
    n.output(n(m + "FusedConv", x, w, b, activation="LeakyRelu", activation_params=[.1], kernel_shape=[1, 1]))
    product = n(m + "FusedMatMul", t, k, alpha=.5, transB=1)
    skip = n(m + "SkipLayerNormalization", t, product, scale, bias, epsilon=1e-5)
    n.output(n(m + "BiasGelu", skip, more), n(m + "QuickGelu", skip, alpha=1.702), n(m + "FastGelu", skip), n(m + "Gelu", product))
    n.output(n(m + "SkipSimplifiedLayerNormalization", t, product, scale, epsilon=1e-5))
    feeds, answers = [{"x": random(s, 4, 8, 8), "t": random(s, 5, 16)} for s in (1, 2)], []
    for f in feeds:
        conv = np.einsum("nchw,oc->nohw", f["x"], w[:, :, 0, 0]) + b[:, None, None]
        p = .5 * f["t"].astype(np.float64) @ k.T
        s = normalized(f["t"] + p, scale, bias, 1e-5)
        mean = np.sqrt(((f["t"] + p) ** 2).mean(-1, keepdims=True) + 1e-5)
        tanh = .5 * s * (1 + np.tanh(np.sqrt(2 / np.pi) * (s + .044715 * s ** 3)))
        answers.append([np.where(conv > 0, conv, .1 * conv), gelu(s + more), s / (1 + np.exp(-1.702 * s)), tanh, gelu(p),
                        (f["t"] + p) / mean * scale])
    return n.model(), feeds, [[np.asarray(a, np.float32) for a in list_] for list_ in answers]


@case
def products_of_four_bits():
    n, columns, depth, block = Net(), 6, 40, 16
    x = n.input("x", ["n", depth])
    r, blocks = np.random.default_rng(0), -(-depth // block)
    codes, scales = r.integers(0, 16, (columns, blocks, block)), r.uniform(.1, 1, (columns, blocks)).astype(np.float32)
    zeros = r.integers(0, 16, (columns, blocks))
    packed = (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)
    padded = np.pad(zeros, ((0, 0), (0, blocks % 2)))
    packed_zeros = (padded[:, 0::2] | padded[:, 1::2] << 4).astype(np.uint8).ravel()
    options = {"N": columns, "K": depth, "bits": 4, "block_size": block}
    n.output(n("com.microsoft.MatMulNBits", x, packed, scales.ravel(), **options))
    n.output(n("com.microsoft.MatMulNBits", x, packed, scales.ravel(), packed_zeros, **options))
    table = [((codes - z) * scales[..., None]).reshape(columns, -1)[:, :depth].T for z in (8, zeros[..., None])]
    feeds = [{"x": random(3, depth)}, {"x": random(1, depth)}]
    return n.model(), feeds, [[(f["x"] @ t).astype(np.float32) for t in table] for f in feeds]


@case
def heads_of_onnx_runtime():
    n, heads, size = Net(), 3, 4
    q, k, v = n.input("q", ["n", "s", 12]), n.input("k", ["n", "t", 12]), n.input("v", ["n", "t", 12])
    bias = random(36, seed=7)
    n.output(n("com.microsoft.MultiHeadAttention", q, k, v, bias, num_heads=heads))
    w, b = random(12, 36, seed=8, scale=.3), random(36, seed=9)
    n.output(n("com.microsoft.Attention", q, w, b, num_heads=heads))

    def attend(a, c, d):
        split = lambda x: x.reshape(*x.shape[:2], heads, size).transpose(0, 2, 1, 3).astype(np.float64)  # noqa: E731
        scores = split(a) @ split(c).swapaxes(2, 3) / np.sqrt(size)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        y = p / p.sum(-1, keepdims=True) @ split(d)
        return y.transpose(0, 2, 1, 3).reshape(*a.shape).astype(np.float32)
    feeds = [{"q": random(i, s, 12), "k": random(i, t, 12, seed=1), "v": random(i, t, 12, seed=2)} for i, s, t in ((1, 4, 6), (2, 3, 5))]
    answers = []
    for f in feeds:
        whole = f["q"] @ w + b
        answers.append([attend(*(f[x] + part for x, part in zip("qkv", np.split(bias, 3)))), attend(*np.split(whole, 3, -1))])
    return n.model(), feeds, answers
