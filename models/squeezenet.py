"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360, with the 1.1 arrangement of pools)."""
from graph import Model

POOL = None
# squeezed channels of each fire module; it expands to 4 + 4 times as many
LAYERS = [16, 16, POOL, 32, 32, POOL, 48, 48, 64, 64]


def fire(g, x, squeezed):
    x = g.relu(g.conv(x, squeezed, 1, bias=True))
    return g.concat([g.relu(g.conv(x, squeezed * 4, kernel, bias=True)) for kernel in (1, 3)])


def squeezenet(g):
    x = g.image(224)
    x = g.relu(g.conv(x, 64, 3, 2, pad=0, bias=True))
    x = g.max_pool(x, 3, 2, ceil_mode=1)
    index = 1
    for squeezed in LAYERS:
        if squeezed is POOL:
            x = g.max_pool(x, 3, 2, ceil_mode=1)
            continue
        index += 1
        with g.scope(f"fire{index}"):
            x = fire(g, x, squeezed)
    x = g.relu(g.conv(x, 1000, 1, bias=True))
    g.output(g.flatten(g.global_pool(x)), "logits", [g.batch, 1000])


MODELS = [Model("squeezenet", squeezenet, 1_235_496, "SqueezeNet 1.1, 224x224")]
