// Attention by cuDNN, whose plans are compiled for a shape. Where the library, or what it compiles with, is not there, its tactic declines.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "backends/cuda/device/cudnn_generators.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/device/kernels/mask_rows.h"
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

constexpr double kNowhere = -std::numeric_limits<double>::infinity();

// That only running tells: of its rows in turn one is of any numbers, one leaves its query no key, one leaves it some, the last too.
Operand running_mask(DType type, Dims dims) {
  Operand mask{.dims = dims, .type = type, .value = random_tensor(type, dims, 5)};
  const int64_t keys = dims.back();
  for (int64_t i = 0; i < mask.value->size(); ++i) {
    const int64_t row = i / keys % 3, key = i % keys;
    const bool hidden = row == 1 || (row == 2 && key % 3 != 2 && key != keys - 1);
    if (type == DType::kBool && row != 0) mask.value->set_int(i, !hidden);
    else if (hidden) mask.value->set(i, kNowhere);
  }
  return mask;
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
    if (i % 140 > i / 140) mask.value->set(i, kNowhere);
  expect_taken(masked(plain(), mask));
}

TEST_F(CudaCudnnAttention, MasksThatOnlyRunningTells) {
  for (const Dims& dims : {Dims{140}, Dims{100, 140}, Dims{2, 1, 1, 140}, Dims{2, 1, 100, 140}, Dims{3, 100, 140},
                           Dims{2, 3, 1, 140}, Dims{2, 3, 100, 140}})
    expect_taken(masked(plain(), running_mask(DType::kF16, dims)));
  for (DType of : {DType::kF32, DType::kBool})
    for (const Dims& dims : {Dims{2, 1, 1, 140}, Dims{3, 100, 140}})
      expect_taken(masked(plain(), running_mask(of, dims)));
  const NodeCase c = joined(DType::kBF16, 2, 100, 140, 3, 3, 64, 64);
  for (DType of : {DType::kBF16, DType::kF32, DType::kBool})
    expect_taken(masked(c, running_mask(of, {2, 1, 100, 140})));
}

// Where all that a query sees lies so deep that scores vanish next to it, its keys count alike, or some of them alone.
TEST_F(CudaCudnnAttention, RowsOfDeepNumbers) {
  for (bool constant : {false, true})
    for (DType type : {DType::kF32, DType::kBF16})
      for (double other : {double{std::numeric_limits<float>::lowest()}, kNowhere, -3e38, 0.0}) {
        Operand mask{.dims = {100, 140}, .type = type, .constant = constant};
        mask.value = Tensor::allocate(type, mask.dims);
        for (int64_t i = 0; i < mask.value->size(); ++i)
          mask.value->set(i, i % 3 == 0 ? other : std::numeric_limits<float>::lowest());
        NodeCase c = masked(joined(DType::kBF16, 2, 100, 140, 3, 3, 64, 64), mask);
        c.only = kName;
        expect_taken(c);
      }
}

TEST_F(CudaCudnnAttention, CausalWithMasksThatOnlyRunningTells) {
  for (DType of : {DType::kF16, DType::kF32, DType::kBool})
    for (const auto& [queries, keys] : {std::pair{100, 40}, {40, 100}}) {
      const NodeCase c = causal(joined(DType::kF16, 2, queries, keys, 4, 2, 64, 64));
      Operand first = {.dims = {queries, keys}, .type = of, .value = random_tensor(of, {queries, keys}, 7)};
      for (int64_t i = 0; i < queries * keys; ++i)  // the first queries see none
        if (i % keys < 20) of == DType::kBool ? first.value->set_int(i, 0) : first.value->set(i, kNowhere);
      expect_taken(masked(c, first));
      expect_taken(masked(c, running_mask(of, {2, 1, queries, keys})));
    }
}

TEST_F(CudaCudnnAttention, ConstantMasksThatLeaveAQueryNoKey) {
  for (DType of : {DType::kF16, DType::kF32, DType::kBool}) {
    Operand mask = running_mask(of, {100, 140});
    mask.constant = true;
    expect_taken(masked(plain(), mask));
    expect_taken(masked(causal(plain()), mask));
  }
}

TEST_F(CudaCudnnAttention, ElementsOfMasksThatAreNoNumbers) {
  Operand mask = running_mask(DType::kF16, {100, 140});
  for (int64_t row = 0; row < 100; row += 2) mask.value->set(row * 140 + row, std::nan(""));
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
  const std::string shared = "queries of causal attention share a mask that might leave one of them no key";
  for (const Dims& dims : {Dims{140}, Dims{2, 1, 1, 140}})
    EXPECT_EQ(refusal(masked(causal(plain()), {.dims = dims, .type = DType::kF16}), kName), shared);
  Operand first = constant_mask(DType::kF16, {1, 140});
  EXPECT_EQ(refusal(masked(causal(plain()), first), kName), "");
  first.value->set(0, kNowhere);
  EXPECT_EQ(refusal(masked(causal(plain()), first), kName), shared);
  NodeCase c = masked(joined(DType::kF16, 1, 8193, 8193, 1, 1, 64, 64), {.dims = {8193, 8193}, .type = DType::kF32});
  c.inputs[3].value = Tensor::allocate(DType::kF32, {8193, 8193});
  EXPECT_EQ(refusal(c, kName), "the mask, which is to be made ready, has 268500996 bytes");
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

Gpu described() {
  return {nullptr, nullptr, {.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20}};
}

// A plan goes to a file as text: what of it is damaged, or from another library, is refused.
TEST_F(CudaCudnnAttention, PlansAreReadAgain) {
  const BuiltNode node(plain());
  const Emitted e = tactic().emit(node.problem(), tactic().configurations(node.problem()).front());
  ASSERT_TRUE(e.code);
  Gpu gpu = described();
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

// What a file says of a mask that is to be made ready.
TEST(CudaCudnnMasks, AreThereAndFitTheWorkspace) {
  Gpu gpu = described();
  const auto code_of = [&](const kernels::CudnnCompiledAttention& p) {
    try {
      (void)compiled_kernel(gpu, p, std::make_shared<const std::vector<std::byte>>());
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kOk;
  };
  const auto attention = [](int64_t rows, int64_t keys) {
    kernels::CudnnCompiledAttention p{.mask_rows = true};
    for (int64_t n : {rows, keys, keys, rows}) p.attention.tensors.add(DType::kF16, {1, 1, n, 8}, {n * 8, n * 8, 8, 1});
    return p;
  };
  kernels::CudnnCompiledAttention p = attention(5, 7);
  EXPECT_EQ(code_of(p), Code::kMalformedPlan);
  p.attention.tensors.add(DType::kF16, {1, 1, 5, 7}, {35, 35, 7, 1});
  EXPECT_EQ(code_of(p), Code::kOk);
  for (int64_t n : {int64_t{1} << 14, int64_t{INT32_MAX}}) {
    p = attention(n, n);
    p.attention.tensors.add(DType::kF32, {1, 1, n, n}, {n, n, n, 1});
    EXPECT_EQ(code_of(p), Code::kUnsupported) << n;
  }
}

TEST(CudaMaskRows, OfWhichTypesThereAreKernels) {
  Gpu gpu = described();
  kernels::MaskRows rows(gpu);
  const auto plan = [&](DType from, DType to, const Dims& dims = {2, 3, 5, 7}) {
    return rows.plan(from, dims, row_major_strides(dims), true, to).code;
  };
  for (DType type : {DType::kF16, DType::kBF16, DType::kF32}) EXPECT_EQ(plan(type, type), Code::kOk);
  for (DType type : kNarrow) EXPECT_EQ(plan(DType::kBool, type), Code::kOk);
  EXPECT_EQ(plan(DType::kF16, DType::kF32), Code::kMalformedPlan);
  EXPECT_EQ(plan(DType::kBool, DType::kBool), Code::kMalformedPlan);
  EXPECT_EQ(plan(DType::kF16, DType::kF16, {0, 3, 5, 7}), Code::kOk);
  EXPECT_EQ(plan(DType::kF16, DType::kF16, {1 << 20, 1 << 10, 3, 7}), Code::kUnsupported);
}

}  // namespace
}  // namespace kiln::cuda::testing
