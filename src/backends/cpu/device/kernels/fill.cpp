// Kernels whose results hold few different elements: "fill" (inputs: shape, value), "eye" (input: one; parameter k), "one_hot"
// (inputs: indices, depth, values; parameter axis), "trilu" (inputs: data, k; parameter upper).
#include <cstring>

#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"
#include "tensor/convert.h"

namespace kiln::cpu::kernels {
namespace {

Status other_operands() { return {Code::kMalformedPlan, "a kernel that fills has other operands"}; }

template <class T> void fill_all(T* to, int64_t count, T value) {
  const int threads = useful_threads(thread_count(), 0.05 * static_cast<double>(count) * sizeof(T));
  parallel_ranges(threads, count, [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, value); });
}

// `count` elements, each the one element of `value`.
void fill_all(void* to, int64_t count, const TensorView& value) {
  with_element(element_bytes(value.dtype),
               [&]<class T>(T) { fill_all(static_cast<T*>(to), count, *static_cast<const T*>(value.data)); });
}

class Fill final : public DenseKernel {
 public:
  explicit Fill(const NoParameters&) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return other_operands();
    const TensorView &shape = call.inputs[0], &value = call.inputs[1], &out = call.outputs[0];
    if (shape.dtype != DType::kI64 || shape.rank != 1 || value.elements() != 1 || value.dtype != out.dtype ||
        element_bytes(value.dtype) == 0)
      return other_operands();
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const auto* dims = static_cast<const int64_t*>(call.inputs[0].data);
      const TensorView& out = call.outputs[0];
      void* to = out.slot ? place_result(out, Dims(dims, dims + call.inputs[0].elements())) : out.data;
      fill_all(to, out.slot ? out.slot->tensor.size() : out.elements(), call.inputs[1]);
      return kOkStatus;
    });
  }
};

class Eye final : public DenseKernel {
 public:
  explicit Eye(const EyeParameters& p) : k_(p.k) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1) return other_operands();
    const TensorView &one = call.inputs[0], &out = call.outputs[0];
    if (one.elements() != 1 || one.dtype != out.dtype || element_bytes(one.dtype) == 0 || out.rank != 2)
      return other_operands();
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& out = call.outputs[0];
    with_element(element_bytes(out.dtype), [&]<class T>(T) {
      auto* to = static_cast<T*>(out.data);
      fill_all(to, out.elements(), T{});
      const int64_t columns = out.dims[1];
      for (int64_t row = 0; row < out.dims[0]; ++row)
        if (k_ >= -row && k_ < columns - row)
          to[row * columns + row + k_] = *static_cast<const T*>(call.inputs[0].data);
    });
    return kOkStatus;
  }

  int64_t k_;
};

class OneHot final : public DenseKernel {
 public:
  explicit OneHot(const AxisParameters& p) : axis_(p.axis) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1) return other_operands();
    const TensorView &indices = call.inputs[0], &depth = call.inputs[1], &values = call.inputs[2];
    if (!is_index(indices) || element_bytes(depth.dtype) == 0 || depth.elements() != 1 || values.elements() != 2 ||
        values.dtype != call.outputs[0].dtype || element_bytes(values.dtype) == 0)
      return other_operands();
    if (axis_ < 0 || axis_ > indices.rank) return {Code::kShapeMismatch, "one_hot has no such axis"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const TensorView &indices = call.inputs[0], &out = call.outputs[0];
      const int axis = static_cast<int>(axis_);
      const int64_t depth = out.slot ? load_int(call.inputs[1].dtype, call.inputs[1].data, 0) : out.dims[axis];
      Dims dims(indices.dims, indices.dims + indices.rank);
      dims.insert(dims.begin() + axis, depth);
      void* to = place_result(out, dims);
      if (!to) return {Code::kShapeMismatch, "the result of one_hot has another shape"};
      with_element(element_bytes(out.dtype), [&]<class T>(T) {
        with_indices(indices, [&](const auto* from) {
          mark(from, indices.elements(), extent(indices, axis, indices.rank), depth,
               static_cast<const T*>(call.inputs[2].data), static_cast<T*>(to));
        });
      });
      return kOkStatus;
    });
  }

  // values: off, on.
  template <class Index, class T>
  static void mark(const Index* indices, int64_t count, int64_t inner, int64_t depth, const T* values, T* to) {
    fill_all(to, count * depth, values[0]);
    for (int64_t i = 0; i < count; ++i)
      if (const int64_t index = place_index(indices[i], depth); index >= 0)
        to[(i / inner * depth + index) * inner + i % inner] = values[1];
  }

  int64_t axis_;
};

class Trilu final : public DenseKernel {
 public:
  explicit Trilu(const TriluParameters& p) : upper_(p.upper) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return other_operands();
    const TensorView &in = call.inputs[0], &k = call.inputs[1];
    if (in.rank < 2 || element_bytes(in.dtype) == 0 || in.dtype != call.outputs[0].dtype ||
        (k.present() && (k.dtype != DType::kI64 || k.elements() != 1)))
      return other_operands();
    if (!same_dims(in, call.outputs[0])) return {Code::kShapeMismatch, "the result of trilu has another shape"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& in = call.inputs[0];
    const int64_t columns = in.dims[in.rank - 1], rows = in.dims[in.rank - 2], size = element_bytes(in.dtype);
    if (in.elements() == 0) return kOkStatus;
    const int64_t given = call.inputs[1].present() ? *static_cast<const int64_t*>(call.inputs[1].data) : 0;
    const int64_t k = std::clamp(given, -rows, columns);
    const auto* from = static_cast<const uint8_t*>(in.data);
    auto* to = static_cast<uint8_t*>(call.outputs[0].data);
    const int threads = useful_threads(thread_count(), 0.15 * static_cast<double>(in.elements() * size));
    parallel_ranges(threads, in.elements() / columns, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t border = std::clamp<int64_t>(r % rows + k + (upper_ ? 0 : 1), 0, columns) * size;
        const int64_t at = r * columns * size, keep = upper_ ? border : 0;
        const int64_t kept = upper_ ? columns * size - border : border, zero = upper_ ? 0 : border;
        std::memcpy(to + at + keep, from + at + keep, static_cast<size_t>(kept));
        std::memset(to + at + zero, 0, static_cast<size_t>(columns * size - kept));
      }
    });
    return kOkStatus;
  }

  bool upper_;
};

}  // namespace

std::unique_ptr<Kernel> make_fill(const Attributes& p) {
  return std::make_unique<Fill>(read_parameters<NoParameters>(p));
}
std::unique_ptr<Kernel> make_eye(const Attributes& p) {
  return std::make_unique<Eye>(read_parameters<EyeParameters>(p));
}
std::unique_ptr<Kernel> make_one_hot(const Attributes& p) {
  return std::make_unique<OneHot>(read_parameters<AxisParameters>(p));
}
std::unique_ptr<Kernel> make_trilu(const Attributes& p) {
  return std::make_unique<Trilu>(read_parameters<TriluParameters>(p));
}

}  // namespace kiln::cpu::kernels
