// A product by constant weights as the pretend device runs it.
#pragma once
#include <memory>

#include "compiler/problems.h"
#include "ir/text.h"
#include "pretend/pretend.h"
#include "tuner/tuner.h"

namespace kiln {

struct PretendStep {
  PretendStep()
      : graph(ir::parse_graph("graph main(%x: float32[4,64]) {\n  %w = random float32[64,32] seed 1\n"
                              "  %y = MatMul \"m\"(%x, %w)\n  return %y\n}")),
        extents(*graph, {}),
        problems(make_problems(extents, 1, *graph, false)) {
    static const bool registered = (pretend::register_pretend(), true);
    static_cast<void>(registered);
    const Target& target = find_target("pretend");
    const Tactic* first = Tuner(target, {}).first_accepting(problem()).tactic;
    emitted = first->emit(problem(), first->configurations ? first->configurations(problem()).front() : Config{});
  }
  const Problem& problem() const { return problems[0]; }
  Device& device() const { return find_target("pretend").device(); }

  std::unique_ptr<ir::Graph> graph;
  Extents extents;
  std::vector<Problem> problems;
  Emitted emitted;
};

}  // namespace kiln
