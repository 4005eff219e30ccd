// A node of float32 in a build that may compute in a narrower type: the forms in which it can read and write numbers of that type.
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

// The forms beside the one of the model, in which it reads and writes float32. Products that may compute in `type` (Node::precision) can
// mix; what only moves elements or picks some has one type. None for other nodes.
std::vector<Form> narrow_forms(const ir::Node& node, DType type);
// Whether the operator that reads the input has a form for the type.
bool takes(const ir::Node& node, size_t input, DType type);
// Whether the input is of float32 and may become narrow: with what the node reads or, of a post-operation, with what it writes.
bool may_become_narrow(const ir::Node& node, size_t input, DType type);
inline bool is_of_post_operation(const ir::Node& node, size_t input) {
  return static_cast<int>(input) >= node.base_input_count();
}

// Gives the node a form: inputs that become narrow are replaced by what `narrowed` gives for them, and where it reads and writes different
// types the operator's result is cast before its post-operations. The results' types follow.
void take_form(ir::Node& node, Form form, DType type, const std::function<ir::Value*(ir::Value*)>& narrowed);

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
