// Which steps a transformer becomes on NVIDIA GPUs.
#include <gtest/gtest.h>

#include "backends/cuda/target/target.h"
#include "ir/text.h"
#include "passes/pass.h"

namespace kiln::cuda::testing {
namespace {

// A layer as exporters write it: three projections, heads by Reshape and Transpose, norms and GELU spelled out.
constexpr const char* kLayer = R"(graph main(%x: float32[n,s,64], %mask: float32[n,1,1,s]) {
  %wq = random float32[64,64] seed 1
  %wk = random float32[64,64] seed 2
  %wv = random float32[64,64] seed 3
  %wo = random float32[64,64] seed 4
  %wu = random float32[64,256] seed 5
  %wd = random float32[256,64] seed 6
  %b = random float32[64] seed 7
  %bu = random float32[256] seed 8
  %g = random float32[64] seed 9
  %cut = constant int64[4]:{0,0,2,32}
  %join = constant int64[3]:{0,0,64}
  %last = constant int64[1]:{-1}
  %two = constant float32[]:{2.0}
  %epsilon = constant float32[]:{0.000001}
  %scale = constant float32[]:{0.17677669}
  %root = constant float32[]:{1.4142135}
  %one = constant float32[]:{1.0}
  %half = constant float32[]:{0.5}
  %q0 = MatMul(%x, %wq)
  %q1 = Add(%q0, %b)
  %q2 = Reshape(%q1, %cut)
  %q = Transpose(%q2) {perm=[0,2,1,3]}
  %k0 = MatMul(%x, %wk)
  %k1 = Add(%k0, %b)
  %k2 = Reshape(%k1, %cut)
  %k3 = Transpose(%k2) {perm=[0,2,1,3]}
  %k = Transpose(%k3) {perm=[0,1,3,2]}
  %v0 = MatMul(%x, %wv)
  %v1 = Add(%v0, %b)
  %v2 = Reshape(%v1, %cut)
  %v = Transpose(%v2) {perm=[0,2,1,3]}
  %s0 = MatMul(%q, %k)
  %s1 = Mul(%s0, %scale)
  %s2 = Add(%s1, %mask)
  %p = Softmax(%s2) {axis=-1}
  %a0 = MatMul(%p, %v)
  %a1 = Transpose(%a0) {perm=[0,2,1,3]}
  %a2 = Reshape(%a1, %join)
  %o0 = MatMul(%a2, %wo)
  %o1 = Add(%o0, %b)
  %o2 = Add(%o1, %x)
  %m0 = ReduceMean(%o2, %last) {keepdims=1}
  %m1 = Sub(%o2, %m0)
  %m2 = Pow(%m1, %two)
  %m3 = ReduceMean(%m2, %last) {keepdims=1}
  %m4 = Add(%m3, %epsilon)
  %m5 = Sqrt(%m4)
  %m6 = Div(%m1, %m5)
  %m7 = Mul(%m6, %g)
  %m = Add(%m7, %b)
  %u0 = MatMul(%m, %wu)
  %u1 = Add(%u0, %bu)
  %u2 = Div(%u1, %root)
  %u3 = Erf(%u2)
  %u4 = Add(%u3, %one)
  %u5 = Mul(%u1, %u4)
  %u = Mul(%u5, %half)
  %d0 = MatMul(%u, %wd)
  %d1 = Add(%d0, %b)
  %d2 = Add(%d1, %m)
  %y = LayerNormalization(%d2, %g, %b) {axis=-1,epsilon=0.000001}
  return %y
})";

std::vector<std::string> steps_of(const std::string& text, DType type) {
  const auto graph = ir::parse_graph(text);
  TargetOptions options;
  options.precisions.compute = type;
  passes::run_passes(*graph, target().pipeline(options), {.limits = target().fusion()});
  std::vector<std::string> steps;
  for (const auto& node : graph->nodes()) {
    std::string step = node->op_name();
    for (const ir::PostOp& post : node->post) step += " + " + post.op->name();
    steps.push_back(step);
  }
  return steps;
}

TEST(CudaGraph, LayerOfATransformer) {
  const std::vector<std::string> layer{"MatMul + Add",       "Split",
                                       "Attention",          "MatMul + Add + Add",
                                       "LayerNormalization", "MatMul + Add + Gelu",
                                       "MatMul + Add + Add", "LayerNormalization"};
  EXPECT_EQ(steps_of(kLayer, DType::kF32), layer);
  std::vector<std::string> narrow = layer;
  narrow.insert(narrow.begin() + 2, "Cast");  // of the mask
  narrow.insert(narrow.begin(), "Cast");
  narrow.push_back("Cast");
  EXPECT_EQ(steps_of(kLayer, DType::kF16), narrow);
}

}  // namespace
}  // namespace kiln::cuda::testing
