// Products in int8 or in float32: by time, and by what they change of the results.
#include "api/int8_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <set>

#include "api/graph_file.h"
#include "api/parked_engine.h"
#include "passes/quantize/by_range.h"

namespace kiln::api {
namespace {

constexpr int kRounds = 4, kRunsInARound = 2;  // of each engine in turn, and behind one that is not timed
constexpr double kClearly = 1.5;  // float32 by tactics in order of preference ÷ int8: more than tuning takes off
constexpr int64_t kPartBytes = int64_t{32}
                               << 20;  // of weights in float32 that are in memory together, while they are compared
constexpr int64_t kMostParts = 4;
constexpr int kPartRounds = 2;

bool is_product_name(const ir::Node& n) {
  return n.is("Conv") || n.is("ConvTranspose") || n.is("MatMul") || n.is("Gemm");
}

// A product of what the model dequantizes.
bool reads_bytes(const ir::Node& n) {
  const ir::Node* from = is_product_name(n) && n.input(0) ? n.input(0)->producer() : nullptr;
  return from && from->is("DequantizeLinear");
}

// A product of the model, and the bytes that its weights would have in float32 where they are dequantized.
struct ModelProduct {
  std::string name;
  int64_t bytes = 0;
};

// In the order of the network.
std::vector<ModelProduct> products_of(const std::string& model) {
  std::vector<ModelProduct> list;
  const auto graph = load_model(model);
  for (const auto& n : graph->nodes()) {
    if (!is_product_name(*n)) continue;
    const ir::Node* from = n->input(1) ? n->input(1)->producer() : nullptr;
    const Tensor* w = from && from->is("DequantizeLinear") && from->input(0) ? from->input(0)->constant() : nullptr;
    list.push_back({n->name(), w ? w->size() * static_cast<int64_t>(sizeof(float)) : 0});
  }
  return list;
}

std::set<std::string> product_names(const std::vector<ModelProduct>& list) {
  std::set<std::string> names;
  for (const ModelProduct& product : list) names.insert(product.name);
  return names;
}

Values random_inputs(const Engine& engine) {
  Values values;
  for (const IoTensor& io : engine.io())
    if (io.is_input)
      values[io.name] = random_tensor(io.type, io.profiles.empty() ? io.dims : io.profiles[0].opt, values.size());
  return values;
}

Session session_with(const Engine& engine, const Values& inputs, int threads) {
  Session session = engine.create_session(threads);
  for (const auto& [name, value] : inputs) session.set_input(name, value);
  session.enqueue();
  session.synchronize();
  return session;
}

// An engine and its least times. Its weights need memory only while it runs.
class Timed {
 public:
  Timed(const ParkedEngine& engine, const Values& inputs, int threads)
      : engine_(engine), session_(session_with(engine.engine(), inputs, threads)) {
    engine_.let_go();
  }
  void profile_round() {
    round([&] {
      for (const auto& [name, ms] : session_.profile()) keep_least(layers_[name], ms);
    });
  }
  void run_round() {
    round([&] {
      const auto start = std::chrono::steady_clock::now();
      run();
      keep_least(whole_, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    });
  }
  const Engine& engine() const { return engine_.engine(); }
  const std::map<std::string, double>& layers() const { return layers_; }  // milliseconds by name
  double whole() const { return whole_; }

 private:
  static void keep_least(double& least, double ms) { least = least > 0 ? std::min(least, ms) : ms; }
  void run() {
    session_.enqueue();
    session_.synchronize();
  }
  template <class F> void round(const F& measure) {
    run();  // brings the weights to memory
    for (int i = 0; i < kRunsInARound; ++i) measure();
    engine_.let_go();
  }

  const ParkedEngine& engine_;
  Session session_;
  std::map<std::string, double> layers_;
  double whole_ = 0;
};

// Products of the model that share a layer in float32, and what they and their conversions take in each.
struct Group {
  std::set<std::string> products;
  double bytes = 0, wide = 0;  // milliseconds
};

class Grouping {
 public:
  // Of the products of `part`, which alone are in float32 in `wide`.
  Grouping(const std::set<std::string>& products, const std::set<std::string>& part, const Timed& bytes,
           const Timed& wide)
      : products_(products), part_(part) {
    for (const LayerInfo& layer : wide.engine().layers()) join(layer);
    add_times(bytes, &Group::bytes);
    add_times(wide, &Group::wide);
  }

  std::vector<Group> groups() const {
    std::vector<Group> list;
    for (const auto& [root, group] : groups_) list.push_back(group);
    return list;
  }

 private:
  std::string root_of(const std::string& product) {
    std::string& up = up_.emplace(product, product).first->second;
    return up == product ? product : up = root_of(up);
  }
  // Layers in int8 name the products that read their integers, too, behind their own.
  std::vector<std::string> products_in(const LayerInfo& layer) const {
    std::vector<std::string> names;
    for (const std::string& origin : layer.origins)
      if (products_.count(origin)) names.push_back(origin);
    if (!names.empty() && !part_.count(names[0])) return {};
    std::erase_if(names, [&](const std::string& name) { return !part_.count(name); });
    return names;
  }
  void join(const LayerInfo& layer) {
    const auto names = products_in(layer);
    for (const std::string& name : names) up_[root_of(name)] = root_of(names[0]);
  }
  void add_times(const Timed& timed, double Group::*sum) {
    for (const LayerInfo& layer : timed.engine().layers()) {
      const auto names = products_in(layer);
      const auto time = timed.layers().find(layer.name);
      if (names.empty() || time == timed.layers().end()) continue;
      Group& group = groups_[root_of(names[0])];
      for (const std::string& name : names)
        if (root_of(name) == root_of(names[0])) group.products.insert(name);
      group.*sum += time->second;
    }
  }

  const std::set<std::string>&products_, &part_;
  std::map<std::string, std::string> up_;
  std::map<std::string, Group> groups_;
};

BuildOptions with_wide(BuildOptions options, const std::set<std::string>& products) {
  for (const std::string& name : products) options.layer_precisions.emplace_back(name, "float32");
  return options;
}

// The network with all its products in float32.
BuildOptions in_float32(BuildOptions options, const std::set<std::string>& products) {
  if (options.ranges.empty()) return with_wide(std::move(options), products);
  options.ranges.clear();
  return options;
}

// By tactics in order of preference, and nobody hears of it.
BuildOptions quick(BuildOptions options) {
  options.optimization_level = 0;
  options.timing_cache.clear();
  options.log = nullptr;
  options.progress = nullptr;
  return options;
}

// Nobody is shown graphs of builds that only compare.
BuildOptions unseen(BuildOptions options) {
  options.dump = nullptr;
  options.dump_file.clear();
  options.keep_graph = false;
  return options;
}

void say(const BuildOptions& options, const std::string& text) {
  if (options.log) options.log(Level::kInfo, text);
}

std::string names_of(const Group& group) {
  std::string text;
  for (const std::string& name : group.products) text += (text.empty() ? "'" : ", '") + printable(name) + "'";
  return text;
}

std::string slower_by(double bytes, double wide) {
  return fmt::format("slower in int8 by {:.4f} ms ({:.4f} instead of {:.4f})", bytes - wide, bytes, wide);
}

// Lets the products of groups that int8 makes slower compute in float32. Returns why.
std::vector<std::string> keep_slow_ones_wide(const std::vector<Group>& groups, BuildOptions& options) {
  std::vector<std::string> remarks;
  for (const Group& group : groups) {
    if (group.bytes <= group.wide) continue;
    if (options.ranges.empty()) options = with_wide(std::move(options), group.products);
    else options.slower_in_int8.insert(options.slower_in_int8.end(), group.products.begin(), group.products.end());
    remarks.push_back(names_of(group) + " stays in float32: " + slower_by(group.bytes, group.wide));
  }
  return remarks;
}

// Outputs for each sample.
std::vector<Values> results_of(const Engine& engine, const std::vector<Values>& samples, int threads) {
  Session session = engine.create_session(threads);
  std::vector<Values> results;
  for (const Values& sample : samples) {
    for (const auto& [name, value] : sample) session.set_input(name, value);
    session.enqueue();
    Values& outputs = results.emplace_back();
    for (const IoTensor& io : engine.io())
      if (!io.is_input) outputs[io.name] = session.output(io.name);
  }
  return results;
}

// ‖got - wanted‖ / ‖wanted‖ over all samples, of the worst output. What is no number counts as infinitely far.
double error_of(const std::vector<Values>& got, const std::vector<Values>& wanted) {
  std::map<std::string, std::pair<double, double>> sums;
  for (size_t i = 0; i < wanted.size(); ++i)
    for (const auto& [name, want] : wanted[i]) {
      auto& [squares, size] = sums[name];
      const HostTensor& have = got[i].at(name);
      for (int64_t k = 0; k < std::min(element_count(want), element_count(have)); ++k) {
        const double w = element(want, k), difference = element(have, k) - w;
        squares += difference * difference;
        size += w * w;
      }
    }
  double worst = 0;
  for (const auto& [name, sum] : sums) {
    const double error = sum.first == 0 ? 0 : std::sqrt(sum.first / sum.second);
    worst = std::max(worst, std::isnan(error) ? HUGE_VAL : error);
  }
  return worst;
}

// Builds quickly.
class Trials {
 public:
  Trials(const BuildOptions& options, const std::vector<Values>& samples)
      : quick_(quick(unseen(options))), samples_(samples) {}
  std::shared_ptr<Engine::State> build(const std::set<std::string>& wide) {
    return build_once(with_wide(quick_, wide), memory_);
  }
  std::shared_ptr<Engine::State> in_floats() { return build_once(in_float32(quick_, {}), memory_); }
  std::vector<Values> results(const Engine& engine) const { return results_of(engine, samples_, quick_.max_threads); }
  std::vector<Values> results(const ParkedEngine& engine) const {
    auto outputs = results(engine.engine());
    engine.let_go();
    return outputs;
  }
  // With the products of `wide` in float32.
  double error(const std::set<std::string>& wide, const std::vector<Values>& wanted) {
    return error_of(results(Engine(build(wide))), wanted);
  }

 private:
  BuildOptions quick_;
  const std::vector<Values>& samples_;
  BuildMemory memory_;
};

std::set<std::string> without(std::set<std::string> all, const std::set<std::string>& some) {
  for (const std::string& name : some) all.erase(name);
  return all;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " + ") + name;
  return text;
}

struct Candidate {
  std::set<std::string> products;
  LayerEffect effect;
  double harm_per_us() const { return effect.error * effect.error / std::max(effect.saved_us, 1e-3); }
};

// Not every network takes any numbers: then nothing is compared.
bool takes_random_inputs(const ParkedEngine& parked, const BuildOptions& options) {
  try {
    session_with(parked.engine(), random_inputs(parked.engine()), options.max_threads);
    parked.let_go();
    return true;
  } catch (const Failure& failure) {
    say(options,
        std::string("int8 and float32 were not compared, for random inputs end in an error: ") + failure.what());
    return false;
  }
}

// Neighbouring products, whose weights are about as many bytes in each part.
std::vector<std::set<std::string>> parts_of(const std::vector<ModelProduct>& list) {
  int64_t all = 0, before = 0;
  for (const ModelProduct& product : list) all += product.bytes;
  const int64_t count = std::clamp<int64_t>(all / kPartBytes, 1, kMostParts);
  std::vector<std::set<std::string>> parts(static_cast<size_t>(count));
  for (const auto& [name, bytes] : list) {
    const int64_t part = all > 0 ? (before + bytes / 2) * count / all : 0;
    parts[static_cast<size_t>(std::min(part, count - 1))].insert(name);
    before += bytes;
  }
  std::erase_if(parts, [](const auto& part) { return part.empty(); });
  return parts;
}

// What the whole network takes in float32 without tuning: part by part, so that few of its weights are in memory at a time. Ends as soon
// as it is `enough`.
double untuned_float32(const BuildOptions& asked, const std::vector<std::set<std::string>>& parts, const Values& inputs,
                       double enough) {
  BuildMemory none;
  const BuildOptions untuned = quick(unseen(asked));
  const ParkedEngine bytes(build_once(untuned, none));
  double least = HUGE_VAL, more = 0;
  for (const std::set<std::string>& products : parts) {
    const ParkedEngine part(build_once(with_wide(untuned, products), none));
    Timed in_bytes(bytes, inputs, asked.max_threads), in_part(part, inputs, asked.max_threads);
    for (int i = 0; i < kPartRounds; ++i) in_bytes.run_round(), in_part.run_round();
    least = std::min(least, in_bytes.whole());
    more += in_part.whole() - in_bytes.whole();
    if (least + more >= enough) break;
  }
  return least + more;
}

// Whether the engine in int8 wins by so much over a network in float32 that was not tuned that tuning would not change it.
bool wins_clearly(const ParkedEngine& bytes, const BuildOptions& asked,
                  const std::vector<std::set<std::string>>& parts) {
  const Values inputs = random_inputs(bytes.engine());
  Timed in_bytes(bytes, inputs, asked.max_threads);
  for (int i = 0; i < kRounds; ++i) in_bytes.run_round();
  const double enough = kClearly * in_bytes.whole(), floats = untuned_float32(asked, parts, inputs, enough);
  if (floats < enough) return false;
  say(asked, fmt::format("in int8 {:.4f} ms, in float32 with the roundings of the model, untuned, {:.4f} ms or more",
                         in_bytes.whole(), floats));
  return true;
}

std::vector<Group> groups_by_time(const ParkedEngine& bytes, const ParkedEngine& wide, const Values& inputs,
                                  const BuildOptions& options, const std::set<std::string>& products) {
  Timed in_bytes(bytes, inputs, options.max_threads), in_floats(wide, inputs, options.max_threads);
  for (int i = 0; i < kRounds; ++i) in_bytes.profile_round(), in_floats.profile_round();
  return Grouping(products, products, in_bytes, in_floats).groups();
}

// The network in int8 beside those that have a part of its products in float32, tuned.
struct Comparison {
  std::vector<Group> groups;
  double more = 0;  // milliseconds that the network takes in float32 beyond those in int8
};
Comparison compare_parts(const ParkedEngine& bytes, const std::vector<std::set<std::string>>& parts,
                         const Values& inputs, const BuildOptions& options, const std::set<std::string>& products,
                         BuildMemory& memory) {
  Comparison found;
  for (const std::set<std::string>& part : parts) {
    const BuildOptions own = parts.size() > 1 ? with_wide(options, part) : in_float32(options, products);
    const ParkedEngine wide(build_once(unseen(own), memory));
    Timed in_bytes(bytes, inputs, options.max_threads), in_part(wide, inputs, options.max_threads);
    for (int i = 0; i < kRounds; ++i) in_bytes.profile_round(), in_part.profile_round();
    for (int i = 0; i < kRounds; ++i) in_bytes.run_round(), in_part.run_round();
    const std::vector<Group> groups = Grouping(products, part, in_bytes, in_part).groups();
    found.groups.insert(found.groups.end(), groups.begin(), groups.end());
    found.more += in_part.whole() - in_bytes.whole();
  }
  return found;
}

// Milliseconds of the engines, which run in turns.
std::vector<double> times_in_turns(const std::vector<const ParkedEngine*>& engines, const Values& inputs, int threads) {
  std::list<Timed> timed;
  for (const ParkedEngine* engine : engines) timed.emplace_back(*engine, inputs, threads);
  for (int i = 0; i < kRounds; ++i)
    for (Timed& each : timed) each.run_round();
  std::vector<double> times;
  for (const Timed& each : timed) times.push_back(each.whole());
  return times;
}

}  // namespace

BudgetReport keep_within_error(BuildOptions& options, const std::vector<Values>& samples, double budget) {
  if (samples.empty()) throw Failure(Error(Code::kInvalidArgument, "there are no samples to measure errors on").what());
  if (options.weight_bits > 0)
    throw Failure(Error(Code::kInvalidArgument, "an error budget and weights in few bits do not go together")
                      .cause("what stays in float32 by the budget has its weights in float32, too")
                      .remedy("leave out one of them")
                      .what());
  Trials trials(options, samples);
  std::set<std::string> products;
  std::vector<Values> wanted;
  std::vector<Group> groups;
  BudgetReport report;
  {
    const ParkedEngine wide(trials.in_floats());
    wanted = trials.results(wide);
    const ParkedEngine bytes(trials.build({}));
    report.error = report.error_of_all = error_of(trials.results(bytes), wanted);
    if (report.error <= budget) return report;
    products = product_names(products_of(options.onnx));
    groups = groups_by_time(bytes, wide, samples[0], options, products);
  }
  std::vector<Candidate> candidates;
  double predicted = 0;
  for (const Group& group : groups) {
    const double error = trials.error(without(products, group.products), wanted);
    candidates.push_back({group.products, {joined(group.products), error, 1e3 * (group.wide - group.bytes), false}});
    predicted += error * error;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.harm_per_us() > b.harm_per_us(); });
  std::set<std::string> stay;
  for (Candidate& candidate : candidates) {
    if (predicted <= budget * budget) {
      report.error = trials.error(stay, wanted);
      if (report.error <= budget) break;
    }
    predicted -= candidate.effect.error * candidate.effect.error;
    candidate.effect.stays_wide = true;
    stay.insert(candidate.products.begin(), candidate.products.end());
  }
  report.error = trials.error(stay, wanted);
  for (const std::string& name : stay) options.layer_precisions.emplace_back(name, "float32");
  for (const Candidate& candidate : candidates) {
    const LayerEffect& effect = report.layers.emplace_back(candidate.effect);
    if (effect.stays_wide)
      options.remarks.push_back(fmt::format(
          "'{}' stays in float32 by the error budget of {:.4g}: in int8 it alone changes results by {:.4g}, and saves "
          "{:.2f} µs",
          printable(effect.layer), budget, effect.error, effect.saved_us));
  }
  return report;
}

namespace {

constexpr int kMostMoves = 16;  // that are followed

void add_reader(const ir::Value* v, const std::string& product, int moves, Products& to) {
  to.readers[v->name()].push_back(product);
  const ir::Node* from = v->producer();
  if (!from || !passes::chooses(*from) || moves == 0) return;
  for (size_t i = 0; i < (from->is("Concat") ? from->inputs().size() : 1); ++i)
    add_reader(from->inputs()[i], product, moves - 1, to);
}

void add_tensors(const ir::Graph& graph, std::set<std::string>& names) {
  for (const auto& value : graph.values()) names.insert(value->name());
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) add_tensors(*region, names);
}

}  // namespace

bool is_quantized_network(const std::string& model) {
  bool found = false;
  look_at_model(model, [&](const ir::Graph& graph) {
    found = std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const auto& n) { return reads_bytes(*n); });
  });
  return found;
}

Products count_products(const std::string& model) {
  return guarded([&] {
    const auto graph = load_model(model);
    Products count;
    add_tensors(*graph, count.tensors);
    for (const auto& n : graph->nodes()) {
      const bool quantized = reads_bytes(*n) || n->is("QLinearConv") || n->is("QLinearMatMul") ||
                             n->is("ConvInteger") || n->is("MatMulInteger");
      count.quantized += quantized;
      count.all += quantized || is_product_name(*n);
      if (is_product_name(*n) && n->input(0)) add_reader(n->input(0), n->name(), kMostMoves, count);
    }
    return count;
  });
}

Engine build_by_time(const BuildOptions& options) {
  BuildMemory memory;
  const std::vector<ModelProduct> list = products_of(options.onnx);
  const std::set<std::string> products = product_names(list);
  const BuildOptions none = in_float32(options, products);
  const bool is_quantized = options.ranges.empty(), shows_graph = options.dump || !options.dump_file.empty();
  const bool may_stay = is_quantized && !shows_graph;  // what is shown is the graph of the engine that is chosen
  const auto parts = is_quantized ? parts_of(list) : std::vector<std::set<std::string>>{products};
  const ParkedEngine bytes(build_once(may_stay ? options : unseen(options), memory));
  if (is_quantized && (!takes_random_inputs(bytes, options) || wins_clearly(bytes, options, parts)))
    return may_stay ? bytes.unparked() : Engine(build_once(options, memory));
  const Values inputs = random_inputs(bytes.engine());
  const Comparison compared = compare_parts(bytes, parts, inputs, options, products, memory);
  BuildOptions mixed = options;
  memory.remarks = keep_slow_ones_wide(compared.groups, mixed);
  const ParkedEngine both(build_once(unseen(mixed), memory));
  std::vector<double> times = times_in_turns({&bytes, &both}, inputs, options.max_threads);
  double floats = times[0] + compared.more;
  if (floats < std::min(times[0], times[1])) {
    const ParkedEngine wide(build_once(unseen(none), memory));
    times = times_in_turns({&bytes, &both, &wide}, inputs, options.max_threads);
    floats = times[2];
  }
  const double in_bytes = times[0], in_both = times[1];
  const BuildOptions* best = in_both <= in_bytes ? &mixed : &options;
  if (floats < std::min(in_both, in_bytes)) {
    best = &none;
    memory.remarks.insert(memory.remarks.begin(),
                          "all layers stay in float32: the network is " + slower_by(in_bytes, floats));
  } else if (best == &options) {
    memory.remarks.clear();
  }
  for (const std::string& remark : memory.remarks) say(options, remark);
  say(options, fmt::format("in int8 {:.4f} ms, in float32 {:.4f} ms, with what is slower in float32 {:.4f} ms",
                           in_bytes, floats, in_both));
  return Engine(build_once(*best, memory));
}

}  // namespace kiln::api
