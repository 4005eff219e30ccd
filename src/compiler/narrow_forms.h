// The forms in which a node that computes on float32 can read and write numbers of a narrower type instead: of one that the build may compute
// in, or, with the same results, of the one that the model declares.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "target/target.h"

namespace kiln {

// Whether it reads and writes numbers of the narrower type. What its post-operations read is of the type that it writes.
struct Form {
  bool reads = false, writes = false;
  bool operator==(const Form&) const = default;
};

// The types that narrow forms of the node may have: float16 or bfloat16 where the model declares it (Node::declared); of a pointwise node
// that to which it rounds first and that from which it widens last; else `compute`, which the build may compute in, unless that is float32.
std::vector<DType> narrow_types(const ir::Node& node, DType compute);
// The forms beside the one of the graph. Products that may compute in `type` (Node::precision) can mix; what only moves elements or picks
// some has one type. A node that the model declares in `type` has forms where it reads nothing else, and all that it gives is rounded to the
// type; a pointwise node that rounds to it first or widens from it last can leave that out. None for other nodes.
std::vector<Form> narrow_forms(const ir::Node& node, DType type);

// What decides whether an input is narrow: whether the node reads or, for what its post-operations read, writes the type.
enum class Side { kNone, kReads, kWrites };
Side side_of(const ir::Node& node, size_t input, DType type);

// Gives the node a form: inputs of float32 that become narrow are replaced by what `narrowed` gives for them, and where it reads and writes
// different types the operator's result is cast before its post-operations. The results' types follow.
void take_form(ir::Node& node, Form form, DType type, const std::function<ir::Value*(ir::Value*)>& narrowed);

// A Cast to the type that its operand has, and nothing else: what becomes of a pointwise node that only rounds or widens.
bool copies(const ir::Node& node);

// The problem of a node as it would be in another form, to ask tactics about.
class FormProblem {
 public:
  FormProblem(const Problem& wide, Form form, DType type);
  const Problem& get() const { return problem_; }

 private:
  std::unique_ptr<ir::Graph> graph_;  // of the node alone
  Problem problem_;
};

}  // namespace kiln
