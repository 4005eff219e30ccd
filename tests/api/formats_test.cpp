// Inputs and outputs whose channels lie side by side.
#include <cstring>
#include <fstream>

#include "api/network.h"
#include "kiln/kiln.h"

using namespace nvinfer1;

namespace {

constexpr uint32_t kHwc = 1U << static_cast<uint32_t>(TensorFormat::kHWC);
constexpr uint32_t kDhwc = 1U << static_cast<uint32_t>(TensorFormat::kDHWC);
constexpr uint32_t kLinear = 1U << static_cast<uint32_t>(TensorFormat::kLINEAR);

// Row-major [N,C,spatial] with the channels last, or back.
std::vector<float> moved(const std::vector<float>& x, size_t channels, bool last) {
  const size_t pixels = x.size() / channels;
  std::vector<float> y(x.size());
  for (size_t c = 0; c < channels; ++c)
    for (size_t p = 0; p < pixels; ++p)
      (last ? y[p * channels + c] : y[c * pixels + p]) = last ? x[c * pixels + p] : x[p * channels + c];
  return y;
}
std::vector<float> counted(size_t n) {
  std::vector<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 17) - 8;
  return x;
}

class Formats : public Network {
 protected:
  enum Kind { kConvolution, kPointwise, kProduct };
  // One network with any formats at its ends.
  Owned<ICudaEngine> engine(Kind kind, Dims dims, uint32_t in, uint32_t out) {
    network.reset(builder->createNetworkV2(0));
    ITensor* x = input("x", dims);
    x->setAllowedFormats(in);
    ITensor* y = nullptr;
    if (kind == kConvolution) {
      const Dims window = dims.nbDims == 5 ? Dims{3, {2, 2, 2}} : Dims{2, {2, 2}};
      y = network
              ->addConvolutionNd(*x, 4, window,
                                 weights(counted(static_cast<size_t>(4 * dims.d[1] * (dims.nbDims == 5 ? 8 : 4)))),
                                 {DataType::kFLOAT, nullptr, 0})
              ->getOutput(0);
    } else if (kind == kPointwise) {
      y = network->addActivation(*x, ActivationType::kRELU)->getOutput(0);
    } else {
      y = network->addSoftMax(*x)->getOutput(0);
    }
    y->setName("y");
    network->markOutput(*y);
    y->setAllowedFormats(out);
    EXPECT_EQ(y->getAllowedFormats(), out);
    return build();
  }
  std::vector<float> run_once(ICudaEngine& e, const std::vector<float>& x, size_t count) {
    const OnDevice<float> in(x), y(count);
    void* bindings[] = {in.data(), y.data()};
    Owned<IExecutionContext> context(e.createExecutionContext());
    EXPECT_TRUE(context->executeV2(bindings)) << logger.errors;
    return y.get();
  }
};

TEST_F(Formats, GiveTheSameNumbersInAnotherOrder) {
  for (const Dims& dims :
       {Dims{4, {1, 3, 5, 7}}, Dims{5, {1, 3, 4, 5, 3}}, Dims{4, {1, 1, 4, 4}}, Dims{4, {1, 6, 1, 1}}}) {
    const uint32_t last = dims.nbDims == 5 ? kDhwc : kHwc;
    for (const Kind kind : {kConvolution, kPointwise, kProduct}) {
      if (kind == kConvolution && dims.d[2] == 1) continue;
      const auto plain = engine(kind, dims, kLinear, kLinear | last);
      ASSERT_TRUE(plain) << logger.errors;
      EXPECT_EQ(plain->getTensorFormat("y"), TensorFormat::kLINEAR);
      const auto count = static_cast<size_t>(volume(plain->getTensorShape("y")));
      const auto channels = static_cast<size_t>(plain->getTensorShape("y").d[1]), from = static_cast<size_t>(dims.d[1]);
      const std::vector<float> x = counted(static_cast<size_t>(volume(dims)));
      const std::vector<float> expected = run_once(*plain, x, count);
      for (const uint32_t in : {kLinear, last})
        for (const uint32_t out : {kLinear, last}) {
          const auto e = engine(kind, dims, in, out);
          ASSERT_TRUE(e) << logger.errors;
          const auto format = dims.nbDims == 5 ? TensorFormat::kDHWC : TensorFormat::kHWC;
          EXPECT_EQ(e->getTensorFormat("x"), in == last ? format : TensorFormat::kLINEAR);
          EXPECT_EQ(e->getTensorFormat("y"), out == last ? format : TensorFormat::kLINEAR);
          EXPECT_EQ(e->getTensorShape("y").d[1], static_cast<int64_t>(channels));
          std::vector<float> got = run_once(*e, in == last ? moved(x, from, true) : x, count);
          near(out == last ? moved(got, channels, false) : got, expected);
        }
    }
  }
}

TEST_F(Formats, StridesAndSessionsKnowThem) {
  const auto e = engine(kConvolution, Dims{4, {1, 3, 5, 7}}, kHwc, kHwc);
  ASSERT_TRUE(e) << logger.errors;
  EXPECT_STREQ(e->getTensorFormatDesc("x"), "Channels-last format (kHWC)");
  Owned<IExecutionContext> context(e->createExecutionContext());
  const Dims strides = context->getTensorStrides("x");
  EXPECT_EQ(std::vector<int64_t>(strides.d, strides.d + 4), (std::vector<int64_t>{105, 1, 21, 3}));
  const std::vector<float> x = counted(105), expected = moved(run_once(*e, moved(x, 3, true), 96), 4, false);
  Owned<IHostMemory> bytes(e->serialize());
  const std::string path = testing::TempDir() + "kiln_formats.engine";
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  kiln::api::Session session = kiln::api::Engine::load(path).create_session();
  kiln::api::HostTensor host{"float32", {1, 3, 5, 7}, std::vector<std::byte>(105 * 4)};
  std::memcpy(host.data.data(), x.data(), host.data.size());
  session.set_input("x", host);
  session.enqueue();
  const kiln::api::HostTensor y = session.output("y");
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(kiln::api::element(y, static_cast<int64_t>(i)), expected[i]);
}

TEST_F(Formats, LateSizesAreRowMajor) {
  ITensor* x = input("x", Dims{4, {1, 2, 3, 4}});
  auto* where = network->addNonZero(*x);
  auto* shuffle = network->addShuffle(*where->getOutput(0));
  shuffle->setReshapeDimensions(Dims{4, {1, 4, -1, 1}});
  ITensor* y = shuffle->getOutput(0);
  network->markOutput(*y);
  y->setAllowedFormats(kHwc);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("only when running"), std::string::npos) << logger.errors;
}

}  // namespace
