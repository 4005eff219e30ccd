// What the subcommands share: their entry points, shapes on the command line, logging, progress.
#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "kiln/kiln.h"

namespace kiln::tool {

// Each adds its options and a callback to `app`.
void add_bench(CLI::App& app);
void add_build(CLI::App& app);
void add_run(CLI::App& app);
void add_inspect(CLI::App& app);
void add_compare(CLI::App& app);
void add_list(CLI::App& app);

// Options of a build that bench and build share.
struct BuildFlags {
  std::string onnx, backend, min_shapes, opt_shapes, max_shapes, shapes, timing_cache, dump, disable, memory;
  int level = 3, average = 8;
  double build_time = 0;
  int64_t stop_after = -1;
  bool no_timing_cache = false, verbose = false;
};
void add_build_flags(CLI::App& app, BuildFlags& flags);
// Builds with a progress bar on a terminal. Dynamic inputs without shapes get 1 for each dynamic dimension, with a warning.
api::Engine build_engine(const BuildFlags& flags);

using Shapes = std::map<std::string, std::vector<int64_t>>;
Shapes parse_shapes(const std::string& text);  // "x:1x3x224x224,y:2x5"; throws CLI::ValidationError
std::map<std::string, std::string> parse_pairs(const std::string& text);  // "x:a.npy,y:b.npy"
std::string shape_text(const std::vector<int64_t>& dims);                 // "1x3x224x224"

// "[I] text" on standard output, "[W]"/"[E]" on standard error; coloured on a terminal.
void say(api::Level level, const std::string& text);
void set_verbose(bool verbose);

// Tensors by name: from files where given, else random.
api::HostTensor input_tensor(const api::IoTensor& io, const std::vector<int64_t>& dims,
                             const std::map<std::string, std::string>& files);
// The shape of an input: as asked for, from its file, or the optimum of its profile.
std::vector<int64_t> input_shape(const api::IoTensor& io, const Shapes& asked);

}  // namespace kiln::tool
