// Inputs and outputs in each of TensorRT's formats.
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
  EXPECT_STREQ(e->getTensorFormatDesc("x"), "Channel major FP32 format");
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
  ITensor* y = to_float(shuffle->getOutput(0));
  network->markOutput(*y);
  y->setAllowedFormats(kHwc);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("only when running"), std::string::npos) << logger.errors;
}

// TensorRT's documentation binds formats without vectors to float32, kHWC also to uint8; Kiln takes more.
const std::vector<DataType> kPlainTypes = {DataType::kFLOAT, DataType::kHALF, DataType::kBF16, DataType::kINT8,
                                           DataType::kUINT8};

// A format, and what it says of memory: TensorRT's documentation.
struct Form {
  TensorFormat format;
  int from_end;  // the dimension of the channels
  int vector;
  bool pixels;  // channels of a pixel lie side by side
  std::vector<DataType> types;
};
const std::vector<Form> kForms = {
    {TensorFormat::kCHW2, 3, 2, false, {DataType::kHALF, DataType::kBF16}},
    {TensorFormat::kHWC8, 3, 8, true, {DataType::kHALF, DataType::kBF16}},
    {TensorFormat::kCHW4, 3, 4, false, {DataType::kINT8, DataType::kHALF}},
    {TensorFormat::kCHW16, 3, 16, false, {DataType::kHALF}},
    {TensorFormat::kCHW32, 3, 32, false, {DataType::kINT8, DataType::kHALF, DataType::kFLOAT}},
    {TensorFormat::kDHWC8, 4, 8, true, {DataType::kHALF, DataType::kBF16}},
    {TensorFormat::kCDHW32, 4, 32, false, {DataType::kHALF, DataType::kINT8}},
    {TensorFormat::kHWC, 3, 1, true, kPlainTypes},
    {TensorFormat::kHWC16, 3, 16, true, {DataType::kHALF, DataType::kINT8, DataType::kFP8}},
    {TensorFormat::kDHWC, 4, 1, true, kPlainTypes},
};
constexpr DataType kEveryType[] = {DataType::kFLOAT, DataType::kHALF, DataType::kINT8,
                                   DataType::kINT32, DataType::kBOOL, DataType::kUINT8,
                                   DataType::kFP8,   DataType::kBF16, DataType::kINT64};

size_t width(DataType type) {
  if (type == DataType::kFLOAT || type == DataType::kINT32) return 4;
  if (type == DataType::kINT64) return 8;
  return type == DataType::kHALF || type == DataType::kBF16 ? 2 : 1;
}

// Where an element lies, in elements, and how many memory holds: by the arrays that the documentation gives.
struct Memory {
  Memory(const Form& form, const Dims& dims) : form(form), dims(dims), channel(dims.nbDims - form.from_end) {}
  int64_t padded() const { return (dims.d[channel] + form.vector - 1) / form.vector * form.vector; }
  size_t size() const {
    int64_t n = padded();
    for (int i = 0; i < dims.nbDims; ++i) n *= i == channel ? 1 : dims.d[i];
    return static_cast<size_t>(n);
  }
  size_t at(const std::vector<int64_t>& index) const {
    int64_t place = 0;
    for (int i = 0; i < dims.nbDims; ++i) {
      if (i == channel && form.pixels) continue;
      place = i == channel ? place * (padded() / form.vector) + index[i] / form.vector : place * dims.d[i] + index[i];
    }
    return static_cast<size_t>(form.pixels ? place * padded() + index[channel]
                                           : place * form.vector + index[channel] % form.vector);
  }
  // Calls visit(position in row-major order, position in memory).
  template <class F> void each(F&& visit) const {
    std::vector<int64_t> index(static_cast<size_t>(dims.nbDims));
    for (int64_t i = 0, n = volume(dims); i < n; ++i) {
      visit(static_cast<size_t>(i), at(index));
      for (auto d = static_cast<size_t>(dims.nbDims); d-- > 0 && ++index[d] == dims.d[d];) index[d] = 0;
    }
  }
  Form form;
  Dims dims;
  int channel;
};

using Bytes = std::vector<uint8_t>;
constexpr uint8_t kGarbage = 0xFF;  // of which every float is NaN

Bytes placed(const Memory& memory, const Bytes& rows, size_t width) {
  Bytes bytes(memory.size() * width, kGarbage);
  memory.each([&](size_t i, size_t at) { std::copy_n(&rows[i * width], width, &bytes[at * width]); });
  return bytes;
}
// In row-major order; what else is there must be zero.
Bytes taken(const Memory& memory, Bytes bytes, size_t width) {
  Bytes rows(static_cast<size_t>(volume(memory.dims)) * width);
  memory.each([&](size_t i, size_t at) {
    std::copy_n(&bytes[at * width], width, &rows[i * width]);
    std::fill_n(&bytes[at * width], width, uint8_t{0});
  });
  EXPECT_EQ(bytes, Bytes(bytes.size(), 0)) << "what fills the last vector";
  return rows;
}
// Elements of a type whose values are all finite.
Bytes elements(DataType type, size_t count) {
  Bytes bytes(count * width(type));
  for (size_t i = 0; i < count; ++i) {
    uint8_t* at = &bytes[i * width(type)];
    const auto number = static_cast<uint32_t>(i * 2654435761U >> 7);
    if (type == DataType::kFLOAT) {
      const float value = static_cast<float>(number % 4001) / 64 - 31;
      std::memcpy(at, &value, 4);
    } else if (width(type) == 2) {  // with exponents in the middle
      const auto value = static_cast<uint16_t>((number & 0x83FF) | 0x3800);
      std::memcpy(at, &value, 2);
    } else {
      *at = static_cast<uint8_t>(number & (type == DataType::kFP8 ? 0xB7 : 0xFF));
    }
  }
  return bytes;
}

class EachFormat : public Formats {
 protected:
  // x, in the type, times two, and its sum over the innermost dimension; of dynamic batch when there are bounds.
  Owned<ICudaEngine> engine_of(DataType type, const Dims& dims, uint32_t in, uint32_t out, int64_t most = 0) {
    describe(type, dims, in, out, most);
    return build();
  }
  void expect_refused(DataType type, const Dims& dims, uint32_t in) {
    logger.errors.clear();
    describe(type, dims, in, kLinear, 0);
    EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
    EXPECT_NE(logger.errors.find("'x', which is "), std::string::npos) << logger.errors;
    EXPECT_NE(logger.errors.find("cannot have the format"), std::string::npos) << logger.errors;
    EXPECT_NE(logger.errors.find("allow one that takes it: kLINEAR"), std::string::npos) << logger.errors;
  }
  void describe(DataType type, Dims dims, uint32_t in, uint32_t out, int64_t most) {
    network.reset(builder->createNetworkV2(0));
    config.reset(builder->createBuilderConfig());
    if (most > 0) dims.d[0] = -1;
    ITensor* x = network->addInput("x", type, dims);
    x->setAllowedFormats(in);
    ITensor* wide = to_float(x);
    ITensor* y = network->addElementWise(*wide, *wide, ElementWiseOperation::kSUM)->getOutput(0);
    y = network->addCast(*network->addActivation(*y, ActivationType::kRELU)->getOutput(0), type)->getOutput(0);
    ITensor* z = network->addReduce(*wide, ReduceOperation::kSUM, 1U << (dims.nbDims - 1), true)->getOutput(0);
    for (const auto& [tensor, name] : {std::pair{y, "y"}, {z, "z"}}) {
      tensor->setName(name);
      network->markOutput(*tensor);
    }
    y->setAllowedFormats(out);
    if (most > 0) {
      IOptimizationProfile* profile = builder->createOptimizationProfile();
      for (const auto& [select, batch] : {std::pair{OptProfileSelector::kMIN, int64_t{0}},
                                          {OptProfileSelector::kOPT, int64_t{2}},
                                          {OptProfileSelector::kMAX, most}}) {
        dims.d[0] = batch;
        profile->setDimensions("x", select, dims);
      }
      config->addOptimizationProfile(profile);
    }
  }
  struct Results {
    Bytes y;
    std::vector<float> z;
  };
  Results results(ICudaEngine& e, const Dims& dims, const Bytes& x, size_t y_bytes) {
    Owned<IExecutionContext> context(e.createExecutionContext());
    EXPECT_TRUE(context->setInputShape("x", dims)) << logger.errors;
    constexpr size_t kGuard = 64;
    const OnDevice<uint8_t> in(x), y(Bytes(y_bytes + kGuard, 0xCD));
    const OnDevice<float> z(static_cast<size_t>(volume(dims) / std::max<int64_t>(1, dims.d[dims.nbDims - 1])));
    EXPECT_TRUE(context->setTensorAddress("x", in.data()));
    EXPECT_TRUE(context->setTensorAddress("y", y.data()));
    EXPECT_TRUE(context->setTensorAddress("z", z.data()));
    EXPECT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
    Bytes bytes = y.get();
    EXPECT_EQ(Bytes(bytes.end() - kGuard, bytes.end()), Bytes(kGuard, 0xCD)) << "behind the output";
    bytes.resize(y_bytes);
    return {std::move(bytes), z.get()};
  }
  // As programs find out how large a buffer is (TensorRT's samples).
  static size_t buffer_size(const ICudaEngine& e, IExecutionContext& context, const char* name) {
    Dims dims = context.getTensorShape(name);
    const int32_t axis = e.getTensorVectorizedDim(name), vector = e.getTensorComponentsPerElement(name);
    if (axis >= 0) dims.d[axis] = (dims.d[axis] + vector - 1) / vector;
    return static_cast<size_t>(volume(dims) * (axis >= 0 ? vector : 1) * e.getTensorBytesPerComponent(name));
  }
  void check(ICudaEngine& e, const Form& form, DataType type, const Dims& dims, const Results& expected,
             const Bytes& rows, bool in, bool out) {
    const Memory memory(form, dims);
    const size_t bytes = memory.size() * width(type);
    Owned<IExecutionContext> context(e.createExecutionContext());
    ASSERT_TRUE(context->setInputShape("x", dims));
    EXPECT_EQ(buffer_size(e, *context, "x"), in ? bytes : rows.size());
    EXPECT_EQ(buffer_size(e, *context, "y"), out ? bytes : rows.size());
    if (out) {
      EXPECT_EQ(e.getTensorFormat("y"), form.format);
      EXPECT_EQ(e.getTensorVectorizedDim("y"), form.vector > 1 ? memory.channel : -1);
      EXPECT_EQ(e.getTensorComponentsPerElement("y"), form.vector);
      EXPECT_GE(context->getMaxOutputSize("y"), static_cast<int64_t>(bytes));
    }
    const Results got = results(e, dims, in ? placed(memory, rows, width(type)) : rows, out ? bytes : rows.size());
    EXPECT_EQ(out ? taken(memory, got.y, width(type)) : got.y, expected.y);
    EXPECT_EQ(got.z, expected.z);
  }
};

TEST_F(EachFormat, GivesTheSameBitsInAnotherOrder) {
  for (const Form& form : kForms) {
    const uint32_t bit = 1U << static_cast<uint32_t>(form.format);
    for (const DataType type : form.types)
      for (const int64_t channels : {1, 5, 8, 33}) {
        const Dims dims = form.from_end == 4 ? Dims{5, {2, channels, 3, 2, 3}} : Dims{4, {2, channels, 3, 5}};
        SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(form.format) << " type "
                                        << static_cast<int>(type) << " channels " << channels);
        const auto plain = engine_of(type, dims, kLinear, kLinear);
        ASSERT_TRUE(plain) << logger.errors;
        const Bytes rows = elements(type, static_cast<size_t>(volume(dims)));
        const Results expected = results(*plain, dims, rows, rows.size());
        for (const auto& [in, out] : {std::pair{true, false}, {false, true}, {true, true}}) {
          const auto e = engine_of(type, dims, in ? bit : kLinear, out ? bit : kLinear);
          ASSERT_TRUE(e) << logger.errors;
          check(*e, form, type, dims, expected, rows, in, out);
        }
      }
  }
}

TEST_F(EachFormat, TakesEveryBatchOfAProfile) {
  for (const Form& form : kForms) {
    const uint32_t bit = 1U << static_cast<uint32_t>(form.format);
    const DataType type = form.types.front();
    Dims dims = form.from_end == 4 ? Dims{5, {1, 5, 2, 1, 3}} : Dims{4, {1, 5, 2, 3}};
    const auto plain = engine_of(type, dims, kLinear, kLinear, 4), e = engine_of(type, dims, bit, bit, 4);
    ASSERT_TRUE(plain && e) << logger.errors;
    EXPECT_EQ(e->getTensorShape("x").d[1], 5);
    EXPECT_EQ(e->getProfileShape("x", 0, OptProfileSelector::kMAX).d[0], 4);
    Owned<IHostMemory> saved(e->serialize());
    const Owned<ICudaEngine> loaded(runtime->deserializeCudaEngine(saved->data(), saved->size()));
    ASSERT_TRUE(loaded) << logger.errors;
    for (const int64_t batch : {3, 0, 1, 4}) {
      dims.d[0] = batch;
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(form.format) << " batch " << batch);
      const Bytes rows = elements(type, static_cast<size_t>(volume(dims)));
      check(*loaded, form, type, dims, results(*plain, dims, rows, rows.size()), rows, true, true);
    }
  }
}

TEST_F(EachFormat, IsOfTensorsWithEnoughDimensions) {
  for (const Form& form : kForms) {
    const uint32_t bit = 1U << static_cast<uint32_t>(form.format);
    const DataType type = form.types.back();
    for (int rank = form.from_end; rank <= 6; ++rank) {
      Dims dims{rank, {2, 2, 2, 2, 2, 2}};
      dims.d[rank - form.from_end] = 5;
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(form.format) << " rank " << rank);
      const auto plain = engine_of(type, dims, kLinear, kLinear), e = engine_of(type, dims, bit, bit);
      ASSERT_TRUE(plain && e) << logger.errors;
      const Bytes rows = elements(type, static_cast<size_t>(volume(dims)));
      check(*e, form, type, dims, results(*plain, dims, rows, rows.size()), rows, true, true);
    }
    expect_refused(type, Dims{form.from_end - 1, {2, 2, 2}}, bit);
  }
}

TEST_F(EachFormat, IsRefusedForOtherTypes) {
  for (const Form& form : kForms)
    for (const DataType type : kEveryType) {
      if (std::find(form.types.begin(), form.types.end(), type) != form.types.end()) continue;
      const uint32_t bit = 1U << static_cast<uint32_t>(form.format);
      expect_refused(type, Dims{5, {1, 4, 2, 2, 2}}, bit);
      EXPECT_TRUE(engine_of(type, Dims{5, {1, 4, 2, 2, 2}}, bit | kLinear, kLinear)) << logger.errors;
    }
}

TEST_F(EachFormat, OfSeveralThatFitIsTheSimplest) {
  const auto bit = [](TensorFormat f) { return 1U << static_cast<uint32_t>(f); };
  const Dims dims{4, {1, 5, 2, 3}};
  auto e = engine_of(DataType::kFLOAT, dims, bit(TensorFormat::kCHW32) | bit(TensorFormat::kHWC),
                     bit(TensorFormat::kCHW4) | bit(TensorFormat::kCHW32) | bit(TensorFormat::kDLA_LINEAR));
  ASSERT_TRUE(e) << logger.errors;
  EXPECT_EQ(e->getTensorFormat("x"), TensorFormat::kHWC);
  EXPECT_EQ(e->getTensorFormat("y"), TensorFormat::kCHW32);
  EXPECT_EQ(e->getTensorFormat("z"), TensorFormat::kLINEAR);
  EXPECT_STREQ(e->getTensorFormatDesc("y"), "Thirty-two wide channel vectorized row major FP32 format");
  EXPECT_STREQ(e->getTensorFormatDesc("z"), "Row major linear FP32");
  Owned<IExecutionContext> context(e->createExecutionContext());
  const Dims strides = context->getTensorStrides("y");  // of vectors
  EXPECT_EQ(std::vector<int64_t>(strides.d, strides.d + 4), (std::vector<int64_t>{6, 6, 3, 1}));
  e = engine_of(DataType::kHALF, Dims{4, {2, 20, 2, 3}}, bit(TensorFormat::kHWC8), kLinear);
  ASSERT_TRUE(e) << logger.errors;
  EXPECT_STREQ(e->getTensorFormatDesc("x"), "Channel major FP16 format where channel % 8 == 0");
  context.reset(e->createExecutionContext());
  const Dims pixels = context->getTensorStrides("x");
  EXPECT_EQ(std::vector<int64_t>(pixels.d, pixels.d + 4), (std::vector<int64_t>{18, 1, 9, 3}));
}

TEST_F(EachFormat, ReachesConvolutions) {
  const uint32_t bit = 1U << static_cast<uint32_t>(TensorFormat::kCHW32);
  const Form form = kForms[4];
  ASSERT_EQ(form.format, TensorFormat::kCHW32);
  for (const Kind kind : {kConvolution, kPointwise, kProduct}) {
    const Dims dims{4, {1, 3, 5, 7}};
    const auto plain = engine(kind, dims, kLinear, kLinear), e = engine(kind, dims, bit, bit);
    ASSERT_TRUE(plain && e) << logger.errors;
    const Memory x(form, dims), y(form, e->getTensorShape("y"));
    const std::vector<float> rows = counted(static_cast<size_t>(volume(dims)));
    std::vector<float> in(x.size(), std::nanf(""));
    x.each([&](size_t i, size_t at) { in[at] = rows[i]; });
    const std::vector<float> expected = run_once(*plain, rows, static_cast<size_t>(volume(y.dims)));
    const std::vector<float> got = run_once(*e, in, y.size());
    y.each([&](size_t i, size_t at) { EXPECT_EQ(got[at], expected[i]) << i; });
  }
}

// What is given back as it came is filled up with zeros all the same.
TEST_F(EachFormat, PassesAnInputThrough) {
  for (const Form& form : kForms) {
    network.reset(builder->createNetworkV2(0));
    const DataType type = form.types.front();
    const Dims dims{5, {1, 3, 5, 2, 3}};
    ITensor* x = network->addInput("x", type, dims);
    const uint32_t bit = 1U << static_cast<uint32_t>(form.format);
    x->setAllowedFormats(bit);
    std::vector<ITensor*> outputs;
    for (const char* name : {"y", "twin"}) {
      outputs.push_back(network->addIdentity(*x)->getOutput(0));
      outputs.back()->setName(name);
      network->markOutput(*outputs.back());
      outputs.back()->setAllowedFormats(bit);
    }
    const auto e = build();
    ASSERT_TRUE(e) << logger.errors;
    const Memory memory(form, dims);
    const Bytes rows = elements(type, static_cast<size_t>(volume(dims)));
    const OnDevice<uint8_t> in(placed(memory, rows, width(type))), y(Bytes(in.bytes(), kGarbage)),
        twin(Bytes(in.bytes(), kGarbage));
    void* bindings[] = {in.data(), y.data(), twin.data()};
    Owned<IExecutionContext> context(e->createExecutionContext());
    ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
    EXPECT_EQ(taken(memory, y.get(), width(type)), rows);
    EXPECT_EQ(taken(memory, twin.get(), width(type)), rows);
  }
}

}  // namespace
