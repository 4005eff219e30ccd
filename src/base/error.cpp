// Error text and code names.
#include "base/error.h"

#include "base/printable.h"

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

namespace {

// For errors that know no better one.
std::string_view usual_remedy(Code code) {
  switch (code) {
    case Code::kInternal: return "report it with the model and the output of --verbose";
    case Code::kInvalidArgument: return "correct the value that the message names";
    case Code::kOutOfMemory: return "use smaller shapes or fewer contexts";
    case Code::kNotFound: return "check the spelling";
    case Code::kIo: return "check the path and its permissions";
    case Code::kOverflow: return "correct the size in the model or the shape that was given";
    case Code::kMalformedModel: return "export the model again";
    case Code::kInvalidGraph: return "repair the model, or export it again";
    case Code::kUnsupported: return "export the model with other operators or attributes";
    case Code::kTypeMismatch: return "insert a Cast in the model, or give values of the type that is asked for";
    case Code::kShapeMismatch: return "correct the shapes in the model, or those that were given";
    case Code::kMalformedPlan:
    case Code::kPlanVersion:
    case Code::kPlanDevice: return "build the engine again";
    case Code::kMalformedCache: return "delete the file; the next build makes it again";
    case Code::kExecution: return "check the values of the inputs";
    case Code::kShapeNotSet: return "set it before the inference";
    case Code::kShapeOutOfProfile: return "build the engine with larger bounds";
    case Code::kOk:
    case Code::kInvalidState: break;
  }
  return "";
}

}  // namespace

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
  const std::string_view remedy = remedy_.empty() ? usual_remedy(code_) : remedy_;
  if (!remedy.empty()) text_.append("\n  remedy: ").append(remedy);
  text_ = printable(text_);
}

void throw_if_error(Status status) {
  if (!status.ok()) throw Error(status.code, *status.detail ? status.detail : std::string(code_name(status.code)));
}

}  // namespace kiln
