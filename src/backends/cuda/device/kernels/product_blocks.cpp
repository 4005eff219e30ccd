// Kernel "product_blocks": products by weights of 4 or 8 bits in blocks along the terms, each block of a column with a scale and a zero
// point. Inputs: a, and codes, scales and zero points packed as BlockLayout says. float32, float16 and bfloat16; sums are float32.
#include "backends/cuda/device/kernels/product_blocks.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

template <class Number> void for_each_number(const BlockLayout& l, const Number& number) {
  for (int64_t tile = 0; tile < l.column_tiles(); ++tile)
    for (int64_t block = 0; block < l.blocks(); ++block)
      for (int64_t j = 0; j < kBlockUnitColumns; ++j) {
        const int64_t column = tile * kBlockUnitColumns + j;
        number((tile * l.blocks() + block) * kBlockUnitColumns + j,
               column < l.columns ? block * l.columns + column : -1);
      }
}

// Where a lane has code `i` of its 16 of a unit: step, row and term within the step, and the bit of its words.
struct CodePlace {
  int64_t row, term;  // of the unit
  int word, bit;
};
CodePlace code_place(int bits, int lane, int i) {
  const int step = i / 8, reg = i % 8 / 2, high = i % 2;
  CodePlace p{lane / 4 + reg % 2 * 8, lane % 4 * 8 + step * 4 + reg / 2 * 2 + high, 0, 0};
  if (bits == 4) {
    p.word = step;
    p.bit = reg * 4 + high * 16;
  } else {
    p.word = step * 2 + reg / 2;
    p.bit = reg % 2 * 8 + high * 16;
  }
  return p;
}

class ProductBlocks final : public DenseKernel {
 public:
  ProductBlocks(Gpu& gpu, const ProductBlocksParameters& p)
      : DenseKernel(gpu), layout_(p.layout), tile_(p.choice.tile) {
    if (!gpu.chip().has_cp_async()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0");
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "product_blocks has four operands and one result"};
    const TensorView &x = call.inputs[0], &codes = call.inputs[1], &scales = call.inputs[2], &zeros = call.inputs[3],
                     &y = call.outputs[0];
    const char* suffix = float_suffix(x.dtype);
    if (!suffix || y.dtype != x.dtype || codes.dtype != DType::kI32 || scales.dtype != DType::kF32 ||
        zeros.dtype != DType::kU8)
      return {Code::kMalformedPlan, "the operands of product_blocks have other types"};
    if (x.rank < 1 || x.dims[x.rank - 1] != layout_.terms || y.rank != x.rank ||
        y.dims[y.rank - 1] != layout_.columns || !std::equal(x.dims, x.dims + x.rank - 1, y.dims))
      return {Code::kShapeMismatch, "the operands of product_blocks do not fit each other"};
    if (codes.elements() != layout_.words() || scales.elements() != layout_.numbers() ||
        zeros.elements() != layout_.numbers())
      return {Code::kShapeMismatch, "packed weights have another size"};
    const BlocksTile& tile = kBlocksTiles[tile_];
    const int64_t rows = extent(x, 0, x.rank - 1), row_tiles = ceil_div(rows, tile.rows());
    if (row_tiles > UINT16_MAX || layout_.units() > INT32_MAX / 2)
      return {Code::kUnsupported, "a product is too large for its kernel"};
    ProductBlocksArguments& a = arguments_;
    a.rows = static_cast<uint32_t>(rows);
    a.columns = static_cast<uint32_t>(layout_.columns);
    a.terms = static_cast<uint32_t>(layout_.terms);
    a.block = static_cast<uint32_t>(layout_.block);
    a.blocks = static_cast<uint32_t>(layout_.blocks());
    a.units = static_cast<uint32_t>(layout_.units());
    a.units_per_block = divisor(layout_.units_per_block());
    const int64_t lanes = 16 / (bits(x.dtype) / 8);
    terms_in_words_ = layout_.terms % lanes == 0 && (layout_.block % lanes == 0 || layout_.blocks() == 1);
    a.weights_are_constant = codes.host && scales.host && zeros.host;
    launch_ = {gpu_.function("product_blocks", "product_blocks" + std::string(suffix) + "_" +
                                                   std::to_string(layout_.bits) + "_" + std::to_string(tile_))};
    launch_.grid = {blocks_for(layout_.columns, tile.columns()), static_cast<unsigned>(row_tiles), 1};
    launch_.threads = static_cast<unsigned>(tile.threads());
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    ProductBlocksArguments& a = arguments_;
    a.x = call.inputs[0].data;
    a.codes = pointer_of<uint32_t>(call.inputs[1]);
    a.scales = pointer_of<float>(call.inputs[2]);
    a.zeros = pointer_of<uint8_t>(call.inputs[3]);
    a.y = call.outputs[0].data;
    a.x_in_words = terms_in_words_ && is_aligned(a.x, 16);
    if (!is_aligned(a.codes, 16))
      return {Code::kInvalidArgument, "the weights of a product do not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, a);
  }

  BlockLayout layout_;
  int64_t tile_;
  bool terms_in_words_ = false;
  ProductBlocksArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

void BlockLayout::check() const {
  if (block > terms)
    throw malformed_parameter("block", "is " + std::to_string(block))
        .cause("there are " + std::to_string(terms) + " terms");
}

Tensor pack_block_codes(const BlockLayout& l, const Tensor& integers, int64_t shift) {
  Tensor packed = Tensor::allocate(DType::kI32, {l.words()});
  const int lane_words = block_unit_words(l.bits) / 32;
  int32_t* to = packed.as_mutable<int32_t>().data();
  for (int64_t tile = 0; tile < l.column_tiles(); ++tile)
    for (int64_t unit = 0; unit < l.units(); ++unit)
      for (int lane = 0; lane < 32; ++lane, to += lane_words) {
        uint32_t words[4] = {};
        for (int i = 0; i < 16; ++i) {
          const CodePlace p = code_place(l.bits, lane, i);
          const int64_t block = unit / l.units_per_block(),
                        in_block = unit % l.units_per_block() * kBlockUnitTerms + p.term;
          const int64_t term = block * l.block + in_block, column = tile * kBlockUnitColumns + p.row;
          if (in_block >= l.block || term >= l.terms || column >= l.columns) continue;
          words[p.word] |= static_cast<uint32_t>(integers.int_at(term * l.columns + column) + shift) << p.bit;
        }
        std::copy_n(words, lane_words, to);
      }
  return packed;
}

Tensor pack_block_scales(const BlockLayout& l, const Tensor& scales) {
  Tensor packed = Tensor::allocate(DType::kF32, {l.numbers()});
  float* to = packed.as_mutable<float>().data();
  for_each_number(l, [&](int64_t at, int64_t from) { to[at] = from < 0 ? 0 : static_cast<float>(scales.at(from)); });
  return packed;
}

Tensor pack_block_zeros(const BlockLayout& l, const Tensor* zeros, int64_t shift) {
  Tensor packed = Tensor::allocate(DType::kU8, {l.numbers()});
  for_each_number(l, [&](int64_t at, int64_t from) {
    packed.set_int(at, from < 0 ? 0 : (zeros ? zeros->int_at(from) : 0) + shift);
  });
  return packed;
}

std::unique_ptr<Kernel> make_product_blocks(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductBlocks>(gpu, read_parameters<ProductBlocksParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
