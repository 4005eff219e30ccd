// Operators of NVIDIA GPUs that take elements by index, pad, or work along one axis.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kMoved[] = {DType::kU8, DType::kF16, DType::kF32, DType::kI64, DType::kC64, DType::kC128};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

Operand numbers(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }
Operand integers(Dims dims, std::vector<int64_t> values, bool constant = false) {
  Tensor t = Tensor::of<int64_t>(dims, values);
  return {.dims = std::move(dims), .type = DType::kI64, .constant = constant, .value = t};
}
// As many indices as the dims hold, from both ends of an axis.
Operand places(Dims dims, int64_t extent, DType type = DType::kI64) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, i * 7 % extent - (i % 3 == 0 ? extent : 0));
  return {.dims = std::move(dims), .type = type, .value = t};
}
// Such that no two along an axis are equal.
Operand distinct(Dims dims, size_t axis, int64_t extent) {
  Tensor t = Tensor::allocate(DType::kI64, dims);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, (i / inner % dims[axis] + i) % extent);
  return {.dims = std::move(dims), .type = DType::kI64, .value = t};
}
const std::set<std::string> kIndexed{"indexed"};

TEST(CudaIndexed, GatherElements) {
  for (DType type : kMoved)
    for (int64_t axis : {0, 1, -1})
      for (DType index : {DType::kI32, DType::kI64}) {
        const Dims dims{3, 5, 7}, taken{3, 4, 2};
        const int64_t extent = dims[static_cast<size_t>(axis < 0 ? 2 : axis)];
        EXPECT_EQ(check({.op = "GatherElements",
                         .attributes = {{"axis", axis}},
                         .inputs = {numbers(dims, type), places(taken, extent, index)}}),
                  kIndexed);
      }
  check({.op = "GatherElements", .inputs = {numbers({3, 5}, DType::kF32), places({0, 5}, 3)}});
}

TEST(CudaIndexed, GatherNd) {
  for (DType type : kMoved) {
    EXPECT_EQ(check({.op = "GatherND", .inputs = {numbers({3, 3, 7}, type), places({4, 2}, 3)}}), kIndexed);
    check({.op = "GatherND", .inputs = {numbers({4, 5}, type), places({2, 3, 1}, 4)}});
    check({.op = "GatherND",
           .attributes = {{"batch_dims", int64_t{1}}},
           .inputs = {numbers({2, 4, 4}, type), places({2, 3, 2}, 4)}});
  }
}

TEST(CudaIndexed, ScatterElements) {
  for (DType type : kMoved)
    check({.op = "ScatterElements",
           .attributes = {{"axis", int64_t{1}}},
           .inputs = {numbers({2, 9, 3}, type), distinct({2, 4, 3}, 1, 9), numbers({2, 4, 3}, type)}});
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kI32, DType::kI64, DType::kF64})
    for (const char* reduction : {"add", "mul", "max", "min"})
      EXPECT_EQ(check({.op = "ScatterElements",
                       .attributes = {{"axis", int64_t{-1}}, {"reduction", std::string(reduction)}},
                       .inputs = {numbers({2, 5, 4}, type), places({2, 5, 9}, 4), numbers({2, 5, 9}, type)}}),
                kIndexed)
          << reduction;
}

TEST(CudaIndexed, ScatterNd) {
  for (DType type : kMoved)
    check({.op = "ScatterND",
           .inputs = {numbers({6, 5, 3}, type), integers({2, 2, 2}, {0, 1, -1, 4, 2, 2, 3, 0}),
                      numbers({2, 2, 3}, type)}});
  for (DType type : {DType::kF32, DType::kF16, DType::kI64})
    for (const char* reduction : {"add", "mul", "max", "min"})
      EXPECT_EQ(check({.op = "ScatterND",
                       .attributes = {{"reduction", std::string(reduction)}},
                       .inputs = {numbers({4, 30}, type), places({9, 1}, 4), numbers({9, 30}, type)}}),
                kIndexed);
}

TEST(CudaIndexed, RefusesWithAReason) {
  NodeCase c{.op = "ScatterND",
             .attributes = {{"reduction", std::string("add")}},
             .inputs = {numbers({4}, DType::kU8), places({2, 1}, 4), numbers({2}, DType::kU8)}};
  EXPECT_EQ(refusal(c, "indexed"), "it does not combine uint8");
  c.attributes.set("reduction", std::string("none"));
  EXPECT_EQ(refusal(c, "indexed"), "");
}

TEST(CudaPad, ModesTypesAndLayouts) {
  for (DType type : kMoved)
    for (const char* mode : {"constant", "edge", "reflect", "wrap"})
      for (const std::vector<int64_t>& pads :
           {std::vector<int64_t>{0, 0, 1, 2, 0, 0, 2, 3}, std::vector<int64_t>{1, 0, -1, 2, 0, 2, 0, -2}}) {
        NodeCase c{.op = "Pad",
                   .attributes = {{"mode", std::string(mode)}},
                   .inputs = {numbers({2, 3, 4, 5}, type), integers({8}, pads, true)}};
        if (std::string(mode) == "constant") c.inputs.push_back(numbers({}, type));
        EXPECT_EQ(check(c), std::set<std::string>{"pad"}) << mode;
        c.inputs[0].layout = c.output_layout = Layout::channels_last(4);
        check(c);
      }
  check({.op = "Pad", .inputs = {numbers({0, 3}, DType::kF32), integers({4}, {1, 1, 1, 1}, true)}});
}

TEST(CudaLines, RunningSums) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32, DType::kI64})
    for (int64_t axis : {0, 1, 2})
      for (int64_t flags = 0; flags < 4; ++flags)
        EXPECT_EQ(check({.op = "CumSum",
                         .attributes = {{"exclusive", flags & 1}, {"reverse", flags >> 1}},
                         .inputs = {numbers({3, 5, 70}, type), integers({}, {axis}, true)},
                         .tolerance = type == DType::kF32 ? 2e-5 : 0}),
                  std::set<std::string>{"cumulative"});
  check({.op = "CumProd", .inputs = {numbers({4, 33}, DType::kF32), integers({}, {-1}, true)}});
  check({.op = "CumSum", .inputs = {numbers({4, 0}, DType::kF32), integers({}, {1}, true)}});
}

// Along an axis that only running tells.
TEST(CudaLines, RunningSumsAlongALateAxis) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32, DType::kI64})
    for (DType index : {DType::kI32, DType::kI64})
      for (int64_t axis : {0, 1, 2, -1, -3})
        for (int64_t flags = 0; flags < 4; ++flags)
          for (const char* op : {"CumSum", "CumProd"}) {
            Tensor place = Tensor::allocate(index, {});
            place.set_int(0, axis);
            const NodeCase c{.op = op,
                             .attributes = {{"exclusive", flags & 1}, {"reverse", flags >> 1}},
                             .inputs = {numbers({3, 5, 70}, type), {.dims = {}, .type = index, .value = place}},
                             .tolerance = type == DType::kF64   ? 1e-13
                                          : type == DType::kF32 ? 2e-5
                                                                : 0};
            EXPECT_EQ(check(c), std::set<std::string>{"cumulative_late"});
          }
  for (const Dims& dims : {Dims{7}, Dims{4, 0}, Dims{0, 4}, Dims{1, 1, 1}})
    EXPECT_EQ(check({.op = "CumSum", .inputs = {numbers(dims, DType::kF32), integers({}, {0})}}),
              std::set<std::string>{"cumulative_late"});
  EXPECT_EQ(
      refusal({.op = "CumSum", .inputs = {numbers({4}, DType::kF32), integers({}, {0}, true)}}, "cumulative_late"),
      "the axis is known");
}

Operand tied(DType type) {  // equal elements, and what is no number
  Tensor t = Tensor::of<float>({2, 6, 3}, std::vector<float>(36, 1)).cast(type);
  const float values[] = {-0.0f, 0.0f, kInf, -kInf, 2, 2, kNan, 3};
  for (int64_t i = 0; i < 8; ++i)
    if (is_float(type) || (values[i] == values[i] && values[i] * 0 == 0)) t.set(i * 4, static_cast<double>(values[i]));
  return {.dims = {2, 6, 3}, .type = type, .value = t};
}

TEST(CudaLines, PlacesOfExtremes) {
  for (DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI8, DType::kU8, DType::kI32, DType::kI64})
    for (const char* op : {"ArgMax", "ArgMin"})
      for (int64_t axis : {0, 1, 2})
        for (int64_t last : {0, 1}) {
          NodeCase c{.op = op, .attributes = {{"axis", axis}, {"select_last_index", last}}, .inputs = {tied(type)}};
          EXPECT_EQ(check(c), std::set<std::string>{"arg_extreme"});
          c.inputs = {numbers({3, 4, 100}, type)};
          c.attributes.set("keepdims", int64_t{0});
          check(c);
        }
}

TEST(CudaLines, OnesAtTheLargest) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    for (int64_t axis : {0, 1, 2}) {
      NodeCase c{.op = "Hardmax", .attributes = {{"axis", axis}}, .inputs = {tied(type)}};
      EXPECT_EQ(check(c), std::set<std::string>{"hardmax"});
      c.inputs = {numbers({3, 4, 100}, type)};
      EXPECT_EQ(check(c), std::set<std::string>{"hardmax"});
    }
    for (const Dims& dims : {Dims{1}, Dims{5, 0}, Dims{0, 5}, Dims{7, 1025}})
      EXPECT_EQ(check({.op = "Hardmax", .inputs = {numbers(dims, type)}}), std::set<std::string>{"hardmax"});
  }
}

TEST(CudaLines, FirstInOrder) {
  for (DType type : {DType::kF32, DType::kF16, DType::kI8, DType::kI64})
    for (int64_t largest : {0, 1})
      for (int64_t axis : {0, 1, 2}) {
        NodeCase c{.op = "TopK",
                   .attributes = {{"axis", axis}, {"largest", largest}},
                   .inputs = {tied(type), integers({1}, {2}, true)},
                   .outputs = 2};
        EXPECT_EQ(check(c), std::set<std::string>{"top_k"});
      }
  for (int64_t n : {1, 100, 1000, 4096})
    check({.op = "TopK",
           .inputs = {numbers({3, n}, DType::kF32), integers({1}, {std::min<int64_t>(n, 9)}, true)},
           .outputs = 2});
}

// Runs that are sorted and joined: by sorting again where few are wanted, by merging where many are.
TEST(CudaLines, FirstOfLongLines) {
  const auto top = [](const Dims& dims, DType type, int64_t axis, int64_t k, int64_t largest) {
    return NodeCase{.op = "TopK",
                    .attributes = {{"axis", axis}, {"largest", largest}},
                    .inputs = {numbers(dims, type), integers({1}, {k}, true)},
                    .outputs = 2};
  };
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI8, DType::kU8, DType::kI32,
                     DType::kI64, DType::kU64})
    for (int64_t k : {1, 7, 2000, 2500, 4097, 9001})
      EXPECT_EQ(check(top({2, 9001}, type, 1, k, k % 2)), std::set<std::string>{"top_k"}) << k;
  for (int64_t n : {4097, 8192, 8193, 70000})
    for (int64_t k : {int64_t{0}, int64_t{1}, int64_t{3000}, n - 1, n}) check(top({n}, DType::kF32, 0, k, 1));
  check(top({2, 5000, 3}, DType::kF32, 1, 5000, 0));
  check(top({2, 5000, 3}, DType::kF64, 1, 70, 1));
  check(top({0, 5000}, DType::kF32, 1, 70, 1));
  NodeCase ties = top({20000}, DType::kF32, 0, 20000, 1);
  Tensor x = Tensor::allocate(DType::kF32, {20000});
  const float values[] = {-0.0f, 0.0f, kInf, -kInf, 2, 2, kNan, 3};
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, static_cast<double>(values[i * i % 8]));
  ties.inputs[0].value = x;
  check(ties);
  ties.attributes.set("largest", int64_t{0});
  check(ties);
}

// Many blocks share a line.
TEST(CudaLines, LongLines) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32, DType::kI64})
    for (const Dims& dims : {Dims{70001}, Dims{3, 20000}, Dims{30000, 2}, Dims{2, 9000, 40}}) {
      const auto axis = static_cast<int64_t>(dims.size() > 1 && dims[0] < 10 ? 1 : 0);
      for (const char* op : {"ArgMax", "ArgMin"})
        for (int64_t last : {0, 1})
          EXPECT_EQ(check({.op = op,
                           .attributes = {{"axis", axis}, {"select_last_index", last}},
                           .inputs = {numbers(dims, type)}}),
                    std::set<std::string>{"arg_extreme"});
      if (is_float(type)) {
        EXPECT_EQ(check({.op = "Hardmax", .attributes = {{"axis", axis}}, .inputs = {numbers(dims, type)}}),
                  std::set<std::string>{"hardmax"});
      }
      for (int64_t flags = 0; flags < 4; ++flags)
        EXPECT_EQ(check({.op = "CumSum",
                         .attributes = {{"exclusive", flags & 1}, {"reverse", flags >> 1}},
                         .inputs = {numbers(dims, type), integers({}, {axis}, true)},
                         .tolerance = type == DType::kF32 ? 2e-4 : 0}),
                  std::set<std::string>{"cumulative"});
    }
}

}  // namespace
}  // namespace kiln::cuda::testing
