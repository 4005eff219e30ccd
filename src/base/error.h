// Errors: what the build side throws (Error) and what the run side returns (Status).
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace kiln {

// The closed set of error codes; docs/errors.md explains each. The number is what users see: error[K2031].
enum class Code : uint16_t {
  kOk = 0,
  kInternal = 1000,           // a defect of Kiln: a verifier or an invariant failed
  kInvalidArgument = 1001,    // the caller's value is out of range
  kInvalidState = 1002,       // the call is not allowed now
  kOutOfMemory = 1003,        // an allocation was refused
  kNotFound = 1004,           // a file, tensor, device or name does not exist
  kIo = 1005,                 // the operating system refused a read or a write
  kOverflow = 1006,           // a size does not fit
  kMalformedModel = 2001,     // the bytes are not a model
  kInvalidGraph = 2002,       // the graph breaks a rule (cycle, duplicate name, missing input)
  kUnsupported = 2003,        // no implementation for this operator or attribute
  kTypeMismatch = 2004,       // element types do not fit the operator
  kShapeMismatch = 2005,      // shapes do not fit the operator
  kMalformedPlan = 3001,      // the bytes are not an engine, or are damaged
  kPlanVersion = 3002,        // the engine was built by another version
  kPlanDevice = 3003,         // the engine was built for another device
  kMalformedCache = 3004,     // the timing cache is damaged or another device's
  kExecution = 4001,          // a kernel failed while running
  kShapeNotSet = 4002,        // an input has no shape or address yet
  kShapeOutOfProfile = 4003,  // an input shape is outside the optimisation profile
};

std::string_view code_name(Code code);

// Thrown by the build side. `node` names the ONNX node or layer with its operator; `remedy` says what the user can do.
class Error : public std::exception {
 public:
  Error(Code code, std::string message);

  Error&& node(std::string text) &&;
  Error&& cause(std::string text) &&;
  Error&& remedy(std::string text) &&;
  // Adds the node only when none is known yet: inner frames know best.
  void add_node(std::string_view text);

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& node() const { return node_; }
  const std::string& cause() const { return cause_; }
  const std::string& remedy() const { return remedy_; }
  // "error[K2005] node 'x' (Op): message\n  cause: ...\n  remedy: ...", fit to be shown (base/printable.h).
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void render();
  Code code_;
  std::string message_, node_, cause_, remedy_, text_;
};

// Returned by the run side; never allocates. `detail` points to static storage or to storage that the reporter keeps.
struct [[nodiscard]] Status {
  Code code = Code::kOk;
  const char* detail = "";
  bool ok() const { return code == Code::kOk; }
};

inline constexpr Status kOkStatus{};

// Throws Error when the status is not ok: the bridge from run side to build side.
void throw_if_error(Status status);

}  // namespace kiln

#define KILN_RETURN_IF_ERROR(expression)                       \
  do {                                                         \
    if (::kiln::Status s_ = (expression); !s_.ok()) return s_; \
  } while (false)
