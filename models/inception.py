"""Inception-v3 (Szegedy et al. 2015, arXiv:1512.00567), without the auxiliary classifier that only training uses."""
from graph import Model


def conv(g, x, channels, kernel, stride=1, pad=0):
    return g.relu(g.batch_norm(g.conv(x, channels, kernel, stride, pad), epsilon=1e-3))


def chain(g, x, *layers):
    """Convolutions one after another, each (channels, kernel, [stride, [pad]])."""
    for layer in layers:
        x = conv(g, x, *layer)
    return x


ROW, COLUMN = (1, 7), (7, 1)
ROW_PAD, COLUMN_PAD = (0, 3), (3, 0)


def block_a(g, x, pool_channels):
    return g.concat([
        conv(g, x, 64, 1),
        chain(g, x, (48, 1), (64, 5, 1, 2)),
        chain(g, x, (64, 1), (96, 3, 1, 1), (96, 3, 1, 1)),
        conv(g, g.average_pool(x, 3, 1, 1), pool_channels, 1),
    ])


def block_b(g, x):
    return g.concat([conv(g, x, 384, 3, 2), chain(g, x, (64, 1), (96, 3, 1, 1), (96, 3, 2)), g.max_pool(x, 3, 2)])


def block_c(g, x, width):
    return g.concat([
        conv(g, x, 192, 1),
        chain(g, x, (width, 1), (width, ROW, 1, ROW_PAD), (192, COLUMN, 1, COLUMN_PAD)),
        chain(g, x, (width, 1), (width, COLUMN, 1, COLUMN_PAD), (width, ROW, 1, ROW_PAD),
              (width, COLUMN, 1, COLUMN_PAD), (192, ROW, 1, ROW_PAD)),
        conv(g, g.average_pool(x, 3, 1, 1), 192, 1),
    ])


def block_d(g, x):
    return g.concat([
        chain(g, x, (192, 1), (320, 3, 2)),
        chain(g, x, (192, 1), (192, ROW, 1, ROW_PAD), (192, COLUMN, 1, COLUMN_PAD), (192, 3, 2)),
        g.max_pool(x, 3, 2),
    ])


def split_3x3(g, x):
    return g.concat([conv(g, x, 384, (1, 3), 1, (0, 1)), conv(g, x, 384, (3, 1), 1, (1, 0))])


def block_e(g, x):
    return g.concat([
        conv(g, x, 320, 1),
        split_3x3(g, conv(g, x, 384, 1)),
        split_3x3(g, chain(g, x, (448, 1), (384, 3, 1, 1))),
        conv(g, g.average_pool(x, 3, 1, 1), 192, 1),
    ])


BLOCKS = [
    (block_a, 32), (block_a, 64), (block_a, 64), (block_b,),
    (block_c, 128), (block_c, 160), (block_c, 160), (block_c, 192), (block_d,),
    (block_e,), (block_e,),
]


def inception_v3(g):
    x = g.image(299)
    x = chain(g, x, (32, 3, 2), (32, 3), (64, 3, 1, 1))
    x = chain(g, g.max_pool(x, 3, 2), (80, 1), (192, 3))
    x = g.max_pool(x, 3, 2)
    for index, (block, *arguments) in enumerate(BLOCKS):
        with g.scope(f"mixed{index + 1}"):
            x = block(g, x, *arguments)
    g.output(g.fully_connected(g.flatten(g.global_pool(x)), 1000), "logits", [g.batch, 1000])


MODELS = [Model("inception_v3", inception_v3, 23_834_568, "Inception-v3, 299x299")]
