// Kernel "reference": one operator with its post-operations, evaluated by its definition.
#include "backends/ref/device/device.h"

#include <cstring>

#include "base/guarded.h"
#include "base/require.h"
#include "device/host_device.h"
#include "ops/op.h"

namespace kiln::ref {
namespace {

struct Operation {
  const OpDef* op = nullptr;
  Attributes attributes;
  std::vector<int64_t> operands;
};

// Attributes of one operation travel as "<prefix>.attr.<name>".
Operation read_operation(const Attributes& parameters, const std::string& prefix) {
  Operation result;
  const std::string& name = parameters.text(prefix + ".op");
  result.op = find_op(name);
  if (!result.op) throw Error(Code::kMalformedPlan, "there is no operator '" + name + "'");
  const std::string start = prefix + ".attr.";
  for (const auto& [key, value] : parameters)
    if (key.starts_with(start)) result.attributes.set(key.substr(start.size()), value);
  result.operands = parameters.ints(prefix + ".operands", {});
  return result;
}

// Where each element lies in memory, in row-major order.
template <class Visit> void for_each_place(const TensorView& view, Visit&& visit) {
  require(bits(view.dtype) % 8 == 0 && (view.strides || view.layout), Code::kMalformedPlan,
          "the reference cannot tell where elements lie");
  const Dims dims(view.dims, view.dims + view.rank);
  const int64_t count = view.elements();
  Dims index(dims.size(), 0);
  for (int64_t n = 0; n < count; ++n) {
    int64_t offset = 0;
    if (!view.strides) offset = storage_offset(*view.layout, dims, index);
    else
      for (size_t d = 0; d < dims.size(); ++d) offset += index[d] * view.strides[d];
    visit(n, offset);
    for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
  }
}

// A dense copy of a view, or the view itself when it is dense.
Tensor dense(const TensorView& view) {
  const Dims dims(view.dims, view.dims + view.rank);
  if (view.is_dense() || element_count(dims) == 0) return Tensor::borrow(view.dtype, dims, view.data);
  Tensor result = Tensor::allocate(view.dtype, dims);
  const int64_t width = bits(view.dtype) / 8;
  auto* to = static_cast<std::byte*>(result.mutable_data());
  for_each_place(view, [&](int64_t n, int64_t offset) {
    std::memcpy(to + n * width, static_cast<const std::byte*>(view.data) + offset * width, static_cast<size_t>(width));
  });
  return result;
}

void scatter(const Tensor& from, const TensorView& view) {
  if (Dims(view.dims, view.dims + view.rank) != from.dims() || view.dtype != from.dtype())
    throw Error(Code::kExecution, "the result is " + from.type_string() + ", the engine expects another type or shape");
  if (view.is_dense()) {
    if (from.bytes() > 0) std::memcpy(view.data, from.data(), static_cast<size_t>(from.bytes()));
    return;
  }
  const int64_t width = bits(view.dtype) / 8;
  if (!view.strides && from.size() > 0)  // blocks are filled up with zeros
    std::memset(view.data, 0, static_cast<size_t>(storage_elements(*view.layout, from.dims()) * width));
  for_each_place(view, [&](int64_t n, int64_t offset) {
    std::memcpy(static_cast<std::byte*>(view.data) + offset * width,
                static_cast<const std::byte*>(from.data()) + n * width, static_cast<size_t>(width));
  });
}

// What leaves the step must not lie in memory that belongs to an operand: that is written again when the operand is.
void detach(Datum& result, const std::vector<Datum>& inputs) {
  for (Datum& item : result.items) detach(item, inputs);
  if (!result.tensor.valid() || result.tensor.dtype() == DType::kString) return;
  for (const Datum& in : inputs)
    if (in.tensor.valid() && in.tensor.data() == result.tensor.data()) {
      result.tensor = result.tensor.clone();
      return;
    }
}

class Reference final : public Kernel {
 public:
  explicit Reference(const Attributes& parameters) : base_(read_operation(parameters, "base")) {
    base_inputs_ = parameters.integer("base.inputs");
    const int64_t count = parameters.integer("posts", 0);
    require(count >= 0 && count <= 64, Code::kMalformedPlan, "too many post-operations");
    for (int64_t i = 0; i < count; ++i) posts_.push_back(read_operation(parameters, "post" + std::to_string(i)));
    require(base_.op->region_count() == 0, Code::kMalformedPlan, "a control step is not a kernel");
  }

  Status prepare(const KernelCall&) noexcept override { return kOkStatus; }
  Slots takes_slots() const noexcept override { return Slots::kAll; }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    return guarded([&] {
      std::vector<Datum> inputs;
      for (const TensorView& v : call.inputs) inputs.push_back(read(v));
      std::vector<Datum> results = run(inputs, static_cast<int>(call.outputs.size()));
      for (size_t i = 0; i < call.outputs.size(); ++i) {
        if (!call.outputs[i].present()) continue;
        if (call.outputs[i].slot) {
          detach(results[i], inputs);
          *call.outputs[i].slot = std::move(results[i]);
        } else {
          scatter(results[i].tensor, call.outputs[i]);
        }
      }
      return kOkStatus;
    });
  }

 private:
  static Datum read(const TensorView& v) {
    if (!v.present()) return Datum();
    return v.slot ? *v.slot : Datum(dense(v));
  }

  std::vector<Datum> run(const std::vector<Datum>& inputs, int outputs) const {
    require(base_inputs_ >= 0 && base_inputs_ <= static_cast<int64_t>(inputs.size()), Code::kMalformedPlan,
            "the step has too few inputs");
    require(outputs >= 1, Code::kMalformedPlan, "the step has no result");
    std::vector<Datum> results =
        evaluate(*base_.op, base_.attributes, {inputs.begin(), inputs.begin() + base_inputs_}, outputs);
    for (const Operation& post : posts_) {
      std::vector<Datum> operands;
      for (int64_t operand : post.operands)
        operands.push_back(operand < 0 ? results[0] : inputs.at(static_cast<size_t>(operand)));
      results[0] = evaluate(*post.op, post.attributes, std::move(operands), 1).at(0);
    }
    return results;
  }

  Operation base_;
  int64_t base_inputs_ = 0;
  std::vector<Operation> posts_;
};

class RefDevice final : public HostDevice {
 public:
  std::string_view name() const override { return "ref"; }
  int max_threads() const override { return 1; }

 protected:
  DeviceFacts make_facts() const override { return {.name = "reference evaluation", .fingerprint = "any"}; }
  std::unique_ptr<Kernel> make_kernel(std::string_view kernel, const Attributes& parameters) const override {
    return kernel == "reference" ? std::make_unique<Reference>(parameters) : nullptr;
  }
};

}  // namespace
}  // namespace kiln::ref

kiln::Device* kiln_create_device_ref(int ordinal, std::string& reason) {
  if (!kiln::only_ordinal(ordinal, reason)) return nullptr;
  static kiln::ref::RefDevice instance;
  return &instance;
}
