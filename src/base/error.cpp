// Error text and code names.
#include "base/error.h"

namespace kiln {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kInternal: return "internal error";
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kInvalidState: return "invalid state";
    case Code::kOutOfMemory: return "out of memory";
    case Code::kNotFound: return "not found";
    case Code::kIo: return "input/output error";
    case Code::kOverflow: return "size overflow";
    case Code::kMalformedModel: return "malformed model";
    case Code::kInvalidGraph: return "invalid graph";
    case Code::kUnsupported: return "unsupported";
    case Code::kTypeMismatch: return "type mismatch";
    case Code::kShapeMismatch: return "shape mismatch";
    case Code::kMalformedPlan: return "malformed engine";
    case Code::kPlanVersion: return "engine version";
    case Code::kPlanDevice: return "engine device";
    case Code::kMalformedCache: return "malformed timing cache";
    case Code::kExecution: return "execution failed";
    case Code::kShapeNotSet: return "input not set";
    case Code::kShapeOutOfProfile: return "shape out of profile";
  }
  return "unknown";
}

Error::Error(Code code, std::string message) : code_(code), message_(std::move(message)) { render(); }

Error&& Error::node(std::string text) && {
  node_ = std::move(text);
  render();
  return std::move(*this);
}

Error&& Error::cause(std::string text) && {
  cause_ = std::move(text);
  render();
  return std::move(*this);
}

Error&& Error::remedy(std::string text) && {
  remedy_ = std::move(text);
  render();
  return std::move(*this);
}

void Error::add_node(std::string_view text) {
  if (!node_.empty()) return;
  node_ = text;
  render();
}

void Error::render() {
  text_ = "error[K" + std::to_string(static_cast<int>(code_)) + "]";
  if (!node_.empty()) text_ += " node " + node_ + ":";
  text_ += " " + message_;
  if (!cause_.empty()) text_ += "\n  cause: " + cause_;
  if (!remedy_.empty()) text_ += "\n  remedy: " + remedy_;
}

void throw_if_error(Status status) {
  if (!status.ok()) throw Error(status.code, *status.detail ? status.detail : std::string(code_name(status.code)));
}

}  // namespace kiln
