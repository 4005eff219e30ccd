// Memory and devices of the bodies of loops and branches.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// Of 256 KiB and more: worth copies to a device with memory of its own.
constexpr const char* kLoop = R"(graph main(%n: int64[], %x: float32[4,256]) {
  %g = Exp(%x)
  %y, %all = Loop(%n, _, %x, %g) {captures=1} regions {
    graph body(%i: int64[], %c: bool[], %v: float32[4,256], %bias: float32[4,256]) {
      %w = random float32[256,256] seed 4
      %few = constant float32[]:{0.01}
      %q = Mul(%v, %few)
      %m = MatMul(%q, %w)
      %s = Add(%m, %bias)
      %r = Tanh(%s)
      %half = constant float32[]:{0.5}
      %h = Mul(%r, %half)
      %axes = constant int64[2]:{0,1}
      %sum = ReduceSum(%h, %axes) {keepdims=0}
      %limit = constant float32[]:{1e9}
      %t = Less(%sum, %limit)
      return %t, %h, %r
    }
  }
  %z = Relu(%y)
  return %z, %all
})";

size_t count_steps(const plan::Plan& plan, size_t program, std::string_view device) {
  const auto& steps = plan.programs[program].steps;
  return static_cast<size_t>(
      std::count_if(steps.begin(), steps.end(), [&](const plan::StepInfo& s) { return s.device == device; }));
}

std::vector<InputSet> trips(std::initializer_list<int64_t> counts) {
  std::vector<InputSet> sets;
  for (int64_t n : counts) sets.push_back({{Tensor::scalar(n), random_f32({4, 256}, 13)}});
  return sets;
}

TEST(Bodies, ALoopWithLargeWeightsRunsOnTheDevice) {
  pretend::register_pretend();
  const plan::Plan plan = build(kLoop, options_of("pretend", 0));
  ASSERT_EQ(plan.programs.size(), 2u);
  EXPECT_GT(count_steps(plan, 1, "pretend"), 0u);
  expect_same_as_reference(kLoop, trips({3, 1, 0, 5}));
}

TEST(Bodies, ValuesInsideALoopLieInTheArena) {
  const plan::Plan plan = build(kLoop, options_of("cpu", 0));
  for (const plan::TensorInfo& t : plan.programs[1].tensors) {
    const bool passed = t.name == "v" || t.name == "bias" || t.name == "i" || t.name == "c" || t.name == "t" ||
                        t.name == "h" || t.name == "r";
    EXPECT_EQ(t.storage == plan::Storage::kSlot, passed) << t.name;
  }
}

TEST(Bodies, SmallBodiesStayOnTheHost) {
  pretend::register_pretend();
  const char* text = R"(graph main(%n: int64[], %x: float32[3,4]) {
    %y = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[3,4]) {
        %w = random float32[4,4] seed 4
        %m = MatMul(%v, %w)
        %s = Softmax(%m) {axis=1}
        %t = Identity(%c)
        return %t, %s
      }
    }
    return %y
  })";
  EXPECT_EQ(count_steps(build(text, options_of("pretend", 0)), 1, "pretend"), 0u);
}

TEST(Bodies, BranchesNestedInLoops) {
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[4,256]) {
    %y = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[4,256]) {
        %w = random float32[256,256] seed 4
        %few = constant float32[]:{0.01}
        %q = Mul(%v, %few)
        %m = MatMul(%q, %w)
        %e = Sigmoid(%m)
        %one = constant int64[]:{1}
        %odd = BitwiseAnd(%i, %one)
        %is = Equal(%odd, %one)
        %p = Relu(%e)
        %b = If(%is, %p, %v) {captures=2} regions {
          graph yes(%a: float32[4,256], %o: float32[4,256]) {
            %u = random float32[256,256] seed 5
            %q = MatMul(%a, %u)
            %s = Softmax(%q) {axis=1}
            %r = Add(%s, %o)
            return %r
          }
          graph no(%a: float32[4,256], %o: float32[4,256]) {
            %k = random float32[4,256] seed 6
            return %k
          }
        }
        %d = Add(%b, %e)
        %t = Identity(%c)
        return %t, %d
      }
    }
    return %y
  })",
                           trips({1, 2, 4}));
}

TEST(Bodies, SizesThatFollowFromTheProfile) {
  std::vector<InputSet> sets;
  for (int64_t rows : {2, 5, 3, 8})
    sets.push_back({{Tensor::scalar(int64_t{3}), random_f32({rows, 256}, static_cast<uint64_t>(rows))}});
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[rows,256]) {
    %y, %all = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[rows,256]) {
        %w = random float32[256,256] seed 4
        %m = MatMul(%v, %w)
        %l, %r = Split(%m) {axis=1, num_outputs=2}
        %a = Tanh(%l)
        %b = Sigmoid(%r)
        %j = Concat(%a, %b) {axis=1}
        %t = Identity(%c)
        return %t, %j, %m
      }
    }
    return %y, %all
  })",
                           sets, {{{"n", {{}, {}, {}}}, {"x", {{1, 256}, {4, 256}, {8, 256}}}}});
}

TEST(Bodies, AStateThatGrows) {
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[1,256]) {
    %y, %z = Loop(%n, _, %x, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[1,256], %s: float32[1,256]) {
        %w = random float32[256,256] seed 4
        %few = constant float32[]:{0.01}
        %q = Mul(%s, %few)
        %m = MatMul(%q, %w)
        %h = Tanh(%m)
        %g = Concat(%v, %h) {axis=0}
        %t = Identity(%c)
        return %t, %g, %h
      }
    }
    return %y, %z
  })",
                           {{{Tensor::scalar(int64_t{3}), random_f32({1, 256}, 3)}},
                            {{Tensor::scalar(int64_t{5}), random_f32({1, 256}, 3)}}});
}

TEST(Bodies, AScanOnTheDevice) {
  expect_same_as_reference(R"(graph main(%s: float32[2,256], %x: float32[5,2,256]) {
    %last, %all = Scan(%s, %x) {num_scan_inputs=1} regions {
      graph body(%a: float32[2,256], %e: float32[2,256]) {
        %w = random float32[256,256] seed 4
        %few = constant float32[]:{0.01}
        %q = Mul(%a, %few)
        %m = MatMul(%q, %w)
        %b = Add(%m, %e)
        %o = Tanh(%b)
        return %o, %b
      }
    }
    return %last, %all
  })",
                           {{{random_f32({2, 256}, 14), random_f32({5, 2, 256}, 15)}}});
}

}  // namespace
}  // namespace kiln::testing
