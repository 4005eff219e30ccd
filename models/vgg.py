"""VGG-16 (Simonyan and Zisserman 2014, arXiv:1409.1556, configuration D)."""
from graph import Model

STAGES = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]


def vgg16(g):
    x = g.image(224)
    for channels, depth in STAGES:
        for _ in range(depth):
            x = g.relu(g.conv(x, channels, 3, bias=True))
        x = g.max_pool(x, 2, 2)
    x = g.flatten(x, x.channels * 7 * 7)
    x = g.relu(g.fully_connected(x, 4096))
    x = g.relu(g.fully_connected(x, 4096))
    g.output(g.fully_connected(x, 1000), "logits", [g.batch, 1000])


MODELS = [Model("vgg16", vgg16, 138_357_544, "VGG-16, 224x224")]
