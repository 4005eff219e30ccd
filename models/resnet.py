"""ResNet-18 and ResNet-50 (He et al. 2015, arXiv:1512.03385).

A bottleneck has its stride in the 3x3 convolution ("v1.5").
"""
from graph import Model


def basic_block(g, x, width, stride):
    y = g.relu(g.batch_norm(g.conv(x, width, 3, stride)))
    return g.batch_norm(g.conv(y, width, 3))


def bottleneck(g, x, width, stride):
    y = g.relu(g.batch_norm(g.conv(x, width, 1)))
    y = g.relu(g.batch_norm(g.conv(y, width, 3, stride)))
    return g.batch_norm(g.conv(y, width * 4, 1))


def resnet(g, block, depths):
    x = g.image(224)
    x = g.relu(g.batch_norm(g.conv(x, 64, 7, 2)))
    x = g.max_pool(x, 3, 2, 1)
    for stage, depth in enumerate(depths):
        for i in range(depth):
            stride = 2 if stage and i == 0 else 1
            with g.scope(f"layer{stage + 1}.{i}"):
                y = block(g, x, 64 << stage, stride)
                if stride != 1 or x.channels != y.channels:
                    with g.scope("downsample"):
                        x = g.batch_norm(g.conv(x, y.channels, 1, stride))
                x = g.relu(g.add(y, x))
    g.output(g.fully_connected(g.flatten(g.global_pool(x)), 1000), "logits", [g.batch, 1000])


MODELS = [
    Model("resnet18", lambda g: resnet(g, basic_block, [2, 2, 2, 2]), 11_689_512, "ResNet-18, 224x224"),
    Model("resnet50", lambda g: resnet(g, bottleneck, [3, 4, 6, 3]), 25_557_032, "ResNet-50 v1.5, 224x224"),
]
