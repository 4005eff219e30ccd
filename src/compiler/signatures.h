// Which layouts the tactics of a target can take and give for a node: found by asking them.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "target/target.h"
#include "tuner/tuner.h"

namespace kiln {

// Images: tensors of three dimensions and more (batch, channels, and at least one spatial axis) of whole bytes. The others are row-major
// always.
bool is_image(const ir::Value* value);

struct Signatures {
  std::vector<size_t> images;  // inputs that are read channels-last together
  // by[a][b]: the preferred tactic that reads channels-last images when a is 1 and writes them when b is 1; null: none does.
  std::array<std::array<Tuner::Preferred, 2>, 2> by;
  // The rank of the most preferred of the four; nothing when the node is left to evaluation by the reference.
  std::optional<size_t> best() const;
};

class SignatureFinder {
 public:
  SignatureFinder(const Target& target, const TunerOptions& options);
  int threads() const { return own_.threads(); }
  bool has_tactics() const { return has_tactics_; }  // else the target only evaluates by the reference
  // Of the target's tactics; where it has none for the node, of those of its fallback. `problem`: the layouts in it do not count.
  Signatures of(const Problem& problem) const;
  // Whether a tactic of the target itself takes the problem in any layouts.
  bool takes(const Problem& problem) const;

 private:
  bool has_tactics_;
  Tuner own_;
  std::vector<Tuner> fallback_;  // one or none
};

}  // namespace kiln
