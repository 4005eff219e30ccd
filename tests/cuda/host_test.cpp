// What the host does for kernels of NVIDIA GPUs: loops, packing, slots of programs, parameters, facts. No GPU is needed.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/depthwise.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/packing.h"
#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/device/kernels/transposed_matrix.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tiles.h"
#include "ops/expr.h"

namespace kiln::cuda {
namespace {

using kernels::Loop;

uint32_t quotient(const FastDivisor& d, uint32_t n) {
  return static_cast<uint32_t>((((uint64_t{n} * d.multiplier) >> 32) + n) >> d.shift);
}

TEST(CudaHost, FastDivisorIsExactBelowTwoToThe31) {
  for (uint32_t divisor : {1u, 2u, 3u, 7u, 10u, 64u, 641u, 65535u, 65537u, 1000003u, 2147483647u})
    for (uint32_t n : {0u, 1u, 2u, divisor - 1, divisor, divisor + 1, 65536u, 2147483646u, 2147483647u})
      if (n <= 2147483647u) {
        EXPECT_EQ(quotient(FastDivisor::of(divisor), n), n / divisor) << n << " / " << divisor;
      }
}

TEST(CudaHost, LoopsMergeAndFollowTheResult) {
  const Loop loop = kernels::merged({{2, 3, 1, 5}, {{15, 5, 5, 1}, {15, 5, 5, 1}}});
  EXPECT_EQ(loop.dims, Dims{30});
  const Loop turned = kernels::merged({{2, 3, 4}, {{12, 1, 3}, {12, 4, 1}}});
  EXPECT_EQ(turned.dims, (Dims{2, 4, 3}));
  EXPECT_EQ(turned.strides[1], (Dims{12, 1, 4}));
}

TEST(CudaHost, LoopsSplitIntoLaunches) {
  const Loop big{{3, int64_t{1} << 30}, {{int64_t{1} << 30, 1}, {int64_t{1} << 31, 2}}};
  int64_t count = 0;
  for (const kernels::LoopPart& part : kernels::parts(big)) {
    EXPECT_LE(part.loop.count(), INT32_MAX);
    EXPECT_EQ(part.starts[1], 2 * part.starts[0]);
    count += part.loop.count();
  }
  EXPECT_EQ(count, big.count());
  Loop many{Dims(12, 3), {Dims(12, 7), Dims(12, 5)}};
  count = 0;
  for (const kernels::LoopPart& part : kernels::parts(many)) count += part.loop.count();
  EXPECT_EQ(count, many.count());
  EXPECT_TRUE(kernels::parts({{0, 5}, {{5, 1}}}).empty());
}

TEST(CudaHost, PackedWeightsHoldEveryElementOnce) {
  const Tensor weights = Tensor::of<float>({5, 3, 2},
                                           [] {
                                             std::vector<float> values;
                                             for (int i = 1; i <= 30; ++i) values.push_back(static_cast<float>(i));
                                             return values;
                                           }())
                             .cast(DType::kF16);
  kernels::WeightView view{weights.data(), 2, 1, 5, 2, 3, 0, 6, 1, 2};  // [column, channel, tap]
  double sum = 0;
  const Tensor mma = kernels::pack_mma_weights(view, DType::kF16);
  EXPECT_EQ(mma.size(), 5 * 2 * 8);
  for (int64_t i = 0; i < mma.size(); ++i) sum += mma.at(i);
  EXPECT_EQ(sum, 465);
  EXPECT_EQ(mma.at(8), 2);  // column 0, tap 1, channel 0
  const Tensor grouped = kernels::pack_wgmma_weights(view, DType::kF16, kGroupTiles[0]);
  EXPECT_EQ(grouped.size(), 32 * 2 * 64);
  sum = 0;
  for (int64_t i = 0; i < grouped.size(); ++i) sum += grouped.at(i);
  EXPECT_EQ(sum, 465);
}

// Element by element, by the layouts' descriptions.
TEST(CudaHost, PackedWeightsLieWhereKernelsLook) {
  struct Case {
    int64_t columns, taps, channels;
    bool columns_last;  // as the right operand of a product
  };
  for (const Case& c : {Case{70, 1, 200, true}, Case{1, 1, 3, true}, Case{130, 9, 40, false}, Case{33, 1, 65, false},
                        Case{700, 1, 900, true}, Case{300, 9, 100, false}})
    for (DType type : {DType::kI8, DType::kF16, DType::kF32}) {
      const int bytes = bits(type) / 8;
      const int64_t count = c.columns * c.taps * c.channels;
      Tensor weights = Tensor::allocate(type, {count});
      auto* data = static_cast<uint8_t*>(weights.mutable_data());
      for (int64_t i = 0; i < count * bytes; ++i) data[i] = static_cast<uint8_t>(1 + (i * 7 + i / 251) % 250);
      const kernels::WeightView view{data,   bytes,
                                     1,      c.columns,
                                     c.taps, c.channels,
                                     0,      c.columns_last ? 1 : c.taps * c.channels,
                                     1,      c.columns_last ? c.columns : c.taps};
      const auto is_at = [&](const Tensor& packed, int64_t at, int64_t column, int64_t tap, int64_t channel) {
        const int64_t from = column * view.column_stride + tap * view.tap_stride + channel * view.channel_stride;
        return std::memcmp(static_cast<const uint8_t*>(packed.data()) + at * bytes, data + from * bytes,
                           static_cast<size_t>(bytes)) == 0;
      };
      int64_t wrong = 0;
      const Tensor mma = kernels::pack_mma_weights(view, type);
      const int64_t padded = kernels::padded_channels(c.channels, bytes);
      for (int64_t k = 0; k < c.columns; ++k)
        for (int64_t t = 0; t < c.taps; ++t)
          for (int64_t i = 0; i < c.channels; ++i) wrong += !is_at(mma, (k * c.taps + t) * padded + i, k, t, i);
      EXPECT_EQ(wrong, 0) << name(type) << " " << c.columns << " mma";
      const GroupTile& tile = kGroupTiles[1];
      const Tensor wgmma = kernels::pack_wgmma_weights(view, type, tile);
      const int64_t numbers = kernels::kChunk / bytes, of_piece = kernels::kPiece / bytes;
      const int64_t chunks = kernels::wgmma_chunks(c.taps, c.channels, bytes), chunks_per_tap = chunks / c.taps;
      for (int64_t i = 0; i < wgmma.size(); ++i) {
        const int64_t inside = i % numbers, row = i / numbers % tile.columns;
        const int64_t chunk = i / numbers / tile.columns % chunks, column0 = i / numbers / tile.columns / chunks;
        const int64_t column = column0 * tile.columns + channel_of_row(static_cast<uint32_t>(row));
        const int64_t channel =
            chunk % chunks_per_tap * numbers + (inside / of_piece ^ row % 8) * of_piece + inside % of_piece;
        if (column < c.columns && channel < c.channels) {
          wrong += !is_at(wgmma, i, column, chunk / chunks_per_tap, channel);
        } else {
          const uint8_t* at = static_cast<const uint8_t*>(wgmma.data()) + i * bytes;
          wrong += !std::all_of(at, at + bytes, [](uint8_t b) { return b == 0; });
        }
      }
      EXPECT_EQ(wrong, 0) << name(type) << " " << c.columns << " wgmma";
      if (!c.columns_last) continue;
      const Tensor turned = kernels::transposed_matrix(weights, c.channels, c.columns);
      for (int64_t k = 0; k < c.columns; ++k)
        for (int64_t i = 0; i < c.channels; ++i) wrong += !is_at(turned, k * c.channels + i, k, 0, i);
      EXPECT_EQ(wrong, 0) << name(type) << " " << c.columns << " transposed";
    }
}

double sum_of(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.size(); ++i) sum += t.at(i);
  return sum;
}

TEST(CudaHost, PackedWeightsOfFewChannelsAndOfGroups) {
  std::vector<float> values;
  for (int i = 1; i <= 30; ++i) values.push_back(static_cast<float>(i));
  const Tensor weights = Tensor::of<float>({5, 3, 2}, values);
  kernels::WeightView view{weights.data(), 4, 1, 5, 2, 3, 0, 6, 1, 2};  // [column, channel, tap]
  const Tensor few = kernels::pack_few_weights(view, DType::kF32, 32);
  EXPECT_EQ(few.size(), 32 * 12);  // two taps of four channels and 16 bytes more
  EXPECT_EQ(sum_of(few), 465);
  EXPECT_EQ(few.at(4), 2);                             // column 0, tap 1, channel 0
  view = {weights.data(), 4, 5, 1, 2, 3, 6, 6, 1, 2};  // five groups of one column
  const Tensor groups = kernels::pack_depthwise_weights(view, DType::kF32);
  EXPECT_EQ(groups.size(), 2 * 3 * 8);
  EXPECT_EQ(sum_of(groups), 465);
  EXPECT_EQ(groups.at(3 * 8 + 1), 8);  // tap 1, channel 0, column 1
}

TEST(CudaHost, BoxesLeaveNoRowsEmptyWhereImagesDivide) {
  kernels::ImageView image;
  image.batch = 128;
  image.height = image.width = 14;
  EXPECT_EQ(kernels::PixelBox::covering(image, 128, 256, 256, 0).count(image), 128 * 14 * 14 / 128);
  image.batch = 1;
  const auto box = kernels::PixelBox::covering(image, 128, 256, 256, 0);
  EXPECT_EQ(box.count(image), 2);
  EXPECT_EQ(box.w, 14);
  image.batch = 8;  // 14 boxes would do, and 16 are enough
  EXPECT_EQ(kernels::PixelBox::covering(image, 128, 256, 256, 0).count(image), 14);
  const auto wide = kernels::PixelBox::covering(image, 128, 256, 256, 16);
  EXPECT_EQ(wide.count(image), 16);
  EXPECT_EQ(wide.w, 14);
  EXPECT_EQ(wide.h, 7);
  image.height = image.width = 0;
  EXPECT_EQ(kernels::PixelBox::covering(image, 128, 256, 256, 0).count(image), 0);
}

TEST(CudaHost, RowsOfAMatrixAreInTheirOrderAtEqualDistances) {
  const auto rows = [](const Dims& dims, const Dims& strides) {
    const Layout layout;
    TensorView v;
    v.dtype = DType::kF16;
    v.rank = static_cast<int>(dims.size());
    v.layout = &layout;
    v.dims = dims.data();
    v.strides = strides.data();
    return kernels::rows_as_image(v);
  };
  const auto plain = rows({2, 3, 8}, {24, 8, 1});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->width, 6);
  EXPECT_EQ(plain->pixel_stride, 8);
  EXPECT_EQ(plain->channels, 8);
  const auto part =
      rows({2, 1, 3, 8}, {60, 7, 20, 1});  // of rows of 20; what an axis of one element says means nothing
  ASSERT_TRUE(part);
  EXPECT_EQ(part->width, 6);
  EXPECT_EQ(part->pixel_stride, 20);
  const auto none = rows({4, 0, 8}, {1, 1, 1});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->width, 0);
  const auto one = rows({8}, {1});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->width, 1);
  EXPECT_EQ(one->pixel_stride, 8);
  EXPECT_FALSE(rows({2, 3, 8}, {8, 16, 1})) << "in memory the second axis goes first";
  EXPECT_FALSE(rows({2, 3, 8}, {32, 8, 1})) << "gaps between the first";
  EXPECT_FALSE(rows({1 << 20, 1 << 20, 8}, {8 << 20, 8, 1})) << "more than 2^31 rows";
}

TEST(CudaHost, ChannelOfRowIsAPermutation) {
  std::set<uint32_t> seen;
  for (uint32_t row = 0; row < 256; ++row) seen.insert(channel_of_row(row));
  EXPECT_EQ(seen.size(), 256u);
  EXPECT_EQ(*seen.rbegin(), 255u);
}

TEST(CudaHost, ProgramsTakeAsFewSlotsAsLiveAtOnce) {
  ExprBuilder builder;
  Expr x = builder.input(0, ScalarType::kF32);
  for (int i = 0; i < 40; ++i) x = x * x + x;
  const Expr results[] = {x};
  const ScalarProgram program = builder.finish(results);
  std::string reason;
  const auto code = kernels::pointwise_code(program, reason);
  ASSERT_TRUE(code) << reason;
  EXPECT_TRUE(code->floats);
  EXPECT_LE(code->slots, 3);
  // The slots give what the values gave.
  std::vector<double> slots(static_cast<size_t>(code->slots)), values(program.code.size());
  for (size_t i = 0; i < program.code.size(); ++i) {
    const ScalarInstruction& v = program.code[i];
    const PointwiseStep& s = code->steps[i];
    const auto apply = [&](double a, double b) {
      return v.op == ScalarOp::kInput      ? 0.25
             : v.op == ScalarOp::kConstant ? v.real
             : v.op == ScalarOp::kMul      ? a * b
                                           : a + b;
    };
    values[i] = apply(values[v.a], values[v.b]);
    slots[s.to] = apply(slots[s.a], slots[s.b]);
  }
  EXPECT_EQ(slots[code->results[0]], values[program.outputs[0]]);
}

TEST(CudaHost, ProgramsThatAreTooLongAreRefused) {
  ExprBuilder builder;
  Expr x = builder.input(0, ScalarType::kF32);
  for (int i = 0; i < kMaxSteps; ++i) x = x * x;
  const Expr results[] = {x};
  std::string reason;
  EXPECT_FALSE(kernels::pointwise_code(builder.finish(results), reason));
  EXPECT_NE(reason, "");
}

TEST(CudaHost, KernelsCheckTheirParameters) {
  Gpu gpu(nullptr, nullptr, {.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20});
  EXPECT_EQ(make_kernel(gpu, "no such kernel", {}), nullptr);
  EXPECT_THROW(make_kernel(gpu, "pool", {{"kind", int64_t{7}}}), Error);
  EXPECT_THROW(make_kernel(gpu, "reduce", {{"axes", Ints{0}}, {"kind", int64_t{99}}}), Error);
  EXPECT_THROW(make_kernel(gpu, "copy", {{"what", std::string("nothing")}}), Error);
  EXPECT_THROW(make_kernel(gpu, "conv_mma", {}), Error);
  const auto makes = [](Gpu& on, const char* kernel, const auto& parameters) {
    try {
      return make_kernel(on, kernel, to_parameters(parameters)) != nullptr;
    } catch (const Error&) {
      return false;
    }
  };
  using namespace kernels;
  EXPECT_TRUE(makes(gpu, "conv_wgmma", ConvWgmmaParameters{.choice = {0, 1, 1}}));
  EXPECT_FALSE(makes(gpu, "conv_wgmma", ConvWgmmaParameters{.choice = {0, 3, 1}}));
  EXPECT_FALSE(makes(gpu, "conv_wgmma", ConvWgmmaParameters{.choice = {6, 1, 12}}));  // more than a block's memory
  EXPECT_TRUE(makes(gpu, "conv_few", ConvFewParameters{.choice = {64, 8}}));
  EXPECT_FALSE(makes(gpu, "conv_few", ConvFewParameters{.choice = {48, 8}}));
  EXPECT_TRUE(makes(gpu, "skinny", TiledParameters{}));
  EXPECT_FALSE(makes(gpu, "conv_depthwise", ConvDepthwiseParameters{.choice = {1}}));  // the window has no tiles
  EXPECT_TRUE(makes(gpu, "conv_stream", ConvStreamParameters{{.choice = {0, 2, 2}}}));
  EXPECT_FALSE(makes(gpu, "conv_stream", ConvStreamParameters{{.choice = {4, 12, 2}}}));
  Gpu old(nullptr, nullptr, {.compute = 75, .multiprocessors = 40, .shared_per_block = 64 << 10, .cache = 4 << 20});
  EXPECT_FALSE(makes(old, "conv_mma", ConvMmaParameters{}));
}

TEST(CudaHost, FactsNameTheChip) {
  Card card{"NVIDIA H200",
            {.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 60 << 20},
            int64_t{141} << 30,
            1980000,
            3201000,
            6144};
  const DeviceFacts facts = facts_of(card, 13000);
  EXPECT_NEAR(facts.bytes_per_second, 4.28e12, 0.1e12);
  EXPECT_FALSE(facts.host_memory);
  const auto chip = chip_of(facts);
  ASSERT_TRUE(chip);
  EXPECT_EQ(chip->compute, 90);
  EXPECT_EQ(chip->shared_per_block, 227 << 10);
  EXPECT_FALSE(chip_of({}));
}

TEST(CudaHost, TilesKeepToTheClustersThatFit) {
  const TiledProduct product{64, 256, 64};
  for (int compute : {80, 90, 120}) {
    const Chip chip{.compute = compute, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20};
    const auto most = static_cast<int64_t>(std::min(chip.largest_cluster(), target_cluster()));
    for (const Config& config : whole_configs(product, chip))
      EXPECT_LE(config.integer("splits") * config.integer("shares"), most);
    for (const bool matrix : {false, true})
      for (const Config& config : wgmma_configs(product, matrix, chip)) EXPECT_LE(config.integer("splits"), most);
    for (const Config& config : byte_configs(product, chip)) EXPECT_LE(config.integer("splits"), most);
  }
  EXPECT_TRUE(std::has_single_bit(target_cluster()));
  EXPECT_LE(target_cluster(), target_chip().largest_cluster());
}

TEST(CudaHost, AFaultSaysHowToHearOfItsLayer) {
  for (const CUresult fault : {CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_LAUNCH_TIMEOUT}) {
    const Status status = status_of(fault, "a layer could not be queued");
    const std::string text = status.detail;
    EXPECT_EQ(status.code, Code::kExecution);
    for (const char* what : {"a layer could not be queued: ", "context is lost", "setDebugSync(true)", "--debugSync"})
      EXPECT_NE(text.find(what), std::string::npos) << text;
  }
  EXPECT_EQ(std::string(status_of(CUDA_ERROR_OUT_OF_MEMORY, "x").detail).find("--debugSync"), std::string::npos);
}

TEST(CudaHost, WithoutADriverThereIsAReason) {
  std::string reason;
  if (kiln_create_device_cuda(0, reason)) GTEST_SKIP() << "there is a GPU";
  EXPECT_NE(reason, "");
}

}  // namespace
}  // namespace kiln::cuda
