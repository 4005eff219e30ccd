// Runs every tactic that accepts a node and compares with reference evaluation.
#include "backends/tactic_testing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "backends/cpu/device/device.h"
#include "backends/cpu/target/target.h"
#include "backends/harness.h"
#include "device/workspace.h"

namespace kiln::tactic_testing {
namespace {

constexpr float kUntouched = 12345.75f;

Tensor random_tensor(const Dims& dims, unsigned seed) {
  Tensor t = Tensor::allocate(DType::kF32, dims);
  std::minstd_rand random(seed + 1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& v : t.as_mutable<float>()) v = uniform(random);
  return t;
}

// The node alone in a graph, and its problem.
class Built {
 public:
  explicit Built(const NodeCase& c) : case_(c) {
    std::vector<ir::Value*> base, extra;
    for (const Operand& o : c.inputs) base.push_back(add(o));
    for (const Operand& o : c.extra) extra.push_back(add(o));
    const OpDef* op = find_op(c.op);
    EXPECT_NE(op, nullptr) << c.op;
    ir::NodeSpec spec;
    spec.op = op;
    spec.inputs = base;
    spec.attributes = c.attributes;
    ir::Node* node = graph_.add_node(std::move(spec));
    size_t used = 0;
    for (ir::PostOp post : c.post) {
      std::vector<ir::Value*> own;
      for (int& operand : post.operands) {
        if (operand < 0) continue;
        own.push_back(extra[static_cast<size_t>(operand)]);
        operand = static_cast<int>(own.size()) - 1;
      }
      used += own.size();
      node->add_post_op(post, own);
    }
    EXPECT_EQ(used, extra.size());
    graph_.set_outputs({node->output()});
    problem_.node = node;
    problem_.threads = c.threads;
    for (const Operand& o : operands()) problem_.inputs.push_back(argument(o.dims, o.layout, o.present));
    for (size_t i = 0; i < operands().size(); ++i)
      if (operands()[i].constant) problem_.inputs[i].constant = node->input(static_cast<int>(i))->constant();
    problem_.outputs.push_back(argument(static_dims(node->output()->shape()), c.output_layout, true));
    if (!c.run_dims.empty()) widen();
  }

  const Problem& problem() const { return problem_; }
  std::vector<Operand> operands() const {
    std::vector<Operand> all = case_.inputs;
    all.insert(all.end(), case_.extra.begin(), case_.extra.end());
    return all;
  }
  // What the inputs hold when the kernel runs.
  std::vector<Tensor> values() const {
    std::vector<Tensor> result;
    const std::vector<Operand> all = operands();
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].present) result.emplace_back();
      else if (all[i].constant) result.push_back(*problem_.inputs[i].constant);
      else if (all[i].value) result.push_back(*all[i].value);
      else
        result.push_back(
            random_tensor(case_.run_dims.empty() ? all[i].dims : case_.run_dims[i], static_cast<unsigned>(i)));
    }
    return result;
  }

 private:
  ir::Value* add(const Operand& o) {
    const auto index = static_cast<unsigned>(count_++);
    if (!o.present) return nullptr;
    if (o.constant) return graph_.add_constant(o.value ? *o.value : random_tensor(o.dims, index));
    EdgeType type;
    type.tensor = {DType::kF32, to_shape(o.dims), true};
    return graph_.add_input("input" + std::to_string(index), type);
  }

  static Argument argument(const Dims& dims, const Layout& layout, bool present) {
    Argument a;
    a.present = present;
    if (!present) return a;
    a.dtype = DType::kF32;
    a.opt = a.max = dims;
    a.layout = layout;
    return a;
  }

  // Dims that differ when running are dynamic.
  void widen() {
    std::vector<Datum> data;
    for (const Tensor& t : values()) data.emplace_back(t);
    const Dims out = ir::evaluate(*problem_.node, data)[0].tensor.dims();
    const auto widen_to = [](Argument& a, const Dims& dims) {
      for (size_t i = 0; i < dims.size(); ++i) a.max[i] = std::max(a.max[i], dims[i]);
      a.is_static = a.opt == dims;
    };
    for (size_t i = 0; i < problem_.inputs.size(); ++i)
      if (problem_.inputs[i].present && !problem_.inputs[i].constant) widen_to(problem_.inputs[i], case_.run_dims[i]);
    widen_to(problem_.outputs[0], out);
  }

  const NodeCase& case_;
  ir::Graph graph_;
  Problem problem_;
  int count_ = 0;
};

// A tensor in device memory: in some layout, perhaps a slice of a wider one.
class Placed {
 public:
  Placed() = default;
  Placed(const Dims& dims, const Layout& layout, int64_t slack) : dims_(dims) {
    Dims wide = dims;
    if (wide.size() > 1) wide[1] += slack;
    strides_ = strides(layout, wide);
    memory_ = Tensor::allocate(DType::kF32, {element_count(wide)});
    for (float& v : memory_.as_mutable<float>()) v = kUntouched;
  }
  TensorView view() {
    if (!memory_.valid()) return {};
    return {memory_.mutable_data(),
            dims_.data(),
            strides_.data(),
            static_cast<int>(dims_.size()),
            DType::kF32,
            nullptr,
            nullptr};
  }
  void store(const Tensor& t) {
    for_each([&](int64_t i, int64_t place) {
      memory_.as_mutable<float>()[static_cast<size_t>(place)] = t.as<float>()[static_cast<size_t>(i)];
    });
  }
  Tensor load() const {
    Tensor t = Tensor::allocate(DType::kF32, dims_);
    for_each([&](int64_t i, int64_t place) {
      t.as_mutable<float>()[static_cast<size_t>(i)] = memory_.as<float>()[static_cast<size_t>(place)];
    });
    return t;
  }
  // Elements that are no part of the slice.
  int64_t touched_outside() const {
    std::vector<bool> inside(static_cast<size_t>(memory_.size()));
    for_each([&](int64_t, int64_t place) { inside[static_cast<size_t>(place)] = true; });
    int64_t touched = 0;
    for (size_t i = 0; i < inside.size(); ++i) touched += !inside[i] && memory_.as<float>()[i] != kUntouched;
    return touched;
  }

 private:
  template <class F> void for_each(const F& f) const {
    const int64_t count = element_count(dims_);
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = i, place = 0;
      for (size_t axis = dims_.size(); axis-- > 0;) {
        place += rest % dims_[axis] * strides_[axis];
        rest /= dims_[axis];
      }
      f(i, place);
    }
  }
  Dims dims_, strides_;
  Tensor memory_;
};

void expect_close(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.dims(), want.dims()) << what;
  double largest = 1e-3;
  for (float v : want.as<float>())
    if (std::isfinite(v)) largest = std::max<double>(largest, std::fabs(v));
  for (int64_t i = 0; i < want.size(); ++i) {
    const double g = got.at(i), w = want.at(i);
    if (std::isnan(g) && std::isnan(w)) continue;
    if (g == w) continue;
    ASSERT_LE(std::fabs(g - w), tolerance * largest) << what << " element " << i << ": " << g << ", not " << w;
  }
}

void run(const NodeCase& c, const Built& built, const Tactic& tactic, const Config& config, const Tensor& want) {
  const std::string what = tactic.name + " " + to_string(config) + " on " + built.problem().str();
  const Emitted emitted = tactic.emit(built.problem(), config);
  const std::unique_ptr<Kernel> kernel = testing::device_of(emitted).create_kernel(emitted.kernel, emitted.parameters);
  ASSERT_NE(kernel, nullptr) << what;
  const std::vector<Tensor> values = built.values();
  const std::vector<Operand> operands = built.operands();
  std::vector<Placed> placed;
  for (int from : emitted.inputs) {
    if (from >= 0) {
      const auto i = static_cast<size_t>(from);
      ASSERT_LT(i, values.size());
      ASSERT_TRUE(operands[i].present) << what;
      placed.emplace_back(values[i].dims(), operands[i].layout, operands[i].slack).store(values[i]);
    } else if (from == Emitted::kAbsent) {
      placed.emplace_back();
    } else {
      const Tensor& constant = emitted.constants.at(static_cast<size_t>(Emitted::constant_of(from)));
      Tensor floats = Tensor::borrow(DType::kF32, {constant.bytes() / 4}, constant.data());
      placed.emplace_back(floats.dims(), Layout(), 0).store(floats);
    }
  }
  Placed out(want.dims(), c.output_layout, c.output_slack);
  std::vector<TensorView> inputs;
  for (Placed& p : placed) inputs.push_back(p.view());
  std::vector<TensorView> outputs{out.view()};
  for (size_t i = 0; i < inputs.size(); ++i)
    if (Emitted::is_constant(emitted.inputs[i]))
      inputs[i].dtype = emitted.constants.at(static_cast<size_t>(Emitted::constant_of(emitted.inputs[i]))).dtype();
  std::vector<Dims> constant_dims(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (emitted.inputs[i] >= Emitted::kAbsent) continue;
    constant_dims[i] = emitted.constants.at(static_cast<size_t>(Emitted::constant_of(emitted.inputs[i]))).dims();
    inputs[i].dims = constant_dims[i].data();
  }
  KernelCall call{inputs, outputs, nullptr, 0};
  call.workspace_size = reserved(kernel->workspace(call));
  Tensor space = Tensor::allocate(DType::kU8, {static_cast<int64_t>(call.workspace_size) + 64});
  for (uint8_t& b : space.as_mutable<uint8_t>()) b = 0xff;
  call.workspace = space.mutable_data();
  const Status prepared = kernel->prepare(call);
  ASSERT_TRUE(prepared.ok()) << what << ": " << prepared.detail;
  const auto stream = cpu::device().create_stream();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(kernel->launch(*stream, call).ok()) << what;
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(space.as<uint8_t>()[call.workspace_size + static_cast<size_t>(i)], 0xff)
        << what << " wrote behind its workspace";
  EXPECT_EQ(out.touched_outside(), 0) << what;
  const auto own = c.tolerances.find(tactic.name);
  expect_close(out.load(), want, own == c.tolerances.end() ? c.tolerance : own->second, what);
}

}  // namespace

bool has(const Names& names, const char* name) { return names.count(name) > 0; }

ir::PostOp post(const std::string& op, std::vector<int> operands, Attributes attributes) {
  const OpDef* def = find_op(op);
  EXPECT_NE(def, nullptr) << op;
  return {def, std::move(attributes), std::move(operands)};
}

std::set<std::string> check(const NodeCase& c) {
  const Built built(c);
  std::vector<Datum> data;
  for (const Tensor& t : built.values()) data.emplace_back(t);
  const Tensor want = ir::evaluate(*built.problem().node, data)[0].tensor;
  std::set<std::string> accepted;
  for (const Tactic* tactic : cpu::target().tactics().all()) {
    if (tactic->refusal(built.problem()).refused()) continue;
    accepted.insert(tactic->name);
    const std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(built.problem()) : std::vector<Config>(1);
    EXPECT_FALSE(configs.empty()) << tactic->name;
    for (const Config& config : configs) run(c, built, *tactic, config, want);
  }
  return accepted;
}

std::string refusal(const NodeCase& c, const std::string& name) {
  const Built built(c);
  for (const Tactic* tactic : cpu::target().tactics().all())
    if (tactic->name == name) return tactic->refusal(built.problem()).reason;
  ADD_FAILURE() << "no tactic " << name;
  return "";
}

}  // namespace kiln::tactic_testing
