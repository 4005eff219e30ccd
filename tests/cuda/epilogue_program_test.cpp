// Programs on the results of convolutions and products on NVIDIA GPUs: every operator and random chains of them against the reference, and
// what is no program.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "backends/cuda/device/cu/epilogue_program.h"
#include "backends/cuda/target/chip.h"
#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

// Post-operations, whose operands >= 0 count within the case's: a row of numbers, another, a tensor like the result, a number, another tensor.
enum Extra { kRow, kOther, kTensor, kNumber, kSecond };
using Posts = std::vector<ir::PostOp>;

std::vector<Posts> smooth_posts() {
  return {
      {post("Mish", {-1})},
      {post("Softplus", {-1})},
      {post("PRelu", {-1, kRow})},
      {post("Relu", {-1}), post("Mul", {-1, kRow}), post("Add", {-1, kOther})},
      {post("Mul", {-1, kTensor})},
      {post("Sub", {kTensor, -1}), post("Tanh", {-1})},
      {post("Max", {-1, kTensor})},
      {post("Clip", {-1}), post("Add", {-1, kTensor}), post("Relu", {-1})},
      {post("Sigmoid", {-1}), post("Exp", {-1})},
      {post("Selu", {-1})},
      {post("Celu", {-1}), post("Mul", {-1, kNumber})},
      {post("Abs", {-1}), post("Sqrt", {-1}), post("Sub", {kRow, -1})},
      {post("Abs", {-1}), post("Add", {-1, kNumber}), post("Log", {-1})},
      {post("Softsign", {-1}), post("Erf", {-1})},
      {post("Elu", {-1}), post("Neg", {-1}), post("Gelu", {-1}), post("HardSwish", {-1})},
      {post("Add", {-1, kRow}), post("LeakyRelu", {-1}), post("Add", {-1, kTensor}), post("Mul", {kOther, -1})},
  };
}

// Those that read two tensors: in the short form, which is no program in memory, and others.
std::vector<Posts> posts_of_two_tensors() {
  return {
      {post("Add", {-1, kTensor}), post("Mul", {-1, kSecond})},
      {post("Mul", {kTensor, -1}), post("Add", {kSecond, -1})},
      {post("Add", {-1, kRow}), post("Add", {-1, kTensor}), post("Relu", {-1}), post("Mul", {-1, kSecond})},
      {post("Swish", {-1}), post("Mul", {-1, kTensor}), post("Add", {-1, kSecond})},
      {post("Sub", {kTensor, -1}), post("Max", {-1, kSecond}), post("Tanh", {-1})},
      {post("Min", {-1, kTensor}), post("Elu", {-1}, {{"alpha", 0.5}}), post("Sub", {-1, kSecond})},
      {post("Clip", {-1}), post("Sub", {-1, kTensor}), post("Sub", {kSecond, -1})},
      {post("Mul", {-1, kTensor}), post("HardSwish", {-1})},
      {post("Mul", {-1, kTensor}), post("Mul", {-1, kRow}), post("Sub", {-1, kSecond})},
      {post("Mish", {-1}), post("Mul", {-1, kTensor}), post("Relu", {-1}), post("Max", {-1, kSecond}),
       post("Tanh", {-1})},
  };
}

// Sums are whole numbers, so that those that jump do so in the same place.
std::vector<Posts> exact_posts() {
  const Attributes quarter{{"alpha", 0.25}};
  return {
      {post("LeakyRelu", {-1}, quarter), post("Floor", {-1})}, {post("LeakyRelu", {-1}, quarter), post("Ceil", {-1})},
      {post("LeakyRelu", {-1}, quarter), post("Round", {-1})}, {post("Sign", {-1}), post("Add", {-1, kTensor})},
      {post("ThresholdedRelu", {-1}, {{"alpha", 3.0}})},       {post("Min", {-1, kTensor}), post("Max", {kRow, -1})},
  };
}

void set_posts(NodeCase& c, Posts posts, const Dims& result, const Dims& row, bool images, DType type) {
  c.post = std::move(posts);
  const Operand tensor = images ? last(result, type) : plain(result, type);
  c.extra = {constant(row, type), constant(row, type), tensor, constant({1}, type), tensor};
  c.extra[kNumber].value = Tensor::of<float>({1}, {0.75f}).cast(type);
}

NodeCase image_case(const Posts& posts, DType type, Dims x, Dims w, Attributes attributes) {
  const Dims result{x[0], w[0], x[2], x[3]};
  const int64_t columns = w[0];
  NodeCase c = conv(std::move(x), std::move(w), type, std::move(attributes));
  set_posts(c, posts, result, {columns, 1, 1}, true, type);
  return c;
}

NodeCase product_case(const Posts& posts, DType type, Dims a, int64_t columns) {
  Dims result = a;
  result.back() = columns;
  NodeCase c{.op = "MatMul", .inputs = {plain(a, type), constant({a.back(), columns}, type)}};
  set_posts(c, posts, result, {columns}, false, type);
  return c;
}

// The operands that the post-operations read, each of its own, in their order.
NodeCase compacted(NodeCase c) {
  std::vector<Operand> extra;
  for (ir::PostOp& p : c.post)
    for (int& operand : p.operands) {
      if (operand < 0) continue;
      extra.push_back(c.extra[static_cast<size_t>(operand)]);
      operand = static_cast<int>(extra.size()) - 1;
    }
  c.extra = std::move(extra);
  return c;
}

void expect_taken(NodeCase c, const std::vector<std::string>& tactics, bool on_tensor_cores_of_16_bits = false) {
  if (c.inputs[0].type == DType::kBF16) c.tolerance = 2e-2;  // the reference rounds behind each operator
  if (c.inputs[0].type == DType::kF16) c.tolerance = 3e-3;
  c = compacted(std::move(c));
  const auto names = check(c);
  for (const std::string& tactic : tactics) EXPECT_TRUE(names.count(tactic)) << tactic << ": " << refusal(c, tactic);
  EXPECT_FALSE(names.count("conv_any") || names.count("product_any"));
  EXPECT_EQ(names.count("conv_wgmma") + names.count("product_wgmma") > 0, on_tensor_cores_of_16_bits);
}

TEST(CudaEpilogueProgram, Convolutions) {
  for (DType type : kFloats)
    for (const Posts& posts : smooth_posts()) {
      expect_taken(image_case(posts, type, {2, 64, 7, 7}, {72, 64, 3, 3}, kSame3x3), {"conv_mma"}, type != DType::kF32);
      expect_taken(image_case(posts, type, {1, 24, 5, 6}, {33, 24, 1, 1}, {}), {"conv_mma", "skinny"},
                   type != DType::kF32);
    }
}

TEST(CudaEpilogueProgram, Products) {
  for (DType type : kFloats)
    for (const Posts& posts : smooth_posts()) {
      expect_taken(product_case(posts, type, {2, 65, 256}, 96), {"conv_mma"}, type != DType::kF32);
      expect_taken(product_case(posts, type, {3, 40}, 31), {"conv_mma", "skinny"}, type != DType::kF32);
    }
}

TEST(CudaEpilogueProgram, TwoTensors) {
  for (DType type : kFloats)
    for (const Posts& posts : posts_of_two_tensors()) {
      const bool short_type = type != DType::kF32;
      expect_taken(image_case(posts, type, {2, 64, 7, 7}, {72, 64, 3, 3}, kSame3x3), {"conv_mma"}, short_type);
      expect_taken(image_case(posts, type, {1, 24, 5, 6}, {33, 24, 1, 1}, {}), {"conv_mma", "skinny"}, short_type);
      expect_taken(product_case(posts, type, {2, 65, 256}, 96), {"conv_mma"}, short_type);
      expect_taken(product_case(posts, type, {130, 1024}, 136), {"conv_mma"}, short_type);
      expect_taken(product_case(posts, type, {3, 40}, 31), {"conv_mma", "skinny"}, short_type);
    }
}

// Joins and activations anywhere among each other, of which those with one activation are the short form.
TEST(CudaEpilogueProgram, RandomJoins) {
  std::minstd_rand random(11);
  const char* const joins[] = {"Add", "Mul", "Sub", "Min", "Max"};
  const char* const activations[] = {"Relu", "Swish", "HardSwish", "Tanh", "Gelu", "LeakyRelu", "Sigmoid"};
  for (int i = 0; i < 60; ++i) {
    const int two = random() % 4 != 0 ? 1 : 0;
    const auto place = random() % 4;
    Posts posts;
    for (unsigned k = 0; k < 3; ++k) {
      if (k == place) posts.push_back(post(activations[random() % std::size(activations)], {-1}));
      if (k > static_cast<unsigned>(two)) continue;
      const int tensor = k == 0 ? kTensor : kSecond;
      const bool right = random() % 2 == 0;
      posts.push_back(post(joins[random() % std::size(joins)],
                           right ? std::vector<int>{-1, tensor} : std::vector<int>{tensor, -1}));
    }
    const DType type = kFloats[i % 3];
    const auto columns = static_cast<int64_t>(1 + random() % 130), rows = static_cast<int64_t>(1 + random() % 150);
    NodeCase c = i % 2 == 0 ? product_case(posts, type, {rows, 136}, columns)
                            : image_case(posts, type, {2, 72, 5, 1 + rows % 9}, {columns, 72, 3, 3}, kSame3x3);
    c.tolerance = type == DType::kF32 ? 1e-4 : type == DType::kF16 ? 5e-3 : 3e-2;
    EXPECT_TRUE(check(compacted(std::move(c))).count("conv_mma"));
  }
}

TEST(CudaEpilogueProgram, StepsThatJump) {
  const auto whole = [](DType type, const Dims& dims, int64_t most) {
    Tensor t = Tensor::allocate(type, dims);
    for (int64_t i = 0; i < t.size(); ++i) t.set(i, static_cast<double>(i * 7 % (2 * most + 1) - most));
    return t;
  };
  for (DType type : kFloats)
    for (const Posts& posts : exact_posts()) {
      NodeCase c = compacted(product_case(posts, type, {9, 16}, 40));
      for (auto* list : {&c.inputs, &c.extra})
        for (Operand& o : *list) o.value = whole(type, o.dims, 2);
      EXPECT_TRUE(check(c).count("conv_mma"));
    }
}

TEST(CudaEpilogueProgram, RandomChains) {
  std::minstd_rand random(7);
  std::vector<ir::PostOp> menu;
  for (const Posts& posts : smooth_posts())
    for (const ir::PostOp& p : posts)
      if (p.op->name() != "Log") menu.push_back(p);  // of negative numbers
  for (int i = 0; i < 40; ++i) {
    Posts posts{post("Mish", {-1})};
    const auto count = random() % 4;
    for (size_t k = 0; k <= count; ++k) {
      const ir::PostOp& p = menu[random() % menu.size()];
      if (p.op->name() == "Sqrt") posts.push_back(post("Abs", {-1}));
      if (p.op->name() == "Exp") posts.push_back(post("Tanh", {-1}));
      posts.push_back(p);
    }
    const DType type = kFloats[i % 3];
    const auto columns = static_cast<int64_t>(1 + random() % 130), rows = static_cast<int64_t>(1 + random() % 70);
    NodeCase c = i % 2 == 0 ? product_case(posts, type, {rows, 64}, columns)
                            : image_case(posts, type, {2, 16, 5, 1 + rows % 9}, {columns, 16, 3, 3}, kSame3x3);
    c.tolerance = type == DType::kF32 ? 1e-4 : 5e-2;
    check(compacted(std::move(c)));
  }
}

TEST(CudaEpilogueProgram, WhatIsNotFiniteStaysSo) {
  auto all = smooth_posts();
  for (Posts& posts : posts_of_two_tensors()) all.push_back(std::move(posts));
  for (DType type : kFloats)
    for (const Posts& posts : all) {
      NodeCase c = product_case(posts, type, {17, 16}, 24);
      Tensor x = random_tensor(type, c.inputs[0].dims, 3);
      x.set(3, static_cast<double>(kNan));
      x.set(16 * 5, static_cast<double>(kInf));
      c.inputs[0].value = x;
      for (const auto& [extra, seed] : {std::pair(kTensor, 4), std::pair(kSecond, 5)}) {
        Tensor t = random_tensor(type, c.extra[extra].dims, static_cast<unsigned>(seed));
        t.set(24 + seed, static_cast<double>(kNan));
        t.set(24 * 9 + seed, static_cast<double>(-kInf));
        t.set(24 * 5 + seed, 0.0);  // of infinity
        c.extra[extra].value = t;
      }
      expect_taken(std::move(c), {"conv_mma"}, type != DType::kF32);
    }
}

TEST(CudaEpilogueProgram, NoResults) {
  check(compacted(product_case(smooth_posts()[3], DType::kF16, {0, 64}, 32)));
  check(compacted(image_case(smooth_posts()[4], DType::kF16, {0, 64, 6, 6}, {64, 64, 3, 3}, kSame3x3)));
  check(compacted(product_case(posts_of_two_tensors()[0], DType::kF16, {0, 64}, 32)));
}

std::string reason_of(NodeCase c) { return refusal(compacted(std::move(c)), "conv_mma"); }

TEST(CudaEpilogueProgram, RefusesWithAReason) {
  const auto product = [](Posts posts) { return product_case(std::move(posts), DType::kF16, {8, 64}, 32); };
  const auto expect = [](const NodeCase& c, const char* text) {
    const std::string reason = reason_of(c);
    EXPECT_NE(reason.find(text), std::string::npos) << reason;
  };
  expect(product({post("Relu", {-1}), post("Sin", {-1})}), "Sin{} is no program");
  const Attributes shrink{{"lambd", 0.5}, {"bias", 0.5}};
  expect(product({post("Shrink", {-1}, shrink)}), "is no program");  // too many values live at once
  expect(product(Posts(17, post("Mish", {-1}))), "more than 16 steps");
  NodeCase c = product({post("Mul", {-1, kTensor}), post("Mul", {-1, kSecond}), post("Mul", {-1, kRow})});
  c.extra[kRow] = plain({8, 32}, DType::kF16);
  expect(c, "do not read");  // a third tensor
  c = product({post("Relu", {-1}), post("Mul", {-1, kRow})});
  c.extra[kRow].constant = false;
  expect(c, "do not read");
  c.extra[kRow] = plain({8, 1}, DType::kF16);
  expect(c, "do not read");
  Posts many = {post("Mish", {-1}), post("Mul", {-1, kRow}), post("Add", {-1, kOther}), post("Mul", {-1, kTensor})};
  c = product(many);
  c.extra[kTensor] = constant({32}, DType::kF16);
  EXPECT_EQ(reason_of(c), "");
  c.inputs[1].constant = false;
  expect(c, "not constant");
  Attributes groups = kSame3x3;
  groups.set("group", int64_t{2});
  expect(image_case(many, DType::kF16, {1, 64, 6, 6}, {64, 32, 3, 3}, groups), "groups");
  expect(image_case(many, DType::kF16, {1, 3, 6, 6}, {64, 3, 3, 3}, kSame3x3), "few channels");
  const int64_t rows = int64_t{target_chip().multiprocessors} * 4096;
  expect(product_case(many, DType::kF16, {rows, 8}, 8), "longer than a kernel of their own");
  // Tensors that are joined come early: that pays longer.
  const int64_t most = int64_t{target_chip().multiprocessors} * 3072 / 8;
  const Posts joins = {post("Add", {-1, kTensor}), post("Relu", {-1}), post("Mul", {-1, kSecond})};
  EXPECT_EQ(reason_of(product_case(joins, DType::kF16, {most, 8}, 8)), "");
  expect(product_case(joins, DType::kF16, {most + 1, 8}, 8), "longer than a kernel of their own");
  expect(product_case(joins, DType::kF32, {most, 8}, 8), "longer than a kernel of their own");
  const int64_t lines = target_chip().multiprocessors, across = 6144 / 8;
  EXPECT_EQ(reason_of(image_case(joins, DType::kF16, {1, 8, lines, across}, {8, 8, 1, 1}, {})), "");
  expect(image_case(joins, DType::kF16, {1, 8, lines + 1, across}, {8, 8, 1, 1}, {}),
         "longer than a kernel of their own");
  c = compacted(product(many));
  for (const char* other : {"conv_stream", "product_any"}) EXPECT_NE(refusal(c, other), "") << other;
}

TEST(CudaEpilogueProgram, Windows) {
  auto all = smooth_posts();
  for (Posts& posts : posts_of_two_tensors()) all.push_back(std::move(posts));
  for (DType type : {DType::kF16, DType::kBF16})
    for (const Posts& posts : all) {
      expect_taken(image_case(posts, type, {1, 64, 12, 9}, {40, 64, 3, 3}, kSame3x3), {"conv_window"}, true);
      const Attributes same5x5{{"pads", Ints{2, 2, 2, 2}}};
      expect_taken(image_case(posts, type, {2, 136, 7, 7}, {33, 136, 5, 5}, same5x5), {"conv_window"}, true);
    }
}

// A plan's bytes are not trusted: each change of the program is told before anything runs.
TEST(CudaEpilogueProgram, ChangedProgramsAreRefused) {
  const BuiltNode node(compacted(product_case({post("Selu", {-1}), post("Mul", {-1, kRow}), post("Add", {-1, kTensor})},
                                              DType::kF16, {8, 64}, 32)));
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->name != "conv_mma" && tactic->name != "skinny" && tactic->name != "product_wgmma") continue;
    ASSERT_EQ(tactic->refusal(node.problem()).reason, "") << tactic->name;
    Emitted e =
        tactic->emit(node.problem(), tactic->configurations ? tactic->configurations(node.problem()).at(0) : Config());
    ASSERT_TRUE(prepare_without_gpu(node, e, 90).ok());
    Tensor& program = e.constants.at(static_cast<size_t>(Emitted::constant_of(e.inputs.at(4))));
    const Tensor good = program;
    const auto refused = [&](size_t at, uint32_t value, size_t bytes) {
      program = good.clone();
      std::memcpy(static_cast<std::byte*>(program.mutable_data()) + at, &value, bytes);
      EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok()) << tactic->name << " byte " << at << ": " << value;
    };
    for (uint32_t steps : {0u, 1u, kMostEpilogueSteps + 1u, UINT32_MAX})
      refused(offsetof(EpilogueProgram, steps), steps, 4);
    for (uint32_t vectors : {0u, 2u, kMostColumnVectors + 1u, UINT32_MAX})
      refused(offsetof(EpilogueProgram, vectors), vectors, 4);
    refused(offsetof(EpilogueProgram, columns), 31, 4);
    constexpr size_t kFirst = sizeof(EpilogueProgram);
    refused(kFirst + offsetof(EpilogueStep, op), kEpilogueOpCount, 1);
    refused(kFirst + offsetof(EpilogueStep, operand), kEpilogueOperandCount, 1);
    refused(kFirst + offsetof(EpilogueStep, operand), kFirstKept, 1);       // nothing is kept yet
    refused(kFirst + offsetof(EpilogueStep, operand), kSecondResidual, 1);  // is not there
    refused(kFirst + offsetof(EpilogueStep, other), kResidual, 1);
    refused(kFirst + offsetof(EpilogueStep, keeps), kKeptValues + 1, 1);
    refused(kFirst + offsetof(EpilogueStep, activation), kActivationCount, 1);
    program = Tensor::allocate(DType::kU8, {good.size() - 1});
    EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok());
    program = Tensor::allocate(DType::kF32, {good.size()});
    EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok());
    program = good;
    e.inputs[4] = 0;  // one that is not constant
    EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok());
    e.inputs[4] = Emitted::kAbsent;
    EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok());
  }
}

TEST(CudaEpilogueProgram, ChangedTensorsAreRefused) {
  const BuiltNode node(
      compacted(product_case({post("Mul", {-1, kTensor}), post("Add", {-1, kSecond})}, DType::kF16, {8, 64}, 32)));
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->name != "conv_mma" && tactic->name != "skinny" && tactic->name != "product_wgmma" &&
        tactic->name != "cublaslt")
      continue;
    if (!tactic->refusal(node.problem()).reason.empty()) continue;  // a library that is not there
    const Emitted good =
        tactic->emit(node.problem(), tactic->configurations ? tactic->configurations(node.problem()).at(0) : Config());
    ASSERT_TRUE(prepare_without_gpu(node, good, 90).ok());
    const auto refused = [&](auto change) {
      Emitted e = good;
      change(e);
      EXPECT_FALSE(prepare_without_gpu(node, e, 90).ok()) << tactic->name;
    };
    refused([](Emitted& e) { e.inputs.pop_back(); });
    refused([](Emitted& e) { e.inputs.back() = Emitted::kAbsent; });
    refused([](Emitted& e) { e.inputs.back() = 0; });  // of another shape
    refused([](Emitted& e) { e.inputs.push_back(e.inputs.back()); });
    refused([](Emitted& e) { e.inputs[3] = Emitted::kAbsent; });
  }
}

}  // namespace
}  // namespace kiln::cuda::testing
