// Branches and loops as steps.
#include <algorithm>

#include "base/checked.h"
#include "base/index.h"
#include "runtime/runner.h"

namespace kiln {
namespace {

// Part `index` of a tensor along an axis, without that axis.
Tensor part(const Tensor& tensor, size_t axis, int64_t index) {
  Dims dims = tensor.dims();
  const int64_t extent = dims[axis];
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= dims[i];
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  dims.erase(dims.begin() + static_cast<int64_t>(axis));
  Tensor result = Tensor::allocate(tensor.dtype(), dims);
  for (int64_t o = 0; o < outer; ++o) copy_elements(tensor, (o * extent + index) * inner, result, o * inner, inner);
  return result;
}

// Zeros of the shape that a part along an axis of length 0 would have.
Tensor slice_of_empty(const Tensor& tensor, size_t axis) {
  Dims dims = tensor.dims();
  dims.erase(dims.begin() + static_cast<int64_t>(axis));
  return Tensor::allocate(tensor.dtype(), dims);
}

// Joins equal tensors along a new axis; `empty` gives type and shape when there are none.
Tensor stack(const std::vector<Tensor>& parts, int64_t axis, const Tensor& empty) {
  const Tensor& first = parts.empty() ? empty : parts[0];
  const auto at = static_cast<size_t>(normalize_axis(axis, first.rank() + 1));
  Dims dims = first.dims();
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < at; ++i) outer *= dims[i];
  for (size_t i = at; i < dims.size(); ++i) inner *= dims[i];
  const auto count = static_cast<int64_t>(parts.size());
  dims.insert(dims.begin() + static_cast<int64_t>(at), count);
  Tensor result = first.dtype() == DType::kString
                      ? Tensor::strings(dims, std::vector<std::string>(static_cast<size_t>(element_count(dims))))
                      : Tensor::allocate(first.dtype(), dims);
  for (int64_t p = 0; p < count; ++p) {
    if (nth(parts, p).dims() != first.dims())
      throw Error(Code::kShapeMismatch, "a loop returns results of different shapes: " + first.type_string() + " and " +
                                            nth(parts, p).type_string());
    for (int64_t o = 0; o < outer; ++o) copy_elements(nth(parts, p), o * inner, result, (o * count + p) * inner, inner);
  }
  return result;
}

// A number of inputs among the parameters; more than there are when it is not sound.
size_t count_of(const plan::StepInfo& step, const char* name) {
  const int64_t count = step.parameters.integer(name, 0);
  return count < 0 || static_cast<size_t>(count) > step.inputs.size() ? step.inputs.size() + 1
                                                                      : static_cast<size_t>(count);
}

bool truth(const Datum& value) {
  if (!value.tensor.valid() || value.tensor.size() != 1)
    throw Error(Code::kExecution, "a condition is not one boolean");
  return value.tensor.int_at(0) != 0;
}

int64_t trip_count(const Datum& limit) {
  if (!limit.tensor.valid()) return INT64_MAX;
  if (limit.tensor.size() != 1)
    throw Error(Code::kExecution, "the trip count of a loop is " + limit.tensor.type_string())
        .remedy("give one integer, or none for a loop that its condition ends");
  return limit.tensor.int_at(0);
}

// States that no trip has replaced lie where the step's inputs lie, which later steps may write over.
void own(std::vector<Datum>& states) {
  for (Datum& d : states)
    if (d.kind == Datum::kTensor && d.tensor.valid()) d.tensor = d.tensor.clone();
}

}  // namespace

Status Runner::run_control(size_t index, Stream& stream) {
  const plan::StepInfo& info = program_.steps[index];
  if (info.kernel == "if") return run_if(index, stream);
  if (info.kernel == "loop") return run_loop(index, stream);
  if (info.kernel == "scan") return run_scan(index, stream);
  return {Code::kMalformedPlan, "unknown kind of control step"};
}

Status Runner::run_if(size_t index, Stream& stream) {
  const plan::StepInfo& info = program_.steps[index];
  if (info.bodies.size() != 2 || info.inputs.empty())
    return {Code::kMalformedPlan, "a branch needs two bodies and a condition"};
  std::vector<Datum> captures, results;
  for (size_t i = 1; i < info.inputs.size(); ++i) captures.push_back(as_datum(info.inputs[i]));
  Runner& body = *steps_[index].bodies[truth(as_datum(info.inputs[0])) ? 0 : 1];
  if (Status s = body.call(stream, symbols_, std::move(captures), results); !s.ok()) return fail(s.code, s.detail);
  take_results(index, std::move(results));
  return kOkStatus;
}

// What one trip would give for output `t`, whose trips lie along `axis`, when there was none: its type and shape; nothing when only a trip
// can tell.
std::optional<Tensor> Runner::slice_of_none(int32_t t, int64_t axis) const {
  if (t < 0) return Tensor::allocate(DType::kF32, {0});
  const plan::TensorInfo& tensor = program_.tensors[static_cast<size_t>(t)];
  if (!tensor.ranked || tensor.dims.empty()) return std::nullopt;
  Dims dims;
  const auto trips = static_cast<size_t>(normalize_axis(axis, static_cast<int64_t>(tensor.dims.size())));
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    if (i == trips) continue;
    const auto size = engine_.dims().evaluate(tensor.dims[i], symbols_);
    if (!size) return std::nullopt;
    dims.push_back(*size);
  }
  return Tensor::allocate(tensor.dtype, dims);
}

// The empty outputs from `first` on of a step without trips, their trips along `axes`. Where the plan does not know their shapes, one run of
// the body, whose results are dropped, tells them; they are zero when it cannot run.
std::vector<Tensor> Runner::outputs_of_none(size_t index, size_t first, const Ints& axes, std::vector<Datum> arguments,
                                            size_t skipped, Stream& stream) {
  const plan::StepInfo& info = program_.steps[index];
  for (int symbol : steps_[index].fresh) symbols_[static_cast<size_t>(symbol)].reset();
  std::vector<std::optional<Tensor>> slices;
  for (size_t i = first; i < info.outputs.size(); ++i)
    slices.push_back(slice_of_none(info.outputs[i], axes[i - first]));
  std::vector<Datum> probed;
  if (std::any_of(slices.begin(), slices.end(), [](const auto& s) { return !s; }) &&
      !steps_[index].bodies[0]->call(stream, symbols_, std::move(arguments), probed).ok())
    probed.clear();
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < slices.size(); ++i) {
    if (!slices[i] && skipped + i < probed.size()) slices[i] = probed[skipped + i].tensor;
    if (!slices[i] || !slices[i]->valid()) {
      const plan::TensorInfo& tensor = program_.tensors[static_cast<size_t>(info.outputs[first + i])];
      slices[i] = Tensor::allocate(tensor.dtype, Dims(std::max<size_t>(tensor.dims.size(), 1) - 1, 0));
    }
    outputs.push_back(stack({}, axes[i], *slices[i]));
  }
  return outputs;
}

Status Runner::run_loop(size_t index, Stream& stream) {
  const plan::StepInfo& info = program_.steps[index];
  const size_t captures = count_of(info, "captures");
  if (info.bodies.size() != 1 || info.inputs.size() < 2 + captures)
    return {Code::kMalformedPlan, "a loop needs one body, a count and a condition"};
  const Datum limit = as_datum(info.inputs[0]), start = as_datum(info.inputs[1]);
  const int64_t trips = trip_count(limit);
  bool going = start.tensor.valid() ? truth(start) : true;
  const size_t states = info.inputs.size() - 2 - captures;
  std::vector<Datum> carried, captured;
  for (size_t i = 0; i < states; ++i) carried.push_back(as_datum(info.inputs[2 + i]));
  for (size_t i = 0; i < captures; ++i) captured.push_back(as_datum(info.inputs[2 + states + i]));
  if (info.outputs.size() < states) return {Code::kMalformedPlan, "a loop has fewer results than carried values"};
  std::vector<std::vector<Tensor>> scans(info.outputs.size() - states);
  const bool runs = going && trips > 0;
  if (!runs) own(carried);
  for (int64_t trip = 0; going && trip < trips; ++trip) {
    std::vector<Datum> arguments{Datum(Tensor::scalar<int64_t>(trip)), Datum(Tensor::scalar(going))}, results;
    arguments.insert(arguments.end(), carried.begin(), carried.end());
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    if (Status s = steps_[index].bodies[0]->call(stream, symbols_, std::move(arguments), results); !s.ok())
      return fail(s.code, s.detail);
    if (results.size() < 1 + info.outputs.size()) return {Code::kMalformedPlan, "a loop body returns too few values"};
    going = truth(results[0]);
    for (size_t i = 0; i < states; ++i) carried[i] = std::move(results[1 + i]);
    for (size_t i = 0; i < scans.size(); ++i) scans[i].push_back(results[1 + states + i].tensor);
  }
  std::vector<Datum> results = carried;
  if (runs) {
    for (const std::vector<Tensor>& trips_of : scans) results.push_back(Datum(stack(trips_of, 0, {})));
  } else {
    std::vector<Datum> arguments{Datum(Tensor::scalar<int64_t>(0)), Datum(Tensor::scalar(true))};
    arguments.insert(arguments.end(), carried.begin(), carried.end());
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    for (Tensor& t : outputs_of_none(index, states, Ints(scans.size()), std::move(arguments), 1 + states, stream))
      results.push_back(Datum(std::move(t)));
  }
  take_results(index, std::move(results));
  return kOkStatus;
}

Status Runner::run_scan(size_t index, Stream& stream) {
  const plan::StepInfo& info = program_.steps[index];
  const Attributes& p = info.parameters;
  const size_t captures = count_of(info, "captures"), scans = count_of(info, "num_scan_inputs");
  if (info.bodies.size() != 1 || scans == 0 || info.inputs.size() < captures + scans)
    return {Code::kMalformedPlan, "a scan needs one body and its inputs"};
  const size_t states = info.inputs.size() - captures - scans;
  if (info.outputs.size() < states) return {Code::kMalformedPlan, "a scan has fewer results than states"};
  auto entry = [&](const char* name, size_t i) {
    const Ints list = p.ints(name, {});
    return i < list.size() ? list[i] : 0;
  };
  std::vector<Datum> carried, captured;
  std::vector<Tensor> sources;
  std::vector<size_t> axes;
  for (size_t i = 0; i < states; ++i) carried.push_back(as_datum(info.inputs[i]));
  for (size_t i = 0; i < scans; ++i) {
    sources.push_back(as_datum(info.inputs[states + i]).tensor);
    axes.push_back(static_cast<size_t>(normalize_axis(entry("scan_input_axes", i), sources[i].rank())));
  }
  for (size_t i = 0; i < captures; ++i) captured.push_back(as_datum(info.inputs[states + scans + i]));
  const int64_t length = sources[0].dims()[axes[0]];
  for (size_t i = 0; i < scans; ++i)
    if (sources[i].dims()[axes[i]] != length) return {Code::kShapeMismatch, "scan inputs have different lengths"};
  std::vector<std::vector<Tensor>> collected(info.outputs.size() - states);
  if (length == 0) own(carried);
  for (int64_t step = 0; step < length; ++step) {
    std::vector<Datum> arguments = carried, results;
    for (size_t i = 0; i < scans; ++i)
      arguments.push_back(
          Datum(part(sources[i], axes[i], entry("scan_input_directions", i) ? length - 1 - step : step)));
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    if (Status s = steps_[index].bodies[0]->call(stream, symbols_, std::move(arguments), results); !s.ok())
      return fail(s.code, s.detail);
    if (results.size() < info.outputs.size()) return {Code::kMalformedPlan, "a scan body returns too few values"};
    for (size_t i = 0; i < states; ++i) carried[i] = std::move(results[i]);
    for (size_t i = 0; i < collected.size(); ++i) collected[i].push_back(results[states + i].tensor);
  }
  std::vector<Datum> results = carried;
  Ints output_axes;
  for (size_t i = 0; i < collected.size(); ++i) output_axes.push_back(entry("scan_output_axes", i));
  if (length > 0) {
    for (size_t i = 0; i < collected.size(); ++i) {
      if (entry("scan_output_directions", i)) std::reverse(collected[i].begin(), collected[i].end());
      results.push_back(Datum(stack(collected[i], output_axes[i], {})));
    }
  } else {
    std::vector<Datum> arguments = carried;
    for (size_t i = 0; i < scans; ++i) arguments.push_back(Datum(slice_of_empty(sources[i], axes[i])));
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    for (Tensor& t : outputs_of_none(index, states, output_axes, std::move(arguments), states, stream))
      results.push_back(Datum(std::move(t)));
  }
  take_results(index, std::move(results));
  return kOkStatus;
}

Datum Runner::as_datum(int32_t tensor) const {
  if (tensor < 0) return Datum();
  const TensorState& state = nth(states_, tensor);
  if (state.slot) return *state.slot;
  return Datum(Tensor::borrow(state.view.dtype, state.dims, state.view.data));
}

void Runner::take_results(size_t index, std::vector<Datum> results) {
  const plan::StepInfo& info = program_.steps[index];
  for (size_t i = 0; i < info.outputs.size() && i < results.size(); ++i)
    if (info.outputs[i] >= 0) *nth(states_, info.outputs[i]).slot = std::move(results[i]);
  bind_results(info);
}

// Gives the symbols of a body's input their values.
void Runner::bind_argument(int32_t tensor) {
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  const TensorState& state = nth(states_, tensor);
  if (!info.ranked || state.slot->kind != Datum::kTensor) return;
  for (size_t d = 0; d < info.dims.size() && d < state.dims.size(); ++d)
    if (const int symbol = engine_.dims().lone_symbol(info.dims[d]); symbol >= 0) nth(symbols_, symbol) = state.dims[d];
}

// Sizes of what a body keeps in its memory seldom change from call to call.
Status Runner::prepare_body() {
  Symbols now;
  for (int symbol : sizing_) now.push_back(nth(symbols_, symbol));
  if (now != sized_by_) dirty_shapes_ = true;
  if (!dirty_shapes_ && !dirty_addresses_) return kOkStatus;
  KILN_RETURN_IF_ERROR(prepare_steps());
  sized_by_ = std::move(now);
  return kOkStatus;
}

Status Runner::call(Stream& stream, const Symbols& outer, std::vector<Datum> inputs, std::vector<Datum>& outputs) {
  symbols_ = outer;
  for (size_t i = 0; i < program_.inputs.size() && i < inputs.size(); ++i) {
    set_slot(program_.inputs[i], std::move(inputs[i]));
    bind_argument(program_.inputs[i]);
  }
  KILN_RETURN_IF_ERROR(prepare_body());
  KILN_RETURN_IF_ERROR(run(stream, nullptr));
  if (transfers_) KILN_RETURN_IF_ERROR(stream.synchronize());
  outputs.clear();
  for (int32_t t : program_.outputs) {
    Datum result = as_datum(t);
    // The slot keeps its buffer for the next call, so results that leave are copies.
    if (result.kind == Datum::kTensor && result.tensor.valid()) result.tensor = result.tensor.clone();
    outputs.push_back(std::move(result));
  }
  return kOkStatus;
}

}  // namespace kiln
