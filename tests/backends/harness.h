// Runs one node through every tactic that accepts it and compares with the reference evaluation.
#pragma once
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "target/target.h"

namespace kiln::testing {

// A value of a case. `tensor` invalid: an absent optional input.
struct Operand {
  Operand(Tensor t, bool is_constant = false) : tensor(std::move(t)), constant(is_constant) {}
  Tensor tensor;
  bool constant = false;  // known at build time
  Layout layout = {};
  std::optional<Shape> shape = {};  // what the build knows of the dimensions; the tensor's own when empty
  bool gaps = false;                // lies inside a larger tensor
};
Operand constant(Tensor t);
Operand channels_last(Tensor t);
Operand gapped(Tensor t);
Operand dynamic(Tensor t, Shape shape);
Operand absent();

struct Post {
  std::string op;
  Attributes attributes = {};
  std::vector<int> operands = {-1};  // k >= 0 counts within `extra`
  std::vector<Operand> extra = {};
};

struct Case {
  std::string op;
  std::vector<Operand> inputs;
  Attributes attributes = {};
  int outputs = 1;
  std::vector<Post> posts = {};
  std::vector<Layout> output_layouts = {};  // row-major where it ends
  bool gapped_outputs = false;
  double tolerance = 0;               // of |difference| / (1 + |wanted|)
  DType precision = DType::kInvalid;  // of the node
  DType keeps = DType::kInvalid;      // of the node
};

// The device that runs what a tactic emitted; the CPU's without opening its library.
Device& device_of(const Emitted& emitted);

// Checks every configuration of every accepting tactic with 1 and 2 threads' worth of problem. Returns the names of the
// tactics that accepted; fails the test when a result differs. `only` restricts to one tactic.
std::vector<std::string> check_case(const Case& c, const std::string& only = "");
// check_case, and at least one tactic must accept.
void expect_case(const Case& c, const std::string& only = "");

// The same of the tactic that multiplies by vectors and of the one in tiles (AMX), which must refuse where the machine has none.
void expect_in_tiles_too(const Case& c, const std::string& tactic);

// No tactic, or not this one, may accept.
void expect_no_case(const Case& c, const std::string& only = "");
// A kernel by itself, for what a correct plan never asks of it; invalid inputs are absent; the outputs have their shapes. May throw
// Error.
Status launch_kernel(const std::string& name, const Attributes& parameters, const std::vector<Tensor>& inputs,
                     std::vector<Tensor>& outputs);

// Random values: floats in [-2, 2], integers in [-9, 9] (unsigned: [0, 9]), bool 0 or 1.
Tensor random_tensor(std::mt19937& rng, DType type, Dims dims);
Tensor random_bytes(std::mt19937& rng, DType type, Dims dims);  // all values
Tensor exact_tensor(std::mt19937& rng, Dims dims);              // float32 that bfloat16 holds
Tensor whole(DType type, Dims dims, int64_t value);
Tensor ints(const std::vector<int64_t>& values);
// Constants of one element.
Operand one(float value);
Operand byte(DType type, int64_t value);
inline const Post kCast{"Cast", {{"to", std::string("float32")}}};

}  // namespace kiln::testing
