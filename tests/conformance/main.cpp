// kiln_conformance [--backend=NAME] [--filter=TEXT[,TEXT…]] [--report=FILE] [--json=FILE] [--floors=FILE] [--timeout=SECONDS] [--here]
// [--verbose] [DATA]
// Runs ONNX's backend tests and prints the counts. Exit code 0 when all selected tests pass; with --floors, when as many pass as the
// file's line "NAME COUNT" asks for.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <span>

#include "base/error.h"
#include "base/file_map.h"
#include "conformance/conformance.h"
#include "pretend/pretend.h"
#include "target/target.h"

namespace kiln::conformance {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> list = [] {
    std::vector<Backend> all{{"evaluate", [](const ir::Graph& graph, std::vector<Datum> inputs) {
                                return ir::evaluate(graph, std::move(inputs));
                              }}};
    for (const Target* target : all_targets())
      for (const bool reload : {false, true})
        all.push_back({std::string(target->name()) + (reload ? "-reload" : ""),
                       [name = std::string(target->name()), reload](const ir::Graph& graph, std::vector<Datum> inputs) {
                         return run_engine(name, reload, graph, inputs);
                       }});
    return all;
  }();
  return list;
}

namespace {

struct Options {
  std::string backend = "evaluate", report, json, floors, data = KILN_ONNX_TESTS;
  std::vector<std::string> filters;
  int timeout = 60;
  bool here = false, verbose = false;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    auto value = [&](const char* flag, std::string& into) {
      const size_t n = std::strlen(flag);
      if (arg.compare(0, n, flag) != 0) return false;
      into = arg.substr(n);
      return true;
    };
    std::string text;
    if (value("--backend=", o.backend) || value("--report=", o.report) || value("--json=", o.json) ||
        value("--floors=", o.floors))
      continue;
    if (value("--filter=", text)) o.filters = split(text);
    else if (value("--timeout=", text)) o.timeout = std::stoi(text);
    else if (arg == "--here") o.here = true;
    else if (arg == "--verbose") o.verbose = true;
    else if (!arg.starts_with("-")) o.data = arg;
    else throw Error(Code::kInvalidArgument, "unknown flag '" + arg + "'");
  }
  return o;
}

bool selected(const Case& test, const std::vector<std::string>& filters) {
  for (const auto& f : filters)
    if (test.name.find(f) != std::string::npos) return true;
  return filters.empty();
}

const Backend& find_backend(const std::string& name) {
  for (const Backend& b : backends())
    if (b.name == name) return b;
  throw Error(Code::kNotFound, "no back end '" + name + "'");
}

void save(const std::string& path, const std::string& text) {
  if (!path.empty()) write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

// The count that must pass; all when no file is given.
int required(const Options& o, size_t all) {
  if (o.floors.empty()) return static_cast<int>(all);
  std::ifstream in(o.floors);
  std::string name;
  for (int count; in >> name >> count;)
    if (name == o.backend) return count;
  throw Error(Code::kNotFound, "no line for '" + o.backend + "' in '" + o.floors + "'");
}

int run(const Options& o) {
  const Backend& backend = find_backend(o.backend);
  std::vector<Result> results;
  int passed = 0;
  for (const Case& test : find_cases(o.data)) {
    if (!selected(test, o.filters)) continue;
    results.push_back(o.here ? run_case(test, backend) : run_apart(test, backend, o.timeout));
    const Result& r = results.back();
    passed += r.passed;
    if (o.verbose)
      std::printf("%s %s %s %s\n", r.passed ? "ok  " : "FAIL", r.name.c_str(), r.passed ? "" : (r.stage + ":").c_str(),
                  r.cause.c_str());
  }
  save(o.report, report_text(backend.name, results));
  save(o.json, report_json(backend.name, results));
  const int wanted = required(o, results.size());
  std::printf("%s: %d of %zu tests pass, %d are required\n", backend.name.c_str(), passed, results.size(), wanted);
  return passed >= wanted ? 0 : 1;
}

}  // namespace
}  // namespace kiln::conformance

int main(int argc, char** argv) {
  try {
    kiln::pretend::register_pretend();
    return kiln::conformance::run(kiln::conformance::parse(argc, argv));
  } catch (const kiln::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
