// One case on one back end, in this process or in a child.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "conformance/conformance.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::conformance {
namespace {

constexpr rlim_t kMemoryLimit = rlim_t{6} << 30;

// The input of light models: 0, 1/n, 2/n, … in the input's shape, symbols as 1.
Datum ramp(const ir::Value& input) {
  Dims dims;
  for (const Dim& d : input.shape()) dims.push_back(d.constant().value_or(1));
  Tensor t = Tensor::allocate(input.dtype(), dims);
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, static_cast<double>(i) / static_cast<double>(t.size()));
  return Datum(t);
}

Datum as_declared(Datum datum, const EdgeType& type) {
  if (datum.element_dtype == DType::kInvalid) datum.element_dtype = type.tensor.dtype;
  return datum;
}

std::vector<Datum> load(const std::string& folder, const char* stem, const std::vector<ir::Value*>& values) {
  std::vector<Datum> data;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string path = folder + "/" + stem + "_" + std::to_string(i) + ".pb";
    if (!std::filesystem::exists(path)) break;
    data.push_back(as_declared(onnx::load_datum(path, values[i]->type().kind), values[i]->type()));
  }
  return data;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '|') c = ' ';
  return text.substr(0, 2000);
}

std::string check(const ir::Graph& graph, const Case& test, const std::vector<Datum>& actual,
                  const std::vector<Datum>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (i >= actual.size()) return "only " + std::to_string(actual.size()) + " outputs";
    if (auto text = difference(actual[i], expected[i], test.rtol, test.atol); !text.empty())
      return "output " + graph.outputs()[i]->name() + " " + text;
  }
  return "";
}

void run_stages(const Case& test, const Backend& backend, Result& result) {
  result.stage = "import";
  const auto graph = onnx::import_file(test.model);
  if (test.data_sets.empty() && !test.light_output.empty()) {
    result.stage = "run";
    std::vector<Datum> inputs;
    for (const ir::Value* v : graph->inputs()) inputs.push_back(ramp(*v));
    const auto actual = backend.run(*graph, std::move(inputs));
    result.stage = "compare";
    result.cause = check(*graph, test, actual, {onnx::load_datum(test.light_output)});
  }
  for (const auto& folder : test.data_sets) {
    result.stage = "data";
    auto inputs = load(folder, "input", graph->inputs());
    const auto expected = load(folder, "output", graph->outputs());
    result.stage = "run";
    const auto actual = backend.run(*graph, std::move(inputs));
    result.stage = "compare";
    result.cause = check(*graph, test, actual, expected);
    if (!result.cause.empty()) return;
  }
  result.passed = result.cause.empty();
}

std::string read_all(int fd, int seconds, bool& timed_out) {
  std::string text;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd p{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) == 0) {
      timed_out = true;
      return text;
    }
    char buffer[4096];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

[[noreturn]] void child(int fd, const Case& test, const Backend& backend) {
  const rlimit limit{kMemoryLimit, kMemoryLimit};
  ::setrlimit(RLIMIT_AS, &limit);
  const Result r = run_case(test, backend);
  const std::string text = std::string(r.passed ? "1" : "0") + "\n" + r.stage + "\n" + r.cause;
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  ::_exit(0);
}

}  // namespace

Result run_case(const Case& test, const Backend& backend) {
  Result result;
  result.name = test.name;
  try {
    run_stages(test, backend, result);
  } catch (const Error& e) {
    result.cause = one_line(e.what());
  } catch (const std::exception& e) {
    result.cause = one_line(std::string("exception: ") + e.what());
  }
  if (!result.passed) result.cause = one_line(result.cause);
  return result;
}

Result run_apart(const Case& test, const Backend& backend, int seconds) {
  const auto start = std::chrono::steady_clock::now();
  Result result;
  result.name = test.name;
  int ends[2];
  if (::pipe(ends) != 0) throw Error(Code::kIo, "no pipe");
  const pid_t pid = ::fork();
  if (pid < 0) throw Error(Code::kIo, "no child process");
  if (pid == 0) {
    ::close(ends[0]);
    child(ends[1], test, backend);
  }
  ::close(ends[1]);
  bool timed_out = false;
  const std::string text = read_all(ends[0], seconds, timed_out);
  if (timed_out) ::kill(pid, SIGKILL);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const size_t first = text.find('\n'), second = first == std::string::npos ? first : text.find('\n', first + 1);
  if (timed_out || second == std::string::npos) {
    result.stage = timed_out ? "time" : "crash";
    result.cause = timed_out ? "ran longer than " + std::to_string(seconds) + " s"
                             : "ended by signal " + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return result;
  }
  result.passed = text[0] == '1';
  result.stage = text.substr(first + 1, second - first - 1);
  result.cause = text.substr(second + 1);
  return result;
}

}  // namespace kiln::conformance
