// What the subcommands share: their entry points, shapes and files on the command line, logging, progress.
#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kiln/kiln.h"

namespace kiln::tool {

// Each adds its options and a callback to `app`.
void add_bench(CLI::App& app, bool as_trtexec = false);
void add_build(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_run(CLI::App& app);
void add_inspect(CLI::App& app);
void add_compare(CLI::App& app);
void add_list(CLI::App& app);
void add_completion(CLI::App& app);
void add_report(CLI::App& app);
void add_debug(CLI::App& app);

// Thrown by a callback that ends the program with a code of its own.
struct Exit {
  int code;
};
inline constexpr const char* kExitCodes = "Exit codes: 0 success, 1 failure (error[K…] says which), 2 wrong usage.";
// They act in every program that uses Kiln's libraries, but for the last.
inline constexpr const char* kEnvironment =
    "  OMP_NUM_THREADS=N   threads that compute at most (--cpuThreads: of one inference)\n"
    "  KILN_AVX_VNNI=0     kernels of bytes do without AVX-VNNI\n"
    "  KILN_CUBLASLT=FILE  the library cuBLASLt, when it is not where libraries are looked for\n"
    "  KILN_CUDNN=FILE     the library cuDNN, likewise\n"
    "  KILN_NVRTC=FILE     the library NVRTC, likewise\n"
    "  KILN_PERF_MAP=1     `perf` shows the layers of engines\n"
    "  NO_COLOR=1          no colours on a terminal\n"
    "  TMPDIR=FOLDER       where builds put what waits in temporary files, up to twice the weights (default: /tmp)\n";
// Saved engines are loaded without trust in the machine code in them.
CLI::Option* add_rebuild_flag(CLI::App& app, bool& rebuild_kernels);
void add_debug_sync_flag(CLI::App& app, bool& debug_sync);
// The end of a command's help.
void set_footer(CLI::App& app, const std::string& examples, const std::string& exit_codes = kExitCodes);

// Data for a model.
struct SampleOptions {
  std::string data;  // .npz, or a folder of .npz, .npy, .pb or images
  size_t limit = 1000;
  std::vector<float> mean, scale;  // of images: (pixel - mean) * scale, one number or one per channel
  std::string algorithm;           // that ranges are found by; empty: that of CalibrationOptions
  std::optional<double> percentile;
};
// Options of a build that several commands share.
struct BuildFlags {
  struct ProfileShapes {
    std::string min, opt, max, shapes;
  };
  std::vector<ProfileShapes> profiles = std::vector<ProfileShapes>(1);
  size_t profile = 0;  // that the shapes on the command line now belong to
  std::string onnx, backend, device_profile, shapes, timing_cache, dump, dump_file, disable, memory, layer_precisions,
      mark_debug, calibration, input_formats, output_formats;
  std::string precision_constraints = "none", weights;
  double smoothing = 0, error_budget = 0;
  SampleOptions samples;  // that ranges and errors are found by
  int level = 3, average = 8, threads = 0, max_tactics = -1, aux_streams = -1;
  double build_time = 0, build_limit = 86400;
  std::string build_memory;
  int64_t stop_after = -1;
  bool fp16 = false, bf16 = false, int8 = false, best = false, no_tf32 = false;
  bool corrects_bias = false, equalizes = false, keeps_int8 = false;
  bool no_timing_cache = false, no_compilation_cache = false, cache_only = false, mark_all_debug = false,
       partial = false, verbose = false, quiet = false;
  // Set by commands: log of the build only when verbose, no log and no progress at all, for check_layers.
  bool brief = false, silent = false, keep_graph = false;
  struct Event {
    std::string name;
    double begin_ms, end_ms;  // since the build began
  };
  std::shared_ptr<std::vector<Event>> events;  // non-null: receives stages and layers of the build
  std::vector<std::string> given;              // options of a build that the command line holds
};
inline constexpr const char* kBuildGroup = "Build";  // the knobs of `kiln list knobs`
void add_build_flags(CLI::App& app, BuildFlags& flags);
// Checks the names in the shapes against a saved engine, and warns of options that only a build would heed.
void check_unbuilt(const BuildFlags& flags, const api::Engine& engine);
// Before a build whose engine is to run: throws Failure (K3003) where it is for the device of a profile.
void check_runs_here(const BuildFlags& flags);
// Builds with a progress bar on a terminal; Ctrl-C ends the build after the layer at hand, with Exit(130), and keeps the times measured so
// far in the timing cache; with `partial` it ends the measuring, and the remaining layers take their first tactic. Dynamic inputs without shapes get 1 for each dynamic dimension, with a warning.
api::Engine build_engine(const BuildFlags& flags);

std::vector<api::Profile> make_profiles(const BuildFlags& flags);  // that the flags ask for; checks names and shapes

// A finite number: any that float32 holds, such a one but 0, one of at least 0, one above 0, one within bounds.
CLI::Validator finite();
CLI::Validator not_zero();
CLI::Validator not_negative();
CLI::Validator positive();
CLI::Validator between(double low, double high);

using Shapes = std::map<std::string, std::vector<int64_t>>;
// Texts of the command line; `option` is named in errors, which are CLI::ValidationError.
Shapes parse_shapes(const std::string& option, const std::string& text);  // "x:1x3x224x224,y:2x5"
std::map<std::string, std::string> parse_pairs(const std::string& option,
                                               const std::string& text);  // "x:a.npy,y:b.npy"
std::vector<std::string> split(const std::string& text, char separator);
std::string join(const std::vector<std::string>& parts, const char* separator);
std::string shape_text(const std::vector<int64_t>& dims);  // "1x3x224x224"
std::string bytes_text(double bytes);                      // "3.5 MiB"
std::vector<std::string> names_of(const std::vector<api::IoTensor>& list);
// Throws CLI::ValidationError for a name that is no input, with the nearest.
void check_names(const std::string& option, const Shapes& shapes, const std::vector<api::IoTensor>& io);
int processors();  // that compute: OMP_NUM_THREADS when set, else those that this process may use

// Results: "[I] text" on standard output; warnings and errors on standard error, coloured on a terminal.
void say(api::Level level, const std::string& text);
// What happens on the way: the same, all on standard error.
void log(api::Level level, const std::string& text);
void set_loudness(bool verbose, bool quiet);
// "; did you mean 'x'?" for the candidate nearest to `word`, or nothing when none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

// Not strings, a sequence or an optional.
bool is_numbers(const api::IoTensor& io);
// Gives a session those of its inputs that are no numbers, from the files that --loadInputs names: text as .npy; a sequence or optional as
// .pb, or as .npz whose arrays are its items in order. Throws where one is missing.
void set_others(api::Session& session, const std::vector<api::IoTensor>& io, const std::string& text);
// Values of the other inputs from these files: "name:file,…" or one .npz with all of them. `asked` and `io` bound the size of what an
// archive may hold.
api::Values load_inputs(const std::string& text, const std::vector<api::IoTensor>& io, const Shapes& asked);
// Loads the inputs, and lets their shapes be those of a build whose flags do not give them.
api::Values load_inputs_for_build(const std::string& text, BuildFlags& flags);
// Says which inputs nobody gave, so that their values are random.
void tell_random(const std::vector<api::IoTensor>& io, const api::Values& loaded);
// Gives a session its inputs and returns them: loaded, else random, of the shape asked for or the optimum of the profile.
api::Values set_inputs(api::Session& session, const api::Engine& engine, const api::Values& loaded, const Shapes& asked,
                       int profile);
// The profile that was asked for, or the first that takes the shapes; 0 when none does.
int choose_profile(const api::Engine& engine, const api::Values& loaded, const Shapes& asked, int wanted);
std::vector<api::IoTensor> of_kind(const std::vector<api::IoTensor>& list, bool inputs);

// Before long work whose result is to go to a file: throws Failure when the file's folder is missing (K1004).
void check_folder(const std::string& path);
// The same, and when no file can be written there, or one stands there that begins with none of the kinds (K1005). Nothing for no path.
using FileKinds = std::vector<std::string_view>;
inline const FileKinds kJsonFiles = {"[", "{"}, kNpzFiles = {"PK"}, kNpyFiles = {"\x93NUMPY"}, kMarkupFiles = {"<"};
void check_output(const std::string& path, const FileKinds& kinds = {});
void check_tensor_place(const std::string& path);  // of a .pb or .npy file
// Throws where Engine::save would not begin to write.
void check_engine_place(const std::string& path);
// Replaces a file; throws Failure (K1005).
void write_text(const std::string& path, const std::string& text);
void write_bytes(const std::string& path, const std::vector<std::byte>& bytes);

// Archives of numpy arrays, stored or compressed.
api::HostTensor load_npz(const std::string& path, const std::string& array, uint64_t max_bytes);
api::HostValue load_npz_value(const std::string& path, const std::string& array, uint64_t max_bytes);
std::vector<std::string> npz_arrays(const std::string& path);
void save_npz(const std::string& path, const std::map<std::string, api::HostValue>& arrays);

}  // namespace kiln::tool
