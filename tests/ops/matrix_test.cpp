// Gemm, Einsum, Det.
#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

TEST(Gemm, Forms) {
  const Tensor a = f32({2, 3}, {1, 2, 3, 4, 5, 6}), b = f32({3, 2}, {1, 0, 0, 1, 1, 1}),
               at = f32({3, 2}, {1, 4, 2, 5, 3, 6}), bt = f32({2, 3}, {1, 0, 1, 0, 1, 1});
  expect_values(run("Gemm", {}, {a, b})[0], {2, 2}, {4, 5, 10, 11});
  expect_values(run("Gemm", {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5}, {"beta", 2.0}},
                    {at, bt, f32({2, 1}, {1, 2})})[0],
                {2, 2}, {4, 4.5, 9, 9.5});
  const Tensor big = run("Gemm", {},
                         {Tensor::of<int64_t>({1, 1}, {(int64_t{1} << 60) + 1}), Tensor::of<int64_t>({1, 1}, {3}),
                          Tensor::of<int64_t>({}, {1})})[0];
  EXPECT_EQ(big.int_at(0), ((int64_t{1} << 60) + 1) * 3 + 1);
  EXPECT_EQ(run("Gemm", {}, {f32({0, 3}, {}), b})[0].dims(), (Dims{0, 2}));
  expect_values(run("Gemm", {}, {f32({1, 0}, {}), f32({0, 2}, {}), f32({2}, {7, 8})})[0], {1, 2}, {7, 8});
  EXPECT_EQ(shapes("Gemm", {{"transB", int64_t{1}}}, {{{"n", "k"}}, {{"5", "k"}}, {{"5"}}}), Strs{"float32[n,5]"});
  EXPECT_THROW(shapes("Gemm", {}, {{{"2", "3"}}, {{"2", "3"}}}), Error);
  EXPECT_THROW(shapes("Gemm", {}, {{{"2", "3"}}, {{"3", "4"}}, {{"3"}}}), Error);
}

TEST(Einsum, Forms) {
  const Tensor m = f32({2, 2}, {1, 2, 3, 4}), v = f32({2}, {10, 100});
  const auto einsum = [](const char* equation, const std::vector<Tensor>& in) {
    return run("Einsum", {{"equation", std::string(equation)}}, in)[0];
  };
  expect_values(einsum("ij->ji", {m}), {2, 2}, {1, 3, 2, 4});
  expect_values(einsum("ii", {m}), {}, {5});
  expect_values(einsum("ii->i", {m}), {2}, {1, 4});
  expect_values(einsum("ij, j -> i", {m, v}), {2}, {210, 430});
  expect_values(einsum("ij,jk", {m, m}), {2, 2}, {7, 10, 15, 22});
  expect_values(einsum("...j,j->...", {m, v}), {2}, {210, 430});
  expect_values(einsum("...,...->...", {m, v}), {2, 2}, {10, 200, 30, 400});
  expect_values(einsum("i,j,ij->", {v, v, m}), {}, {100 + 2000 + 3000 + 40000});
  expect_values(einsum("ij->i", {f32({2, 0}, {})}), {2}, {0, 0});
  // Three and more factors: sizes of 1 are repeated, diagonals, labels that only one of them has.
  expect_values(einsum("ij,jk,k->ik", {f32({1, 1}, {2}), m, v}), {1, 2}, {2 * 10 * 4, 2 * 100 * 6});
  expect_values(einsum("ii,kk,i->k", {f32({1, 2}, {3, 5}), m, v}), {2}, {530, 2120});
  expect_values(einsum("ij,k,l->", {m, v, v}), {}, {10 * 110 * 110});
  expect_values(einsum("ij,k,l->", {f32({0, 2}, {}), v, v}), {}, {0});
  const Tensor ones = f32({40, 40}, std::vector<float>(1600, 1));
  expect_values(einsum("ab,cd,ef,gh->", {ones, ones, ones, ones}), {}, {6553600000000.0});  // 40^8 rounds
  expect_values(einsum("ab,bc,cd,de,ef->", {ones, ones, ones, ones, ones}), {}, {4096000000.0});
  EXPECT_EQ(shapes("Einsum", {{"equation", std::string("bhqd,bhkd->bhqk")}},
                   {{{"b", "12", "q", "64"}}, {{"b", "12", "k", "64"}}}),
            Strs{"float32[b,12,q,k]"});
  for (const char* wrong : {"ij->k", "ijk->i", "ij,jk->ik", "i1->i", "ij->ii"})
    EXPECT_THROW(einsum(wrong, {m}), Error) << wrong;
  EXPECT_EQ(einsum("i,i", {Tensor::of<int8_t>({2}, {100, 1}), Tensor::of<int8_t>({2}, {1, 27})}).int_at(0), 127);
}

TEST(Det, Values) {
  expect_values(run("Det", {}, {f32({2, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0})})[0], {2}, {-2, -1});
  expect_values(run("Det", {}, {f32({2, 2}, {1, 2, 2, 4})})[0], {}, {0});
  EXPECT_THROW(shapes("Det", {}, {{{"2", "3"}}}), Error);
}

}  // namespace
}  // namespace kiln::nn_testing
