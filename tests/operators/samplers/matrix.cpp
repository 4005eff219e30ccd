// Samples of matrix products.
#include <map>

#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_matmul(Draw& draw) {
  Sample s;
  const DType type = draw.type(kNumericTypes);
  const Dims batch = draw.chance(0.5) ? Dims{} : draw.dims(1, 2);
  const int64_t m = draw.size(), k = draw.size(), n = draw.size();
  Dims a = draw.broadcast_to(batch), b = draw.broadcast_to(batch);
  if (draw.chance(0.9)) a.insert(a.end(), {m, k});
  else a = {k};
  if (draw.chance(0.9)) b.insert(b.end(), {k, n});
  else b = {k};
  return s.data(draw.values(type, a)).weight(draw.values(type, b));
}

Sample sample_gemm(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes | TypeSet{DType::kU32, DType::kU64, DType::kI32, DType::kI64});
  const int64_t m = draw.size(), k = draw.size(), n = draw.size(), ta = draw.flag(), tb = draw.flag();
  s.data(draw.values(type, ta ? Dims{k, m} : Dims{m, k})).weight(draw.values(type, tb ? Dims{n, k} : Dims{k, n}));
  if (draw.chance(0.6)) s.weight(draw.values(type, draw.broadcast_to({m, n})));
  if (ta || draw.chance(0.3)) s.set("transA", ta);
  if (tb || draw.chance(0.3)) s.set("transB", tb);
  const bool whole = !is_float(type);
  if (draw.chance(0.4)) s.set("alpha", whole ? static_cast<double>(draw.integer(0, 3)) : draw.real(-2, 2));
  if (draw.chance(0.4)) s.set("beta", whole ? static_cast<double>(draw.integer(0, 3)) : draw.real(-2, 2));
  return s;
}

// A term's letters become sizes; "..." one or two leading dimensions.
Sample sample_einsum(Draw& draw) {
  static const std::vector<std::string> kEquations = {"ij,jk->ik",       "ij,jk",
                                                      "bij,bjk->bik",    "bhid,bhjd->bhij",
                                                      "bhij,bhjd->bhid", "ij->ji",
                                                      "ii->i",           "ii->",
                                                      "ij->i",           "ij->",
                                                      "i,j->ij",         "i,i->",
                                                      "ij,ij->ij",       "...ij,...jk->...ik",
                                                      "...i->...",       "bij,bkj->bik",
                                                      "ijk,jil->kl",     "ij,jk,kl->il",
                                                      "abc,cd->abd",     "bi,bi->b",
                                                      "ab,cd->acbd",     "aij,ajk->ik",
                                                      "...ii->...i",     "kij,kj->i"};
  Sample s;
  const std::string equation = draw.word(kEquations);
  const DType type = draw.type(kNumericTypes);
  std::map<char, int64_t> sizes;
  const Dims open = draw.dims(0, 2);
  Dims dims;
  for (size_t i = 0; i <= equation.size(); ++i) {
    const char ch = i < equation.size() ? equation[i] : ',';
    if (ch == ',' || ch == '-') {
      s.data(draw.values(type, dims));
      dims.clear();
      if (ch == '-') break;
    } else if (ch == '.') {
      dims.insert(dims.end(), open.begin(), open.end());
      i += 2;
    } else {
      dims.push_back(sizes.emplace(ch, std::min<int64_t>(draw.size(), 9)).first->second);
    }
  }
  if (draw.chance(0.5)) s.inputs.back().role = Input::kWeight;
  return s.set("equation", equation);
}

Sample sample_det(Draw& draw) {
  Dims dims = draw.dims(0, 2);
  const int64_t n = draw.integer(0, 4);
  dims.insert(dims.end(), {n, n});
  return Sample().data(draw.numbers(draw.type(kFloatTypes), dims, -2, 2));
}

// Far from those that have no inverse.
Sample sample_inverse(Draw& draw) {
  Dims dims = draw.dims(0, 2);
  const int64_t n = draw.integer(0, 5);
  dims.insert(dims.end(), {n, n});
  Tensor x = draw.numbers(DType::kF64, dims, -1, 1);
  for (int64_t i = 0; n > 0 && i < x.size(); ++i)
    if (i % (n * n) % (n + 1) == 0) x.set(i, 8 + x.at(i));
  return Sample().data(x.cast(draw.type({DType::kF16, DType::kF32, DType::kF64})));
}

}  // namespace

Entries matrix_samplers() {
  return {{"Det", sample_det},
          {"Einsum", sample_einsum},
          {"Gemm", sample_gemm},
          {"Inverse", sample_inverse},
          {"MatMul", sample_matmul}};
}

}  // namespace kiln::operators
