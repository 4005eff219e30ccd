// Networks by calls, layer by layer: values against numbers computed by hand or by plain loops.
#include <cmath>
#include <functional>

#include "api/network.h"

using namespace nvinfer1;

namespace {

class Layers : public Network {};
using Floats = std::vector<float>;

TEST_F(Layers, ScatterOfElementsAndOfTuples) {
  ITensor* x = input("x", Dims2{2, 3});
  auto* elements = network->addScatter(*x, *int_constant(Dims2{1, 2}, {2, 0}), *constant(Dims2{1, 2}, {10, 20}),
                                       ScatterMode::kELEMENT);
  elements->setAxis(1);
  EXPECT_EQ(elements->getAxis(), 1);
  auto* tuples = network->addScatter(*elements->getOutput(0), *int_constant(Dims2{1, 2}, {1, 1}),
                                     *constant(Dims{1, {1}}, {99}), ScatterMode::kND);
  EXPECT_EQ(tuples->getType(), LayerType::kSCATTER);
  near(result(tuples->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {20, 2, 10, 4, 99, 6});
}

TEST_F(Layers, CumulativeSumsForwardsBackwardsAndExclusive) {
  ITensor* x = input("x", Dims2{2, 3});
  ITensor* axis = int_constant(Dims{0, {}}, {1});
  auto* sums = network->addCumulative(*x, *axis, CumulativeOperation::kSUM, false, false);
  auto* rest = network->addCumulative(*sums->getOutput(0), *axis, CumulativeOperation::kSUM, true, true);
  EXPECT_TRUE(rest->getExclusive());
  // Sums 1 3 6, 4 9 15; then what follows each.
  near(result(rest->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {9, 6, 0, 24, 15, 0});
}

TEST_F(Layers, GridSampleOfAShift) {
  ITensor* x = input("x", Dims4{1, 1, 1, 3});
  // With aligned corners x = -1, 0, 1 are the three pixels; 2 lies outside.
  ITensor* grid = constant(Dims4{1, 1, 4, 2}, {-1, 0, 0.5f, 0, 1, 0, 2, 0});
  auto* sample = network->addGridSample(*x, *grid);
  sample->setAlignCorners(true);
  EXPECT_FALSE(sample->setSampleMode(SampleMode::kWRAP));
  EXPECT_TRUE(sample->setSampleMode(SampleMode::kCLAMP));
  near(result(sample->getOutput(0), {{1, 3, 7}}), {1, 5, 7, 7});
}

TEST_F(Layers, BoxesThatOverlapAreSuppressed) {
  ITensor* boxes = input("boxes", Dims3{1, 3, 4});
  ITensor* scores = input("scores", Dims3{1, 3, 1});
  auto* nms = network->addNMS(*boxes, *scores, *int_constant(Dims{0, {}}, {5}));
  nms->setInput(3, *constant(Dims{0, {}}, {0.5f}));
  nms->setInput(4, *constant(Dims{0, {}}, {0.1f}));
  EXPECT_EQ(nms->getOutput(0)->getType(), DataType::kINT32);
  EXPECT_EQ(nms->getOutput(1)->getDimensions().nbDims, 0);
  // Box 1 lies on box 0; box 2 is far away.
  ITensor* count = to_float(nms->getOutput(1));
  near(result(count, {{0, 0, 2, 2, 0, 0, 2, 1.9f, 5, 5, 6, 6}, {0.9f, 0.8f, 0.7f}}), {2});
}

// Four boxes far from each other, two classes: the limit leaves the best pairs of each batch entry.
TEST_F(Layers, SuppressionAmongTheBestOnly) {
  ITensor* boxes = input("boxes", Dims3{2, 4, 4});
  ITensor* scores = input("scores", Dims3{2, 4, 2});
  auto* nms = network->addNMS(*boxes, *scores, *int_constant(Dims{0, {}}, {5}));
  EXPECT_EQ(nms->getTopKBoxLimit(), 0);
  nms->setTopKBoxLimit(-1);
  nms->setTopKBoxLimit(3);
  EXPECT_EQ(nms->getTopKBoxLimit(), 3);
  std::vector<float> places;
  for (int i = 0; i < 8; ++i)
    for (float side : {0, 0, 1, 1}) places.push_back(side + 10 * static_cast<float>(i % 4));
  nms->getOutput(0)->setName("y");
  network->markOutput(*nms->getOutput(0));
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  std::vector<float> best{0.9f, 0.1f, 0.2f, 0.8f, 0.3f, 0.4f, 0.5f, 0.6f, -1, -2, -3, -4, -5, -6, -7, -8};
  const OnDevice<float> boxes_data(places), scores_data(best);
  const OnDevice<int32_t> result_data(48);
  void* bindings[] = {boxes_data.data(), scores_data.data(), result_data.data()};
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_EQ(context->getTensorShape("y").d[0], 6);
  std::vector<int32_t> selected = result_data.get();
  selected.resize(18);
  EXPECT_EQ(selected, (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 0, 1, 3, 1, 0, 0, 1, 0, 1, 1, 1, 0}));
}

TEST_F(Layers, ReverseSequencePerBatchEntry) {
  auto* reversed = network->addReverseSequence(*input("x", Dims2{3, 2}), *int_constant(Dims{1, {2}}, {3, 2}));
  EXPECT_EQ(reversed->getBatchAxis(), 1);
  near(result(reversed->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {5, 4, 3, 2, 1, 6});
}

TEST_F(Layers, QuantizeAndBackPerTensorAndPerChannel) {
  ITensor* x = input("x", Dims2{2, 3});
  auto* q = network->addQuantize(*x, *constant(Dims{0, {}}, {0.5f}), DataType::kINT8);
  EXPECT_EQ(q->getOutput(0)->getType(), DataType::kINT8);
  auto* dq = network->addDequantize(*q->getOutput(0), *constant(Dims{1, {2}}, {0.5f, 5}), DataType::kFLOAT);
  dq->setAxis(0);
  // 0.3 / 0.5 rounds to 1, 0.75 / 0.5 = 1.5 to even 2, 100 / 0.5 saturates at 127.
  near(result(dq->getOutput(0), {{0.3f, 0.75f, 100, 1, -2.2f, -100}}), {0.5f, 1, 63.5f, 10, -20, -640});
}

TEST_F(Layers, DequantizeInBlocks) {
  ITensor* x = input("x", Dims2{1, 4});
  auto* q = network->addQuantize(*x, *constant(Dims2{1, 2}, {1, 10}), DataType::kINT8);
  auto* dq = network->addDequantize(*q->getOutput(0), *constant(Dims2{1, 2}, {2, 10}), DataType::kFLOAT);
  EXPECT_TRUE(dq->setBlockShape(Dims2{1, 2}));
  EXPECT_EQ(dq->getBlockShape().d[1], 2);
  near(result(dq->getOutput(0), {{1, 2, 30, 44}}), {2, 4, 30, 40});
}

// Weights and bias that come as tensors, quantised as programs for explicit quantisation write them.
TEST_F(Layers, ConvolutionsTakeQuantizedWeightsAsInputs) {
  const Weights none{DataType::kFLOAT, nullptr, 0};
  ITensor* one = constant(Dims{0, {}}, {1});
  auto quantized = [&](ITensor* t, ITensor* scale) {
    auto* q = network->addQuantize(*t, *scale, DataType::kINT8);
    q->setAxis(0);
    auto* dq = network->addDequantize(*q->getOutput(0), *scale, DataType::kFLOAT);
    dq->setAxis(0);
    return dq->getOutput(0);
  };
  ITensor* x = quantized(input("x", Dims4{1, 1, 2, 2}), one);
  auto* conv = network->addConvolutionNd(*x, 2, DimsHW{2, 2}, none, none);
  conv->setInput(
      1, *quantized(constant(Dims4{2, 1, 2, 2}, {1, 2, 3, 4, 10, 20, 30, 40}), constant(Dims{1, {2}}, {1, 10})));
  conv->setInput(2, *constant(Dims{1, {2}}, {0.5f, -0.5f}));
  EXPECT_EQ(conv->getNbInputs(), 3);
  auto* full = network->addFullyConnected(*conv->getOutput(0), 1, none, none);
  full->setInput(1, *constant(Dims2{1, 2}, {1, 0.1f}));
  full->setInput(2, *constant(Dims{1, {1}}, {7}));
  // 1.2 rounds to 1: 1+2+3+4 = 10 and 100.
  near(result(full->getOutput(0), {{1.2f, 1, 0.9f, 1}}), {10.5f + 9.95f + 7});
}

TEST_F(Layers, ZeroPointsThatAreNotZeroAreRefused) {
  auto* q = network->addQuantize(*input("x", Dims2{1, 4}), *constant(Dims{0, {}}, {1}), DataType::kINT8);
  q->setInput(2, *int_constant(Dims{0, {}}, {3}));
  EXPECT_EQ(q->getOutput(0)->getDimensions().nbDims, -1);
  EXPECT_NE(logger.errors.find("zero point"), std::string::npos) << logger.errors;
}

// Each group of two channels of two elements by its own mean and deviation.
Floats normalised(const Floats& x, const Floats& scale, const Floats& bias) {
  Floats y;
  for (size_t g = 0; g < x.size(); g += 4) {
    float mean = 0, variance = 0;
    for (size_t i = g; i < g + 4; ++i) mean += x[i] / 4;
    for (size_t i = g; i < g + 4; ++i) variance += (x[i] - mean) * (x[i] - mean) / 4;
    for (size_t i = g; i < g + 4; ++i) y.push_back((x[i] - mean) / std::sqrt(variance) * scale[i / 2] + bias[i / 2]);
  }
  return y;
}

TEST_F(Layers, NormalizationInGroupsOfBothVersions) {
  const Floats x = {1, 5, 2, 8, -3, 1, 0, 4};
  ITensor* in = input("x", Dims4{1, 4, 1, 2});
  auto* per_group =
      network->addNormalization(*in, *constant(Dims4{1, 2, 1, 1}, {2, 3}), *constant(Dims4{1, 2, 1, 1}, {1, -1}), 12);
  per_group->setNbGroups(2), per_group->setEpsilon(0);
  auto* per_channel = network->addNormalizationV2(*in, *constant(Dims4{1, 4, 1, 1}, {1, 2, 3, 4}),
                                                  *constant(Dims4{1, 4, 1, 1}, {0, 1, 0, 1}), 12);
  per_channel->setNbGroups(2), per_channel->setEpsilon(0);
  EXPECT_TRUE(per_channel->isV2());
  EXPECT_FALSE(per_group->isV2());
  auto* sum = network->addElementWise(*per_group->getOutput(0), *per_channel->getOutput(0), ElementWiseOperation::kSUM);
  Floats expected = normalised(x, {2, 2, 3, 3}, {1, 1, -1, -1});
  const Floats second = normalised(x, {1, 2, 3, 4}, {0, 1, 0, 1});
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += second[i];
  near(result(sum->getOutput(0), {x}), expected);
}

TEST_F(Layers, SoftmaxOfRaggedRows) {
  auto* soft = network->addRaggedSoftMax(*input("x", Dims3{1, 2, 3}), *int_constant(Dims3{1, 2, 1}, {2, 3}));
  near(result(soft->getOutput(0), {{0, 0, 9, 1, 1, 1}}), {0.5f, 0.5f, 0, 1 / 3.f, 1 / 3.f, 1 / 3.f});
}

TEST_F(Layers, FillOfTwoDimensions) {
  auto* fill = network->addFill(Dims2{2, 3}, FillOperation::kLINSPACE, DataType::kFLOAT);
  fill->setInput(1, *constant(Dims{0, {}}, {5}));
  fill->setInput(2, *constant(Dims{1, {2}}, {100, 1}));
  auto* sum = network->addElementWise(*fill->getOutput(0), *input("x", Dims2{1, 1}), ElementWiseOperation::kSUM);
  near(result(sum->getOutput(0), {{0.5f}}), {5.5f, 6.5f, 7.5f, 105.5f, 106.5f, 107.5f});
}

TEST_F(Layers, FillOfWholeNumbers) {
  auto* fill = network->addFill(Dims{1, {4}}, FillOperation::kLINSPACE, DataType::kINT32);
  fill->setAlphaInt64(3), fill->setBetaInt64(-2);
  EXPECT_TRUE(fill->isAlphaBetaInt64());
  auto* sum =
      network->addElementWise(*to_float(fill->getOutput(0)), *input("x", Dims{1, {1}}), ElementWiseOperation::kSUM);
  near(result(sum->getOutput(0), {{0}}), {3, 1, -1, -3});
}

TEST_F(Layers, FillOfRandomNumbers) {
  auto* fill = network->addFill(Dims2{40, 50}, FillOperation::kRANDOM_UNIFORM, DataType::kFLOAT);
  fill->setAlpha(-2), fill->setBeta(6);
  auto* normal = network->addFill(Dims2{40, 50}, FillOperation::kRANDOM_NORMAL, DataType::kFLOAT);
  normal->setAlpha(3), normal->setBeta(0);  // no deviation: 3 everywhere
  auto* sum = network->addElementWise(*fill->getOutput(0), *normal->getOutput(0), ElementWiseOperation::kSUM);
  auto* moved = network->addElementWise(*sum->getOutput(0), *input("x", Dims2{1, 1}), ElementWiseOperation::kSUM);
  const Floats y = result(moved->getOutput(0), {{100}});
  ASSERT_EQ(y.size(), 2000u);
  for (float v : y) EXPECT_TRUE(v >= 101 && v < 109) << v;
  double mean = 0;
  for (float v : y) mean += v / 2000.0;
  EXPECT_NEAR(mean, 105, 0.25);  // five standard errors
}

struct Outside {
  SampleMode mode;
  Floats expected;
};
class SliceOutside : public Network, public testing::WithParamInterface<Outside> {};

TEST_P(SliceOutside, ByMode) {
  auto* slice = network->addSlice(*input("x", Dims2{1, 3}), Dims2{0, -2}, Dims2{1, 8}, Dims2{1, 1});
  slice->setMode(GetParam().mode);
  EXPECT_EQ(slice->getMode(), GetParam().mode);
  near(result(slice->getOutput(0), {{1, 2, 3}}), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Modes, SliceOutside,
                         testing::Values(Outside{SampleMode::kWRAP, {2, 3, 1, 2, 3, 1, 2, 3}},
                                         Outside{SampleMode::kCLAMP, {1, 1, 1, 2, 3, 3, 3, 3}},
                                         Outside{SampleMode::kFILL, {0, 0, 1, 2, 3, 0, 0, 0}},
                                         Outside{SampleMode::kREFLECT, {3, 2, 1, 2, 3, 2, 1, 2}}));

TEST_F(Layers, SliceFillsWithAValueAndNamesItsAxes) {
  auto* slice = network->addSlice(*input("x", Dims2{2, 2}), Dims{1, {1}}, Dims{1, {3}}, Dims{1, {1}});
  slice->setAxes(Dims{1, {0}});
  slice->setMode(SampleMode::kFILL);
  slice->setInput(4, *constant(Dims{0, {}}, {-7}));
  near(result(slice->getOutput(0), {{1, 2, 3, 4}}), {3, 4, -7, -7, -7, -7});
}

TEST_F(Layers, BlendOfPools) {
  auto* pool = network->addPoolingNd(*input("x", Dims4{1, 1, 2, 2}), PoolingType::kMAX_AVERAGE_BLEND, DimsHW{2, 2});
  pool->setBlendFactor(0.25f);
  EXPECT_EQ(pool->getBlendFactor(), 0.25f);
  near(result(pool->getOutput(0), {{1, 2, 3, 6}}), {0.25f * 3 + 0.75f * 6});
}

TEST_F(Layers, GatherInBatches) {
  ITensor* x = input("x", Dims3{2, 2, 3});
  auto* gather = network->addGather(*x, *int_constant(Dims2{2, 1}, {2, 0}), 2);
  gather->setNbElementWiseDims(1);
  expect_dims(*gather->getOutput(0), {2, 2, 1});
  near(result(gather->getOutput(0), {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}), {3, 6, 7, 10});
}

TEST_F(Layers, IndicesOfEitherType) {
  ITensor* x = input("x", Dims2{1, 4});
  auto* top = network->addTopK(*x, TopKOperation::kMIN, 1, 2, DataType::kINT64);
  EXPECT_EQ(top->getOutput(1)->getType(), DataType::kINT64);
  EXPECT_FALSE(top->setIndicesType(DataType::kFLOAT));
  EXPECT_EQ(top->getIndicesType(), DataType::kINT64);
  EXPECT_EQ(network->addNonZero(*x, DataType::kINT64)->getOutput(0)->getType(), DataType::kINT64);
  near(result(to_float(top->getOutput(1)), {{3, 1, -4, 5}}), {2});
}

TEST_F(Layers, ResizeToOnePixelTakesTheFirst) {
  auto* resize = network->addResize(*input("x", Dims4{1, 1, 1, 3}));
  resize->setResizeMode(InterpolationMode::kLINEAR);
  resize->setCoordinateTransformation(ResizeCoordinateTransformation::kHALF_PIXEL);
  resize->setSelectorForSinglePixel(ResizeSelector::kUPPER);
  resize->setOutputDimensions(Dims4{1, 1, 1, 1});
  near(result(resize->getOutput(0), {{4, 5, 6}}), {4});
}

// softmax(q k^T + what is not seen at -inf) v, for one head.
Floats attended(const Floats& q, const Floats& k, const Floats& v, size_t size,
                const std::function<bool(size_t, size_t)>& seen) {
  Floats out;
  const size_t keys = k.size() / size;
  for (size_t i = 0; i < q.size() / size; ++i) {
    Floats weights(keys, 0);
    float sum = 0;
    for (size_t j = 0; j < keys; ++j) {
      float score = 0;
      for (size_t d = 0; d < size; ++d) score += q[i * size + d] * k[j * size + d];
      sum += weights[j] = seen(i, j) ? std::exp(score) : 0;
    }
    for (size_t d = 0; d < size; ++d) {
      float value = 0;
      for (size_t j = 0; j < keys; ++j) value += weights[j] / sum * v[j * size + d];
      out.push_back(value);
    }
  }
  return out;
}

const Floats kQ = {0.1f, 0.2f, -0.3f, 0.4f}, kK = {0.5f, -1, 0.3f, 0.2f, 1, 0.7f}, kV = {1, 2, 3, 4, 5, 6};

TEST_F(Layers, AttentionSeesWhatItsMaskShows) {
  ITensor *q = input("q", Dims4{1, 1, 2, 2}), *k = input("k", Dims4{1, 1, 3, 2}), *v = input("v", Dims4{1, 1, 3, 2});
  IAttention* attention =
      network->addAttentionV2(*q, *k, *v, AttentionNormalizationOp::kSOFTMAX, CausalMaskKind::kNONE);
  ASSERT_TRUE(attention);
  auto* shown = network->addElementWise(*int_constant(Dims4{1, 1, 2, 3}, {1, 0, 1, 0, 1, 1}),
                                        *int_constant(Dims4{1, 1, 1, 1}, {1}), ElementWiseOperation::kEQUAL);
  EXPECT_TRUE(attention->setMask(*shown->getOutput(0)));
  EXPECT_TRUE(attention->setName("heads"));
  EXPECT_STREQ(attention->getName(), "heads");
  EXPECT_FALSE(attention->setInput(4, *q));
  EXPECT_EQ(attention->getNbOutputs(), 1);
  const auto seen = [](size_t i, size_t j) { return i == 0 ? j != 1 : j != 0; };
  near(result(attention->getOutput(0), {kQ, kK, kV}), attended(kQ, kK, kV, 2, seen));
}

TEST_F(Layers, AttentionOfLowerRightTriangle) {
  ITensor *q = input("q", Dims4{1, 1, 2, 2}), *k = input("k", Dims4{1, 1, 3, 2}), *v = input("v", Dims4{1, 1, 3, 2});
  IAttention* attention = network->addAttention(*q, *k, *v, AttentionNormalizationOp::kSOFTMAX, true);
  EXPECT_EQ(attention->getCausalKind(), CausalMaskKind::kUPPER_LEFT);
  EXPECT_TRUE(attention->setCausalKind(CausalMaskKind::kLOWER_RIGHT));
  near(result(attention->getOutput(0), {kQ, kK, kV}),
       attended(kQ, kK, kV, 2, [](size_t i, size_t j) { return j <= i + 1; }));
}

TEST_F(Layers, AttentionOfUpperLeftTriangle) {
  ITensor *q = input("q", Dims4{1, 1, 2, 2}), *k = input("k", Dims4{1, 1, 3, 2}), *v = input("v", Dims4{1, 1, 3, 2});
  IAttention* attention = network->addAttention(*q, *k, *v, AttentionNormalizationOp::kSOFTMAX, true);
  near(result(attention->getOutput(0), {kQ, kK, kV}),
       attended(kQ, kK, kV, 2, [](size_t i, size_t j) { return j <= i; }));
}

TEST_F(Layers, RotaryEmbeddingTurnsPairs) {
  ITensor* x = input("x", Dims4{1, 1, 2, 2});
  ITensor *cosines = constant(Dims3{1, 2, 1}, {0, 1}), *sines = constant(Dims3{1, 2, 1}, {1, 0});
  auto* rotary = network->addRotaryEmbedding(*x, *cosines, *sines, false, 0);
  EXPECT_FALSE(rotary->setRotaryEmbeddingDim(-2));
  // A quarter turn, then none.
  near(result(rotary->getOutput(0), {{3, 4, 5, 6}}), {-4, 3, 5, 6});
}

TEST_F(Layers, TwoDimensionalNamesOfOlderPrograms) {
  ITensor* x = input("x", Dims4{1, 1, 4, 4});
  auto* conv = network->addConvolution(*x, 1, DimsHW{3, 3}, weights(Floats(9, 1)), {DataType::kFLOAT, nullptr, 0});
  conv->setStride(DimsHW{2, 2});
  conv->setPadding(DimsHW{1, 1});
  EXPECT_EQ(conv->getStride().h(), 2);
  EXPECT_EQ(conv->getPaddingNd().d[1], 1);
  auto* pool = network->addPooling(*conv->getOutput(0), PoolingType::kAVERAGE, DimsHW{2, 2});
  near(result(pool->getOutput(0), {Floats(16, 1)}), {(4 + 6 + 6 + 9) / 4.f});
}

TEST_F(Layers, TypesAtTheBoundary) {
  ITensor* x = input("x", Dims2{1, 3});
  x->setType(DataType::kINT32);
  EXPECT_EQ(x->getType(), DataType::kINT32);
  auto* half = network->addScale(*x, ScaleMode::kUNIFORM, {DataType::kFLOAT, nullptr, 0}, weights({0.5f}),
                                 {DataType::kFLOAT, nullptr, 0});
  ITensor* y = half->getOutput(0);
  EXPECT_EQ(y->getType(), DataType::kFLOAT);
  y->setName("y");
  y->setType(DataType::kINT32);
  EXPECT_NE(logger.errors.find("neither an input nor an output"), std::string::npos) << logger.errors;
  network->markOutput(*y);
  y->setType(DataType::kHALF);
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->getTensorDataType("x"), DataType::kINT32);
  EXPECT_EQ(engine->getTensorDataType("y"), DataType::kHALF);
  const OnDevice<int32_t> in({1, 2, 3});
  const OnDevice<uint16_t> out(3);
  void* bindings[] = {in.data(), out.data()};
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_EQ(out.get(), (std::vector<uint16_t>{0x3800, 0x3c00, 0x3e00}));  // 0.5, 1, 1.5
}

TEST_F(Layers, OnlyFormatsThatEnginesHaveAreTaken) {
  ITensor* x = input("x", Dims2{1, 3});
  x->setAllowedFormats(1U << static_cast<uint32_t>(TensorFormat::kLINEAR));
  EXPECT_TRUE(logger.errors.empty()) << logger.errors;
  for (const uint32_t none : {0U, 1U << static_cast<uint32_t>(TensorFormat::kDLA_LINEAR), 1U << 13}) {
    logger.errors.clear();
    x->setAllowedFormats(none);
    EXPECT_NE(logger.errors.find("need a DLA"), std::string::npos) << logger.errors;
  }
  EXPECT_EQ(x->getAllowedFormats(), 1U);
  x->setAllowedFormats(1U << static_cast<uint32_t>(TensorFormat::kHWC));  // not of two dimensions
  network->markOutput(*network->addUnary(*x, UnaryOperation::kABS)->getOutput(0));
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("'x', which is float32 of 2 dimensions, cannot have the format kHWC"), std::string::npos)
      << logger.errors;
  EXPECT_NE(logger.errors.find("kHWC (float32, float16, bfloat16, int8, uint8; at least 3 dimensions)"),
            std::string::npos)
      << logger.errors;
}

TEST_F(Layers, ARemovedTensorIsMissing) {
  ITensor *x = input("x", Dims2{1, 3}), *z = input("z", Dims2{1, 3});
  auto* sum = network->addElementWise(*x, *z, ElementWiseOperation::kSUM);
  network->removeTensor(*z);
  EXPECT_EQ(network->getNbInputs(), 1);
  EXPECT_EQ(sum->getOutput(0)->getDimensions().nbDims, -1);
  EXPECT_NE(logger.errors.find("input 1 of the layer is missing"), std::string::npos) << logger.errors;
  sum->setInput(1, *x);
  near(result(sum->getOutput(0), {{1, 2, 3}}), {2, 4, 6});
}

}  // namespace
