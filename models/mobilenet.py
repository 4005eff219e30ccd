"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) and MobileNetV3-Large (Howard et al. 2019, arXiv:1905.02244)."""
from graph import Model

# expansion, channels, blocks, stride of the first block
V2_STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

# kernel, expanded channels, channels, squeeze and excitation, hard swish, stride
V3_LARGE_BLOCKS = [
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
]


def divisible(channels, by=8):
    """The multiple of `by` nearest to `channels`, at most a tenth below it."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def v2_block(g, x, expansion, channels, stride):
    y, hidden = x, x.channels * expansion
    if expansion != 1:
        y = g.relu6(g.batch_norm(g.conv(y, hidden, 1)))
    y = g.relu6(g.batch_norm(g.conv(y, hidden, 3, stride, groups=hidden)))
    y = g.batch_norm(g.conv(y, channels, 1))
    return g.add(x, y) if stride == 1 and x.channels == channels else y


def mobilenet_v2(g):
    x = g.image(224)
    x = g.relu6(g.batch_norm(g.conv(x, 32, 3, 2)))
    index = 0
    for expansion, channels, blocks, stride in V2_STAGES:
        for i in range(blocks):
            index += 1
            with g.scope(f"block{index}"):
                x = v2_block(g, x, expansion, channels, stride if i == 0 else 1)
    x = g.relu6(g.batch_norm(g.conv(x, 1280, 1)))
    g.output(g.fully_connected(g.flatten(g.global_pool(x)), 1000), "logits", [g.batch, 1000])


def squeeze_excite(g, x):
    with g.scope("se"):
        gate = g.relu(g.conv(g.global_pool(x), divisible(x.channels // 4), 1, bias=True))
        return g.mul(x, g.hard_sigmoid(g.conv(gate, x.channels, 1, bias=True, gain=0.3)))


def v3_block(g, x, kernel, hidden, channels, squeeze, swish, stride):
    activation = g.hard_swish if swish else g.relu
    normalize = lambda v: g.batch_norm(v, epsilon=1e-3)
    y = x
    if hidden != x.channels:
        y = activation(normalize(g.conv(y, hidden, 1)))
    y = activation(normalize(g.conv(y, hidden, kernel, stride, groups=hidden)))
    if squeeze:
        y = squeeze_excite(g, y)
    y = normalize(g.conv(y, channels, 1))
    return g.add(x, y) if stride == 1 and x.channels == channels else y


def mobilenet_v3_large(g):
    x = g.image(224)
    x = g.hard_swish(g.batch_norm(g.conv(x, 16, 3, 2), epsilon=1e-3))
    for index, block in enumerate(V3_LARGE_BLOCKS):
        with g.scope(f"block{index + 1}"):
            x = v3_block(g, x, *block)
    x = g.hard_swish(g.batch_norm(g.conv(x, 960, 1), epsilon=1e-3))
    x = g.hard_swish(g.fully_connected(g.flatten(g.global_pool(x)), 1280))
    g.output(g.fully_connected(x, 1000), "logits", [g.batch, 1000])


MODELS = [
    Model("mobilenet_v2", mobilenet_v2, 3_504_872, "MobileNetV2 1.0, 224x224"),
    Model("mobilenet_v3", mobilenet_v3_large, 5_483_032, "MobileNetV3-Large 1.0, 224x224"),
]
