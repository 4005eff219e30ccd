// What the subcommands share: their entry points, shapes and files on the command line, logging, progress.
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
void add_completion(CLI::App& app);

// Thrown by a callback that ends the program with a code of its own.
struct Exit {
  int code;
};
inline constexpr const char* kExitCodes = "Exit codes: 0 success, 1 failure (error[K…] says which), 2 wrong usage.";
// The end of a command's help.
void set_footer(CLI::App& app, const std::string& examples, const std::string& exit_codes = kExitCodes);

// Options of a build that several commands share.
struct BuildFlags {
  struct ProfileShapes {
    std::string min, opt, max;
  };
  std::vector<ProfileShapes> profiles = std::vector<ProfileShapes>(1);
  size_t profile = 0;  // that the shapes on the command line now belong to
  std::string onnx, backend, shapes, timing_cache, dump, disable, memory;
  int level = 3, average = 8;
  double build_time = 0;
  int64_t stop_after = -1;
  bool no_timing_cache = false, verbose = false;
  bool quiet = false, keep_graph = false;  // set by commands: log of the build only when verbose; for check_layers
};
inline constexpr const char* kBuildGroup = "Build";  // the knobs of `kiln list knobs`
void add_build_flags(CLI::App& app, BuildFlags& flags);
// Builds with a progress bar on a terminal. Dynamic inputs without shapes get 1 for each dynamic dimension, with a warning.
api::Engine build_engine(const BuildFlags& flags);

using Shapes = std::map<std::string, std::vector<int64_t>>;
Shapes parse_shapes(const std::string& text);  // "x:1x3x224x224,y:2x5"; throws CLI::ValidationError
std::map<std::string, std::string> parse_pairs(const std::string& text);  // "x:a.npy,y:b.npy"
std::vector<std::string> split(const std::string& text, char separator);
std::string shape_text(const std::vector<int64_t>& dims);  // "1x3x224x224"

// "[I] text" on standard output, "[W]"/"[E]" on standard error; coloured on a terminal.
void say(api::Level level, const std::string& text);
void set_verbose(bool verbose);
// "; did you mean 'x'?" for the candidate nearest to `word`, or nothing when none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

// Values of inputs from the files that --loadInputs names: "name:file,…" or one .npz with all of them. `asked` and `io` bound the
// size of what an archive may hold.
api::Values load_inputs(const std::string& text, const std::vector<api::IoTensor>& io, const Shapes& asked);
// Loads the inputs, and lets their shapes be those of a build whose flags do not give them.
api::Values load_inputs_for_build(const std::string& text, BuildFlags& flags);
// Gives a session its inputs and returns them: loaded, else random, of the shape asked for or the optimum of the profile.
api::Values set_inputs(api::Session& session, const api::Engine& engine, const api::Values& loaded, const Shapes& asked,
                       int profile);
// The profile that was asked for, or the first that takes the shapes; 0 when none does.
int choose_profile(const api::Engine& engine, const api::Values& loaded, const Shapes& asked, int wanted);
std::vector<api::IoTensor> of_kind(const std::vector<api::IoTensor>& list, bool inputs);

// Archives of numpy arrays, stored or compressed.
api::HostTensor load_npz(const std::string& path, const std::string& array, uint64_t max_bytes);
std::vector<std::string> npz_arrays(const std::string& path);
void save_npz(const std::string& path, const api::Values& arrays);

}  // namespace kiln::tool
