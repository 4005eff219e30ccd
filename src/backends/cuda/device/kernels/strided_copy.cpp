// Copies between tensors of any strides, as launches.
#include "backends/cuda/device/kernels/strided_copy.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kLeastTransposed =
    8;  // elements along both axes that make a transpose through shared memory worth while

// The largest word, in bytes, of which both sides are made; that of an element when they run along different axes.
int widest_word(const Loop& loop, int element) {
  if (loop.dims.empty() || loop.strides[0].back() != 1 || loop.strides[1].back() != 1) return element;
  int factor = 16 / element;
  const auto divides = [&](int64_t n) { return n % factor == 0; };
  const auto fits = [&] {
    if (!divides(loop.dims.back())) return false;
    for (const Dims& s : loop.strides)
      if (!std::all_of(s.begin(), s.end() - 1, divides)) return false;
    return true;
  };
  while (factor > 1 && !fits()) factor /= 2;
  return element * factor;
}

Loop in_words(Loop loop, int factor) {
  if (factor == 1) return loop;
  loop.dims.back() /= factor;
  for (Dims& s : loop.strides)
    for (size_t i = 0; i + 1 < s.size(); ++i) s[i] /= factor;
  return loop;
}

// Of an element each.
Loop in_parts(Loop loop, int parts) {
  if (parts == 1) return loop;
  loop.dims.push_back(parts);
  for (Dims& s : loop.strides) {
    for (int64_t& stride : s) stride *= parts;
    s.push_back(1);
  }
  return merged(loop);
}

// The axis along which the source runs while the result runs along the last; -1: nothing to transpose.
int transposed_axis(const Loop& loop) {
  const size_t n = loop.dims.size();
  if (n < 2 || loop.strides[0].back() != 1 || loop.strides[1].back() == 1 || loop.strides[1].back() == 0) return -1;
  if (loop.dims.back() < kLeastTransposed) return -1;
  for (size_t i = 0; i + 1 < n; ++i)
    if (loop.strides[1][i] == 1 && loop.dims[i] >= kLeastTransposed) return static_cast<int>(i);
  return -1;
}

}  // namespace

StridedCopy::StridedCopy(Gpu& gpu, std::span<const int64_t> dims, std::span<const int64_t> from_strides,
                         std::span<const int64_t> to_strides, int element)
    : gpu_(&gpu) {
  const Loop loop =
      merged({Dims(dims.begin(), dims.end()),
              {Dims(to_strides.begin(), to_strides.end()), Dims(from_strides.begin(), from_strides.end())}});
  bytes_ = loop.count() * element;
  same_ = loop.strides[0] == loop.strides[1];
  const int part = std::min(element, kPlaceBytes), word = widest_word(loop, element);
  narrow_ = plan(gpu, in_parts(loop, element / part), part);
  if (word > part) wide_ = plan(gpu, in_words(loop, word / element), word);
}

StridedCopy::Plan StridedCopy::plan(Gpu& gpu, const Loop& loop, int word) {
  Plan plan{word, {}};
  for (const LoopPart& p : kernels::parts(loop)) plan.parts.push_back(part(gpu, p, word));
  return plan;
}

StridedCopy::Part StridedCopy::part(Gpu& gpu, const LoopPart& p, int word) {
  Part part{};
  part.to = p.starts[0] * word;
  part.from = p.starts[1] * word;
  part.launch.threads = kCopyThreads;
  const std::string bytes = std::to_string(word);
  const int axis = transposed_axis(p.loop);
  part.transposes = axis >= 0;
  if (!part.transposes) {
    part.walk = walk_of<2>(p.loop);
    part.launch.function = gpu.function("copy", "copy_" + bytes);
    part.launch.grid[0] = blocks_for(part.walk.count, kCopyThreads);
    return part;
  }
  Loop outer = p.loop;
  const auto row = static_cast<size_t>(axis), column = outer.dims.size() - 1;
  TransposeArguments& t = part.transpose;
  t.rows = static_cast<uint32_t>(outer.dims[row]);
  t.columns = static_cast<uint32_t>(outer.dims[column]);
  t.to_row = outer.strides[0][row];
  t.from_column = outer.strides[1][column];
  const int64_t rows = ceil_div(t.rows, kTileSide), columns = ceil_div(t.columns, kTileSide);
  t.row_tiles = divisor(rows);
  t.column_tiles = divisor(columns);
  for (size_t gone : {column, row}) {
    outer.dims.erase(outer.dims.begin() + static_cast<std::ptrdiff_t>(gone));
    for (Dims& s : outer.strides) s.erase(s.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  t.outer = walk_of<2>(outer);
  part.launch.function = gpu.function("copy", "transpose_" + bytes);
  part.launch.grid[0] = blocks_for(rows * columns * outer.count(), 1);
  return part;
}

Status StridedCopy::run(Stream& stream, const void* from, void* to) const noexcept {
  if (from == to && same_) return kOkStatus;
  const bool wide = wide_.word > 0 && is_aligned(from, wide_.word) && is_aligned(to, wide_.word);
  for (const Part& p : (wide ? wide_ : narrow_).parts) {
    const void* source = static_cast<const uint8_t*>(from) + p.from;
    void* target = static_cast<uint8_t*>(to) + p.to;
    KILN_RETURN_IF_ERROR(p.transposes ? gpu_->launch(stream, p.launch, p.transpose, source, target)
                                      : gpu_->launch(stream, p.launch, p.walk, source, target));
  }
  return kOkStatus;
}

}  // namespace kiln::cuda::kernels
