"""PyTorch on one GPU, float16, captured as a CUDA graph: what Kiln's engines are measured beside (scripts/gpu/networks.py).

Usage: peers.py NETWORK BATCH SECONDS KIND..., a process for each network and batch. Says "ready KIND SECONDS" when a graph is there and "failed KIND" when there is none, in the order
of the kinds, and "serving" behind the last, or after SECONDS, when nothing is said of the others. Then answers each line of its input, a kind, seconds to measure and seconds
to rest between bursts, with the milliseconds of a replay, the median of bursts. Kinds: eager; compiled, by torch.compile with max-autotune;
frozen, with weights as constants besides, so that batch norms fold; libraries, ResNet-50 and BERT fused by hand from what cuDNN and cuBLASLt offer.
"""
import os
import signal
import statistics
import sys
import time
import traceback

import torch
import torch.nn.functional as F

DEVICE, TYPE = "cuda", torch.float16
TORCHVISION = {"resnet50": "resnet50", "mobilenet_v3": "mobilenet_v3_large", "efficientnet_b0": "efficientnet_b0", "vit_b16": "vit_b_16", "swin_b": "swin_b"}
BERT = {"bert_base": (768, 12, 12, 3072), "bert_large": (1024, 24, 16, 4096)}  # width, layers, heads, inner width
TOKENS = 128


def image(batch):
    return torch.randn(batch, 3, 224, 224, device=DEVICE, dtype=TYPE).to(memory_format=torch.channels_last)


def network(name, batch):
    """The network as PyTorch's users have it, and its input."""
    if name in BERT:
        from transformers import BertConfig, BertModel

        width, layers, heads, inner = BERT[name]
        config = BertConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner)
        model = BertModel(config).eval().to(DEVICE, TYPE)
        return (lambda ids: model(input_ids=ids).last_hidden_state), torch.randint(0, 30000, (batch, TOKENS), device=DEVICE)
    import torchvision

    model = getattr(torchvision.models, TORCHVISION[name])(weights=None).eval().to(DEVICE, TYPE).to(memory_format=torch.channels_last)
    return model, image(batch)


def weights(*dims):
    return torch.randn(*dims, device=DEVICE, dtype=TYPE) * (2 / torch.tensor(dims[1:]).prod().item()) ** 0.5


def resnet50_by_libraries(batch):
    def convolution(inputs, outputs, size):
        return weights(outputs, inputs, size, size).to(memory_format=torch.channels_last), torch.zeros(outputs, device=DEVICE, dtype=TYPE)

    def relu(x, of, stride, padding):
        return torch.cudnn_convolution_relu(x, *of, [stride] * 2, [padding] * 2, [1, 1], 1)

    first, blocks, channels = convolution(3, 64, 7), [], 64
    for width, count, step in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for index in range(count):
            shortcut = convolution(channels, 4 * width, 1) if index == 0 else None
            blocks.append((convolution(channels, width, 1), convolution(width, width, 3), convolution(width, 4 * width, 1), shortcut, step if index == 0 else 1))
            channels = 4 * width
    last = weights(1000, 2048)

    def run(x):
        x = F.max_pool2d(relu(x, first, 2, 3), 3, 2, 1)
        for narrow, middle, wide, shortcut, stride in blocks:
            residual = x if shortcut is None else F.conv2d(x, *shortcut, stride=stride)
            y = relu(relu(x, narrow, 1, 0), middle, stride, 1)
            x = torch.cudnn_convolution_add_relu(y, wide[0], residual, 1.0, wide[1], [1, 1], [0, 0], [1, 1], 1)
        return F.linear(x.mean((2, 3)), last)

    return run, image(batch)


def bert_by_libraries(name, batch):
    width, count, heads, inner = BERT[name]
    zeros = lambda n: torch.zeros(n, device=DEVICE, dtype=TYPE)
    ones = torch.ones(width, device=DEVICE, dtype=TYPE)
    layers = [[weights(width, 3 * width), weights(width, width), weights(width, inner), weights(inner, width)] for _ in range(count)]
    biases = [zeros(3 * width), zeros(width), zeros(inner), zeros(width)]
    norm = lambda x: F.layer_norm(x, (width,), ones, biases[1])

    def run(x):
        for qkv, out, up, down in layers:
            q, k, v = torch.addmm(biases[0], x, qkv).view(batch, TOKENS, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, width)
            x = norm(x + torch.addmm(biases[1], attended, out))
            x = norm(x + torch.addmm(biases[3], torch._addmm_activation(biases[2], x, up, use_gelu=True), down))
        return x

    return run, torch.randn(batch * TOKENS, width, device=DEVICE, dtype=TYPE)


def call_of(kind, name, batch, plain):
    """The network in that form, and its input; `plain`: what network() made."""
    if kind == "libraries":
        return resnet50_by_libraries(batch) if name == "resnet50" else bert_by_libraries(name, batch)
    call, x = plain
    if kind == "eager":
        return call, x
    import torch._dynamo
    import torch._inductor.config

    torch._dynamo.reset()
    torch._inductor.config.freezing = kind == "frozen"
    return torch.compile(call, mode="max-autotune-no-cudagraphs", dynamic=False), x


def warm_up(call, x):
    """Compiles what is to be compiled."""
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(3):
            call(x)
    torch.cuda.synchronize()


def captured(call, x):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call(x)
    return graph


def milliseconds(graph, seconds, rest):
    """Median of bursts of some 20 ms."""
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def burst(replays):
        first.record()
        for _ in range(replays):
            graph.replay()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / replays

    burst(5)
    replays = max(3, int(20 / burst(10)))
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        time.sleep(rest)
        times.append(burst(replays))
    return statistics.median(times)


class Late(BaseException):
    """The time to get ready is over. No Exception, which compilers catch."""


def make_graphs(kinds, name, batch, say, graphs):
    """Fills `graphs`: by kind, the graph, and what must live as long."""
    plain = None
    for kind in kinds:
        start = time.monotonic()
        try:
            if plain is None and kind != "libraries":
                plain = network(name, batch)
            call, x = call_of(kind, name, batch, plain)
            warm_up(call, x)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # a capture is short, and not to be broken off
            graphs[kind] = captured(call, x), call, x
            say(f"ready {kind} {time.monotonic() - start:.1f}")
        except Exception:
            traceback.print_exc()
            say(f"failed {kind}")
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


def graphs_in_time(kinds, name, batch, seconds, say):
    """Those that are ready by then."""

    def end(*_):
        raise Late

    graphs = {}
    try:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        make_graphs(kinds, name, batch, say, graphs)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Late:
        pass
    return graphs


def main():
    name, batch, seconds, kinds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def say(text):
        print(text, file=answers, flush=True)

    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    with torch.no_grad():
        graphs = graphs_in_time(kinds, name, batch, seconds, say)
        say("serving")
        for line in sys.stdin:
            kind, *numbers = line.split()
            say(f"{milliseconds(graphs[kind][0], *map(float, numbers)):.4f}")


if __name__ == "__main__":
    main()
