// Builds engines from graph text, runs them and compares with reference evaluation.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "ir/text.h"
#include "placed.h"
#include "pretend/pretend.h"
#include "runtime/context.h"

namespace kiln::testing {

inline plan::Plan build(const std::string& text, const CompileOptions& options) {
  return compile(ir::parse_graph(text), options);
}

inline CompileOptions options_of(const std::string& target, int level, std::vector<ProfileBounds> profiles = {}) {
  CompileOptions o;
  o.target = target;
  o.profiles = std::move(profiles);
  o.tuner.level = level;
  o.tuner.iterations = 1;
  return o;
}

inline std::shared_ptr<Engine> reload(const plan::Plan& plan, const LoadOptions& options = {}) {
  auto bytes = std::make_shared<std::vector<std::byte>>(plan::write(plan));
  return Engine::load(*bytes, bytes, options);
}

// What a build warned of, and its errors.
struct Warnings final : Logger {
  void log(Severity severity, std::string_view line) noexcept override {
    if (severity <= Severity::kWarning) text += std::string(line) + "\n";
  }
  std::string text;
};

// Inputs and results of one inference, held outside the context so that it can be repeated.
struct Bound {
  std::vector<Tensor> inputs, outputs;  // of the host
  std::vector<std::unique_ptr<Placed>> places;
  std::vector<Placed*> results;  // by output; null for those of late size
};

// Gives a context shapes and addresses. Throws Error with the context's text.
inline Bound bind(Context& context, std::vector<Tensor> inputs) {
  Bound bound;
  bound.inputs = std::move(inputs);
  const plan::Program& program = context.engine().main();
  auto check = [&](Status s) {
    if (!s.ok()) throw Error(s.code, s.detail);
  };
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    check(context.set_input_dims(program.inputs[i], bound.inputs[i].dims()));
    bound.places.push_back(std::make_unique<Placed>(
        context.engine(), program.tensors[static_cast<size_t>(program.inputs[i])], bound.inputs[i]));
    check(context.set_address(program.inputs[i], bound.places.back()->address()));
  }
  check(context.prepare());
  for (int32_t t : program.outputs) {
    const plan::TensorInfo& info = program.tensors[static_cast<size_t>(t)];
    bound.outputs.emplace_back();
    bound.results.push_back(nullptr);
    if (info.storage == plan::Storage::kSlot) continue;
    bound.outputs.back() = Tensor::allocate(info.dtype, *context.dims(t));
    bound.places.push_back(std::make_unique<Placed>(context.engine(), info, bound.outputs.back()));
    bound.results.back() = bound.places.back().get();
    check(context.set_address(t, bound.results.back()->address()));
  }
  return bound;
}

// Binds, runs and returns the results, those of late size included.
inline std::vector<Tensor> run(Context& context, std::vector<Tensor> inputs) {
  std::map<std::string, std::vector<std::byte>> late;
  context.set_output_allocate([&](std::string_view name, size_t size) {
    auto& bytes = late[std::string(name)];
    bytes.resize(size + 1);
    return static_cast<void*>(bytes.data());
  });
  Bound bound = bind(context, std::move(inputs));
  auto stream = context.engine().device().create_stream();
  Status s = context.enqueue(*stream);
  if (s.ok()) s = stream->synchronize();
  context.set_output_allocate(nullptr);
  if (!s.ok()) throw Error(s.code, s.detail);
  const plan::Program& program = context.engine().main();
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const int32_t t = program.outputs[i];
    const plan::TensorInfo& info = program.tensors[static_cast<size_t>(t)];
    if (bound.results[i]) bound.outputs[i] = bound.results[i]->fetch();
    else bound.outputs[i] = Tensor::borrow(info.dtype, *context.dims(t), late.at(info.name).data()).clone();
  }
  return bound.outputs;
}

inline void expect_close(const Tensor& actual, const Tensor& expected, const std::string& where) {
  ASSERT_EQ(actual.type_string(), expected.type_string()) << where;
  double largest = 0;  // sums of large terms that cancel are as exact as the terms
  for (int64_t i = 0; i < expected.size(); ++i)
    if (std::isfinite(expected.at(i))) largest = std::max(largest, std::abs(expected.at(i)));
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double a = actual.at(i), e = expected.at(i);
    if (std::isnan(e) && std::isnan(a)) continue;
    ASSERT_TRUE(a == e || std::abs(a - e) <= 1e-5 + 1e-6 * largest + 1e-4 * std::abs(e))
        << where << ": element " << i << " is " << a << ", expected " << e;
  }
}

inline std::vector<Tensor> reference(const std::string& text, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> results;
  for (Datum& d : ir::evaluate(*ir::parse_graph(text), std::vector<Datum>(inputs.begin(), inputs.end())))
    results.push_back(std::move(d.tensor));
  return results;
}

inline Tensor random_f32(const Dims& dims, uint64_t seed) { return ir::random_tensor(DType::kF32, dims, seed); }

// Every input set through engines of both back ends, unmeasured and measured, before and after saving; one context takes
// all sets in turn, twice. `profile` of each set.
struct InputSet {
  std::vector<Tensor> inputs;
  int32_t profile = 0;
};
inline void expect_same_as_reference(const std::string& text, const std::vector<InputSet>& sets,
                                     const std::vector<ProfileBounds>& profiles = {}) {
  for (const std::string& target : pretend::every_target()) {
    for (int level : {0, 3}) {
      const plan::Plan plan = build(text, options_of(target, level, profiles));
      for (const auto& engine : {reload(plan), Engine::from_plan(plan, {.trusts_kernels = false})}) {
        auto context = engine->create_context();
        for (size_t s = 0; s < 2 * sets.size(); ++s) {
          const InputSet& set = sets[s % sets.size()];
          const std::string where = target + " level " + std::to_string(level) + " set " + std::to_string(s);
          ASSERT_TRUE(context->set_profile(set.profile).ok());
          std::vector<Tensor> actual;
          ASSERT_NO_THROW(actual = run(*context, set.inputs)) << where;
          const std::vector<Tensor> expected = reference(text, set.inputs);
          ASSERT_EQ(actual.size(), expected.size());
          for (size_t i = 0; i < actual.size(); ++i)
            expect_close(actual[i], expected[i], where + " output " + std::to_string(i));
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

}  // namespace kiln::testing
