// The runner of ONNX's own tests: cases, back ends, results.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace kiln::conformance {

struct Case {
  std::string name;                    // "node/test_relu"
  std::string model;                   // path of the model
  std::vector<std::string> data_sets;  // folders with input_K.pb and output_K.pb; none for a light model
  std::string light_output;            // a light model's expected output; its input is a ramp
  double rtol = 1e-3, atol = 1e-7;     // those of onnx's own runner
};

// The cases under `root` (onnx/backend/test/data), sorted by name.
std::vector<Case> find_cases(const std::string& root);

// Runs a graph on given inputs; throws Error.
struct Backend {
  std::string name;
  std::function<std::vector<Datum>(const ir::Graph&, std::vector<Datum>)> run;
};
const std::vector<Backend>& backends();
// Compiles for a target, loads the engine (from its serialised bytes when `reload`) and runs it once.
std::vector<Datum> run_engine(const std::string& target, bool reload, const ir::Graph& graph,
                              const std::vector<Datum>& inputs);

struct Result {
  std::string name;
  bool passed = false;
  std::string stage;  // where it failed: import, run, compare, crash, time
  std::string cause;  // one line
  double seconds = 0;
};

// In this process. Never throws.
Result run_case(const Case& test, const Backend& backend);
// In a child process with a limit of time and memory, so that a crash is a result as well.
Result run_apart(const Case& test, const Backend& backend, int seconds);

// Empty when they agree: same kind, element type and shape, and |actual - expected| <= atol + rtol * |expected|.
std::string difference(const Datum& actual, const Datum& expected, double rtol, double atol);

// Markdown with counts and failures by cause.
std::string report_text(const std::string& backend, const std::vector<Result>& results);
std::string report_json(const std::string& backend, const std::vector<Result>& results);

}  // namespace kiln::conformance
