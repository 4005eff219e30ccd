// Networks by calls: layers, their shapes and values, dynamic shapes, refused input.
#include <cmath>

#include "api/network.h"

using namespace nvinfer1;

namespace {

TEST_F(Network, ConvolutionReluPool) {
  ITensor* x = input("x", Dims4{1, 1, 3, 3});
  auto* conv = network->addConvolutionNd(*x, 1, DimsHW{2, 2}, weights({1, 0, 0, -1}), weights({0.5f}));
  ASSERT_TRUE(conv);
  expect_dims(*conv->getOutput(0), {1, 1, 2, 2});
  conv->setPaddingNd(DimsHW{1, 1});
  expect_dims(*conv->getOutput(0), {1, 1, 4, 4});
  conv->setPaddingNd(DimsHW{0, 0});
  auto* relu = network->addActivation(*conv->getOutput(0), ActivationType::kRELU);
  auto* pool = network->addPoolingNd(*relu->getOutput(0), PoolingType::kMAX, DimsHW{2, 2});
  // Differences x[i][j] - x[i+1][j+1] + 0.5: -3.5, 1.5, 3.5, -0.5.
  near(result(pool->getOutput(0), {{1, 5, 3, 0, 5, 4, 7, -3, 6}}), {3.5f});
}

TEST_F(Network, SettersReturnWhatWasSet) {
  auto* conv = network->addConvolutionNd(*input("x", Dims4{1, 4, 9, 9}), 6, DimsHW{3, 3},
                                         weights(std::vector<float>(6 * 2 * 9, 1)), {DataType::kFLOAT, nullptr, 0});
  conv->setNbGroups(2);
  conv->setStrideNd(DimsHW{2, 3});
  conv->setDilationNd(DimsHW{2, 1});
  conv->setPrePadding(DimsHW{1, 0});
  EXPECT_EQ(conv->getNbGroups(), 2);
  EXPECT_EQ(conv->getStrideNd().d[1], 3);
  EXPECT_EQ(conv->getDilationNd().d[0], 2);
  EXPECT_EQ(conv->getNbOutputMaps(), 6);
  EXPECT_EQ(conv->getType(), LayerType::kCONVOLUTION);
  expect_dims(*conv->getOutput(0), {1, 6, 3, 3});
}

TEST_F(Network, MatrixProductAndBias) {
  ITensor* x = input("x", Dims2{2, 3});
  auto* w = network->addConstant(Dims2{2, 3}, weights({1, 0, 1, 0, 2, 0}));
  auto* product = network->addMatrixMultiply(*x, MatrixOperation::kNONE, *w->getOutput(0), MatrixOperation::kTRANSPOSE);
  auto* bias = network->addConstant(Dims2{1, 2}, weights({10, 20}));
  auto* sum = network->addElementWise(*product->getOutput(0), *bias->getOutput(0), ElementWiseOperation::kSUM);
  near(result(sum->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {14, 24, 20, 30});
}

TEST_F(Network, MatrixTimesVector) {
  ITensor* x = input("x", Dims2{2, 3});
  auto* v = network->addConstant(Dims{1, {3}}, weights({1, 10, 100}));
  auto* product = network->addMatrixMultiply(*x, MatrixOperation::kNONE, *v->getOutput(0), MatrixOperation::kVECTOR);
  expect_dims(*product->getOutput(0), {2});
  near(result(product->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {321, 654});
}

TEST_F(Network, FullyConnected) {
  auto* fc = network->addFullyConnected(*input("x", Dims4{2, 1, 1, 2}), 2, weights({1, 2, 3, 4}), weights({0, 1}));
  expect_dims(*fc->getOutput(0), {2, 2, 1, 1});
  near(result(fc->getOutput(0), {{1, 1, 2, 0}}), {3, 8, 2, 7});
}

TEST_F(Network, ActivationsWithParameters) {
  ITensor* x = input("x", Dims2{1, 3});
  auto* clip = network->addActivation(*x, ActivationType::kCLIP);
  clip->setAlpha(-1), clip->setBeta(2);
  auto* leaky = network->addActivation(*clip->getOutput(0), ActivationType::kLEAKY_RELU);
  leaky->setAlpha(0.25f);
  auto* soft = network->addActivation(*leaky->getOutput(0), ActivationType::kSOFTPLUS);
  soft->setAlpha(2), soft->setBeta(3);
  auto softplus = [](float v) { return 2 * std::log1p(std::exp(3 * v)); };
  near(result(soft->getOutput(0), {{-5, 0.5f, 9}}), {softplus(-0.25f), softplus(0.5f), softplus(2)});
}

TEST_F(Network, ScaleOfChannels) {
  auto* scale = network->addScale(*input("x", Dims4{1, 2, 1, 2}), ScaleMode::kCHANNEL, weights({1, 2}),
                                  weights({10, 100}), {DataType::kFLOAT, nullptr, 0});
  near(result(scale->getOutput(0), {{1, 2, 3, 4}}), {11, 21, 302, 402});
}

TEST_F(Network, ShuffleTransposesAndReshapes) {
  auto* shuffle = network->addShuffle(*input("x", Dims2{2, 3}));
  shuffle->setFirstTranspose({{1, 0}});
  shuffle->setReshapeDimensions(Dims3{0, 1, -1});
  expect_dims(*shuffle->getOutput(0), {3, 1, 2});
  near(result(shuffle->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {1, 4, 2, 5, 3, 6});
}

TEST_F(Network, SliceBackwards) {
  auto* slice = network->addSlice(*input("x", Dims2{2, 3}), Dims2{1, 2}, Dims2{1, 3}, Dims2{1, -1});
  near(result(slice->getOutput(0), {{1, 2, 3, 4, 5, 6}}), {6, 5, 4});
}

TEST_F(Network, SliceOutsideIsRefused) {
  auto* slice = network->addSlice(*input("x", Dims2{2, 3}), Dims2{0, 1}, Dims2{2, 3}, Dims2{1, 1});
  EXPECT_EQ(slice->getOutput(0)->getDimensions().nbDims, -1);
  EXPECT_NE(logger.errors.find("slice leaves axis 1"), std::string::npos) << logger.errors;
}

TEST_F(Network, ReduceSoftmaxConcatenation) {
  ITensor* x = input("x", Dims2{2, 2});
  auto* sum = network->addReduce(*x, ReduceOperation::kSUM, 2, true);
  ITensor* parts[] = {x, sum->getOutput(0)};
  auto* joined = network->addConcatenation(parts, 2);
  joined->setAxis(1);
  near(result(joined->getOutput(0), {{1, 2, 3, 4}}), {1, 2, 3, 3, 4, 7});
}

TEST_F(Network, SoftmaxOverItsAxis) {
  auto* soft = network->addSoftMax(*input("x", Dims2{2, 1}));
  EXPECT_EQ(soft->getAxes(), 1u);
  near(result(soft->getOutput(0), {{0, 0}}), {0.5f, 0.5f});
}

TEST_F(Network, NormalizationOverLastAxis) {
  ITensor* x = input("x", Dims2{1, 4});
  auto* one = network->addConstant(Dims2{1, 4}, weights({1, 1, 2, 2}));
  auto* zero = network->addConstant(Dims2{1, 4}, weights({0, 1, 0, 1}));
  auto* norm = network->addNormalization(*x, *one->getOutput(0), *zero->getOutput(0), 2);
  norm->setEpsilon(0);
  near(result(norm->getOutput(0), {{-1, 1, -1, 1}}), {-1, 2, -2, 3});
}

TEST_F(Network, TopKGivesIndices) {
  auto* top = network->addTopK(*input("x", Dims2{1, 4}), TopKOperation::kMAX, 2, 2);
  EXPECT_EQ(top->getOutput(1)->getType(), DataType::kINT32);
  auto* index = network->addCast(*top->getOutput(1), DataType::kFLOAT);
  auto* sum = network->addElementWise(*top->getOutput(0), *index->getOutput(0), ElementWiseOperation::kSUM);
  near(result(sum->getOutput(0), {{3, 9, 1, 7}}), {10, 10});
}

TEST_F(Network, GatherResizeSelect) {
  ITensor* x = input("x", Dims4{1, 1, 1, 2});
  auto* big = network->addResize(*x);
  big->setOutputDimensions(Dims4{1, 1, 1, 4});
  auto* limit = network->addConstant(Dims4{1, 1, 1, 1}, weights({2}));
  auto* less = network->addElementWise(*big->getOutput(0), *limit->getOutput(0), ElementWiseOperation::kLESS);
  auto* select = network->addSelect(*less->getOutput(0), *big->getOutput(0), *limit->getOutput(0));
  near(result(select->getOutput(0), {{1, 3}}), {1, 1, 2, 2});
}

TEST_F(Network, DynamicShapesKeepToTheProfile) {
  ITensor* x = input("x", Dims2{-1, 2});
  auto* sum = network->addReduce(*x, ReduceOperation::kSUM, 2, false);
  sum->getOutput(0)->setName("y");
  network->markOutput(*sum->getOutput(0));
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  profile->setDimensions("x", OptProfileSelector::kMIN, Dims2{1, 2});
  EXPECT_FALSE(profile->isValid());
  profile->setDimensions("x", OptProfileSelector::kOPT, Dims2{2, 2});
  profile->setDimensions("x", OptProfileSelector::kMAX, Dims2{4, 2});
  EXPECT_TRUE(profile->isValid());
  EXPECT_EQ(config->addOptimizationProfile(profile), 0);
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->getTensorShape("x").d[0], -1);
  EXPECT_EQ(engine->getProfileShape("x", 0, OptProfileSelector::kMAX).d[0], 4);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  const char* missing = nullptr;
  EXPECT_EQ(context->inferShapes(1, &missing), 1);
  EXPECT_STREQ(missing, "x");
  EXPECT_FALSE(context->setInputShape("x", Dims2{5, 2}));
  EXPECT_TRUE(context->setInputShape("x", Dims2{3, 2}));
  EXPECT_EQ(context->inferShapes(0, nullptr), 0);
  EXPECT_EQ(context->getTensorShape("y").d[0], 3);
  const OnDevice<float> in({1, 2, 3, 4, 5, 6}), out(3);
  void* bindings[] = {in.data(), out.data()};
  EXPECT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_EQ(out.get(), (std::vector<float>{3, 7, 11}));
}

TEST_F(Network, RefusesWhatIsNotValid) {
  EXPECT_FALSE(network->addInput("", DataType::kFLOAT, Dims2{1, 1}));
  EXPECT_TRUE(network->addInput("x", DataType::kFLOAT, Dims2{1, 1}));
  EXPECT_FALSE(network->addInput("x", DataType::kFLOAT, Dims2{1, 1}));
  EXPECT_FALSE(network->addInput("z", DataType::kFLOAT, Dims2{1, -7}));
  EXPECT_FALSE(network->addInput("z", DataType::kFLOAT, (Dims{9, {}})));
  EXPECT_FALSE(network->addConcatenation(nullptr, 2));
  Owned<IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  EXPECT_FALSE(plan);
  EXPECT_NE(logger.errors.find("no output"), std::string::npos) << logger.errors;
}

TEST_F(Network, DeepNetworksDoNotNest) {
  ITensor* x = input("x", Dims2{1, 1});
  for (int i = 0; i < 50000; ++i) x = network->addUnary(*x, UnaryOperation::kNEG)->getOutput(0);
  network->markOutput(*x);
  expect_dims(*x, {1, 1});
  EXPECT_TRUE(builder->isNetworkSupported(*network, *config)) << logger.errors;
}

TEST_F(Network, CycleIsRefused) {
  ITensor* x = input("x", Dims2{1, 1});
  auto* a = network->addUnary(*x, UnaryOperation::kABS);
  auto* b = network->addUnary(*a->getOutput(0), UnaryOperation::kNEG);
  a->setInput(0, *b->getOutput(0));
  network->markOutput(*b->getOutput(0));
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("cycle"), std::string::npos) << logger.errors;
}

TEST_F(Network, WrongNumberOfWeightsIsRefused) {
  const Weights none{DataType::kFLOAT, nullptr, 0};
  ITensor* x = input("x", Dims4{1, 4, 3, 3});
  const auto refused = [&](auto* layer, const char* text) {
    EXPECT_FALSE(layer);
    EXPECT_NE(logger.errors.find(text), std::string::npos) << logger.errors;
    logger.errors.clear();
  };
  refused(network->addConvolutionNd(*x, 1, DimsHW{2, 2}, weights({1, 2, 3}), none), "3 weights");
  refused(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, weights({1, 2, 3, 4, 5, 6}), none), "6 weights");
  refused(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, weights(std::vector<float>(8)), weights({1})), "1 weights");
  refused(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, {DataType::kFLOAT, nullptr, 8}, none), "no values");
  refused(network->addConvolutionNd(*x, 0, DimsHW{1, 1}, weights({1}), none), "1 weights");
  refused(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, {DataType::kFLOAT, nullptr, -8}, none), "-8 weights");
  refused(network->addDeconvolutionNd(*x, 2, DimsHW{2, 2}, weights(std::vector<float>(31)), none), "31 weights");
  refused(network->addConstant(Dims2{2, 3}, weights({1, 2, 3, 4, 5})), "5 weights");
  refused(network->addConstant(Dims2{INT64_MAX, 3}, weights({1})), "too large");
  EXPECT_TRUE(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, weights(std::vector<float>(8)), none));
  EXPECT_TRUE(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, weights(std::vector<float>(4)), none));  // in two groups
  EXPECT_TRUE(network->addConvolutionNd(*x, 2, DimsHW{1, 1}, none, none));  // they may come as an input
  EXPECT_TRUE(network->addDeconvolutionNd(*x, 2, DimsHW{2, 2}, weights(std::vector<float>(32)), none));
  EXPECT_EQ(logger.errors, "");
}

TEST_F(Network, NamesAreNotTooLong) {
  const std::string longest(4096, 'n'), longer(4097, 'n');
  EXPECT_FALSE(input(longer.c_str(), Dims2{1, 1}));
  ITensor* x = input(longest.c_str(), Dims2{1, 1});
  ASSERT_TRUE(x);
  EXPECT_NE(logger.errors.find("4097 bytes"), std::string::npos) << logger.errors;
  ITensor* y = network->addActivation(*x, ActivationType::kRELU)->getOutput(0);
  y->setName("y");
  y->setName(longer.c_str());
  EXPECT_STREQ(y->getName(), "y");
}

TEST_F(Network, NumbersThatAreNoEnumeratorsAreRefused) {
  ITensor* x = input("x", Dims4{1, 4, 8, 8});
  int refusals = 0;
  const auto refused = [&](auto* layer) {
    ++refusals;
    EXPECT_FALSE(layer) << refusals;
    EXPECT_NE(logger.errors.find("no enumerator"), std::string::npos) << refusals << ": " << logger.errors;
    logger.errors.clear();
  };
  for (int number : {99, -1}) {
    refused(network->addActivation(*x, static_cast<ActivationType>(number)));
    refused(network->addElementWise(*x, *x, static_cast<ElementWiseOperation>(number)));
    refused(network->addUnary(*x, static_cast<UnaryOperation>(number)));
    refused(network->addReduce(*x, static_cast<ReduceOperation>(number), 1, true));
    refused(network->addPoolingNd(*x, static_cast<PoolingType>(number), DimsHW{2, 2}));
    refused(network->addTopK(*x, static_cast<TopKOperation>(number), 1, 2));
    refused(network->addMatrixMultiply(*x, static_cast<MatrixOperation>(number), *x, MatrixOperation::kNONE));
    refused(network->addGatherV2(*x, *x, static_cast<GatherMode>(number)));
    refused(network->addScatter(*x, *x, *x, static_cast<ScatterMode>(number)));
  }
  auto* pool = network->addPoolingNd(*x, PoolingType::kMAX, DimsHW{2, 2});
  pool->setPaddingMode(static_cast<PaddingMode>(99));
  EXPECT_EQ(pool->getPaddingMode(), PaddingMode::kEXPLICIT_ROUND_DOWN);
  EXPECT_NE(logger.errors.find("no enumerator 99"), std::string::npos) << logger.errors;
  auto* resize = network->addResize(*x);
  resize->setResizeMode(static_cast<InterpolationMode>(3));
  EXPECT_EQ(resize->getResizeMode(), InterpolationMode::kNEAREST);
}

}  // namespace
