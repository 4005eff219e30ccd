// Attention by cuDNN, whose plans are compiled for a shape. Where the library, or what it compiles with, is not there, its tactic declines.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "backends/cuda/device/cudnn_generators.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "cuda/node_check.h"
#include "target/step_call.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kNarrow[] = {DType::kF16, DType::kBF16};
constexpr const char* kName = "cudnn_attention";

NodeCase joined(DType type, int64_t batch, int64_t queries, int64_t keys, int64_t q_heads, int64_t kv_heads,
                int64_t size, int64_t value_size) {
  return {.op = "Attention",
          .attributes = {{"q_num_heads", q_heads}, {"kv_num_heads", kv_heads}},
          .inputs = {{.dims = {batch, queries, q_heads * size}, .type = type},
                     {.dims = {batch, keys, kv_heads * size}, .type = type},
                     {.dims = {batch, keys, kv_heads * value_size}, .type = type}},
          .compiles = true};
}

NodeCase causal(NodeCase c) {
  c.attributes.set("is_causal", int64_t{1});
  return c;
}

Operand constant_mask(DType type, Dims dims, unsigned seed = 5) {
  return {.dims = dims, .type = type, .constant = true, .value = random_tensor(type, dims, seed)};
}

NodeCase masked(NodeCase c, Operand mask) {
  c.inputs.push_back(std::move(mask));
  return c;
}

NodeCase plain() { return joined(DType::kF16, 2, 100, 140, 3, 3, 64, 64); }

// Tests of what is compiled, with and without a GPU: for GPUs that are described, too, it takes a driver.
class CudaCudnnAttention : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = refusal(plain(), kName); !why.empty()) GTEST_SKIP() << why;
  }
  static void expect_taken(const NodeCase& c) {
    EXPECT_EQ(refusal(c, kName), "") << BuiltNode(c).problem().str();
    EXPECT_TRUE(check(c).count(kName)) << BuiltNode(c).problem().str();
  }
};

TEST_F(CudaCudnnAttention, SequencesHeadsAndSizes) {
  for (DType type : kNarrow) {
    expect_taken(joined(type, 2, 33, 65, 6, 2, 64, 32));
    expect_taken(joined(type, 1, 128, 128, 12, 12, 64, 64));
    expect_taken(joined(type, 3, 1, 77, 4, 1, 128, 128));
    expect_taken(joined(type, 1, 197, 130, 2, 2, 72, 40));
  }
  expect_taken(joined(DType::kF16, 1, 300, 520, 2, 1, 256, 256));
  expect_taken(joined(DType::kF16, 1, 70, 100, 6, 2, 128, 128));
}

TEST_F(CudaCudnnAttention, Causal) {
  for (DType type : kNarrow)
    for (int64_t size : {64, 128}) {
      expect_taken(causal(joined(type, 2, 130, 130, 4, 2, size, size)));
      expect_taken(causal(joined(type, 1, 200, 70, 2, 2, size, size)));
      expect_taken(causal(joined(type, 1, 70, 200, 2, 2, size, size)));
    }
}

TEST_F(CudaCudnnAttention, HeadsApart) {
  NodeCase c{.op = "Attention", .inputs = {}, .compiles = true};
  for (const Dims& dims : {Dims{2, 4, 100, 64}, Dims{2, 2, 90, 64}, Dims{2, 2, 90, 64}})
    c.inputs.push_back({.dims = dims, .type = DType::kF16});
  expect_taken(c);
}

TEST_F(CudaCudnnAttention, MasksThatAreConstant) {
  for (DType of : {DType::kF16, DType::kF32})
    for (const Dims& dims : {Dims{100, 140}, Dims{2, 1, 1, 140}, Dims{1, 3, 100, 140}, Dims{2, 3, 100, 140}})
      expect_taken(masked(plain(), constant_mask(of, dims)));
  expect_taken(
      masked(causal(joined(DType::kBF16, 2, 130, 130, 4, 2, 64, 64)), constant_mask(DType::kBF16, {130, 130})));
}

TEST_F(CudaCudnnAttention, MasksWithKeysThatNobodySees) {
  Operand mask = constant_mask(DType::kF16, {100, 140});
  for (int64_t i = 0; i < 100 * 140; ++i)
    if (i % 140 > i / 140) mask.value->set(i, -std::numeric_limits<double>::infinity());
  expect_taken(masked(plain(), mask));
}

TEST_F(CudaCudnnAttention, NumbersThatAreNotFinite) {
  for (double value : {std::nan(""), std::numeric_limits<double>::infinity()})
    for (size_t operand : {0U, 1U, 2U}) {
      NodeCase c = plain();
      Tensor t = random_tensor(DType::kF16, c.inputs[operand].dims, 3);
      t.set(70, value);
      c.inputs[operand].value = t;
      expect_taken(c);
    }
}

TEST_F(CudaCudnnAttention, RandomShapes) {
  std::minstd_rand random(11);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 8; ++i) {
    const int64_t shared = pick(1, 3), kv_heads = pick(1, 3), size = 8 * pick(1, 20);
    NodeCase c = joined(kNarrow[i % 2], pick(1, 3), pick(1, 300), pick(1, 300), shared * kv_heads, kv_heads, size,
                        i % 3 == 0 ? 8 * pick(1, 20) : size);
    if (i % 2 == 0) c.attributes.set("is_causal", int64_t{1});
    if (refusal(c, kName).empty()) (void)check(c);
  }
}

TEST_F(CudaCudnnAttention, RefusesWithAReason) {
  EXPECT_EQ(refusal(joined(DType::kF32, 1, 8, 8, 1, 1, 64, 64), kName),
            "elements of type float32, needs float16 or bfloat16");
  NodeCase c = masked(plain(), constant_mask(DType::kF16, {100, 140}));
  c.inputs[3].constant = false;
  EXPECT_EQ(refusal(c, kName), "the mask is not constant, and might leave a query no key");
  Operand none = constant_mask(DType::kF16, {100, 140});
  for (int64_t i = 140; i < 280; ++i) none.value->set(i, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(refusal(masked(plain(), none), kName), "the mask leaves a query no key");
  Operand first = constant_mask(DType::kF16, {1, 140});
  first.value->set(0, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(refusal(masked(causal(plain()), first), kName), "the mask leaves a query no key");
  c = masked(plain(), {.dims = {100, 140}, .type = DType::kBool});
  EXPECT_EQ(refusal(c, kName), "the mask is bool, and would be added");
  for (double scale : {0.0, -0.5}) {
    c = plain();
    c.attributes.set("scale", scale);
    EXPECT_EQ(refusal(c, kName), "scores are scaled by " + std::to_string(scale));
  }
  EXPECT_EQ(refusal(joined(DType::kF16, 2, 0, 40, 2, 2, 64, 64), kName), "there are no results or no keys");
  EXPECT_EQ(refusal(joined(DType::kF16, 2, 40, 0, 2, 2, 64, 64), kName), "there are no results or no keys");
}

const Tactic& tactic() {
  for (const Tactic* t : tactic_list().all())
    if (t->name == kName) return *t;
  throw Error(Code::kNotFound, "there is no tactic cudnn_attention");
}

// A plan goes to a file as text: what of it is damaged, or from another library, is refused.
TEST_F(CudaCudnnAttention, PlansAreReadAgain) {
  const BuiltNode node(plain());
  const Emitted e = tactic().emit(node.problem(), tactic().configurations(node.problem()).front());
  ASSERT_TRUE(e.code);
  Gpu gpu(nullptr, nullptr, {.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20});
  const auto load = [&](std::string plan) {
    GeneratedKernel kernel = *e.code;
    kernel.binary = std::as_bytes(std::span(plan));
    return load_generated(gpu, {e.kernel, e.parameters, &kernel});
  };
  const std::string good(reinterpret_cast<const char*>(e.code->binary.data()), e.code->binary.size());
  EXPECT_TRUE(load(good));
  EXPECT_TRUE(prepare_without_gpu(node, e, 90).ok());
  const auto code = [&](const std::string& plan) {
    try {
      (void)load(plan);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(code(""), Code::kMalformedPlan);
  EXPECT_EQ(code(good.substr(0, good.size() / 2)), Code::kMalformedPlan);
  EXPECT_EQ(code("{}"), Code::kMalformedPlan);
  std::string other = good;
  const size_t at = other.find("\"cudnnVersion\":");
  ASSERT_NE(at, std::string::npos);
  other.replace(other.find(':', at) + 1, 5, "90801");
  EXPECT_EQ(code(other), Code::kPlanDevice);
  std::string hollow = good.substr(0, other.find(',', at)) + "}";  // nothing but its version
  const auto hollow_kernel = load(hollow)->create_kernel();
  const StepCall step(node.problem(), e, StepCall::Shapes::kOptimum);
  EXPECT_FALSE(hollow_kernel->prepare(step.call()).ok());
}

TEST_F(CudaCudnnAttention, PlansAreForTheShapesThatTheyWereCompiledFor) {
  const BuiltNode node(plain());
  const Emitted e = tactic().emit(node.problem(), tactic().configurations(node.problem()).front());
  for (const NodeCase& c :
       {joined(DType::kF16, 2, 100, 141, 3, 3, 64, 64), joined(DType::kF16, 3, 100, 140, 3, 3, 64, 64),
        joined(DType::kBF16, 2, 100, 140, 3, 3, 64, 64)})
    EXPECT_FALSE(prepare_without_gpu(BuiltNode(c), e, 90).ok());
}

TEST(CudaCudnnTensors, EachHasAllOfItsAxes) {
  const auto name_of = [](const kernels::CudnnCompiledAttention& p) -> std::string {
    try {
      (void)read_parameters<kernels::CudnnCompiledAttention>(to_parameters(p));
    } catch (const Error& e) {
      return e.message();
    }
    return "";
  };
  kernels::CudnnCompiledAttention p;
  for (int i = 0; i < 4; ++i) p.attention.tensors.add(DType::kF16, {1, 2, 3, 8}, {48, 24, 8, 1});
  EXPECT_EQ(name_of(p), "");
  p.slices = Ints(11, 8);
  EXPECT_NE(name_of(p).find("slices"), std::string::npos);
  p.slices.clear();
  p.attention.tensors.dims.pop_back();
  EXPECT_NE(name_of(p).find("dims"), std::string::npos);
  p.attention.tensors.dims.push_back(-1);
  EXPECT_NE(name_of(p).find("dims"), std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
