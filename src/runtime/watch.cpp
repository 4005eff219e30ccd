// What a context looks at between steps: results for an observer, values for a listener, and what is required to be true.
#include "runtime/context.h"

#include "base/index.h"

namespace kiln {

void Context::show(int32_t tensor, bool on) {
  if (on) shown_.insert(tensor);
  else shown_.erase(tensor);
}

bool Context::looks() const {
  return observer_ || step_by_step_ || !required_.empty() || (listener_ && (show_results_ || !shown_.empty()));
}

Status Context::look(size_t step, Stream& stream) {
  const plan::StepInfo& info = engine_->main().steps[step];
  try {
    if (const Status done = stream.synchronize(); !done.ok())
      throw Error(done.code, "step '" + info.name + "' (" + info.op + "): " + done.detail);
    for (size_t i = 0; i < info.outputs.size(); ++i)
      if (info.outputs[i] >= 0) look_at(step, i, stream);
    return kOkStatus;
  } catch (const Error& e) {
    message_ = e.message();
    return {e.code(), text_ = message_.c_str()};
  } catch (const std::exception& e) {
    message_ = e.what();
    return {Code::kExecution, text_ = message_.c_str()};
  }
}

void Context::look_at(size_t step, size_t output, Stream& stream) {
  const int32_t t = engine_->main().steps[step].outputs[output];
  const auto required = required_.find(t);
  const bool heard = listener_ && (show_results_ || shown_.count(t));
  if (!observer_ && !heard && required == required_.end()) return;
  const plan::TensorInfo& info = nth(engine_->main().tensors, t);
  const Datum value = runner_.value(stream, t);
  if (observer_) observer_(step, output, value);
  if (heard && value.kind == Datum::kTensor && value.tensor.valid()) listener_(info, value);
  if (required == required_.end()) return;
  if (value.tensor.dtype() != DType::kBool)
    throw Error(Code::kExecution, "the condition '" + info.name + "' of an assertion is " + value.tensor.type_string());
  for (int64_t i = 0; i < value.tensor.size(); ++i)
    if (value.tensor.int_at(i) == 0)
      throw Error(Code::kExecution, "an assertion does not hold: " + required->second->message);
}

}  // namespace kiln
