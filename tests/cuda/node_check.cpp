// Runs every tactic of NVIDIA GPUs that accepts a node and compares with reference evaluation.
#include "cuda/node_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <random>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/memory.h"
#include "backends/cuda/target/chip.h"
#include "base/in_parallel.h"
#include "device/workspace.h"

namespace kiln::cuda::testing {
namespace {

Argument argument(const Dims& dims, DType type, const Layout& layout) {
  Argument a;
  a.present = true;
  a.dtype = type;
  a.opt = a.max = dims;
  a.layout = layout;
  return a;
}

template <class F> void for_each_place(const Dims& dims, const Layout& layout, const F& f) {
  const int64_t count = element_count(dims);
  if (!layout.is_plain()) {
    Dims index(dims.size(), 0);
    for (int64_t i = 0; i < count; ++i) {
      f(i, storage_offset(layout, dims, index));
      for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
    }
    return;
  }
  const Dims strides = kiln::strides(layout, dims);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, at = 0;
    for (size_t axis = dims.size(); axis-- > 0;) {
      at += rest % dims[axis] * strides[axis];
      rest /= dims[axis];
    }
    f(i, at);
  }
}

// The tensor's bytes with its elements where the layout has them; what fills blocks is no number.
Tensor laid_out(const Tensor& t, const Layout& to) {
  if (to.is_row_major()) return t;
  Tensor result = Tensor::allocate(t.dtype(), {storage_elements(to, t.dims())});
  const auto size = static_cast<size_t>(bits(t.dtype()) / 8);
  const auto* from = static_cast<const uint8_t*>(t.data());
  auto* bytes = static_cast<uint8_t*>(result.mutable_data());
  std::fill_n(bytes, result.bytes(), uint8_t{0xff});
  for_each_place(t.dims(), to, [&](int64_t i, int64_t at) {
    std::memcpy(bytes + static_cast<size_t>(at) * size, from + static_cast<size_t>(i) * size, size);
  });
  return result;
}
// The reverse; what fills blocks must be zero.
Tensor row_major(Tensor t, const Dims& dims, const Layout& from) {
  if (from.is_row_major()) return t.reshaped(dims);
  Tensor result = Tensor::allocate(t.dtype(), dims);
  const auto size = static_cast<size_t>(bits(t.dtype()) / 8);
  auto* bytes = static_cast<uint8_t*>(t.mutable_data());
  auto* to = static_cast<uint8_t*>(result.mutable_data());
  for_each_place(dims, from, [&](int64_t i, int64_t at) {
    std::memcpy(to + static_cast<size_t>(i) * size, bytes + static_cast<size_t>(at) * size, size);
    std::fill_n(bytes + static_cast<size_t>(at) * size, size, uint8_t{0});
  });
  if (std::any_of(bytes, bytes + t.bytes(), [](uint8_t b) { return b != 0; }))
    throw Error(Code::kExecution, "what fills blocks is not zero");
  return result;
}

double usual_tolerance(DType type) {
  if (type == DType::kBF16) return 8e-3;
  return type == DType::kF16 ? 1e-3 : 1e-5;
}

// Complex numbers as pairs.
Tensor in_parts(const Tensor& t) {
  if (!is_complex(t.dtype())) return t;
  Dims dims = t.dims();
  dims.push_back(2);
  Tensor parts = Tensor::allocate(t.dtype() == DType::kC64 ? DType::kF32 : DType::kF64, dims);
  std::memcpy(parts.mutable_data(), t.data(), static_cast<size_t>(t.bytes()));
  return parts;
}

void expect_close(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.dims(), want.dims()) << what;
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    const double g = got.at(i), w = want.at(i);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    ASSERT_TRUE(std::isfinite(g) && std::isfinite(w)) << what << " element " << i << ": " << g << ", not " << w;
    difference += (g - w) * (g - w);
  }
  for (int64_t i = 0; i < want.size(); ++i)
    if (std::isfinite(want.at(i))) norm += want.at(i) * want.at(i);
  EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm) + 1e-30) << what;
}

void run(const NodeCase& c, const BuiltNode& node, const std::vector<Tensor>& want, const Emitted& emitted,
         Device& device, const std::string& what) {
  PlacedStep step(device, node, emitted);
  step.prepare();
  const auto stream = device.create_stream();
  for (int i = 0; i < 2; ++i) {
    step.poison(*stream);
    const Status launched = step.launch(*stream);
    ASSERT_TRUE(launched.ok()) << what << ": " << launched.detail;
  }
  const Status done = stream->synchronize();
  ASSERT_TRUE(done.ok()) << what << ": " << done.detail;
  const std::vector<Tensor> got = step.results(*stream);
  const double tolerance = c.tolerance > 0 ? c.tolerance : usual_tolerance(c.inputs[0].type);
  for (size_t i = 0; i < want.size(); ++i) expect_close(in_parts(got[i]), in_parts(want[i]), tolerance, what);
}

}  // namespace

Status prepare_without_gpu(const BuiltNode& node, const Emitted& emitted, int compute) {
  const Chip chip{.compute = emitted.code ? target_chip().compute : compute,
                  .multiprocessors = 132,
                  .shared_per_block = compute >= 90 ? 227 << 10 : 163 << 10,
                  .cache = 50 << 20};
  Gpu gpu(nullptr, nullptr, chip);
  const auto executable = load_kernel(gpu, {emitted.kernel, emitted.parameters, emitted.code.get()});
  if (!executable) return {Code::kNotFound, "there is no such kernel"};
  const std::unique_ptr<Kernel> kernel = executable->create_kernel();
  std::vector<Dims> dims, strided;
  std::vector<Layout> layouts;
  std::vector<TensorView> inputs, outputs;
  const auto view = [&](const Dims& d, DType type, const Layout& layout, const void* host) {
    dims.push_back(d);
    layouts.push_back(layout);
    strided.push_back(layout.is_plain() ? strides(layout, d) : Dims());
    TensorView v;
    v.rank = static_cast<int>(d.size());
    v.dtype = type;
    v.host = host;
    return v;
  };
  for (int from : emitted.inputs) {
    if (from == Emitted::kAbsent) {
      inputs.push_back(view({}, DType::kInvalid, {}, nullptr));
    } else if (from >= 0) {
      const Argument& a = node.problem().input(from);
      inputs.push_back(view(a.opt, a.dtype, a.layout, a.constant ? a.constant->data() : nullptr));
    } else {
      const Tensor& t = emitted.constants.at(static_cast<size_t>(Emitted::constant_of(from)));
      inputs.push_back(view(t.dims(), t.dtype(), {}, t.data()));
    }
  }
  for (const Argument& a : node.problem().outputs) outputs.push_back(view(a.opt, a.dtype, a.layout, nullptr));
  for (size_t i = 0; i < inputs.size() + outputs.size(); ++i) {
    TensorView& v = i < inputs.size() ? inputs[i] : outputs[i - inputs.size()];
    v.dims = dims[i].data();
    v.strides = layouts[i].is_plain() ? strided[i].data() : nullptr;
    v.layout = &layouts[i];
  }
  KernelCall call{inputs, outputs, nullptr, 0};
  call.workspace_size = reserved(kernel->workspace(call));
  return kernel->prepare(call);
}

Tensor random_tensor(DType type, const Dims& dims, unsigned seed) {
  Tensor t = Tensor::allocate(type, dims);
  std::minstd_rand random(seed + 1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int64_t i = 0; i < t.size(); ++i) {
    const double v = uniform(random);
    if (type == DType::kC64)
      t.as_mutable<std::complex<float>>()[static_cast<size_t>(i)] =
          std::complex<float>(static_cast<float>(v), static_cast<float>(uniform(random)));
    else if (type == DType::kC128) t.as_mutable<std::complex<double>>()[static_cast<size_t>(i)] = {v, uniform(random)};
    else if (is_float(type)) t.set(i, v);
    else
      t.set_int(
          i, type == DType::kBool ? v > 0 : static_cast<int64_t>((is_unsigned_integer(type) ? std::fabs(v) : v) * 9));
  }
  return t;
}

ir::PostOp post(const std::string& op, std::vector<int> operands, Attributes attributes) {
  return {find_op(op), std::move(attributes), std::move(operands)};
}

ir::Value* BuiltNode::add(const Operand& o) {
  const auto index = static_cast<unsigned>(values_.size());
  values_.push_back(!o.present ? Tensor() : o.value ? *o.value : random_tensor(o.type, o.dims, index));
  if (!o.present) {
    problem_.inputs.emplace_back();
    return nullptr;
  }
  problem_.inputs.push_back(argument(o.dims, o.type, o.layout));
  if (o.constant) {
    ir::Value* value = graph_.add_constant(values_.back());
    problem_.inputs.back().constant = value->constant();
    return value;
  }
  EdgeType type;
  type.tensor = {o.type, to_shape(o.dims), true};
  return graph_.add_input("input" + std::to_string(index), type);
}

BuiltNode::BuiltNode(const NodeCase& c) {
  ir::NodeSpec spec;
  spec.op = find_op(c.op);
  for (const Operand& o : c.inputs) spec.inputs.push_back(add(o));
  std::vector<ir::Value*> extra;
  for (const Operand& o : c.extra) extra.push_back(add(o));
  spec.attributes = c.attributes;
  spec.output_count = c.outputs;
  ir::Node* node = graph_.add_node(std::move(spec));
  for (ir::PostOp op : c.post) {
    std::vector<ir::Value*> own;
    for (int& operand : op.operands) {
      if (operand < 0) continue;
      own.push_back(extra[static_cast<size_t>(operand)]);
      operand = static_cast<int>(own.size()) - 1;
    }
    node->add_post_op(op, own);
  }
  graph_.infer(*node);
  std::vector<ir::Value*> results = node->outputs();
  graph_.set_outputs(results);
  problem_.node = node;
  problem_.tf32 = c.tf32;
  for (size_t i = 0; i < results.size(); ++i)
    problem_.outputs.push_back(
        argument(static_dims(results[i]->shape()), results[i]->dtype(), i == 0 ? c.output_layout : Layout()));
}

std::vector<Tensor> BuiltNode::wanted() const {
  std::vector<Datum> data;
  for (const Tensor& t : values_) data.emplace_back(t);
  std::vector<Tensor> result;
  for (const Datum& d : ir::evaluate(*problem_.node, data)) result.push_back(d.tensor);
  return result;
}

PlacedStep::PlacedStep(Device& device, const BuiltNode& node, const Emitted& emitted)
    : device_(device), kernel_(device.create_kernel(emitted.kernel, emitted.parameters, emitted.code.get())) {
  if (!kernel_) throw Error(Code::kNotFound, "there is no kernel " + emitted.kernel);
  for (int from : emitted.inputs) {
    if (from == Emitted::kAbsent) {
      places_.emplace_back();
    } else if (from >= 0) {
      const auto i = static_cast<size_t>(from);
      const Argument& a = node.problem().inputs[i];
      place({laid_out(node.values()[i], a.layout), a.opt, a.layout, a.dtype, a.constant != nullptr});
    } else {
      const Tensor& t = emitted.constants.at(static_cast<size_t>(Emitted::constant_of(from)));
      place({t, t.dims(), Layout(), t.dtype(), true});
    }
  }
  input_count_ = places_.size();
  for (const Argument& a : node.problem().outputs)
    place({Tensor::allocate(a.dtype, {storage_elements(a.layout, a.opt)}), a.opt, a.layout, a.dtype});
  for (size_t i = 0; i < places_.size(); ++i) (i < input_count_ ? inputs_ : outputs_).push_back(view(places_[i]));
}

PlacedStep::~PlacedStep() {
  for (const Place& p : places_) device_.allocator().deallocate(p.memory);
  device_.allocator().deallocate(workspace_);
}

void PlacedStep::place(Place p) {
  if (p.layout.is_plain()) p.strides = strides(p.layout, p.dims);
  const auto size = static_cast<size_t>(p.host.bytes());
  p.memory = device_.allocator().allocate(size, kAlignment);
  if (!p.memory) throw Error(Code::kOutOfMemory, "no memory on the GPU");
  const auto stream = device_.create_stream();
  throw_if_error(device_.copy(*stream, p.memory, p.host.data(), size, CopyKind::kHostToDevice));
  throw_if_error(stream->synchronize());
  places_.push_back(std::move(p));
}

TensorView PlacedStep::view(const Place& p) const {
  TensorView v;
  if (p.type == DType::kInvalid) return v;
  v.data = p.memory;
  v.dims = p.dims.data();
  v.strides = p.layout.is_plain() ? p.strides.data() : nullptr;
  v.layout = &p.layout;
  v.rank = static_cast<int>(p.dims.size());
  v.dtype = p.type;
  v.host = p.constant ? p.host.data() : nullptr;
  return v;
}

void PlacedStep::prepare() {
  workspace_size_ = reserved(kernel_->workspace(call()));
  if (workspace_size_ > 0) workspace_ = device_.allocator().allocate(workspace_size_, kAlignment);
  throw_if_error(kernel_->prepare(call()));
}

void PlacedStep::poison(Stream& stream) {
  for (size_t i = input_count_; i < places_.size(); ++i)
    throw_if_error(
        device_.fill(stream, places_[i].memory, std::byte{0xff}, static_cast<size_t>(places_[i].host.bytes())));
  throw_if_error(device_.fill(stream, workspace_, std::byte{0xff}, workspace_size_));
}

std::vector<Tensor> PlacedStep::results(Stream& stream) const {
  std::vector<Tensor> list;
  for (size_t i = input_count_; i < places_.size(); ++i) {
    const Place& p = places_[i];
    Tensor bytes = Tensor::allocate(p.type, {storage_elements(p.layout, p.dims)});
    throw_if_error(device_.copy(stream, bytes.mutable_data(), p.memory, static_cast<size_t>(bytes.bytes()),
                                CopyKind::kDeviceToHost));
    throw_if_error(stream.synchronize());
    list.push_back(row_major(std::move(bytes), p.dims, p.layout));
  }
  return list;
}

Device* gpu(std::string& reason) {
  static std::string why;
  static Device* const device = kiln_create_device_cuda(0, why);
  reason = why;
  return device;
}

bool compiles_long(const Tactic& tactic) { return tactic.compiles >= 1; }

// On all cores; what does not compile is told when it is emitted again.
static void compile_all(const Tactic& tactic, const BuiltNode& node, const std::vector<Config>& configs) {
  in_parallel(configs.size(), [&](size_t i) {
    try {
      (void)tactic.emit(node.problem(), configs[i]);
    } catch (const Error&) {
      return;
    }
  });
}

std::set<std::string> check(const NodeCase& c) {
  const BuiltNode node(c);
  std::string reason;
  Device* device = gpu(reason);
  const std::vector<Tensor> want = device ? node.wanted() : std::vector<Tensor>();
  std::set<std::string> accepted;
  for (const Tactic* tactic : tactic_list().all()) {
    if (compiles_long(*tactic) && !c.compiles) continue;
    if (!c.only.empty() && tactic->name != c.only) continue;
    if (tactic->refusal(node.problem()).refused()) continue;
    accepted.insert(tactic->name);
    std::vector<Config> configs(1);
    if (tactic->configurations) configs = tactic->configurations(node.problem());
    EXPECT_FALSE(configs.empty()) << tactic->name;
    if (compiles_long(*tactic)) compile_all(*tactic, node, configs);
    size_t ran = 0;
    for (size_t i = c.share; i < configs.size(); i += c.shares) {
      const Config& config = configs[i];
      const std::string what = tactic->name + " " + to_string(config) + " on " + node.problem().str();
      try {
        const Emitted emitted = tactic->emit(node.problem(), config);
        const Status prepared = prepare_without_gpu(node, emitted, 90);
        EXPECT_TRUE(prepared.ok()) << what << ": " << prepared.detail;
        if (device) run(c, node, want, emitted, *device, what);
        ++ran;
      } catch (const Error& e) {
        // A library may have fewer kernels for a problem than are asked for, and may not compile all that it proposes; the tuner leaves
        // these configurations out, too.
        const bool further = e.code() == Code::kUnsupported && !(config == configs.front());
        EXPECT_TRUE(further || compiles_long(*tactic)) << what << ": " << e.what();
      }
    }
    EXPECT_TRUE(ran > 0 || c.share >= configs.size()) << tactic->name << " on " << node.problem().str();
  }
  return accepted;
}

std::string refusal(const NodeCase& c, const std::string& name) {
  const BuiltNode node(c);
  for (const Tactic* tactic : tactic_list().all())
    if (tactic->name == name) return tactic->refusal(node.problem()).reason;
  ADD_FAILURE() << "no tactic " << name;
  return "";
}

}  // namespace kiln::cuda::testing
