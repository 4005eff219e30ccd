// A kernel that is one primitive of oneDNN.
#include "backends/onednn/device/primitive_kernel.h"

#include <dnnl_debug.h>

#include <map>

#include "backends/cpu/device/kernels/common.h"
#include "base/checked.h"
#include "base/index.h"

namespace kiln::onednn {
namespace {

using dnnl::memory;

constexpr int64_t kMaxExtent = (int64_t{1} << 31) - 1;

const std::map<std::string, memory::format_tag>& layouts_by_name() {
  static const std::map<std::string, memory::format_tag> layouts = [] {
    std::map<std::string, memory::format_tag> result;
    for (int tag = dnnl_format_tag_any + 1; tag < dnnl_format_tag_last; ++tag)
      result.emplace(dnnl_fmt_tag2str(static_cast<dnnl_format_tag_t>(tag)), static_cast<memory::format_tag>(tag));
    return result;
  }();
  return layouts;
}

// Zero when there is no such layout for these dimensions.
Desc layout_desc(const Ints& dims, memory::format_tag layout) {
  Desc desc(dims, memory::data_type::f32, layout, true);
  return desc ? desc : Desc();
}
Desc layout_desc(const Ints& dims, const std::string& name) {
  const auto it = layouts_by_name().find(name);
  return it == layouts_by_name().end() ? Desc() : layout_desc(dims, it->second);
}

// A layout's name is a letter for each axis, then its blocks: ABcd16b16a. Making a description takes far longer than reading the name.
std::string layout_name(const Desc& desc) {
  std::string blocks;
  const Ints sizes = desc.get_inner_blks(), axes = desc.get_inner_idxs();
  for (size_t i = 0; i < sizes.size(); ++i) blocks += std::to_string(sizes[i]) + static_cast<char>('a' + axes[i]);
  const size_t size = static_cast<size_t>(desc.get_ndims()) + blocks.size();
  for (const auto& [name, layout] : layouts_by_name())
    if (name.size() == size && name.ends_with(blocks) && layout_desc(desc.get_dims(), layout) == desc) return name;
  return "";
}

// The layout in which weights are stored: `wanted` where it has a name, else row-major, and then the kernel rearranges them.
Desc stored_desc(const Desc& wanted) { return layout_name(wanted).empty() ? dense_desc(wanted.get_dims()) : wanted; }

bool is_empty(const KernelCall& call) { return call.outputs.size() == 1 && call.outputs[0].elements() == 0; }

dnnl::primitive make_reorder(const Desc& from, const Desc& to) {
  return dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
}

dnnl_stream_t stream() {
  static const dnnl::stream instance(engine());
  return instance.get();
}

bool copy(const dnnl::primitive& reorder, const memory& from, const memory& to) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}};
  return dnnl_primitive_execute(reorder.get(), stream(), 2, arguments) == dnnl_success;
}

void set_address(const memory& m, void* address) noexcept {
  if (m) dnnl_memory_set_data_handle(m.get(), address);
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

void require_floats(const TensorView& v, const char* what) {
  if (v.dtype != DType::kF32 || !cpu::kernels::is_plain(v))
    throw Error(Code::kMalformedPlan, std::string(what) + " of a step is not float32 with strides");
  for (int i = 0; i < v.rank; ++i)
    if (v.dims[i] < 1 || v.dims[i] > kMaxExtent)
      throw Error(Code::kShapeMismatch, std::string(what) + " of a step has the shape " + to_string(dims_of(v)));
}

Desc dense_desc(const Ints& dims, bool channels_last) {
  const Layout layout = channels_last ? Layout::channels_last(static_cast<int>(dims.size())) : Layout();
  return Desc(dims, memory::data_type::f32, strides(layout, dims));
}

Desc strided_desc(const TensorView& v) {
  return Desc(dims_of(v), memory::data_type::f32, Ints(v.strides, v.strides + v.rank));
}

Operand bias_operand(const TensorView& v, int64_t count, int rank, int axis) {
  require_floats(v, "the bias");
  if (!cpu::kernels::is_vector(v, count))
    throw Error(Code::kShapeMismatch,
                "the bias has " + std::to_string(v.elements()) + " elements for " + std::to_string(count) + " columns");
  Ints dims(static_cast<size_t>(rank), 1);
  nth(dims, axis) = count;
  return {.argument = DNNL_ARG_BIAS, .input = 2, .primitive = dense_desc(dims)};
}

PrimitiveKernel::PrimitiveKernel(PrimitiveParameters p)
    : copied_first_(p.copied), weights_(std::move(p.weights.layout)) {}

void PrimitiveKernel::require_packed(const KernelCall& call, const Ints& dims) const {
  if (building_) return;
  int64_t bytes = sizeof(float);
  for (int64_t d : dims) bytes = mul_or_throw(bytes, d, "packed weights");
  if (!call.inputs[1].present() || call.inputs[1].elements() < bytes)
    throw Error(Code::kMalformedPlan, "packed weights of a step are smaller than " + std::to_string(bytes) + " bytes");
}

// The first attempt that is more than oneDNN's reference implementation; else the first that there is.
Recipe PrimitiveKernel::choose(const KernelCall& call) const {
  Recipe fallback;
  for (bool copied : {copied_first_, !copied_first_})
    for (bool fused : {true, false}) {
      Recipe recipe = describe(call, {copied, fused});
      if (!recipe.primitive) continue;
      if (!std::string_view(recipe.primitive.impl_info_str()).starts_with("ref")) return recipe;
      if (!fallback.primitive) fallback = std::move(recipe);
    }
  return fallback;
}

Preview PrimitiveKernel::preview(const KernelCall& call) {
  building_ = true;
  Preview result;
  if (is_empty(call)) return result;
  const Recipe recipe = choose(call);
  if (!recipe.primitive) return result;
  result.implementation = recipe.primitive.impl_info_str();
  for (const Operand& o : recipe.operands)
    if (o.packed) result.weights = layout_name(stored_desc(o.primitive));
  return result;
}

Tensor PrimitiveKernel::pack(const KernelCall& call, const void* weights) {
  building_ = true;
  const Recipe recipe = choose(call);
  for (const Operand& o : recipe.operands) {
    if (!o.packed) continue;
    const Desc plain = plain_weights(call), stored = stored_desc(o.primitive);
    Tensor packed = Tensor::allocate(DType::kU8, {static_cast<int64_t>(stored.get_size())});
    const memory from(plain, engine(), const_cast<void*>(weights)), to(stored, engine(), packed.mutable_data());
    if (!copy(make_reorder(plain, stored), from, to))
      throw Error(Code::kExecution, "oneDNN could not pack the weights of a step");
    return packed;
  }
  throw Error(Code::kInternal, "a step of oneDNN has no packed weights");
}

size_t bytes_in_lines(const Desc& memory) { return cpu::kernels::cache_lines(static_cast<int64_t>(memory.get_size())); }

PrimitiveKernel::Spaces PrimitiveKernel::spaces(const Recipe& recipe) const {
  Spaces s;
  for (const Operand& o : recipe.operands) {
    s.copies.push_back(s.total);
    if (o.copied()) s.total += bytes_in_lines(o.copy);
  }
  s.scratchpad = s.total;
  s.total += bytes_in_lines(recipe.primitive.scratchpad_desc());
  return s;
}

size_t PrimitiveKernel::workspace(const KernelCall& call) noexcept {
  size_t wanted = kNoWorkspace;
  (void)guarded([&]() -> Status {
    if (is_empty(call)) return wanted = 0, kOkStatus;
    const Recipe recipe = choose(call);
    if (recipe.primitive) wanted = spaces(recipe).total;
    return kOkStatus;
  });
  return wanted;
}

Status PrimitiveKernel::prepare(const KernelCall& call) noexcept {
  for (const auto& list : {call.inputs, call.outputs})
    for (const TensorView& v : list)
      if (v.slot) return {Code::kMalformedPlan, "a primitive takes tensors that have their place"};
  return guarded([&] { return bind(call); });
}

Status PrimitiveKernel::bind_packed(const KernelCall& call, const Operand& o, Bound& bound) const {
  const TensorView& blob = nth(call.inputs, o.input);
  const Desc stored = layout_desc(o.primitive.get_dims(), weights_);
  if (stored.is_zero() || blob.dtype != DType::kU8 || !blob.is_dense() ||
      static_cast<uint64_t>(blob.elements()) != stored.get_size())
    return {Code::kMalformedPlan, "packed weights of a step have another size or layout than its parameters say"};
  bound.fixed = stored != o.primitive;
  if (!bound.fixed) return kOkStatus;
  if (!blob.data) return {Code::kMalformedPlan, "packed weights of a step are not constant"};
  const memory from(stored, engine(), blob.data);
  bound.memory = memory(o.primitive, engine());
  return copy(make_reorder(stored, o.primitive), from, bound.memory)
             ? kOkStatus
             : Status{Code::kExecution, "oneDNN could not rearrange the weights of a step"};
}

Status PrimitiveKernel::bind(const KernelCall& call) {
  nothing_to_do_ = is_empty(call);
  if (nothing_to_do_) return kOkStatus;
  const Recipe recipe = choose(call);
  if (!recipe.primitive) return {Code::kUnsupported, "oneDNN has no primitive for the shapes of a step"};
  const Spaces space = spaces(recipe);
  own_workspace_ = Tensor();
  if (space.total > call.workspace_size)
    own_workspace_ = Tensor::allocate(DType::kU8, {static_cast<int64_t>(space.total)});
  primitive_ = dnnl::primitive(recipe.primitive);
  scratchpad_ = memory(recipe.primitive.scratchpad_desc(), engine(), nullptr);
  scratchpad_offset_ = space.scratchpad;
  arguments_ = {{DNNL_ARG_SCRATCHPAD, scratchpad_.get()}};
  pass_ = recipe.epilogue.pass;
  has_pass_ = recipe.epilogue.has_pass();
  has_residual_ = recipe.epilogue.pass_residual;
  bound_.clear();
  for (size_t i = 0; i < recipe.operands.size(); ++i) {
    const Operand& o = recipe.operands[i];
    Bound b;
    b.input = o.input;
    b.offset = space.copies[i];
    if (o.packed) KILN_RETURN_IF_ERROR(bind_packed(call, o, b));
    if (!b.fixed) b.memory = memory(o.primitive, engine(), nullptr);
    if (o.copied()) {
      b.lies = memory(o.lies, engine(), nullptr);
      b.copied = memory(o.copy, engine(), nullptr);
      b.reorder = o.input == kResult ? make_reorder(o.copy, o.lies) : make_reorder(o.lies, o.copy);
    }
    if (o.input == kResult) {
      result_ = i;
      result_floats_ = static_cast<int64_t>(o.primitive.get_size() / sizeof(float));
    }
    if (o.argument) arguments_.push_back({o.argument, b.memory.get()});
    else residual_ = i;
    bound_.push_back(std::move(b));
  }
  return kOkStatus;
}

void PrimitiveKernel::set_addresses(const KernelCall& call, std::byte* workspace) noexcept {
  set_address(scratchpad_, workspace + scratchpad_offset_);
  for (Bound& b : bound_) {
    if (b.fixed) continue;
    void* own = (b.input == kResult ? call.outputs[0] : nth(call.inputs, b.input)).data;
    b.address = b.copied ? workspace + b.offset : own;
    set_address(b.memory, b.address);
    set_address(b.copied, b.address);
    set_address(b.lies, own);
  }
}

Status PrimitiveKernel::launch(Stream&, const KernelCall& call) noexcept {
  if (nothing_to_do_) return kOkStatus;
  constexpr Status kFailed{Code::kExecution, "oneDNN could not run a primitive"};
  try {
    set_addresses(call,
                  static_cast<std::byte*>(own_workspace_.valid() ? own_workspace_.mutable_data() : call.workspace));
    for (const Bound& b : bound_)
      if (b.copied && b.input != kResult && !copy(b.reorder, b.lies, b.copied)) return kFailed;
    if (dnnl_primitive_execute(primitive_.get(), stream(), static_cast<int>(arguments_.size()), arguments_.data()) !=
        dnnl_success)
      return kFailed;
    const Bound& result = bound_[result_];
    if (has_pass_)
      run_pass(pass_, static_cast<float*>(result.address),
               has_residual_ ? static_cast<const float*>(bound_[residual_].address) : nullptr, result_floats_);
    if (result.copied && !copy(result.reorder, result.copied, result.lies)) return kFailed;
    return kOkStatus;
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, "oneDNN could not allocate its arguments"};
  } catch (...) {
    return kFailed;
  }
}

}  // namespace kiln::onednn
