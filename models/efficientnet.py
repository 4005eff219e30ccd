"""EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946); swish is Sigmoid and Mul."""
from graph import Model

# expansion, kernel, stride of the first block, channels, blocks
STAGES = [
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]


def squeeze_excite(g, x, squeezed):
    with g.scope("se"):
        gate = g.silu(g.conv(g.global_pool(x), squeezed, 1, bias=True))
        return g.mul(x, g.sigmoid(g.conv(gate, x.channels, 1, bias=True, gain=0.3)))


def block(g, x, expansion, kernel, stride, channels):
    y, hidden = x, x.channels * expansion
    if expansion != 1:
        y = g.silu(g.batch_norm(g.conv(y, hidden, 1)))
    y = g.silu(g.batch_norm(g.conv(y, hidden, kernel, stride, groups=hidden)))
    y = squeeze_excite(g, y, x.channels // 4)
    y = g.batch_norm(g.conv(y, channels, 1))
    return g.add(y, x) if stride == 1 and x.channels == channels else y


def efficientnet_b0(g):
    x = g.image(224)
    x = g.silu(g.batch_norm(g.conv(x, 32, 3, 2)))
    for stage, (expansion, kernel, stride, channels, blocks) in enumerate(STAGES):
        for i in range(blocks):
            with g.scope(f"stage{stage + 1}.{i}"):
                x = block(g, x, expansion, kernel, stride if i == 0 else 1, channels)
    x = g.silu(g.batch_norm(g.conv(x, 1280, 1)))
    g.output(g.fully_connected(g.flatten(g.global_pool(x)), 1000), "logits", [g.batch, 1000])


MODELS = [Model("efficientnet_b0", efficientnet_b0, 5_288_548, "EfficientNet-B0, 224x224")]
