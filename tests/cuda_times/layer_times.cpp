// Times the layers of ResNet-50 and BERT-base in float16 on a GPU: every configuration of every tactic alone, as a chain in a
// captured graph, then the network made of the best ones. `joins` and `programs` time convolutions and products whose results a program
// finishes, beside the same followed by a kernel that does the rest, `waves` products whose tiles fill the multiprocessors more and less evenly, and `few` those of
// fewer tiles. Usage: cuda_layer_times {resnet50|bert|joins|programs} BATCH..., or {waves|few} TERMS...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <tuple>

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

// Of configurations of a tactic.
using Choices = std::set<std::pair<std::string, std::string>>;

// What runs a layer, and how long it takes.
struct Best {
  double microseconds = 0;
  std::string what;
  std::unique_ptr<BuiltNode> node;
  std::unique_ptr<PlacedStep> step;
  std::vector<std::tuple<double, std::string, std::string>> times;  // of all configurations
};

// The fastest three of each tactic that are not much slower than the best.
Choices fast_ones(const Best& best) {
  constexpr double kMuch = 1.4;
  auto times = best.times;
  std::sort(times.begin(), times.end());
  std::map<std::string, int> counts;
  Choices choices;
  for (const auto& [time, tactic, config] : times)
    if (time < kMuch * best.microseconds && counts[tactic]++ < 3) choices.emplace(tactic, config);
  return choices;
}

// `among`: of tactics that are named there, only these configurations.
Best tune(Device& device, const Layer& layer, const Choices& among = {}) {
  Best best;
  best.node = std::make_unique<BuiltNode>(layer.node);
  bool found = false;
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->refusal(best.node->problem()).refused()) continue;
    if (found && (tactic->name == "conv_any" || tactic->name == "product_any")) continue;  // the last resort
    const std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(best.node->problem()) : std::vector<Config>(1);
    const bool chosen = std::any_of(among.begin(), among.end(), [&](const auto& c) { return c.first == tactic->name; });
    for (const Config& config : configs) {
      if (chosen && !among.count({tactic->name, to_string(config)})) continue;
      try {
        auto step = std::make_unique<PlacedStep>(device, *best.node, tactic->emit(best.node->problem(), config));
        step->prepare();
        const double time = replay_time(device, 10,
                                        [&](Stream& stream) {
                                          for (int i = 0; i < kChain; ++i) KILN_RETURN_IF_ERROR(step->launch(stream));
                                          return kOkStatus;
                                        }) /
                            kChain;
        best.times.emplace_back(time, tactic->name, to_string(config));
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

// Post-operations, operands of which are: a row, a tensor like the results, another.
struct Finish {
  const char* name;
  std::vector<ir::PostOp> posts;
};
enum FinishOperand { kRow, kTensor, kOther };
using FinishOperands = std::vector<Operand>;

// Those that join tensors, and others.
std::vector<Finish> joins() {
  return {{"+ t, * u", {post("Add", {-1, kTensor}), post("Mul", {-1, kOther})}},
          {"* t, + u", {post("Mul", {-1, kTensor}), post("Add", {-1, kOther})}},
          {"+ t, Relu, * u", {post("Add", {-1, kTensor}), post("Relu", {-1}), post("Mul", {-1, kOther})}},
          {"* t", {post("Mul", {-1, kTensor})}},
          {"Silu, * t", {post("Swish", {-1}), post("Mul", {-1, kTensor})}},
          {"Silu, * t, + u", {post("Swish", {-1}), post("Mul", {-1, kTensor}), post("Add", {-1, kOther})}}};
}
std::vector<Finish> steps() {
  return {{"Mish", {post("Mish", {-1})}},
          {"PRelu", {post("PRelu", {-1, kRow})}},
          {"Relu, * c, + d", {post("Relu", {-1}), post("Mul", {-1, kRow}), post("Add", {-1, kRow})}},
          {"Clip, + t, Relu, * c",
           {post("Clip", {-1}), post("Add", {-1, kTensor}), post("Relu", {-1}), post("Mul", {-1, kRow})}}};
}

// With the operands that they read, each of its own, in their order.
void add_posts(NodeCase& node, std::vector<ir::PostOp> posts, const FinishOperands& operands) {
  for (ir::PostOp& p : posts) {
    for (int& operand : p.operands) {
      if (operand < 0) continue;
      node.extra.push_back(operands.at(static_cast<size_t>(operand)));
      operand = static_cast<int>(node.extra.size()) - 1;
    }
    node.post.push_back(p);
  }
}

// The same as a node of its own: the first operator and what follows it.
NodeCase apart(std::vector<ir::PostOp> posts, const Operand& x, const FinishOperands& operands) {
  NodeCase node{.op = posts[0].op->name(), .attributes = posts[0].attributes, .output_layout = x.layout};
  for (int operand : posts[0].operands)
    node.inputs.push_back(operand < 0 ? x : operands.at(static_cast<size_t>(operand)));
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

double time_of(Device& device, std::initializer_list<const Best*> steps) {
  return replay_time(device, 10,
                     [&](Stream& stream) {
                       for (int i = 0; i < kChain; ++i)
                         for (const Best* step : steps) KILN_RETURN_IF_ERROR(step->step->launch(stream));
                       return kOkStatus;
                     }) /
         kChain;
}

// All of the post-operations in the kernel of the base, and the last of them in one behind.
void report_program(Device& device, const Layer& base, const Best& plain, const Finish& finish) {
  const Argument& result = plain.node->problem().outputs[0];
  const Dims row = base.node.op == "Conv" ? Dims{result.opt[1], 1, 1} : Dims{result.opt.back()};
  const Operand tensor{.dims = result.opt, .type = kType, .layout = result.layout};
  const FinishOperands operands{{.dims = row, .type = kType, .constant = true}, tensor, tensor};
  const Choices fast = fast_ones(plain);
  std::printf("  %-26s %-22s", base.name.c_str(), finish.name);
  for (size_t within = 0; within <= finish.posts.size(); ++within) {
    const auto middle = finish.posts.begin() + static_cast<std::ptrdiff_t>(within);
    Layer fused{base.name, base.node};
    add_posts(fused.node, {finish.posts.begin(), middle}, operands);
    if (within > 0 && !is_taken(fused)) {
      std::printf("  %zu: none", within);
      continue;
    }
    const Best first = tune(device, fused, fast);
    if (within == finish.posts.size()) {
      std::printf("  all: %.2f us, %s", first.microseconds, first.what.c_str());
      continue;
    }
    const Best rest = tune(device, {finish.name, apart({middle, finish.posts.end()}, tensor, operands)});
    std::printf("  %zu: %.2f us (%.2f, %s)", within, time_of(device, {&first, &rest}), first.microseconds,
                first.what.c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}

// Convolutions of ResNet-50 and products of BERT-base.
void report_programs(Device& device, int64_t batch, const std::vector<Finish>& finishes) {
  std::printf("programs, batch %lld, float16\n", static_cast<long long>(batch));
  for (Layer base : {conv(batch, 14, 256, 1024, 1, 1, false, false), product(batch * 128, 768, 768, false, false),
                     conv(batch, 28, 128, 512, 1, 1, false, false), product(batch * 128, 768, 3072, false, false),
                     conv(batch, 14, 1024, 256, 1, 1, false, false), product(batch * 128, 3072, 768, false, false),
                     conv(batch, 28, 128, 128, 3, 1, false, false)}) {
    base.node.post.clear(), base.node.extra.clear();
    const Best plain = tune(device, base);
    std::printf("  %-26s alone %.2f us, %s\n", base.name.c_str(), plain.microseconds, plain.what.c_str());
    for (const Finish& finish : finishes) report_program(device, base, plain, finish);
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
    std::fprintf(stderr, "%s\n",
                 device ? "usage: cuda_layer_times {resnet50|bert|joins|programs} BATCH..., or {waves|few} TERMS..."
                        : reason.c_str());
    return 2;
  }
  std::printf("%s\n", device->facts().fingerprint.c_str());
  try {
    for (int i = 2; i < argc; ++i) {
      const int64_t batch = std::atoll(argv[i]);
      const std::string what = argv[1];
      if (what == "joins") report_programs(*device, batch, joins());
      else if (what == "programs") report_programs(*device, batch, steps());
      else if (what == "waves") report_products(*device, batch, kWaves);
      else if (what == "few") report_products(*device, batch, kFewTiles);
      else report(*device, what, batch, what == "bert" ? bert(batch) : resnet50(batch));
    }
  } catch (const kiln::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
