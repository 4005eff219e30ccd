// Runs one node through every tactic that accepts it and compares with the reference evaluation.
#include "backends/harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/device/compute/product_tiles.h"
#include "backends/cpu/device/device.h"
#include "backends/cpu/target/target.h"
#include "backends/instruction_sets.h"
#include "backends/vnni_emulator.h"
#include "device/workspace.h"

namespace kiln::testing {
namespace {

// A tensor in memory of its own, with any strides, between guard bytes.
class Stored {
 public:
  Stored(DType type, Dims dims, const Layout& layout, bool gaps, const Tensor* value)
      : dims_(std::move(dims)), layout_(layout), type_(type) {
    if (gaps) {
      Dims larger = dims_;
      for (int64_t& d : larger) d += 1;
      strides_ = layout.is_plain() ? strides(layout, larger) : Dims{};
      count_ = storage_elements(layout, larger);
    } else {
      strides_ = layout.is_plain() ? strides(layout, dims_) : Dims{};
      count_ = storage_elements(layout, dims_);
    }
    dense_ = layout.is_row_major() && !gaps;
    memory_.assign(static_cast<size_t>(*byte_size(type, count_)) + 2 * kGuard + 64, 0xA5);
    const auto address = reinterpret_cast<uintptr_t>(memory_.data()) + kGuard;
    data_ = memory_.data() + ((address + 63) / 64 * 64 - reinterpret_cast<uintptr_t>(memory_.data()));
    if (value) copy(const_cast<uint8_t*>(static_cast<const uint8_t*>(value->data())), false);
  }
  TensorView view() {
    return {data_,
            dims_.data(),
            strides_.empty() && !dims_.empty() ? nullptr : strides_.data(),
            static_cast<int>(dims_.size()),
            type_,
            &layout_,
            nullptr};
  }
  Tensor value() {
    Tensor t = Tensor::allocate(type_, dims_);
    copy(static_cast<uint8_t*>(t.mutable_data()), true);
    return t;
  }
  // Bytes outside the elements keep their pattern.
  bool clean() {
    std::vector<bool> used(memory_.size(), false);
    const auto first = static_cast<size_t>(data_ - memory_.data());
    if (dense_ || bits(type_) < 8 || !layout_.is_plain()) {
      for (size_t i = 0; i < static_cast<size_t>(*byte_size(type_, count_)); ++i) used[first + i] = true;
    } else {
      each([&](int64_t, int64_t at) {
        for (size_t i = 0; i < size(); ++i) used[first + static_cast<size_t>(at) * size() + i] = true;
      });
    }
    for (size_t i = 0; i < memory_.size(); ++i)
      if (!used[i] && memory_[i] != 0xA5) return false;
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  size_t size() const { return static_cast<size_t>(bits(type_)) / 8; }
  template <class F> void each(F f) const {
    Dims index(dims_.size(), 0);
    for (int64_t i = 0, n = element_count(dims_); i < n; ++i) {
      int64_t at = 0;
      if (layout_.is_plain()) {
        for (size_t k = 0; k < index.size(); ++k) at += index[k] * strides_[k];
      } else {
        at = storage_offset(layout_, dims_, index);
      }
      f(i, at);
      for (size_t k = index.size(); k-- > 0;) {
        if (++index[k] < dims_[k]) break;
        index[k] = 0;
      }
    }
  }
  void copy(uint8_t* dense, bool out) {
    if (dense_ || bits(type_) < 8) {
      const auto n = static_cast<size_t>(*byte_size(type_, count_));
      if (n > 0) std::memcpy(out ? dense : data_, out ? data_ : dense, n);
      return;
    }
    each([&](int64_t i, int64_t at) {
      uint8_t* a = dense + static_cast<size_t>(i) * size();
      uint8_t* b = data_ + static_cast<size_t>(at) * size();
      std::memcpy(out ? a : b, out ? b : a, size());
    });
  }

  Dims dims_, strides_;
  Layout layout_;
  DType type_;
  bool dense_ = false;
  int64_t count_ = 0;
  std::vector<uint8_t> memory_;
  uint8_t* data_ = nullptr;
};

std::string difference(const Tensor& got, const Tensor& wanted, double tolerance) {
  if (tolerance == 0 && got.identical(wanted)) return "";
  for (int64_t i = 0; i < wanted.size(); ++i) {
    if (is_complex(wanted.dtype())) return "the bits differ";
    const double g = got.at(i), w = wanted.at(i);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    if (!(std::abs(g - w) <= tolerance * (1 + std::abs(w))))
      return "element " + std::to_string(i) + " of " + wanted.type_string() + " is " + std::to_string(g) + ", wanted " +
             std::to_string(w);
  }
  return "";
}

// The node, its problem, and what the reference says.
struct Built {
  ir::Graph graph;
  ir::Node* node = nullptr;
  Problem problem;
  std::vector<Operand> operands;  // base inputs, then those of the post-operations
  std::vector<Datum> wanted;

  explicit Built(const Case& c) : operands(c.inputs) {
    std::vector<ir::Value*> values;
    for (const Operand& o : c.inputs) values.push_back(add(o));
    const OpDef* op = find_op(c.op);
    if (!op) throw Error(Code::kNotFound, "there is no operator " + c.op);
    node = graph.add_node({.op = op,
                           .inputs = values,
                           .attributes = c.attributes,
                           .name = "node",
                           .origins = {},
                           .output_count = c.outputs,
                           .regions = {},
                           .output_names = {}});
    for (const Post& p : c.posts) {
      std::vector<ir::Value*> extra;
      for (const Operand& o : p.extra) {
        extra.push_back(add(o));
        operands.push_back(o);
      }
      node->add_post_op({find_op(p.op), p.attributes, p.operands}, extra);
    }
    node->precision = c.precision;
    node->keeps = c.keeps;
    graph.set_outputs(node->outputs());
    std::vector<Datum> data;
    for (const Operand& o : operands) data.push_back(o.tensor);
    wanted = ir::evaluate(*node, std::move(data));
    fill_problem(c);
  }

  ir::Value* add(const Operand& o) {
    if (!o.tensor.valid()) return nullptr;
    if (o.constant) return graph.add_constant(o.tensor);
    EdgeType type;
    type.tensor = {o.tensor.dtype(), o.shape ? *o.shape : to_shape(o.tensor.dims()), true};
    return graph.add_input("in" + std::to_string(graph.inputs().size()), type);
  }

  void fill_problem(const Case& c) {
    problem.node = node;
    for (const Operand& o : operands) {
      Argument a;
      if (o.tensor.valid())
        a = {.present = true,
             .dtype = o.tensor.dtype(),
             .ranked = true,
             .opt = o.tensor.dims(),
             .max = o.tensor.dims(),
             .is_static = !o.shape,
             .layout = o.layout,
             .constant = o.constant ? &o.tensor : nullptr};
      problem.inputs.push_back(a);
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      const Tensor& t = wanted[i].tensor;
      Argument a;
      a = {.present = true,
           .dtype = t.dtype(),
           .ranked = true,
           .opt = t.dims(),
           .max = t.dims(),
           .is_static = is_static(node->output(static_cast<int>(i))->shape()),
           .layout = layout(c, i),
           .constant = nullptr};
      problem.outputs.push_back(a);
      problem.sizes_results |= is_late(i);
    }
  }
  // Only running can tell the shape of this result: it goes to a slot.
  bool is_late(size_t output) const { return has_run_time_symbol(node->output(static_cast<int>(output))->shape()); }
  static Layout layout(const Case& c, size_t output) {
    return output < c.output_layouts.size() ? c.output_layouts[output] : Layout{};
  }
};

void run(const Case& c, Built& built, const Tactic& tactic, const Config& config) {
  SCOPED_TRACE(tactic.name + " " + to_string(config) + " " + built.problem.str());
  const Emitted e = tactic.emit(built.problem, config);
  auto kernel = device_of(e).create_kernel(e.kernel, e.parameters);
  ASSERT_TRUE(kernel) << e.kernel;
  std::vector<std::unique_ptr<Stored>> memory;
  std::vector<TensorView> inputs, outputs;
  for (int from : e.inputs) {
    if (from == Emitted::kAbsent) {
      inputs.emplace_back();
    } else if (from >= 0) {
      const Operand& o = built.operands[static_cast<size_t>(from)];
      memory.push_back(std::make_unique<Stored>(o.tensor.dtype(), o.tensor.dims(), o.layout, o.gaps, &o.tensor));
      inputs.push_back(memory.back()->view());
    } else {
      const Tensor& t = e.constants[static_cast<size_t>(Emitted::constant_of(from))];
      memory.push_back(std::make_unique<Stored>(t.dtype(), t.dims(), Layout{}, false, &t));
      inputs.push_back(memory.back()->view());
    }
  }
  const size_t first_output = memory.size();
  std::vector<Datum> slots(built.wanted.size());
  for (size_t i = 0; i < built.wanted.size(); ++i) {
    const Tensor& t = built.wanted[i].tensor;
    if (built.is_late(i)) {
      memory.push_back(std::make_unique<Stored>(DType::kU8, Dims{}, Layout{}, false, nullptr));
      outputs.push_back({.dtype = t.dtype(), .slot = &slots[i]});
      continue;
    }
    memory.push_back(std::make_unique<Stored>(t.dtype(), t.dims(), Built::layout(c, i), c.gapped_outputs, nullptr));
    outputs.push_back(memory.back()->view());
  }
  KernelCall call{inputs, outputs, nullptr, 0};
  std::vector<uint8_t> workspace(reserved(kernel->workspace(call)) + 64);
  const auto address = reinterpret_cast<uintptr_t>(workspace.data());
  call.workspace = workspace.data() + ((address + 63) / 64 * 64 - address);
  call.workspace_size = workspace.size() - 64;
  const Status prepared = kernel->prepare(call);
  ASSERT_TRUE(prepared.ok()) << prepared.detail;
  auto stream = cpu::device().create_stream();
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Status launched = kernel->launch(*stream, call);
    ASSERT_TRUE(launched.ok()) << launched.detail;
  }
  for (size_t i = 0; i < built.wanted.size(); ++i) {
    const Tensor got = built.is_late(i) ? slots[i].tensor : memory[first_output + i]->value();
    ASSERT_EQ(got.dims(), built.wanted[i].tensor.dims()) << "output " << i;
    EXPECT_EQ(difference(got, built.wanted[i].tensor, c.tolerance), "") << "output " << i;
  }
  for (auto& m : memory) EXPECT_TRUE(m->clean()) << "bytes outside a tensor were written";
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> list) {
  return std::ranges::find(list, name) != list.end();
}

// Runs kernels of bytes and of 16 bits by lesser instruction sets, too, and those that AVX-VNNI makes others by it. Its instructions may trap one by
// one, so only where they are few.
void run_otherwise(const Case& c, Built& built, const Tactic& tactic, const std::vector<Config>& configs) {
  constexpr int64_t kMostTerms = 2048, kMostProducts = 1 << 12;
  const bool adds_bytes =
      is_one_of(tactic.name, {"gemm_int8", "gemm_int8_batched", "conv_int8", "depthwise_int8", "gemm_blocks"});
  if (AvxVnni::active() || (!adds_bytes && !is_one_of(tactic.name, {"gemm_int16", "conv_int16"}))) return;
  const auto run_all = [&] {
    for (const Config& config : configs) run(c, built, tactic, config);
  };
  for_each_lesser_set(run_all);
  const Tensor& w = c.inputs[1].tensor;
  const Dims& dims = w.dims();
  const int64_t terms = c.op == "ConvInteger" ? w.size() / std::max<int64_t>(dims[0], 1) : dims[dims.size() - 2];
  if (!adds_bytes || !AvxVnni::possible() || terms > kMostTerms ||
      built.wanted[0].tensor.size() * terms > kMostProducts)
    return;
  SCOPED_TRACE("by AVX-VNNI");
  const AvxVnni processor;
  run_all();
}

}  // namespace

Device& device_of(const Emitted& e) { return e.device == "cpu" ? cpu::device() : open_device(e.device); }

Operand constant(Tensor t) { return {std::move(t), true}; }
Operand channels_last(Tensor t) {
  Operand o(std::move(t));
  o.layout = Layout::channels_last(static_cast<int>(o.tensor.rank()));
  return o;
}
Operand gapped(Tensor t) {
  Operand o(std::move(t));
  o.gaps = true;
  return o;
}
Operand dynamic(Tensor t, Shape shape) {
  Operand o(std::move(t));
  o.shape = std::move(shape);
  return o;
}
Operand absent() { return Operand(Tensor()); }

std::vector<std::string> check_case(const Case& c, const std::string& only) {
  Built built(c);
  std::vector<std::string> accepted;
  for (const Tactic* tactic : cpu::target().tactics().all()) {
    if (!only.empty() && tactic->name != only) continue;
    if (built.problem.sizes_results && !tactic->sizes_results) continue;
    if (tactic->refusal(built.problem).refused()) continue;
    accepted.push_back(tactic->name);
    const std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(built.problem) : std::vector<Config>{{}};
    for (const Config& config : configs) run(c, built, *tactic, config);
    run_otherwise(c, built, *tactic, configs);
  }
  return accepted;
}

void expect_in_tiles_too(const Case& c, const std::string& tactic) {
  expect_case(c, tactic);
  if (cpu::multiplies_tiles()) expect_case(c, tactic + "_amx");
  else expect_no_case(c, tactic + "_amx");
}

void expect_no_case(const Case& c, const std::string& only) {
  SCOPED_TRACE(c.op + " " + to_string(c.attributes));
  EXPECT_TRUE(check_case(c, only).empty()) << only << " accepts";
}

Status launch_kernel(const std::string& name, const Attributes& parameters, const std::vector<Tensor>& inputs,
                     std::vector<Tensor>& outputs) {
  auto kernel = cpu::device().create_kernel(name, parameters);
  if (!kernel) return {Code::kMalformedPlan, "no such kernel"};
  std::vector<std::unique_ptr<Stored>> memory;
  std::vector<TensorView> views[2];
  for (const auto* list : {&inputs, static_cast<const std::vector<Tensor>*>(&outputs)})
    for (const Tensor& t : *list) {
      const bool given = t.valid();
      memory.push_back(
          std::make_unique<Stored>(given ? t.dtype() : DType::kU8, t.dims(), Layout{}, false, given ? &t : nullptr));
      views[list == &outputs].push_back(given ? memory.back()->view() : TensorView{});
    }
  KernelCall call{views[0], views[1], nullptr, 0};
  Tensor workspace = Tensor::allocate(DType::kU8, {static_cast<int64_t>(reserved(kernel->workspace(call)))});
  call.workspace = workspace.mutable_data();
  call.workspace_size = static_cast<size_t>(workspace.bytes());
  KILN_RETURN_IF_ERROR(kernel->prepare(call));
  auto stream = cpu::device().create_stream();
  Status status = kernel->launch(*stream, call);
  for (size_t i = 0; i < memory.size(); ++i) {
    EXPECT_TRUE(memory[i]->clean()) << "bytes outside a tensor were written";
    if (i >= inputs.size()) outputs[i - inputs.size()] = memory[i]->value();
  }
  return status;
}

void expect_case(const Case& c, const std::string& only) {
  std::string text = c.op + " " + to_string(c.attributes);
  for (const Operand& o : c.inputs) text += " " + o.tensor.type_string();
  SCOPED_TRACE(text);
  EXPECT_FALSE(check_case(c, only).empty()) << "no tactic accepts";
}

Tensor random_tensor(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  if (bits(type) < 8 || is_complex(type)) {
    auto* bytes = static_cast<uint8_t*>(t.mutable_data());
    for (int64_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<uint8_t>(rng() % 64);
    return t;
  }
  std::uniform_real_distribution<double> real(-2, 2);
  for (int64_t i = 0; i < t.size(); ++i) {
    if (type == DType::kBool) t.set_int(i, static_cast<int64_t>(rng() % 2));
    else if (is_float(type)) t.set(i, real(rng));
    else t.set_int(i, static_cast<int64_t>(rng() % 10) * (is_signed_integer(type) && rng() % 2 ? -1 : 1));
  }
  return t;
}

Tensor random_bytes(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  auto* to = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.size(); ++i) to[i] = static_cast<uint8_t>(rng());
  return t;
}

Tensor exact_tensor(std::mt19937& rng, Dims dims) {
  return random_tensor(rng, DType::kF32, std::move(dims)).cast(DType::kBF16).cast(DType::kF32);
}

Tensor whole(DType type, Dims dims, int64_t value) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, value);
  return t;
}

Tensor ints(const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

Operand one(float value) { return constant(Tensor::scalar(value)); }
Operand byte(DType type, int64_t value) { return constant(whole(type, {}, value)); }

}  // namespace kiln::testing
