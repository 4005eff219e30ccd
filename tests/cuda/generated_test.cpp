// Generated pointwise kernels without a GPU: NVRTC compiles them for every architecture, and the host's compiler makes them run here, beside
// the interpreter of scalar programs.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/embedded.h"
#include "backends/cuda/device/generated/pointwise_parts.h"
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/pointwise_call.h"
#include "backends/cuda/device/nvrtc.h"
#include "base/temporary_folder.h"
#include "tensor/convert.h"

namespace kiln::cuda::testing {
namespace {

using kernels::GeneratedProgram;
using kernels::Reach;

constexpr DType kTypes[] = {DType::kBool, DType::kU8,  DType::kI8,  DType::kU16,  DType::kI16, DType::kU32, DType::kI32,
                            DType::kU64,  DType::kI64, DType::kF16, DType::kBF16, DType::kF32, DType::kF64};
constexpr ScalarType kScalars[] = {ScalarType::kBool, ScalarType::kI64, ScalarType::kU64, ScalarType::kF32,
                                   ScalarType::kF64};

DType element_of(ScalarType type) {
  constexpr DType kElements[] = {DType::kBool, DType::kI64, DType::kU64, DType::kF32, DType::kF64};
  return kElements[static_cast<int>(type)];
}

// A program on operands of one type, and the types of its results.
struct Sample {
  ScalarProgram program;
  std::vector<DType> types;  // of inputs, then of results
};

// Three inputs of the type, of which each operation reads the first ones; then as many results as a kernel has.
class SampleMaker {
 public:
  explicit SampleMaker(DType type) : type_(type) { begin(); }

  void add(ScalarInstruction v) {
    Sample tried = sample_;
    tried.program.code.push_back(v);
    tried.program.outputs.push_back(static_cast<uint16_t>(tried.program.code.size() - 1));
    if (!find_defect(tried.program).empty()) return;
    tried.types.push_back(element_of(v.type));
    sample_ = std::move(tried);
    if (sample_.types.size() == kMaxOperands) end();
  }
  std::vector<Sample> finish() {
    if (!sample_.program.outputs.empty()) end();
    return std::move(all_);
  }

 private:
  void begin() {
    sample_ = {};
    const ScalarType scalar = scalar_type_of(type_);
    for (int64_t i = 0; i < 3; ++i) sample_.program.code.push_back({ScalarOp::kInput, scalar, 0, 0, 0, 0, i});
    sample_.program.code.push_back({ScalarOp::kConvert, ScalarType::kBool, 2, 0, 0, 0, 0});
    sample_.program.input_count = 3;
    sample_.types.assign(3, type_);
  }
  void end() {
    all_.push_back(std::move(sample_));
    begin();
  }
  DType type_;
  Sample sample_;
  std::vector<Sample> all_;
};

// Every operation that programs have, on elements of the type.
std::vector<Sample> samples(DType type) {
  SampleMaker maker(type);
  const ScalarType scalar = scalar_type_of(type);
  for (int op = static_cast<int>(ScalarOp::kNeg); op < static_cast<int>(ScalarOp::kSelect); ++op)
    for (ScalarType result : {scalar, ScalarType::kBool}) {
      maker.add({static_cast<ScalarOp>(op), result, 0, 1, 0, 0, 0});
      if (scalar == ScalarType::kBool) break;
    }
  maker.add({ScalarOp::kSelect, scalar, 3, 0, 1, 0, 0});
  for (ScalarType to : kScalars) maker.add({ScalarOp::kConvert, to, 0, 0, 0, 0, 0});
  for (DType to : kTypes) maker.add({ScalarOp::kNarrow, scalar_type_of(to), 0, 0, 0, 0, static_cast<int64_t>(to)});
  for (double real : {1.5, -0.0, 1e-42, 1e300, HUGE_VAL, static_cast<double>(NAN)})
    if (scalar == ScalarType::kF32 || scalar == ScalarType::kF64)
      maker.add({ScalarOp::kConstant, scalar, 0, 0, 0, real, 0});
  for (int64_t integer : {int64_t{0}, int64_t{1}, int64_t{-1}, INT64_MIN, INT64_MAX})
    if (scalar == ScalarType::kI64 || scalar == ScalarType::kU64)
      maker.add({ScalarOp::kConstant, scalar, 0, 0, 0, 0, integer});
  return maker.finish();
}

// Results in every element type that the first input's elements convert to.
Sample stores(DType type) {
  Sample s{{}, {type}};
  s.program.code.push_back({ScalarOp::kInput, scalar_type_of(type), 0, 0, 0, 0, 0});
  s.program.input_count = 1;
  for (DType to : {DType::kBool, DType::kU8, DType::kI8, DType::kU16, DType::kI16, DType::kU32, DType::kI32,
                   DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    s.program.code.push_back({ScalarOp::kConvert, scalar_type_of(to), 0, 0, 0, 0, 0});
    s.program.outputs.push_back(static_cast<uint16_t>(s.program.code.size() - 1));
    s.types.push_back(to);
  }
  return s;
}

Attributes parameters_of(const Sample& s, int lanes = 1) {
  GeneratedProgram g{s.program, s.types, std::vector<Reach>(s.types.size(), Reach::kAdjacent), lanes};
  return to_parameters(g);
}

class Compiled : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!find_nvrtc(reason)) GTEST_SKIP() << reason;
  }
};

TEST_F(Compiled, EveryOperationOnEveryTypeCompiles) {
  for (DType type : kTypes) {
    for (const Sample& s : samples(type))
      EXPECT_NO_THROW((void)compile(kernels::pointwise_source(parameters_of(s)), 90))
          << name(type) << ": " << to_string(s.program);
    EXPECT_NO_THROW((void)compile(kernels::pointwise_source(parameters_of(stores(type))), 90)) << name(type);
  }
}

TEST_F(Compiled, EveryArchitectureCompiles) {
  std::string reason;
  int compiled = 0;
  for (int compute : find_nvrtc(reason)->architectures) {
    if (compute < 75) continue;
    for (const Sample& s : {samples(DType::kF32)[0], stores(DType::kBF16), stores(DType::kF16)})
      EXPECT_FALSE(compile(kernels::pointwise_source(parameters_of(s, 2)), compute)->empty()) << compute;
    ++compiled;
  }
  EXPECT_GT(compiled, 5);
}

TEST_F(Compiled, EqualProgramsAreCompiledOnce) {
  const std::string source = kernels::pointwise_source(parameters_of(stores(DType::kF32)));
  EXPECT_EQ(compile(source, 90), compile(source, 90));
  EXPECT_NE(compile(source, 90), compile(source, 80));
}

// What is kept is taken where it is machine code, and by nobody else.
TEST_F(Compiled, WhatIsKeptIsNotCompiledAgain) {
  const std::string source = kernels::pointwise_source(parameters_of(stores(DType::kF32)));
  KeptCode kept;
  const Binary made = compile(source, 90, &kept);
  ASSERT_EQ(kept.all().size(), 1u);
  const Hash128 key = kept.all().begin()->first;
  EXPECT_EQ(kept.find(key), made);
  std::vector<std::byte> changed = *made;
  changed[changed.size() / 2] ^= std::byte{1};
  const auto marked = std::make_shared<const std::vector<std::byte>>(changed);
  kept.put(key, marked);
  EXPECT_EQ(compile(source, 90, &kept), marked);
  EXPECT_EQ(compile(source, 90), made);
  KeptCode others;
  EXPECT_EQ(compile(source, 90, &others), made);
  EXPECT_EQ(others.find(key), made);
  for (const size_t size : {size_t{1}, size_t{1000}, made->size() - 1}) {
    kept.put(key, std::make_shared<const std::vector<std::byte>>(made->begin(), made->begin() + std::ptrdiff_t(size)));
    EXPECT_EQ(compile(source, 90, &kept), made) << size;
    EXPECT_EQ(kept.find(key), made) << size;
  }
}

TEST_F(Compiled, WhatIsKeptIsOfOneSourceAndOneArchitecture) {
  const std::string source = kernels::pointwise_source(parameters_of(stores(DType::kF32)));
  KeptCode kept;
  (void)compile(source, 90, &kept);
  (void)compile(source, 80, &kept);
  (void)compile(source + "\n", 90, &kept);
  EXPECT_EQ(kept.all().size(), 3u);
}

TEST_F(Compiled, ChipsThatTheCompilerDoesNotKnowAreRefused) {
  EXPECT_NE(compiler_lack(35).find("compute capability 3.5"), std::string::npos);
  try {
    (void)compile("", 35);
    ADD_FAILURE() << "compiled";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kUnsupported);
    EXPECT_FALSE(e.remedy().empty());
  }
}

// ---- run by the host

// What stands in for the GPU's words and instructions.
constexpr const char* kPrelude = R"(
#include <cmath>
#include <cstdint>
#include <cstring>
#define __CUDACC__
#define __device__
#define __global__
#define __grid_constant__
using namespace std;
struct Index { unsigned x; };
static Index blockIdx, threadIdx;
static uint32_t __umulhi(uint32_t a, uint32_t b) { return static_cast<uint32_t>(static_cast<uint64_t>(a) * b >> 32); }
#include "backends/cuda/device/cu/generated.cuh"
)";
// In the place of cu/small_floats.cuh, whose instructions are the GPU's: the library's own conversions, which the test lends.
constexpr const char* kSmallFloats = R"(
#pragma once
#include <cstdint>
extern "C" {
inline float (*lent_to_float)(int type, uint16_t bits);
inline uint16_t (*lent_from_float)(int type, float x);
}
namespace kiln::cuda {
struct Half { uint16_t bits; };
struct Bfloat { uint16_t bits; };
inline float to_float(Half x) { return lent_to_float(0, x.bits); }
inline float to_float(Bfloat x) { return lent_to_float(1, x.bits); }
inline Half half_of(float x) { return {lent_from_float(0, x)}; }
inline Bfloat bfloat_of(float x) { return {lent_from_float(1, x)}; }
}
)";

DType small_float(int type) { return type == 0 ? DType::kF16 : DType::kBF16; }
float lend_to_float(int type, uint16_t bits) { return static_cast<float>(load_double(small_float(type), &bits, 0)); }
uint16_t lend_from_float(int type, float x) {
  uint16_t bits = 0;
  store_double(small_float(type), &bits, 0, static_cast<double>(x));
  return bits;
}

// A library with symbols that are unique in a process stays loaded, and a new one whose file has the same number is taken for it.
#ifdef __clang__
const std::string kUnloadable;
#else
const std::string kUnloadable = "-fno-gnu-unique";
#endif

// Kernels that the host's compiler made of their sources, each to be run over a grid.
class HostKernels {
 public:
  explicit HostKernels(const std::vector<Attributes>& all) {
    const std::filesystem::path folder = folder_.path();
    std::filesystem::create_directories(folder / "backends/cuda/device/cu");
    for (const EmbeddedHeader& h : embedded_headers()) {
      if (std::string_view(h.name).starts_with("tensor/")) continue;
      write(folder / h.name, std::string(h.name).ends_with("small_floats.cuh") ? kSmallFloats : h.text);
    }
    write(folder / "kernels.cpp", text_of(all));
    const std::string command = std::string(KILN_CXX) + " -std=c++20 -O1 -ffp-contract=off -w " + kUnloadable +
                                " '-D__launch_bounds__(n)=' -shared -fPIC -I" + folder.string() +
                                " -I" KILN_SOURCE_DIR "/src -o " + (folder / "kernels.so").string() + " " +
                                (folder / "kernels.cpp").string();
    if (std::system(command.c_str()) != 0) throw std::runtime_error("the host's compiler refuses generated kernels");
    library_ = dlopen((folder / "kernels.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library_) throw std::runtime_error(dlerror());
    *static_cast<float (**)(int, uint16_t)>(symbol("lent_to_float")) = lend_to_float;
    *static_cast<uint16_t (**)(int, float)>(symbol("lent_from_float")) = lend_from_float;
  }
  ~HostKernels() {
    if (library_) dlclose(library_);
  }
  HostKernels(const HostKernels&) = delete;
  HostKernels& operator=(const HostKernels&) = delete;

  void run(size_t which, const GeneratedArguments<kMaxOperands>& arguments, bool words) {
    const auto run = reinterpret_cast<void (*)(const void*, unsigned, bool)>(symbol("run_" + std::to_string(which)));
    run(&arguments, (arguments.count - 1) / kGeneratedThreads + 1, words);
  }

 private:
  static void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }
  void* symbol(const std::string& name) {
    void* found = dlsym(library_, name.c_str());
    if (!found) throw std::runtime_error("no symbol " + name);
    return found;
  }
  static std::string text_of(const std::vector<Attributes>& all) {
    std::string text = kPrelude;
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string n = std::to_string(i);
      const auto operands = std::to_string(read_parameters<GeneratedProgram>(all[i]).types.size());
      for (const char* word : {"program", "words", "elements"})
        text += "#undef " + std::string(word) + "\n#define " + word + " " + word + "_" + n + "\n";
      text += kernels::pointwise_source(all[i]);
      text += "extern \"C\" void run_" + n + "(const void* a, unsigned grid, bool takes_words) {\n" +
              "  const auto& p = *static_cast<const kiln::cuda::GeneratedArguments<" + operands + ">*>(a);\n" +
              "  for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)\n" +
              "    for (threadIdx.x = 0; threadIdx.x < kiln::cuda::kGeneratedThreads; ++threadIdx.x)\n" +
              "      takes_words ? kiln::cuda::words(p) : kiln::cuda::elements(p);\n}\n";
    }
    return text;
  }

  TemporaryFolder folder_;
  void* library_ = nullptr;
};

// An operand in memory of its own, `offset` elements behind a boundary of 64 bytes.
struct Placed {
  Tensor bytes;
  Dims dims, strides;
  DType type;
  int64_t offset = 0;
  TensorView view() {
    TensorView v;
    v.data = static_cast<std::byte*>(bytes.mutable_data()) + offset * bits(type) / 8;
    v.dims = dims.data();
    v.strides = strides.data();
    v.rank = static_cast<int>(dims.size());
    v.dtype = type;
    return v;
  }
};

Placed placed(DType type, Dims dims, Dims strides, int64_t offset, uint32_t seed) {
  int64_t extent = 1 + offset;
  for (size_t i = 0; i < dims.size(); ++i) extent += std::max<int64_t>(dims[i] - 1, 0) * strides[i];
  Tensor bytes = Tensor::allocate(type, {extent});
  std::minstd_rand random(seed);
  const double edges[] = {0,    -0.0, 1,     -1,   2,     3,        63,        64,  127,
                          -128, 255,  60000, 1e30, -1e30, HUGE_VAL, -HUGE_VAL, NAN, 0.5};
  for (int64_t i = 0; i < extent; ++i) {
    const auto drawn = static_cast<double>(random() % 4000) / 1000 - 2;
    const double value = random() % 3 == 0 ? edges[random() % std::size(edges)] : drawn;
    if (is_float(type)) bytes.set(i, value);
    else if (type == DType::kBool) bytes.set(i, random() % 2);
    else
      store_int(type, bytes.mutable_data(), i,
                random() % 4 == 0 ? std::numeric_limits<int64_t>::min() >> (random() % 64)
                                  : static_cast<int64_t>(random() % 9) - 4);
  }
  return {bytes, std::move(dims), std::move(strides), type, offset};
}

int64_t place_of_element(const TensorView& v, const Dims& index) {
  int64_t at = 0;
  const size_t shift = index.size() - static_cast<size_t>(v.rank);
  for (int i = 0; i < v.rank; ++i) at += v.dims[i] == 1 ? 0 : index[shift + static_cast<size_t>(i)] * v.strides[i];
  return at;
}

bool same_element(DType type, const void* a, const void* b, int64_t at) {
  if (!is_float(type)) return load_int(type, a, at) == load_int(type, b, at);
  const double x = load_double(type, a, at), y = load_double(type, b, at);
  return (std::isnan(x) && std::isnan(y)) || (x == y && std::signbit(x) == std::signbit(y));
}

// Runs kernel `which` over the operands and compares each element with the interpreter. Counts the parts that took words.
void expect_same(HostKernels& host, size_t which, const GeneratedProgram& g, std::vector<Placed>& operands,
                 int& words) {
  std::vector<TensorView> inputs, outputs;
  for (size_t k = 0; k < operands.size(); ++k)
    (k < g.program.input_count ? inputs : outputs).push_back(operands[k].view());
  std::vector<Tensor> before;
  for (Placed& p : operands) before.push_back(p.bytes.clone());
  const KernelCall call{inputs, outputs};
  ASSERT_TRUE(kernels::check_pointwise(g.program, call).ok());
  for (kernels::GeneratedPart& part : kernels::generated_parts(g, call)) {
    const bool takes_words = part.place(call);
    words += takes_words;
    host.run(which, takes_words ? part.words : part.elements, takes_words);
  }
  const Dims& dims = operands[g.program.input_count].dims;
  std::vector<ScalarValue> values(g.program.code.size()), given(g.program.input_count);
  Dims index(dims.size(), 0);
  for (int64_t n = 0; n < element_count(dims); ++n) {
    for (size_t k = 0; k < inputs.size(); ++k)
      given[k] =
          load_scalar(inputs[k].dtype, before[k].data(), operands[k].offset + place_of_element(inputs[k], index));
    interpret(g.program, given, values);
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Placed& out = operands[inputs.size() + k];
      const int64_t at = out.offset + place_of_element(outputs[k], index);
      store_scalar(out.type, before[inputs.size() + k].mutable_data(), at, g.program.code[g.program.outputs[k]].type,
                   values[g.program.outputs[k]]);
      ASSERT_TRUE(same_element(out.type, before[inputs.size() + k].data(), out.bytes.data(), at))
          << to_string(g.program) << ": result " << k << ", element " << n << " of " << to_string(dims);
    }
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

std::vector<Placed> dense(const GeneratedProgram& g, const Dims& dims, int64_t offset = 0) {
  std::vector<Placed> operands;
  for (size_t k = 0; k < g.types.size(); ++k)
    operands.push_back(placed(g.types[k], dims, row_major_strides(dims), offset, static_cast<uint32_t>(k + 1)));
  return operands;
}

TEST(Generated, EveryOperationComputesAsTheInterpreter) {
  std::vector<GeneratedProgram> programs;
  std::vector<Attributes> parameters;
  for (DType type : kTypes) {
    std::vector<Sample> all = samples(type);
    all.push_back(stores(type));
    for (const Sample& s : all) {
      parameters.push_back(parameters_of(s, 2));
      programs.push_back(read_parameters<GeneratedProgram>(parameters.back()));
    }
  }
  HostKernels host(parameters);
  int words = 0;
  for (size_t i = 0; i < programs.size(); ++i) {
    std::vector<Placed> operands = dense(programs[i], {3, 251});
    expect_same(host, i, programs[i], operands, words);
  }
  EXPECT_EQ(words, static_cast<int>(programs.size()));
}

// x + row * column, of other types, in every way in which operands may lie.
TEST(Generated, LayoutsAndBroadcasts) {
  ScalarProgram program;
  const auto f32 = ScalarType::kF32;
  program.code = {{ScalarOp::kInput, f32, 0, 0, 0, 0, 0},
                  {ScalarOp::kInput, f32, 0, 0, 0, 0, 1},
                  {ScalarOp::kInput, ScalarType::kI64, 0, 0, 0, 0, 2},
                  {ScalarOp::kConvert, f32, 2, 0, 0, 0, 0},
                  {ScalarOp::kMul, f32, 1, 3, 0, 0, 0},
                  {ScalarOp::kAdd, f32, 0, 4, 0, 0, 0}};
  program.input_count = 3;
  program.outputs = {5};
  const auto same = [](Dims dims) { return std::pair(dims, row_major_strides(dims)); };
  struct Case {
    std::pair<Dims, Dims> x, row, column, y;  // dims and strides
    int64_t offset = 0;
    bool words = true;  // whether they are expected
  };
  const Case cases[] = {
      {same({4, 64}), same({64}), same({4, 1}), same({4, 64})},
      {same({4, 64}), same({64}), same({4, 1}), same({4, 64}), 1, false},
      {same({4, 37}), same({37}), same({4, 1}), same({4, 37}), 0, false},
      {same({37}), same({37}), same({1}), same({37})},
      {{{4, 37}, {40, 1}}, same({37}), same({4, 1}), {{4, 37}, {64, 1}}},
      {{{64, 8}, {1, 64}}, same({8}), same({64, 1}), same({64, 8})},
      {{{2, 24, 5, 6}, {720, 1, 144, 24}}, same({24, 1, 1}), same({}), {{2, 24, 5, 6}, {720, 1, 144, 24}}},
      {same({0, 64}), same({64}), same({1, 1}), same({0, 64})},
      {same({}), same({}), same({}), same({}), 0, false},
      {same({2, 3, 2, 3, 2, 3, 2, 3, 2, 4}), same({2, 1, 2, 1, 2, 1, 2, 1, 2, 4}), same({3, 1, 3, 1, 3, 1, 3, 1, 1}),
       same({2, 3, 2, 3, 2, 3, 2, 3, 2, 4})},
  };
  std::vector<GeneratedProgram> programs;
  std::vector<Attributes> parameters;
  std::vector<std::vector<Placed>> operands;
  for (const auto& [x, y] :
       {std::pair{DType::kF16, DType::kF16}, {DType::kF32, DType::kBF16}, {DType::kF16, DType::kF32}})
    for (const Case& c : cases) {
      std::vector<Placed> list{placed(x, c.x.first, c.x.second, c.offset, 1),
                               placed(DType::kF32, c.row.first, c.row.second, c.offset, 2),
                               placed(DType::kI8, c.column.first, c.column.second, c.offset, 3),
                               placed(y, c.y.first, c.y.second, c.offset, 4)};
      GeneratedProgram g{program, {x, DType::kF32, DType::kI8, y}, {}, 1};
      std::vector<TensorView> views;
      for (Placed& p : list) views.push_back(p.view());
      kernels::plan_words(g, {std::span(views).first(3), std::span(views).last(1)}, kernels::kMaxWord);
      parameters.push_back(to_parameters(g));
      programs.push_back(std::move(g));
      operands.push_back(std::move(list));
    }
  HostKernels host(parameters);
  for (size_t i = 0; i < programs.size(); ++i) {
    int words = 0;
    expect_same(host, i, programs[i], operands[i], words);
    const Case& c = cases[i % std::size(cases)];
    EXPECT_EQ(words > 0, c.words && element_count(c.y.first) > 0) << i;
  }
}

// ---- what a file may say

std::vector<Sample> one_sum() {
  Sample s{{}, {DType::kF16, DType::kF16, DType::kF16}};
  const auto f32 = ScalarType::kF32;
  s.program.code = {{ScalarOp::kInput, f32, 0, 0, 0, 0, 0},
                    {ScalarOp::kInput, f32, 0, 0, 0, 0, 1},
                    {ScalarOp::kAdd, f32, 0, 1, 0, 0, 0}};
  s.program.input_count = 2;
  s.program.outputs = {2};
  return {s};
}

TEST(Generated, ParametersAreChecked) {
  const Attributes good = parameters_of(one_sum()[0], 8);
  EXPECT_NO_THROW((void)read_parameters<GeneratedProgram>(good));
  const auto refused = [&](const char* name, Attribute value) {
    Attributes bad = good;
    bad.set(name, std::move(value));
    EXPECT_THROW((void)kernels::pointwise_source(bad), Error) << name;
  };
  refused("lanes", int64_t{0});
  refused("lanes", int64_t{3});
  refused("lanes", int64_t{16});  // 32 bytes
  refused("lanes", std::string("8"));
  refused("types", Strings{"float16", "float16"});
  refused("types", Strings{"float16", "float16", "float13"});
  refused("types", Strings{"float16", "float16", "int4"});
  refused("types", Strings{"float16", "int32", "float16"});
  refused("reaches", Ints{1, 1, 3});
  refused("reaches", Ints{1, 1});
  refused("program.outputs", Ints{});
  refused("program.outputs", Ints{3});
  refused("program.inputs", int64_t{1});
  for (const char* name : {"lanes", "types", "reaches", "program.code"}) {
    Attributes bad = good;
    bad.erase(name);
    EXPECT_THROW((void)kernels::pointwise_source(bad), Error) << name;
  }
}

TEST_F(Compiled, CodeOfFilesIsChecked) {
  constexpr Chip kChip{.compute = 90};
  Gpu gpu(nullptr, nullptr, kChip);
  const Generator& generator = all_generators()[0];
  KeptCode kept;
  const GeneratedKernel good = *generate(generator.name, parameters_of(one_sum()[0], 8), kChip, &kept);
  EXPECT_EQ(kept.all().size(), 1u);
  const auto code_of = [&](const GeneratedKernel& kernel, std::string_view name = "pointwise_generated") {
    try {
      return load_generated(gpu, {name, {}, &kernel}) ? Code::kOk : Code::kNotFound;
    } catch (const Error& e) {
      EXPECT_FALSE(e.remedy().empty()) << e.what();
      return e.code();
    }
  };
  EXPECT_EQ(code_of(good), Code::kOk);
  EXPECT_EQ(code_of(good, "gather"), Code::kNotFound);
  EXPECT_THROW((void)load_generated(gpu, {"pointwise_generated", {}}), Error);
  GeneratedKernel bad = good;
  bad.generator = "another";
  EXPECT_EQ(code_of(bad), Code::kMalformedPlan);
  EXPECT_THROW((void)generate_again(bad, kChip), Error);
  bad = good;
  bad.version = 2;
  EXPECT_EQ(code_of(bad), Code::kPlanVersion);
  EXPECT_THROW((void)generate_again(bad, kChip), Error);
  bad = good;
  bad.architecture = "sm_80";
  EXPECT_EQ(code_of(bad), Code::kPlanDevice);
  EXPECT_THROW((void)generate_again(bad, kChip), Error);
  bad = good;
  bad.parameters.erase("lanes");
  EXPECT_THROW((void)load_generated(gpu, {"pointwise_generated", {}, &bad}), Error);
  EXPECT_THROW((void)generate_again(bad, kChip), Error);
  EXPECT_EQ(generate_again(good, kChip), std::vector<std::byte>(good.binary.begin(), good.binary.end()));
  // Cut off anywhere, or with a table that points outside.
  for (size_t size = 0; size < good.binary.size(); size += 97) {
    bad = good;
    bad.binary = good.binary.first(size);
    EXPECT_EQ(code_of(bad), Code::kMalformedPlan) << size;
  }
  std::vector<std::byte> bytes(good.binary.begin(), good.binary.end());
  bytes[0x28] = bytes[0x2d] = std::byte{0xff};  // where the sections are
  bad = good;
  bad.binary = bytes;
  EXPECT_EQ(code_of(bad), Code::kMalformedPlan);
}

}  // namespace
}  // namespace kiln::cuda::testing
