// Scan: runs region 0 (states..., slices of the scan inputs..., captures...) -> (states..., slices of the scan outputs...) for
// each step along the scan axes.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "ops/control/control.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Entry `i` of an optional list of axes or directions; 0 when absent.
int64_t entry(const RefCall& c, const char* attribute, size_t i) {
  const Ints list = c.ints(attribute);
  return i < list.size() ? list[i] : 0;
}

Tensor slice_at(const Tensor& tensor, int64_t axis, int64_t i) {
  Dims dims = tensor.dims();
  dims.erase(dims.begin() + axis);
  return section(tensor, axis, i, 1).reshaped(dims);
}

Tensor zero_slice(const Tensor& tensor, int64_t axis) {
  Dims dims = tensor.dims();
  dims.erase(dims.begin() + axis);
  return make_tensor(tensor.dtype(), dims);
}

struct ScanLoop {
  explicit ScanLoop(RefCall& call) : c(call) {
    const int end = first_capture(c), begin = end - static_cast<int>(c.integer("num_scan_inputs"));
    if (begin < 0 || begin >= end || begin > c.output_count())
      throw Error(Code::kInvalidGraph, "Scan has " + std::to_string(end) + " inputs, of which " +
                                           std::to_string(c.integer("num_scan_inputs")) + " are scanned");
    states = inputs_between(c, 0, begin);
    captures = inputs_between(c, end, c.input_count());
    for (int i = begin; i < end; ++i) {
      scanned.push_back(c.input(i));
      axes.push_back(normalize_axis(entry(c, "scan_input_axes", scanned.size() - 1), scanned.back().rank()));
      const int64_t extent = nth(scanned.back().dims(), axes.back());
      if (i > begin && extent != length)
        throw Error(Code::kShapeMismatch,
                    "Scan over axes of " + std::to_string(length) + " and " + std::to_string(extent));
      length = extent;
    }
    results.resize(static_cast<size_t>(c.output_count() - begin));
  }

  void step(int64_t t) {
    std::vector<Datum> inputs = states;
    for (size_t i = 0; i < scanned.size(); ++i) {
      const bool backward = entry(c, "scan_input_directions", i) != 0;
      inputs.emplace_back(length == 0 ? zero_slice(scanned[i], axes[i])
                                      : slice_at(scanned[i], axes[i], backward ? length - 1 - t : t));
    }
    inputs.insert(inputs.end(), captures.begin(), captures.end());
    std::vector<Datum> outputs = c.run_region(0, std::move(inputs));
    if (outputs.size() != states.size() + results.size())
      throw Error(Code::kInvalidGraph, "the body of Scan has " + std::to_string(outputs.size()) + " outputs");
    for (size_t i = 0; i < results.size(); ++i) results[i].push_back(std::move(outputs[states.size() + i].tensor));
    if (length > 0) std::move(outputs.begin(), outputs.begin() + static_cast<int64_t>(states.size()), states.begin());
  }

  Tensor result(size_t i) {
    if (entry(c, "scan_output_directions", i) != 0) std::reverse(results[i].begin(), results[i].end());
    const int64_t axis = normalize_axis(entry(c, "scan_output_axes", i), results[i].front().rank() + 1);
    const Tensor all = stacked(results[i], axis);
    return length == 0 ? section(all, axis, 0, 0) : all;
  }

  RefCall& c;
  std::vector<Datum> states, captures;
  std::vector<Tensor> scanned;
  Ints axes;
  int64_t length = 0;
  std::vector<std::vector<Tensor>> results;
};

void scan_reference(RefCall& c) {
  ScanLoop scan(c);
  for (int64_t t = 0; t < scan.length; ++t) scan.step(t);
  // Without steps, one run on zeros tells type and shape of the empty results.
  if (scan.length == 0 && !scan.results.empty()) scan.step(0);
  const auto count = static_cast<int>(scan.states.size());
  for (int i = 0; i < count; ++i) c.set_output(i, nth(scan.states, i));
  for (size_t i = 0; i < scan.results.size(); ++i) c.set_output(count + static_cast<int>(i), scan.result(i));
}

}  // namespace

const OpDef scan = op("Scan")
                       .variadic_input("initial_state_and_scan_inputs", kAnyType)
                       .required_attr("num_scan_inputs", int64_t{0})
                       .attr("scan_input_axes", Ints{})
                       .attr("scan_input_directions", Ints{})
                       .attr("scan_output_axes", Ints{})
                       .attr("scan_output_directions", Ints{})
                       .attr("captures", int64_t{0})
                       .variadic_output("final_state_and_scan_outputs",
                                        computed_type([](const ShapeCall&) { return DType::kInvalid; }))
                       .regions(1)
                       .edges(unknown_edges)
                       .reference(scan_reference);

}  // namespace kiln::ops
