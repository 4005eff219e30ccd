// Times the layers of ResNet-50 and BERT-base in float16 on a GPU: every configuration of every tactic alone, as a chain in a
// captured graph, then the network made of the best ones. `programs` times convolutions and products whose results a program finishes, beside
// the same followed by a kernel that does the rest, `waves` products whose tiles fill the multiprocessors more and less evenly, and `few` those of
// fewer tiles. Usage: cuda_layer_times {resnet50|bert|programs} BATCH..., or {waves|few} TERMS...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>

#include "cuda_times/replay.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kType = DType::kF16;
constexpr int kChain = 16;  // launches of one replay
const Layout kLast = Layout::channels_last(4);

struct Layer {
  std::string name;
  NodeCase node;
};

// What runs a layer, and how long it takes.
struct Best {
  double microseconds = 0;
  std::string what;
  std::unique_ptr<BuiltNode> node;
  std::unique_ptr<PlacedStep> step;
};

Best tune(Device& device, const Layer& layer) {
  Best best;
  best.node = std::make_unique<BuiltNode>(layer.node);
  bool found = false;
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->refusal(best.node->problem()).refused()) continue;
    if (found && (tactic->name == "conv_any" || tactic->name == "product_any")) continue;  // the last resort
    const std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(best.node->problem()) : std::vector<Config>(1);
    for (const Config& config : configs) {
      try {
        auto step = std::make_unique<PlacedStep>(device, *best.node, tactic->emit(best.node->problem(), config));
        step->prepare();
        const double time = replay_time(device, 10,
                                        [&](Stream& stream) {
                                          for (int i = 0; i < kChain; ++i) KILN_RETURN_IF_ERROR(step->launch(stream));
                                          return kOkStatus;
                                        }) /
                            kChain;
        if (!found || time < best.microseconds) {
          best.microseconds = time;
          best.what = tactic->name + " " + to_string(config);
          best.step = std::move(step);
        }
        found = true;
      } catch (const Error& e) {
        std::printf("  %s: %s %s: %s\n", layer.name.c_str(), tactic->name.c_str(), to_string(config).c_str(), e.what());
      }
    }
  }
  if (!found) throw Error(Code::kUnsupported, "no tactic runs " + layer.name);
  return best;
}

Layer conv(int64_t batch, int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride, bool residual,
           bool relu) {
  const int64_t pad = kernel / 2, result = (size + 2 * pad - kernel) / stride + 1;
  Layer l;
  l.name = std::to_string(kernel) + "x" + std::to_string(kernel) + "/" + std::to_string(stride) + " " +
           std::to_string(in) + "->" + std::to_string(out) + " @" + std::to_string(size) +
           (residual ? " + residual" : "");
  l.node = {.op = "Conv",
            .attributes = {{"pads", Ints{pad, pad, pad, pad}}, {"strides", Ints{stride, stride}}},
            .inputs = {{.dims = {batch, in, size, size}, .type = kType, .layout = kLast},
                       {.dims = {out, in, kernel, kernel}, .type = kType, .constant = true},
                       {.dims = {out}, .type = kType, .constant = true}},
            .output_layout = kLast};
  if (residual) {
    l.node.post.push_back(post("Add", {-1, 0}));
    l.node.extra.push_back({.dims = {batch, out, result, result}, .type = kType, .layout = kLast});
  }
  if (relu) l.node.post.push_back(post("Relu", {-1}));
  return l;
}

Layer depthwise(int64_t batch, int64_t size, int64_t channels, int64_t kernel) {
  Layer l = conv(batch, size, channels, channels, kernel, 1, false, false);
  l.name = "depthwise " + l.name;
  l.node.attributes.set("group", channels);
  l.node.inputs[1].dims = {channels, 1, kernel, kernel};
  return l;
}

Layer product(int64_t rows, int64_t terms, int64_t columns, bool residual, bool gelu) {
  Layer l;
  l.name = "M" + std::to_string(rows) + " N" + std::to_string(columns) + " K" + std::to_string(terms) +
           (residual ? " + residual" : "") + (gelu ? " gelu" : "");
  l.node = {
      .op = "MatMul",
      .inputs = {{.dims = {rows, terms}, .type = kType}, {.dims = {terms, columns}, .type = kType, .constant = true}},
      .post = {post("Add", {-1, 0})},
      .extra = {{.dims = {columns}, .type = kType, .constant = true}}};
  if (residual) {
    l.node.post.push_back(post("Add", {-1, 1}));
    l.node.extra.push_back({.dims = {rows, columns}, .type = kType});
  }
  if (gelu) l.node.post.push_back(post("Gelu", {-1}));
  return l;
}

std::vector<Layer> resnet50(int64_t batch) {
  std::vector<Layer> net{conv(batch, 224, 3, 64, 7, 2, false, true)};
  net.push_back({"max pool",
                 {.op = "MaxPool",
                  .attributes = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
                  .inputs = {{.dims = {batch, 64, 112, 112}, .type = kType, .layout = kLast}},
                  .output_layout = kLast}});
  int64_t channels = 64, size = 56;
  const int64_t widths[] = {64, 128, 256, 512}, depths[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage)
    for (int64_t block = 0; block < depths[stage]; ++block) {
      const int64_t width = widths[stage], stride = block == 0 && stage > 0 ? 2 : 1, result = size / stride;
      net.push_back(conv(batch, size, channels, width, 1, 1, false, true));
      if (block == 0) net.push_back(conv(batch, size, channels, 4 * width, 1, stride, false, false));
      net.push_back(conv(batch, size, width, width, 3, stride, false, true));
      net.push_back(conv(batch, result, width, 4 * width, 1, 1, true, true));
      channels = 4 * width;
      size = result;
    }
  const Tensor axes = Tensor::of<int64_t>({2}, {2, 3});
  net.push_back({"mean of pixels",
                 {.op = "ReduceMean",
                  .inputs = {{.dims = {batch, 2048, 7, 7}, .type = kType, .layout = kLast},
                             {.dims = {2}, .type = DType::kI64, .constant = true, .value = axes}}}});
  net.push_back(product(batch, 2048, 1000, false, false));
  return net;
}

std::vector<Layer> bert(int64_t batch) {
  const int64_t rows = batch * 128, width = 768;
  const Layer norm{"layer norm",
                   {.op = "LayerNormalization",
                    .inputs = {{.dims = {rows, width}, .type = kType},
                               {.dims = {width}, .type = kType, .constant = true},
                               {.dims = {width}, .type = kType, .constant = true}}}};
  const Operand heads{.dims = {batch, 128, width}, .type = kType};
  const Layer attention{"attention",
                        {.op = "Attention",
                         .attributes = {{"q_num_heads", int64_t{12}}, {"kv_num_heads", int64_t{12}}},
                         .inputs = {heads, heads, heads}}};
  std::vector<Layer> net;
  for (int i = 0; i < 12; ++i)
    for (const Layer& l :
         {product(rows, width, 3 * width, false, false), attention, product(rows, width, width, true, false), norm,
          product(rows, width, 4 * width, false, true), product(rows, 4 * width, width, true, false), norm})
      net.push_back(l);
  return net;
}

void report(Device& device, const std::string& name, int64_t batch, const std::vector<Layer>& net) {
  std::map<std::string, Best> best;
  std::map<std::string, int> counts;
  double sum = 0;
  for (const Layer& l : net) {
    ++counts[l.name];
    if (!best.count(l.name)) best.emplace(l.name, tune(device, l));
    sum += best.at(l.name).microseconds;
  }
  std::printf("%s, batch %lld, float16\n", name.c_str(), static_cast<long long>(batch));
  std::map<std::string, bool> shown;
  for (const Layer& l : net)
    if (!shown[l.name]) {
      shown[l.name] = true;
      const Best& b = best.at(l.name);
      std::printf("  %-36s x%2d %8.2f us  %s\n", l.name.c_str(), counts[l.name], b.microseconds, b.what.c_str());
    }
  const double whole = replay_time(device, 20, [&](Stream& stream) {
    for (const Layer& l : net) KILN_RETURN_IF_ERROR(best.at(l.name).step->launch(stream));
    return kOkStatus;
  });
  std::printf("%s, batch %lld: %zu kernels, sum of the layers alone %.1f us, whole network by graph replay %.1f us\n",
              name.c_str(), static_cast<long long>(batch), net.size(), sum, whole);
  std::fflush(stdout);
}

// Post-operations, operands of which are: a row, a tensor like the results.
struct Finish {
  const char* name;
  std::vector<ir::PostOp> posts;
};
std::vector<Finish> finishes() {
  return {{"Mish", {post("Mish", {-1})}},
          {"PRelu", {post("PRelu", {-1, 0})}},
          {"Relu * c + d", {post("Relu", {-1}), post("Mul", {-1, 0}), post("Add", {-1, 0})}},
          {"* tensor", {post("Mul", {-1, 1})}},
          {"Clip, + tensor, Relu, * c",
           {post("Clip", {-1}), post("Add", {-1, 1}), post("Relu", {-1}), post("Mul", {-1, 0})}},
          {"Selu", {post("Selu", {-1})}}};
}

// With the operands that they read, each of its own, in their order.
void add_posts(NodeCase& node, std::vector<ir::PostOp> posts, const Operand (&operands)[2]) {
  for (ir::PostOp& p : posts) {
    for (int& operand : p.operands) {
      if (operand < 0) continue;
      node.extra.push_back(operands[operand]);
      operand = static_cast<int>(node.extra.size()) - 1;
    }
    node.post.push_back(p);
  }
}

// The same as a node of its own: the first operator and what follows it.
NodeCase apart(std::vector<ir::PostOp> posts, const Operand& x, const Operand (&operands)[2]) {
  NodeCase node{.op = posts[0].op->name(), .attributes = posts[0].attributes, .output_layout = x.layout};
  for (int operand : posts[0].operands) node.inputs.push_back(operand < 0 ? x : operands[operand]);
  posts.erase(posts.begin());
  add_posts(node, std::move(posts), operands);
  return node;
}

bool is_taken(const Layer& layer) {
  const BuiltNode node(layer.node);
  const auto& tactics = tactic_list().all();
  return std::any_of(tactics.begin(), tactics.end(),
                     [&](const Tactic* tactic) { return !tactic->refusal(node.problem()).refused(); });
}

void report_program(Device& device, const Layer& base, const Best& plain, const Finish& finish) {
  const bool image = base.node.op == "Conv";
  const Argument& result = plain.node->problem().outputs[0];
  const Dims row = image ? Dims{result.opt[1], 1, 1} : Dims{result.opt.back()};
  const Operand tensor{.dims = result.opt, .type = kType, .layout = result.layout};
  const Operand operands[] = {{.dims = row, .type = kType, .constant = true}, tensor};
  Layer fused{base.name, base.node}, behind{finish.name, apart(finish.posts, tensor, operands)};
  fused.node.extra.clear(), fused.node.post.clear();
  add_posts(fused.node, finish.posts, operands);
  if (!is_taken(fused)) {
    std::printf("  %-28s %-26s is left apart\n", base.name.c_str(), finish.name);
    return;
  }
  const Best rest = tune(device, behind);
  const double split = replay_time(device, 10,
                                   [&](Stream& stream) {
                                     for (int i = 0; i < kChain; ++i) {
                                       KILN_RETURN_IF_ERROR(plain.step->launch(stream));
                                       KILN_RETURN_IF_ERROR(rest.step->launch(stream));
                                     }
                                     return kOkStatus;
                                   }) /
                       kChain;
  const Best whole = tune(device, fused);
  std::printf("  %-28s %-26s %8.2f us in two (%.2f alone), %8.2f in one: %.2f  %s | %s | %s\n", base.name.c_str(),
              finish.name, split, plain.microseconds, whole.microseconds, split / whole.microseconds,
              whole.what.c_str(), plain.what.c_str(), rest.what.c_str());
  std::fflush(stdout);
}

void report_programs(Device& device, int64_t batch) {
  std::printf("programs, batch %lld, float16\n", static_cast<long long>(batch));
  for (Layer base : {depthwise(batch, 28, 240, 3), depthwise(batch, 14, 672, 5), depthwise(batch, 7, 960, 5),
                     conv(batch, 56, 64, 64, 3, 1, false, false), conv(batch, 14, 256, 256, 3, 1, false, false),
                     conv(batch, 14, 1024, 256, 1, 1, false, false), product(batch * 128, 768, 768, false, false)}) {
    base.node.post.clear(), base.node.extra.clear();
    const Best plain = tune(device, base);
    for (const Finish& finish : finishes()) report_program(device, base, plain, finish);
  }
}

struct ProductShape {
  int64_t rows, columns;
};
// Tiles of 128x256 on 132 multiprocessors: all busy once, a few of them twice, and less.
constexpr ProductShape kWaves[] = {{1536, 2816}, {1792, 2560}, {1920, 2560}, {1024, 768}, {1024, 3072}};
// Fewer tiles than multiprocessors.
constexpr ProductShape kFewTiles[] = {{1024, 1024}, {1024, 768}, {392, 512}, {128, 1024}, {128, 768}, {49, 512}};

void report_products(Device& device, int64_t terms, std::span<const ProductShape> shapes) {
  for (const auto& [rows, columns] : shapes) {
    const Layer layer = product(rows, terms, columns, false, false);
    const Best best = tune(device, layer);
    std::printf("  %s: %.2f us, %.0f TFLOP/s  %s\n", layer.name.c_str(), best.microseconds,
                2e-6 * static_cast<double>(rows * columns * terms) / best.microseconds, best.what.c_str());
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace kiln::cuda::testing

int main(int argc, char** argv) {
  using namespace kiln::cuda::testing;
  std::string reason;
  kiln::Device* device = gpu(reason);
  if (!device || argc < 3) {
    std::fprintf(
        stderr, "%s\n",
        device ? "usage: cuda_layer_times {resnet50|bert|programs} BATCH..., or {waves|few} TERMS..." : reason.c_str());
    return 2;
  }
  std::printf("%s\n", device->facts().fingerprint.c_str());
  try {
    for (int i = 2; i < argc; ++i) {
      const int64_t batch = std::atoll(argv[i]);
      const std::string what = argv[1];
      if (what == "programs") report_programs(*device, batch);
      else if (what == "waves") report_products(*device, batch, kWaves);
      else if (what == "few") report_products(*device, batch, kFewTiles);
      else report(*device, what, batch, what == "bert" ? bert(batch) : resnet50(batch));
    }
  } catch (const kiln::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
