// RNN, GRU, LSTM, Attention, RotaryEmbedding.
#include <limits>

#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Rnn, DirectionsLengthsAndLayout) {
  const Tensor x = f32({3, 2, 1}, {1, 10, 2, 20, 3, 30}), one = f32({1, 1, 1}, {1}),
               lens = Tensor::of<int32_t>({2}, {3, 2});
  const Attributes sum = {{"activations", Strings{"Affine"}}};  // h = x + h
  auto y = run("RNN", sum, {x, one, one, Tensor(), lens}, 2);
  expect_values(y[0], {3, 1, 2, 1}, {1, 10, 3, 30, 6, 0});
  expect_values(y[1], {1, 2, 1}, {6, 30});
  Attributes reverse = sum;
  reverse.set("direction", std::string("reverse"));
  y = run("RNN", reverse, {x, one, one, Tensor(), lens}, 2);
  expect_values(y[0], {3, 1, 2, 1}, {6, 30, 5, 20, 3, 0});
  const Attributes both = {{"activations", Strings{"affine", "Relu"}},
                           {"activation_alpha", Floats{2}},
                           {"activation_beta", Floats{1}},
                           {"direction", std::string("bidirectional")},
                           {"layout", int64_t{1}}};
  const Tensor two = f32({2, 1, 1}, {1, 1}), zero = f32({2, 1, 1}, {0, 0});
  y = run("RNN", both, {f32({1, 2, 1}, {1, -2}), two, zero}, 2);
  expect_values(y[0], {1, 2, 2, 1}, {3, 1, -3, 0});
  expect_values(y[1], {1, 2, 1}, {-3, 1});
  expect_values(run("RNN", {{"activations", Strings{"Affine"}}, {"clip", 1.5}},
                    {f32({1, 1, 1}, {7}), one, one, f32({1, 2}, {1, 1})})[0],
                {1, 1, 1, 1}, {1.5});
  EXPECT_THROW(run("RNN", {{"activations", Strings{"Cosine"}}}, {x, one, one}), Error);
  EXPECT_THROW(run("RNN", sum, {x, one, one, Tensor(), Tensor::of<int32_t>({2}, {3, 4})}), Error);
}

TEST(Lstm, Equations) {
  const Tensor x = f32({1, 1, 1}, {0.5}), w = f32({1, 4, 1}, {1, 2, 3, 4}),
               r = f32({1, 4, 1}, {0.1f, 0.2f, 0.3f, 0.4f});
  const Tensor b = f32({1, 8}, {0.1f, 0.2f, 0.3f, 0.4f, 0, 0, 0, 1}), h = f32({1, 1, 1}, {2}), c = f32({1, 1, 1}, {3}),
               p = f32({1, 3}, {0.5f, 0.25f, 0.125f});
  const double i = sigmoid(0.5 + 0.2 + 0.1 + 1.5), f = sigmoid(1.5 + 0.6 + 0.3 + 0.375),
               g = std::tanh(2 + 0.8 + 0.4 + 1), cell = f * 3 + i * g;
  const double o = sigmoid(1 + 0.4 + 0.2 + 0.25 * cell);
  auto y = run("LSTM", {}, {x, w, r, b, Tensor(), h, c, p}, 3);
  expect_values(y[0], {1, 1, 1, 1}, {o * std::tanh(cell)});
  expect_values(y[1], {1, 1, 1}, {o * std::tanh(cell)});
  expect_values(y[2], {1, 1, 1}, {cell});
  y = run("LSTM", {{"input_forget", int64_t{1}}}, {x, w, r, b, Tensor(), h, c, p}, 3);
  expect_values(y[2], {1, 1, 1}, {(1 - i) * 3 + i * g});
  // Peepholes that are absent add nothing, whatever the cell is.
  const float infinite = std::numeric_limits<float>::infinity();
  y = run("LSTM", {}, {x, w, r, b, Tensor(), h, f32({1, 1, 1}, {infinite})}, 3);
  expect_values(y[1], {1, 1, 1}, {sigmoid(1 + 0.4 + 0.2)});
  EXPECT_EQ(y[2].at(0), infinite);
  EXPECT_EQ(shapes("LSTM", {{"direction", std::string("bidirectional")}},
                   {{{"s", "n", "8"}}, {{"2", "20", "8"}}, {{"2", "20", "5"}}}, 3),
            (Strs{"float32[s,2,n,5]", "float32[2,n,5]", "float32[2,n,5]"}));
  EXPECT_THROW(shapes("LSTM", {}, {{{"s", "n", "8"}}, {{"1", "20", "7"}}, {{"1", "20", "5"}}}), Error);
}

TEST(Gru, LinearBeforeResetDiffersByTheBias) {
  const Tensor x = f32({1, 1, 1}, {0.5}), w = f32({1, 3, 1}, {1, 2, 3}), r = f32({1, 3, 1}, {0.1f, 0.2f, 0.3f}),
               b = f32({1, 6}, {0, 0, 0, 0, 0, 0.7f}), h = f32({1, 1, 1}, {2});
  const double z = sigmoid(0.7), reset = sigmoid(1.4);
  const double after = std::tanh(1.5 + 0.3 * reset * 2 + 0.7), before = std::tanh(1.5 + reset * (0.6 + 0.7));
  expect_values(run("GRU", {}, {x, w, r, b, Tensor(), h})[0], {1, 1, 1, 1}, {(1 - z) * after + z * 2});
  expect_values(run("GRU", {{"linear_before_reset", int64_t{1}}}, {x, w, r, b, Tensor(), h})[0], {1, 1, 1, 1},
                {(1 - z) * before + z * 2});
}

TEST(Attention, MasksAndCausality) {
  const Tensor q = f32({1, 1, 2, 1}, {0, 0}), v = f32({1, 1, 2, 1}, {2, 4});  // equal scores: a mean of what is seen
  expect_values(run("Attention", {}, {q, q, v})[0], {1, 1, 2, 1}, {3, 3});
  expect_values(run("Attention", {{"is_causal", int64_t{1}}}, {q, q, v})[0], {1, 1, 2, 1}, {2, 3});
  expect_values(run("Attention", {}, {q, q, v, Tensor::of<bool>({2, 2}, {false, true, true, true})})[0], {1, 1, 2, 1},
                {4, 3});
  expect_values(run("Attention", {}, {q, q, v, f32({2, 2}, {0, std::log(3.0f), 0, 0})})[0], {1, 1, 2, 1}, {3.5, 3});
  expect_values(run("Attention", {}, {q, q, v, Tensor(), Tensor(), Tensor(), Tensor::of<int64_t>({1}, {1})})[0],
                {1, 1, 2, 1}, {2, 2});
  expect_values(run("Attention", {}, {q, q, v, Tensor::of<bool>({2, 1}, {true, true})})[0], {1, 1, 2, 1}, {2, 2});
}

TEST(Attention, CacheGroupsAndModes) {
  const Tensor q = f32({1, 2, 1, 1}, {0, 1}), k = f32({1, 1, 1, 1}, {2}), v = f32({1, 1, 1, 1}, {8}),
               pk = f32({1, 1, 1, 1}, {0}), pv = f32({1, 1, 1, 1}, {4});
  for (int64_t mode : {0, 1, 2, 3}) {
    const auto y = run("Attention", {{"softcap", 1.0}, {"qk_matmul_output_mode", mode}, {"is_causal", int64_t{1}}},
                       {q, k, v, Tensor(), pk, pv}, 4);
    const double capped = std::tanh(2.0), share = std::exp(capped) / (1 + std::exp(capped));
    expect_values(y[0], {1, 2, 1, 1}, {6, 4 * (1 - share) + 8 * share});
    expect_values(y[1], {1, 1, 2, 1}, {0, 2});
    expect_values(y[2], {1, 1, 2, 1}, {4, 8});
    if (mode == 0) expect_values(y[3], {1, 2, 1, 2}, {0, 0, 0, 2});
    if (mode == 1 || mode == 2) expect_values(y[3], {1, 2, 1, 2}, {0, 0, 0, capped});
    if (mode == 3) expect_values(y[3], {1, 2, 1, 2}, {0.5, 0.5, 1 - share, share});
  }
  EXPECT_EQ(shapes("Attention", {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}},
                   {{{"b", "s", "32"}}, {{"b", "t", "16"}}, {{"b", "t", "12"}}}),
            Strs{"float32[b,s,24]"});
  EXPECT_THROW(shapes("Attention", {}, {{{"b", "s", "32"}}, {{"b", "t", "16"}}, {{"b", "t", "12"}}}), Error);
  EXPECT_THROW(shapes("Attention", {}, {{{"1", "3", "2", "8"}}, {{"1", "2", "2", "8"}}, {{"1", "2", "2", "8"}}}),
               Error);
}

TEST(RotaryEmbedding, TurnsPairs) {
  const Tensor x = f32({1, 1, 1, 4}, {1, 2, 3, 4}), co = f32({2, 2}, {1, 1, 0, 0}), si = f32({2, 2}, {0, 0, 1, 1}),
               id = Tensor::of<int64_t>({1, 1}, {1});
  expect_values(run("RotaryEmbedding", {}, {x, co, si, id})[0], {1, 1, 1, 4}, {-3, -4, 1, 2});
  expect_values(run("RotaryEmbedding", {{"interleaved", int64_t{1}}}, {x, co, si, id})[0], {1, 1, 1, 4},
                {-2, 1, -4, 3});
  EXPECT_THROW(run("RotaryEmbedding", {}, {x, co, si, Tensor::of<int64_t>({1, 1}, {2})}), Error);
  // Without positions each step of x has a row of its own.
  const Tensor row = f32({1, 1, 2}, {0, 0}), ones = f32({1, 1, 2}, {1, 1});
  expect_values(run("RotaryEmbedding", {}, {x, row, ones})[0], {1, 1, 1, 4}, {-3, -4, 1, 2});
  EXPECT_THROW(run("RotaryEmbedding", {}, {x, f32({1, 2, 2}, {0, 0, 0, 0}), f32({1, 2, 2}, {1, 1, 1, 1})}), Error);
  EXPECT_THROW(run("RotaryEmbedding", {}, {x, f32({2, 1, 2}, {0, 0, 0, 0}), f32({2, 1, 2}, {1, 1, 1, 1})}), Error);
}

}  // namespace
}  // namespace kiln::nn_testing
