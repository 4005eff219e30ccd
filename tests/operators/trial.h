// One sample as a graph of one node, evaluated by the reference and run as an engine of every back end.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "operators/sample.h"

namespace kiln::operators {

class Trial {
 public:
  // Draws until the reference takes the sample. Throws Error when it takes none, or when it fails in itself (kInternal).
  Trial(const OpDef& op, uint64_t seed);

  const OpDef& op() const { return op_; }
  // Some dimensions of the inputs become symbols with a profile around them; false when no choice is consistent.
  bool make_dynamic();
  // Compiles, saves, reloads and runs for every back end: with the first tactic that accepts, then without it, until none is left; with
  // `measured`, by the tuner too. One line for each difference and error; empty when there is none.
  std::vector<std::string> failures(bool measured) const;
  // Operator, seed, inputs and graph, to play it again.
  std::string str() const;

 private:
  std::unique_ptr<ir::Graph> graph() const;
  void check(const std::vector<Shape>& shapes) const;
  Tensor magnitude_of(size_t output) const;
  std::vector<Tensor> arguments() const;
  std::string run(const plan::Plan& plan) const;
  void run_tactics(const std::string& target, std::vector<std::string>& failures) const;

  const OpDef& op_;
  uint64_t seed_;
  Sample sample_;
  std::vector<bool> constant_;
  std::vector<Shape> shapes_;  // of the inputs, as the graph has them
  ProfileBounds profile_;
  std::vector<Datum> expected_, magnitudes_;
};

}  // namespace kiln::operators
