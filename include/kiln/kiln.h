// Kiln's own small C++ API: build, load, run and examine engines without CUDA's types. NvInfer.h is the API of the field.
//
// Errors are thrown as kiln::Failure, whose text names code, node, cause and remedy. Objects may be moved between threads;
// an Engine may be shared by threads, a Session is for one thread at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace kiln::api {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Level { kInternalError, kError, kWarning, kInfo, kVerbose };
// Called from the thread that builds.
using LogFunction = std::function<void(Level, const std::string&)>;

// A dense row-major tensor on the host. `type` is numpy's name ("float32", "int64", "bfloat16"); sub-byte types are packed.
struct HostTensor {
  std::string type;
  std::vector<int64_t> dims;
  std::vector<std::byte> data;
};
// .npy, or an ONNX TensorProto (.pb). Other endings: raw bytes are not accepted without a type; throws.
HostTensor load_tensor(const std::string& path);
// .npy or .pb by the ending. numpy has no bfloat16, 8-bit and packed types: throws.
void save_tensor(const std::string& path, const HostTensor& tensor);
// The bytes of an .npy file. `what` names them in errors.
HostTensor parse_npy(const std::vector<std::byte>& bytes, const std::string& what);
std::vector<std::byte> npy_bytes(const HostTensor& tensor);
double element(const HostTensor& tensor, int64_t index);  // any numeric type
int64_t element_count(const HostTensor& tensor);
// Reproducible values: floats in [-1, 1), integers 0 or 1.
HostTensor random_tensor(const std::string& type, const std::vector<int64_t>& dims, uint64_t seed);

struct Bounds {
  std::vector<int64_t> min, opt, max;
};

using Profile = std::map<std::string, Bounds>;  // by input name

struct BuildOptions {
  std::string onnx;                   // path of the model
  std::string backend;                // empty: the first of list_backends()
  std::vector<Profile> profiles;      // bounds of dynamic inputs; none when all are static
  int optimization_level = 3;         // 0 to 5: more candidates are measured
  double time_budget_s = 1e9;         // of measuring
  int average_iterations = 8;         // at least, per candidate
  std::string timing_cache;           // path; read when it exists, written after the build
  bool use_timing_cache = true;       // within the build and the file
  std::vector<std::string> disabled;  // rules and tactics by name; "onednn": all that use oneDNN
  int64_t stop_after = -1;            // patches; negative: all
  std::string dump_stage;             // print the graph after this stage through `dump`
  std::function<void(const std::string& text)> dump;
  LogFunction log;
  std::function<bool(size_t done, size_t total, const std::string& problem)> progress;  // false cancels
  bool keep_graph = false;                                                              // for Engine::check_layers
};

struct IoTensor {
  std::string name, type;
  std::vector<int64_t> dims;     // -1 where dynamic
  std::vector<Bounds> profiles;  // inputs: of each profile
  bool is_input = false;
};

struct LayerInfo {
  std::string name, op, backend, kernel, tactic;
  std::vector<std::string> origins;          // nodes of the model
  std::vector<std::string> inputs, outputs;  // "name float32[1,64,56,56] 0231"
  double built_ms = -1;                      // as measured by the build; negative when not
};

class Session;
using Values = std::map<std::string, HostTensor>;
// One result of a layer, and what the reference makes of the same inputs.
using LayerObserver = std::function<void(const LayerInfo& layer, const std::string& value, const HostTensor& got,
                                         const HostTensor& want)>;

class Engine {
 public:
  static Engine build(const BuildOptions& options);
  static Engine load(const std::string& path);
  void save(const std::string& path) const;

  std::string name() const;
  std::string backend() const;
  std::vector<IoTensor> io() const;
  std::vector<LayerInfo> layers() const;
  size_t context_bytes() const;  // device memory that each session takes
  size_t weight_bytes() const;
  std::string description() const;   // JSON
  std::string build_report() const;  // text: passes, rules that fired; empty for a loaded engine
  Session create_session() const;
  // Runs the engine once, and beside it each layer by reference evaluation on the inputs that the engine's layer had: a
  // difference counts where it is made. Layers in order; only for engines built with keep_graph. Returns the outputs.
  Values check_layers(const Values& inputs, int profile, const LayerObserver& observer) const;

  struct State;

 private:
  explicit Engine(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();
  void set_profile(int profile);  // before shapes; 0 at first
  void set_shape(const std::string& input, const std::vector<int64_t>& dims);
  // Copies the values in and keeps the shape.
  void set_input(const std::string& input, const HostTensor& tensor);
  // One inference; returns when it is queued. The first after a shape change prepares.
  void enqueue();
  void synchronize();
  HostTensor output(const std::string& name);
  std::vector<int64_t> shape(const std::string& name);
  // Milliseconds of the device for the inferences between the two calls.
  void record_start();
  double record_stop_ms();
  // Time per layer of one profiled inference, in order.
  std::vector<std::pair<std::string, double>> profile();

  struct State;

 private:
  friend class Engine;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Runs a model by reference evaluation. Returns outputs by name.
Values evaluate_model(const std::string& onnx, const Values& inputs);
// Names of a model's inputs in order, with types; dimensions -1 where dynamic.
std::vector<IoTensor> model_io(const std::string& onnx);

std::vector<std::string> list_backends();
std::vector<std::string> list_operators();
std::vector<std::string> list_rules();
std::vector<std::string> list_tactics(const std::string& backend);
std::string version();

}  // namespace kiln::api
