// A kernel that is one primitive of oneDNN on bytes.
#include "backends/onednn/device/integer_sums.h"

#include "backends/cpu/device/compute/parallel.h"
#include "backends/onednn/device/primitive_kernel.h"
#include "base/checked.h"

namespace kiln::onednn {
namespace {

constexpr size_t kFixedInputs = 2;
bool has_no_result(const KernelCall& call) { return call.outputs.size() == 1 && call.outputs[0].elements() == 0; }

dnnl_stream_t integer_stream() {
  static const dnnl::stream instance(engine());
  return instance.get();
}

}  // namespace

dnnl::primitive_attr scratchpad_of_step() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::memory::data_type type_of_bytes(const TensorView& v) {
  if (v.dtype == DType::kU8) return dnnl::memory::data_type::u8;
  if (v.dtype == DType::kI8) return dnnl::memory::data_type::s8;
  throw Error(Code::kMalformedPlan, "a sum of products of bytes has an operand of " + std::string(name(v.dtype)));
}

// Others add pairs of products in 16 bits, which saturate.
bool IntegerSums::is_exact(const dnnl::primitive_desc& primitive) {
  const std::string_view implementation = primitive.impl_info_str();
  return implementation.find("vnni") != std::string_view::npos || implementation.find("amx") != std::string_view::npos;
}

Preview IntegerSums::preview(const KernelCall& call) {
  if (has_no_result(call)) return {};
  const Recipe recipe = describe(call);
  return {recipe.primitive ? recipe.primitive.impl_info_str() : "", ""};
}

IntegerSums::Spaces IntegerSums::spaces(const KernelCall& call, const Recipe& r) {
  Spaces s{};
  s.scratchpad = bytes_in_lines(r.sums);
  s.operands = s.scratchpad + bytes_in_lines(r.primitive.scratchpad_desc());
  s.total = s.operands + cpu::kernels::SumOperands::space(call, kFixedInputs, r.columns);
  return s;
}

size_t IntegerSums::workspace(const KernelCall& call) noexcept {
  size_t wanted = kNoWorkspace;
  (void)guarded([&]() -> Status {
    if (has_no_result(call)) return wanted = 0, kOkStatus;
    const Recipe recipe = describe(call);
    if (recipe.primitive) wanted = spaces(call, recipe).total;
    return kOkStatus;
  });
  return wanted;
}

Status IntegerSums::prepare(const KernelCall& call) noexcept {
  return guarded([&] { return bind(call); });
}

Status IntegerSums::bind(const KernelCall& call) {
  nothing_to_do_ = has_no_result(call);
  if (nothing_to_do_) return kOkStatus;
  if (call.inputs.size() < kFixedInputs + 1 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a sum of products of bytes has three operands or more"};
  recipe_ = describe(call);
  if (!recipe_.primitive) return {Code::kUnsupported, "oneDNN has no exact primitive for the shapes of a step"};
  const TensorView& blob = call.inputs[1];
  if (blob.dtype != DType::kI8 || !blob.data || !blob.is_dense() ||
      static_cast<uint64_t>(blob.elements()) != recipe_.weights.get_size())
    return {Code::kMalformedPlan, "the weights of a step have another size or type"};
  spaces_ = spaces(call, recipe_);
  if (spaces_.total > call.workspace_size)
    return {Code::kMalformedPlan, "the workspace of a sum of products of bytes is too small"};
  KILN_RETURN_IF_ERROR(sums_.prepare(call, kFixedInputs, recipe_.rows, recipe_.columns, recipe_.rows_of));
  primitive_ = dnnl::primitive(recipe_.primitive);
  const auto wanted = recipe_.primitive.query_md(dnnl::query::exec_arg_md, DNNL_ARG_WEIGHTS);
  const dnnl::memory plain(recipe_.weights, engine(), blob.data);
  weights_ = dnnl::memory(wanted, engine());
  const dnnl::reorder reorder(dnnl::reorder::primitive_desc(engine(), recipe_.weights, engine(), wanted));
  const dnnl_exec_arg_t copied[] = {{DNNL_ARG_FROM, plain.get()}, {DNNL_ARG_TO, weights_.get()}};
  if (dnnl_primitive_execute(reorder.get(), integer_stream(), 2, copied) != dnnl_success)
    return {Code::kExecution, "oneDNN could not rearrange the weights of a step"};
  source_ = dnnl::memory(recipe_.source, engine(), nullptr);
  result_ = dnnl::memory(recipe_.sums, engine(), nullptr);
  scratchpad_ = dnnl::memory(recipe_.primitive.scratchpad_desc(), engine(), nullptr);
  arguments_ = {{DNNL_ARG_SRC, source_.get()},
                {DNNL_ARG_WEIGHTS, weights_.get()},
                {DNNL_ARG_DST, result_.get()},
                {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}};
  return kOkStatus;
}

Status IntegerSums::launch(Stream&, const KernelCall& call) noexcept {
  if (nothing_to_do_) return kOkStatus;
  auto* space = static_cast<std::byte*>(call.workspace);
  dnnl_memory_set_data_handle(source_.get(), call.inputs[0].data);
  dnnl_memory_set_data_handle(result_.get(), space);
  dnnl_memory_set_data_handle(scratchpad_.get(), space + spaces_.scratchpad);
  if (dnnl_primitive_execute(primitive_.get(), integer_stream(), static_cast<int>(arguments_.size()),
                             arguments_.data()) != dnnl_success)
    return {Code::kExecution, "oneDNN could not run a primitive"};
  const cpu::SumEpilogue epilogue = sums_.bind(call, 0, space + spaces_.operands);
  cpu::finish_sums(reinterpret_cast<const int32_t*>(space), recipe_.rows, recipe_.columns, epilogue,
                   call.outputs[0].data, recipe_.stride, cpu::thread_count());
  return kOkStatus;
}

}  // namespace kiln::onednn
