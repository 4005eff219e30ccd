// Which layouts the tactics of a target can take and give for a node, and what that takes: found by asking them.
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
  struct Offer {
    Tuner::Preferred preferred;
    double seconds = 0;  // by the tactic's estimate
  };
  // by[a][b]: the preferred tactic that reads channels-last images when a is 1 and writes them when b is 1; null: none does.
  std::array<std::array<Offer, 2>, 2> by;
  // Nothing when the node is left to evaluation by the reference.
  bool any() const;
};

class SignatureFinder {
 public:
  SignatureFinder(const Target& target, const TunerOptions& options);
  int threads() const { return own_.threads(); }
  KeptCode* kept_code() const { return own_.kept_code(); }
  const DeviceFacts& facts() const;
  bool has_tactics() const { return has_tactics_; }  // else the target only evaluates by the reference
  // Of the target's tactics; where it has none for the node, of those of its fallback. `problem`: the layouts in it do not count.
  Signatures of(const Problem& problem) const;
  // Seconds of the fastest of the target's tactics on the device, which is as the tuner's options say: nothing where it does not measure,
  // no tactic takes the problem, or the device is not there.
  std::optional<double> measure(const Problem& problem);
  // Whether a tactic of the target itself takes the problem in any layouts.
  bool takes(const Problem& problem) const;

 private:
  const Target& target_;
  bool has_tactics_;
  Tuner own_;
  std::vector<Tuner> fallback_;  // one or none
};

}  // namespace kiln
