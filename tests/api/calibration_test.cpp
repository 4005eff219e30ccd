// Builds in int8: calibrators, their caches, ranges of single tensors.
#include <cmath>
#include <cstring>

#include "api/network.h"

using namespace nvinfer1;

namespace {

// Batches from memory, and a cache that is kept there.
template <class Base> class FromMemory : public Base {
 public:
  explicit FromMemory(std::vector<std::vector<float>> batches) : batches_(std::move(batches)) {}
  int32_t getBatchSize() const noexcept override { return 1; }
  bool getBatch(void* bindings[], char const* names[], int32_t count) noexcept override {
    ++asked;
    if (next_ == batches_.size()) return false;
    EXPECT_EQ(count, 1);
    EXPECT_STREQ(names[0], "x");
    bindings[0] = batches_[next_++].data();
    return true;
  }
  void const* readCalibrationCache(std::size_t& length) noexcept override {
    length = cache.size();
    return cache.empty() ? nullptr : cache.data();
  }
  void writeCalibrationCache(void const* bytes, std::size_t length) noexcept override {
    cache.assign(static_cast<const char*>(bytes), length);
  }
  std::string cache;
  int asked = 0;

 private:
  std::vector<std::vector<float>> batches_;
  size_t next_ = 0;
};

class Legacy : public FromMemory<IInt8LegacyCalibrator> {
 public:
  using FromMemory::FromMemory;
  double getQuantile() const noexcept override { return quantile; }
  double getRegressionCutoff() const noexcept override { return 1; }
  void const* readHistogramCache(std::size_t&) noexcept override { return nullptr; }
  void writeHistogramCache(void const*, std::size_t) noexcept override {}
  double quantile = 0.999;
};

class Calibration : public Network {
 protected:
  Calibration() {
    config->setFlag(BuilderFlag::kINT8);
    config->setBuilderOptimizationLevel(0);
    config->setProfilingVerbosity(ProfilingVerbosity::kDETAILED);
  }
  bool builds() { return Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)) != nullptr; }
  // Two convolutions, so that the range of the tensor between them counts.
  void convolutions(const Dims& dims = Dims4{1, 4, 9, 9}) {
    x = input("x", dims);
    ITensor* r = network->addActivation(*convolution(x, 1), ActivationType::kRELU)->getOutput(0);
    between = r;
    r->setName("between");
    ITensor* y = convolution(r, 2);
    y->setName("y");
    network->markOutput(*y);
  }
  ITensor* convolution(ITensor* from, int seed) {
    std::vector<float> kernel(4 * 4 * 9);
    for (size_t i = 0; i < kernel.size(); ++i) kernel[i] = std::sin(static_cast<float>(i) * static_cast<float>(seed));
    auto* conv =
        network->addConvolutionNd(*from, 4, Dims2{3, 3}, weights(std::move(kernel)), {DataType::kFLOAT, nullptr, 0});
    return conv->getOutput(0);
  }
  static std::vector<float> image(int seed) {
    std::vector<float> values(4 * 81);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = std::cos(static_cast<float>(i * 7) + static_cast<float>(seed));
    return values;
  }
  static std::vector<std::vector<float>> images(int count) {
    std::vector<std::vector<float>> list;
    for (int i = 0; i < count; ++i) list.push_back(image(i));
    return list;
  }
  // Convolutions that compute in int8.
  static int64_t in_bytes(ICudaEngine& engine) {
    Owned<IEngineInspector> inspector(engine.createEngineInspector());
    const std::string text = inspector->getEngineInformation(LayerInformationFormat::kJSON);
    int64_t count = 0;
    const std::string wanted = "\"TacticName\": \"conv_int8";  // or conv_int8_amx
    for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++count;
    return count;
  }
  // The results are near those of the network in float32, and not the same.
  void expect_near(ICudaEngine& engine) {
    const std::vector<float> got = run(engine, {image(0)});
    config->clearFlag(BuilderFlag::kINT8);
    const auto wide = build();
    config->setFlag(BuilderFlag::kINT8);
    ASSERT_TRUE(wide) << logger.errors;
    const std::vector<float> want = run(*wide, {image(0)});
    ASSERT_EQ(got.size(), want.size());
    double error = 0, size = 0;
    for (size_t i = 0; i < want.size(); ++i) error += std::pow(got[i] - want[i], 2), size += std::pow(want[i], 2);
    EXPECT_GT(error, 0);
    EXPECT_LT(error, 1e-3 * size);
  }
  ITensor *x = nullptr, *between = nullptr;
};

TEST_F(Calibration, EachKindOfCalibrator) {
  convolutions();
  FromMemory<IInt8EntropyCalibrator> entropy(images(4));
  FromMemory<IInt8EntropyCalibrator2> entropy2(images(4));
  FromMemory<IInt8MinMaxCalibrator> largest(images(4));
  Legacy legacy(images(4));
  for (IInt8Calibrator* calibrator : std::initializer_list<IInt8Calibrator*>{&entropy, &entropy2, &largest, &legacy}) {
    config->setInt8Calibrator(calibrator);
    EXPECT_EQ(config->getInt8Calibrator(), calibrator);
    const auto engine = build();
    ASSERT_TRUE(engine) << logger.errors;
    EXPECT_EQ(in_bytes(*engine), 2);
    expect_near(*engine);
  }
  for (const auto* cache : {&entropy.cache, &entropy2.cache, &largest.cache, &legacy.cache}) {
    EXPECT_EQ(cache->find("TRT-"), 0u) << *cache;
    EXPECT_NE(cache->find("\nbetween: "), std::string::npos) << *cache;
    EXPECT_NE(cache->find("\nx: "), std::string::npos) << *cache;
  }
  EXPECT_EQ(entropy.asked, 5);
  EXPECT_EQ(entropy.getAlgorithm(), CalibrationAlgoType::kENTROPY_CALIBRATION);
  EXPECT_EQ(legacy.getAlgorithm(), CalibrationAlgoType::kLEGACY_CALIBRATION);
  config->reset();
  EXPECT_EQ(config->getInt8Calibrator(), nullptr);
}

TEST_F(Calibration, CachesTakeThePlaceOfBatches) {
  convolutions();
  FromMemory<IInt8MinMaxCalibrator> calibrator(images(2));
  config->setInt8Calibrator(&calibrator);
  ASSERT_TRUE(build()) << logger.errors;
  FromMemory<IInt8MinMaxCalibrator> again({});
  again.cache = calibrator.cache;
  config->setInt8Calibrator(&again);
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(again.asked, 0);
  expect_near(*engine);
  again.cache = "no cache";
  EXPECT_FALSE(builds());
  EXPECT_NE(logger.errors.find("the calibrator's cache is no file of calibration"), std::string::npos) << logger.errors;
}

TEST_F(Calibration, WhatCalibratorsMustNotDo) {
  convolutions();
  FromMemory<IInt8MinMaxCalibrator> none({});
  config->setInt8Calibrator(&none);
  EXPECT_FALSE(builds());
  EXPECT_NE(logger.errors.find("neither a cache nor a batch"), std::string::npos) << logger.errors;
  Legacy legacy(images(2));
  legacy.quantile = 1.5;
  config->setInt8Calibrator(&legacy);
  EXPECT_FALSE(builds());
  EXPECT_NE(logger.errors.find("getQuantile"), std::string::npos) << logger.errors;
  // Without the flag nobody asks it.
  config->clearFlag(BuilderFlag::kINT8);
  EXPECT_TRUE(build()) << logger.errors;
}

TEST_F(Calibration, RangesOfTensors) {
  convolutions();
  EXPECT_FALSE(x->dynamicRangeIsSet());
  EXPECT_TRUE(std::isnan(x->getDynamicRangeMin()));
  EXPECT_FALSE(x->setDynamicRange(1, -1));
  EXPECT_FALSE(x->setDynamicRange(-INFINITY, 1));
  EXPECT_FALSE(x->setDynamicRange(-1, std::nanf("")));
  EXPECT_FALSE(x->dynamicRangeIsSet());
  EXPECT_TRUE(x->setDynamicRange(-1, 0.5f));
  EXPECT_EQ(x->getDynamicRangeMin(), -1);
  EXPECT_EQ(x->getDynamicRangeMax(), 0.5f);
  const auto one = build();
  ASSERT_TRUE(one) << logger.errors;
  EXPECT_TRUE(between->setDynamicRange(-4, 4));
  const auto both = build();
  ASSERT_TRUE(both) << logger.errors;
  EXPECT_EQ(in_bytes(*one), 1);
  EXPECT_EQ(in_bytes(*both), 2);
  expect_near(*both);
  x->resetDynamicRange();
  between->resetDynamicRange();
  EXPECT_FALSE(x->dynamicRangeIsSet());
  const auto wide = build();
  ASSERT_TRUE(wide) << logger.errors;
  EXPECT_EQ(in_bytes(*wide), 0);
}

TEST_F(Calibration, ProfilesOfDynamicInputs) {
  convolutions(Dims4{-1, 4, 9, 9});
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  EXPECT_TRUE(profile->setDimensions("x", OptProfileSelector::kMIN, Dims4{1, 4, 9, 9}));
  EXPECT_FALSE(config->setCalibrationProfile(profile));  // not complete
  for (const auto& [select, batch] : {std::pair{OptProfileSelector::kMIN, 1}, std::pair{OptProfileSelector::kOPT, 1},
                                      std::pair{OptProfileSelector::kMAX, 4}})
    EXPECT_TRUE(profile->setDimensions("x", select, Dims4{batch, 4, 9, 9}));
  EXPECT_EQ(config->addOptimizationProfile(profile), 0);
  EXPECT_TRUE(config->setCalibrationProfile(profile));
  EXPECT_EQ(config->getCalibrationProfile(), profile);
  FromMemory<IInt8EntropyCalibrator2> calibrator(images(2));
  config->setInt8Calibrator(&calibrator);
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(in_bytes(*engine), 2);
}

}  // namespace
