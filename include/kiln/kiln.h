// Kiln's own small C++ API: build, load, run and examine engines without CUDA's types. NvInfer.h is the API of the field.
//
// Errors are thrown as Failure, whose text names code, node, cause and remedy (docs/errors.md lists the codes). std::bad_alloc may be
// thrown too. What a throwing call was given is as before.
// Threads: an Engine may be used by any number of threads at once; a Session, a HostTensor and BuildOptions by one at a time. All may
// be moved between threads. The free functions may be called by any thread.
// Ownership: everything is held by value; copies of an Engine share one engine, a Session keeps its engine alive.
// Times are in milliseconds unless a name ends in _s (seconds); sizes in bytes. Dimensions are numbers of elements.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::api {

// "error[K2005] node 'x' (Op): message", then lines "cause: ..." and "remedy: ..." where they are known.
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
// .npy, or an ONNX TensorProto (.pb). Throws for other endings, for what cannot be read and for damaged files.
HostTensor load_tensor(const std::string& path);
// An image file (BMP, JPEG, PNG, …) as float32 [1, 3, height, width], red, green, blue, each 0 to 255, resized to that size. Throws for what
// cannot be decoded.
HostTensor load_image(const std::string& path, int64_t height, int64_t width);
// .npy or .pb by the ending. Throws for types that numpy lacks in .npy (bfloat16, 8-bit floats, packed types), and when the file
// cannot be written.
void save_tensor(const std::string& path, const HostTensor& tensor);
// Makes a file, or replaces one that is empty or begins with one of the `kinds`, whole or not at all; throws when it is anything else,
// or cannot be written. No kinds: any file is replaced. Devices are written to, pipes refused.
void save_bytes(const std::string& path, const std::vector<std::byte>& bytes,
                const std::vector<std::string_view>& kinds = {});
// Throws what save_bytes would throw before it writes, so that it is known before long work; leaves everything as it is.
void check_place(const std::string& path, const std::vector<std::string_view>& kinds = {});
// Text to show that holds names from files: control characters as \xNN, lines of at most 1,000 bytes.
std::string printable(std::string_view text);
// The bytes of an .npy file. `what` names them in errors.
HostTensor parse_npy(const std::vector<std::byte>& bytes, const std::string& what);
std::vector<std::byte> npy_bytes(const HostTensor& tensor);
// Element `index` in row-major order, 0 <= index < element_count, of any numeric type; the type must be a name that Kiln knows.
double element(const HostTensor& tensor, int64_t index);
int64_t element_count(const HostTensor& tensor);  // product of dims; 1 for a scalar
// The same values for the same arguments: floats in [-1, 1), integers 0 or 1. Throws for an unknown type.
HostTensor random_tensor(const std::string& type, const std::vector<int64_t>& dims, uint64_t seed);

// Dimensions of an input: min <= opt <= max each, of the input's rank, equal to its fixed dimensions.
struct Bounds {
  std::vector<int64_t> min, opt, max;
};

using Profile = std::map<std::string, Bounds>;  // by input name

// Of each channel of a tensor: along axis 1 of images, else along the last axis.
struct ChannelRanges {
  std::vector<float> mean, most;  // most: the largest absolute value
};

struct BuildOptions {
  std::string onnx;     // path of the model: ONNX, or a graph in Kiln's text form when it ends in .kir
  std::string backend;  // empty: that of device_profile, else the first of list_backends() that has a device
  std::string
      device_profile;  // path: builds for the device of save_device_profile, which this machine need not have. No tactic
                       // is measured; times come from the timing cache. The engine can be saved, not run, and from
                       // then on the process knows that device alone as the first of its back end
  std::vector<Profile> profiles;  // bounds of dynamic inputs; none when all are static
  // Types and formats of inputs and outputs as trtexec's --inputIOFormats takes them: "chw4" for all, or "fp16:hwc8,chw" for each in order;
  // "chw4+hwc8" allows several. Empty: row-major, in the model's types. The bytes of each format: TensorFormat in NvInferRuntime.h.
  std::string input_formats, output_formats;
  int optimization_level = 3;    // 0 to 5: more candidates are measured
  double time_budget_s = 1e9;    // of measuring
  int average_iterations = 8;    // at least, per candidate
  std::string timing_cache;      // path; read when it exists, joined with after the build
  bool use_timing_cache = true;  // within the build and the file
  // Kernels that are compiled for a layer (by NVRTC, cuDNN) are taken from that file and left there, up to 64 MiB. They run as they stand: off
  // for a file that somebody may have written who is not trusted to run code on the device.
  bool use_compilation_cache = true;
  bool timing_cache_only = false;  // nothing is measured; a layer without a time there is an error
  int max_candidates = -1;         // that are measured for a layer; negative: as the level says
  // Rules and tactics by name; "onednn": all that use oneDNN. A name that is none of these is an error.
  std::vector<std::string> disabled;
  // What the model has in float32 may be computed in: "float32", "float16" or "bfloat16". Back ends that cannot say so in the log.
  // "float16+bfloat16": in either; products whose weights float16 cannot hold, and layers of that type below, compute in bfloat16, the
  // others in float16, which keeps more digits at the same speed.
  std::string precision = "float32";
  // Layers that compute in a type of their own, by their names in the model, in which '*' stands for any text: "float32", or one of
  // `precision`. The last that fits counts. Where that cannot be, the log warns, or the build fails when it is to obey.
  std::vector<std::pair<std::string, std::string>> layer_precisions;
  bool obey_precisions = false;
  int64_t workspace = -1;  // bytes that a layer may take beside its operands; negative: any number
  // The largest absolute values of tensors, by name: products compute in int8 where they are known (load_calibration). None: nothing is
  // quantized that the model does not quantize itself. Throws when the network has no such tensors.
  std::map<std::string, double> ranges;
  // Where some are known or the model is quantized itself (QuantizeLinear, DequantizeLinear), and candidates are measured, products that
  // int8 makes slower stay in float32, and so does all of a network that it makes slower; Engine::remarks() says which.
  bool compares_int8 = true;
  // Products that stay in float32 whatever ranges say, by their names in the model; weight_bits hold for them.
  std::vector<std::string> slower_in_int8;
  // What Engine::remarks() of the engine is to say, too; keep_within_error adds why layers stay wide.
  std::vector<std::string> remarks;
  // What makes results in int8 better. Mean and largest absolute value of tensors' channels, by name, as calibrate() finds them; whether
  // biases make up for what rounding the weights changes of the mean; and above 0 to 1 how far channels of what products read are made
  // alike at the weights' cost (SmoothQuant).
  std::map<std::string, ChannelRanges> channels;
  bool corrects_bias = false;
  double smoothing = 0;
  // Channels between two convolutions are made alike, which changes no result. Ranges are those of a network that was built so, too.
  bool equalizes = false;
  // Products by constant matrices of float32 keep the weights as integers of so many bits, 4 or 8, with a scale for so many weights of a
  // column; 0: the weights stay, or all of a column share a scale.
  int weight_bits = 0, weight_block = 0;
  bool tf32 = true;  // float32 products may round their operands to TF32, where the device is faster then
  // Streams beside the caller's in which independent layers may run, at most; 0: none; negative: up to 4, where the whole engine is measured
  // to be faster. Devices that run one stream at a time, as the CPU, take none.
  int max_aux_streams = -1;
  int max_threads = 0;                     // that compute while candidates are measured; 0: all
  int64_t stop_after = -1;                 // patches; negative: all
  std::vector<std::string> debug_tensors;  // values of the model that no fusion may swallow
  bool debug_all = false;                  // every result of a layer is a debug tensor
  std::string dump_stage;                  // print the graph after this stage through `dump`
  std::function<void(const std::string& text)> dump;
  std::string
      dump_file;  // path: the same graph, which can be built again when it ends in .kir; large constants lie in PATH.weights
  LogFunction log;
  std::function<bool(size_t done, size_t total, const std::string& layer)> progress;  // false cancels
  // Asked often, from reading the model to the end, by the thread that builds: true cancels, which throws.
  std::function<bool()> stop;
  double time_limit_s = 86400;  // of the whole build, which throws when it takes longer
  // Bytes of tensors that the build may hold at once beside the file: weights in other types and layouts, folded constants, what is
  // measured. 0: as many as the machine has. The build throws when it wants more.
  int64_t memory_limit = 0;
  std::function<bool()> enough;  // true: nothing more is measured, the remaining layers take their first tactic
  bool keep_graph = false;       // for Engine::check_layers
};

// What calibration found out about a tensor.
struct TensorRange {
  double range = 0;             // what int8 reaches to, on both sides of zero
  double low = 0, high = 0;     // that were seen
  double clipped = 0;           // share of the elements beyond the range
  double error = 0;             // root mean square of what int8 changes ÷ that of the elements
  ChannelRanges channels = {};  // where they were asked for
};
struct Calibration {
  std::string algorithm;
  bool equalized = false;  // the network was built with BuildOptions::equalizes
  std::map<std::string, TensorRange> tensors;
};
// A file that save_calibration or TensorRT wrote; of the latter only ranges are known. Throws for anything else, and for ranges that are
// negative or no numbers.
Calibration load_calibration(const std::string& path);
// Replaces a file of calibration, or one that is empty; in TensorRT's text form when `tensorrt`.
void save_calibration(const std::string& path, const Calibration& calibration, bool tensorrt = false);
// Throws where save_calibration would not begin to write.
void check_calibration_place(const std::string& path);

// An input or output of an engine or model.
struct IoTensor {
  std::string name, type;
  std::vector<int64_t> dims;     // -1 where dynamic: of an engine, where not all profiles fix it to the same number
  std::vector<Bounds> profiles;  // inputs: of each profile
  bool is_input = false;
  std::vector<std::string> symbols = {};  // of a model: how it names each dimension; empty where fixed
  std::string collection = {};            // "sequence" or "optional" of such tensors; empty: one tensor
  std::string format =
      {};  // of an engine: how it lies in memory, "chw", "chw4", …; sessions take and give it in row-major order
};

// A step of an engine; fusion joins the names of what it is made of ("conv1 + relu1").
struct LayerInfo {
  std::string name, op, backend, kernel, tactic;
  std::vector<std::string> origins;          // nodes of the model
  std::vector<std::string> inputs, outputs;  // "name float32[1,64,56,56] channels-last"
  double built_ms = -1;                      // as measured by the build; negative when not
  // What one inference needs at the optimum shapes of the first profile, by the definition of the operator: arithmetic operations,
  // and bytes of its inputs, weights and outputs. Negative when the engine does not say.
  double flops = -1, bytes = -1;
  std::vector<std::pair<std::string, double>> tried = {};  // candidates that the build compared, with milliseconds
  int stream = 0;                                          // in which it runs: 0 is the caller's, others are beside it
  // The type in which operands are multiplied, or in which it computes otherwise: "int8" of a product of integers, "bfloat16" of one that
  // rounds float32 to it. Empty when the engine does not say.
  std::string computes = {};
};

// Memory of a context that holds one value from the layer that makes it to the last that reads it, or a layer's workspace.
struct MemoryUse {
  std::string name;
  uint64_t offset = 0, size = 0;  // bytes, at the largest shapes
  size_t first = 0, last = 0;     // layers
};

// One result of a layer as it was computed.
using ResultObserver = std::function<void(const LayerInfo& layer, const std::string& value, const HostTensor& result)>;

// A value of a model as the reference computed it.
using ValueObserver = std::function<void(const std::string& value, const HostTensor& result)>;

// What an input or output is that is no tensor of numbers: strings, a list of values, or at most one value.
struct HostValue {
  enum class Kind { kNumbers, kStrings, kSequence, kOptional };
  Kind kind = Kind::kNumbers;
  HostTensor tensor;                 // kNumbers
  std::vector<int64_t> dims;         // kStrings: in row-major order
  std::vector<std::string> strings;  // kStrings
  std::string type;  // kSequence, kOptional: of the elements, "string" among them; also where there are none
  std::vector<HostValue> items;  // kSequence; kOptional: none or one
};

// A value of a file: numbers or text of .npy; of .pb what the kind says, as ONNX stores it. Throws as load_tensor.
HostValue load_value(const std::string& path, HostValue::Kind kind);
// The bytes of an .npy file of numbers or text, and what they hold.
HostValue parse_npy_value(const std::vector<std::byte>& bytes, const std::string& what);
std::vector<std::byte> npy_bytes(const HostValue& value);

class Session;
using Values = std::map<std::string, HostTensor>;
// One result of a layer, and what the reference makes of the same inputs.
using LayerObserver = std::function<void(const LayerInfo& layer, const std::string& value, const HostTensor& got,
                                         const HostTensor& want)>;

// A built network. Immutable.
struct LoadOptions {
  // Reads the file into memory instead of mapping it, and then nothing that happens to it matters.
  bool copies = false;
  // False, for a file that nobody vouches for: machine code of generated kernels is not run as it stands in the file, but made again
  // from the parameters beside it, which takes tenths of a second a kernel. Throws where that cannot be done.
  bool trusts_kernels = true;
};

class Engine {
 public:
  Engine(const Engine&) = default;
  Engine& operator=(const Engine&) = default;
  // Reads the model, optimises it, measures candidates on this machine. Takes seconds to minutes; `progress` and `stop` can cancel, which throws.
  static Engine build(const BuildOptions& options);
  // Maps and verifies an engine file. Throws when it is damaged, of another version, or built on another kind of device.
  // The file must not change in place as long as the engine lives: a mapped file that is cut off ends the process when it is read.
  // save() and Kiln's program only ever put a new file in its place, which is safe.
  static Engine load(const std::string& path, const LoadOptions& options = {});
  // To be looked at, on any machine: the file is verified, its device is not opened, and sessions cannot be made.
  static Engine look(const std::string& path);
  // Replaces the file when it is an engine or empty, and throws when it is anything else. Devices are written to, pipes refused.
  void save(const std::string& path) const;
  // Throws where save() would not begin to write, so that it is known before a build.
  static void check_place(const std::string& path);

  std::string name() const;
  std::string backend() const;
  bool on_host() const;  // its device works on the host's memory: nothing is copied to it
  std::vector<IoTensor> io() const;
  std::vector<LayerInfo> layers() const;
  std::string layer_information() const;  // JSON in the form of TensorRT's IEngineInspector
  size_t context_bytes() const;           // device memory that each session takes
  double input_bytes() const;             // of all inputs at the largest shapes of the profile that takes most
  double device_seconds()
      const;  // what opening its devices took while it was loaded: a GPU's driver starts once in a process
  size_t weight_bytes() const;
  std::string built_by() const;              // version of Kiln
  std::string device() const;                // that it was built on, as text
  std::string build_options() const;         // "level 3, disabled winograd_f4"; empty when the engine does not say
  std::vector<std::string> remarks() const;  // layers that compute in a wider type than was allowed, and why
  std::vector<MemoryUse> memory() const;     // within context_bytes()
  std::vector<std::string> debug_tensors() const;  // results that were marked when it was built
  std::string description() const;                 // JSON
  std::string build_report() const;                // text: passes, rules that fired; empty for a loaded engine
  size_t patches() const;  // that the build applied, as BuildOptions::stop_after counts; 0 for a loaded engine
  std::vector<std::string> patch_list() const;  // "pass: rule: name" of each, in order
  // Takes context_bytes() of memory; throws when there are not so many. At most `threads` threads compute; 0: all.
  Session create_session(int threads = 0) const;
  // Runs the engine once, and beside it each layer by reference evaluation on the inputs that the engine's layer had: a
  // difference counts where it is made. Layers in order; only for engines built with keep_graph. Returns the outputs.
  Values check_layers(const Values& inputs, int profile, const LayerObserver& observer) const;

  struct State;
  explicit Engine(std::shared_ptr<State> state) : state_(std::move(state)) {}  // for Kiln itself

 private:
  std::shared_ptr<State> state_;
};

// Where the milliseconds of one inference went: of the device, but for `queued`.
struct InferenceTimes {
  double upload = 0, compute = 0, download = 0;
  double queued = 0;  // of the host, until all of it was queued
  double whole = 0;   // from its first part to the end of its last, with what it waited between them
};

// The state of one inference at a time, with memory for inputs and outputs of its own. One that was moved away throws.
class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();
  void set_profile(int profile);  // before shapes; 0 at first
  // Throws for an unknown name and for dimensions outside the engine's bounds. Inputs of fixed shape need none.
  void set_shape(const std::string& input, const std::vector<int64_t>& dims);
  // Copies the values in and sets the shape to the tensor's. Throws when the element type is not the input's.
  void set_input(const std::string& input, const HostTensor& tensor);
  // An input that is strings, a sequence or an optional: copies it. Throws when it is of another kind or type than the input, and for
  // strings outside the engine's bounds.
  void set_value(const std::string& input, const HostValue& value);
  // Lets an input be read from, or an output be written to, memory of the caller instead of the session's own: no copy is made. The
  // memory holds the tensor in IoTensor::format, has `bytes` bytes, begins at a multiple of 64, lies where the device can reach it, and outlives its use; null ends it.
  // Throws kNotFound for an unknown name, kInvalidArgument when it is too small for the shape, and for outputs of unknown size.
  void bind(const std::string& name, void* memory, size_t bytes);
  // From now on an inference is captured once and launched as a graph, which costs the host less; again after a change of shapes or
  // memory, where a graph of the same form is kept. The first inference after a change is queued, and the second captured. Returns why
  // none can be: a device whose launches cost nothing, or a layer that runs on the host. Empty: they are.
  std::string use_graphs();
  // Why inferences are queued although use_graphs found nothing against graphs: the capture failed. Empty: none did.
  std::string graph_failure() const;
  // One inference; returns when it is queued. The first after a shape change prepares.
  void enqueue();
  // For any thread: ends the inference that runs, before its next layer or within a long one; its enqueue throws (K1002).
  void stop();
  // An enqueue that takes longer ends as after stop(); 0, as at first: no limit. A device that computes beside the host ends what was queued.
  void set_time_limit(double seconds);
  void synchronize();
  HostTensor output(const std::string& name);  // a copy of the last inference's result, which is numbers; waits for it
  HostValue value(const std::string& name);    // the same of any result
  std::vector<int64_t> shape(
      const std::string& name);  // of an input or output, for the shapes of the inputs as they are
  // Each enqueue shows every result of every layer, in order, before its memory is used again; null ends that. Such an enqueue is slow.
  void observe(ResultObserver observer);
  // Inferences wait for each layer, so that the error of one that fails on its device names it; slow, and never by graphs.
  void set_debug_sync(bool on);
  // One inference to its end, with its times. `copies`: inputs are copied to the device before, from staging memory, and outputs
  // into such memory after, where the device has memory of its own and the session holds them.
  InferenceTimes timed(bool copies);
  // Inferences with copies that run beside those before and behind them.
  class Overlap;
  // Milliseconds of the device for the inferences between the two calls.
  void record_start();
  double record_stop_ms();
  // Time per layer of one profiled inference, in order.
  std::vector<std::pair<std::string, double>> profile();

  struct State;

 private:
  friend class Engine;
  explicit Session(std::unique_ptr<State> state);
  State& state() const;
  std::unique_ptr<State> state_;
};

// Uploads of the next inference and downloads of the last run while an inference computes: sets of memory for inputs and outputs take
// turns, and copies have streams of their own. While it lives nothing else is asked of the session, whose inputs are set.
class Session::Overlap {
 public:
  explicit Overlap(Session& session);  // throws when an input has no shape
  ~Overlap();
  Overlap(const Overlap&) = delete;
  Overlap& operator=(const Overlap&) = delete;
  bool full() const;  // as many inferences are on their way as there are sets
  // One more; throws when it is full.
  void queue();
  // Waits for the earliest that is on its way; nothing when none is.
  std::optional<InferenceTimes> wait();

 private:
  struct Sets;
  std::unique_ptr<Sets> sets_;
};

// How far int8 reaches: to the largest element; as far as loses least information of the elements that are not zero, `kEntropy2` with those
// next to zero counted like their neighbours; over a share of the elements; with the least squared error.
enum class RangeRule { kMinMax, kEntropy, kEntropy2, kPercentile, kMse };
std::string rule_name(RangeRule rule);       // "minmax", "entropy", …
std::vector<std::string> rule_names();       // of all, in their order
RangeRule rule_of(const std::string& name);  // throws Failure for another name
struct CalibrationOptions {
  RangeRule rule = RangeRule::kMse;  // of all rules it loses least where it loses most
  double percentile = 99.99;         // of kPercentile
  bool channels = false;             // tells those of each tensor, too
  LogFunction log;                   // warns of tensors with elements that are no numbers, which are left out
};
// Ranges of the tensors of float32 that an engine computes for the samples that `next` gives, inputs by name; false ends them.
Calibration calibrate(const Engine& engine, const std::function<bool(Values& sample)>& next,
                      const CalibrationOptions& options = {});

// What one product in int8 changes, and what it saves.
struct LayerEffect {
  std::string layer;
  double error =
      0;  // ‖results - those in float32‖ ÷ ‖those in float32‖, the worst output, with this layer alone in int8
  double saved_us = 0;  // microseconds of an inference
  bool stays_wide = false;
};
struct BudgetReport {
  double error_of_all = 0;          // with all layers in int8
  double error = 0;                 // with those in float32 that stay wide
  std::vector<LayerEffect> layers;  // by harm per microsecond, the worst first
};
// Chooses layers that stay in float32, those with most harm for each microsecond that int8 saves first, until the network with
// `options.ranges` differs from the one in float32 by `budget` at most on the samples, and adds them to options.layer_precisions. Builds the
// network once for each product. Throws when there are no samples.
BudgetReport keep_within_error(BuildOptions& options, const std::vector<Values>& samples, double budget);

// Runs a model by reference evaluation, slowly. Returns outputs by name. `inputs` holds every input of the model; throws otherwise. The
// observer sees the results of the main graph's nodes, in the order in which they are computed: no inputs, nothing of the bodies of loops
// and branches, and only tensors of numbers.
Values evaluate_model(const std::string& onnx, const Values& inputs, const ValueObserver& observer = nullptr);
// Names of a model's inputs in order, with types; dimensions -1 where dynamic.
std::vector<IoTensor> model_io(const std::string& onnx);

// Convolutions and products of matrices of a model, and those among them that it quantizes itself.
struct Products {
  int64_t all = 0, quantized = 0;
  std::map<std::string, std::vector<std::string>>
      readers;                    // names of products by the tensor that they read, or elements of it
  std::set<std::string> tensors;  // names of all, those inside branches and loops included
};
Products count_products(const std::string& model);

// A model without building it.
struct ModelInfo {
  std::string name, producer;
  std::map<std::string, int64_t> opsets;  // by domain; "" is ONNX's own
  std::vector<IoTensor> io;
  std::map<std::string, int64_t> operators;  // nodes of each operator, those inside branches and loops included
  std::vector<std::string> unsupported;      // what is wrong with each node that cannot be built
  int64_t parameters = 0, parameter_bytes = 0;
  // Of one inference with the given shapes, 1 for each dimension that they leave open; negative when not known.
  double flops = -1, bytes = -1;
};
// `shapes` by input name. Throws for a file that is no model, and for a name that is no input.
ModelInfo model_info(const std::string& onnx, const std::map<std::string, std::vector<int64_t>>& shapes = {});

// The known name that differs least from `word`, or an empty text; and the end of an error: that name, and which there are.
std::string nearest_name(const std::string& word, const std::vector<std::string>& known);
std::string name_hint(const std::string& word, const std::vector<std::string>& known);

// A device that engines are built for and run on. Numbers that are not known are 0.
struct DeviceInfo {
  std::string backend;
  int ordinal = 0;      // among the devices of the back end
  std::string missing;  // why it is not there; empty: it is. What follows is of devices that are there
  std::string name, fingerprint;
  int64_t memory = 0, cache = 0;  // cache: of the last level
  int64_t free_memory = -1;       // negative when it cannot be told
  int units = 0;                  // cores or multiprocessors
  double bytes_per_second = 0;
  std::map<std::string, double> operations_per_second;  // of matrix products, by element type
  int64_t alignment = 0;
  bool host_memory = true;  // it works on the host's memory
  // That its back end opens when it needs them: each with its version, or why it is not there. Not kept in profiles.
  std::map<std::string, std::string> libraries = {};
  // A step of this device in an engine of another one costs so many milliseconds, and so much in proportion, more.
  double switch_milliseconds = 0, switch_factor = 1;
  std::map<std::string, double> times = {};  // milliseconds of choices of tactics, that its profile holds
};
// All devices of all back ends, and for a back end without a device why it has none.
std::vector<DeviceInfo> list_devices();
// The devices that a build for the back end asks for in turn, of all back ends when it is empty; the last is the one that it takes, unless
// that is missing, too. Ordinals are not told.
std::vector<DeviceInfo> devices_tried(const std::string& backend = "");
// Engines that are built or loaded from now on are this device's, which list_devices() calls "backend:ordinal", where they are of its back
// end; at first they are those of ordinal 0. Throws when there is no such device.
void choose_device(const std::string& backend, int ordinal);
// What is known of a device as a JSON file, whole or not at all; throws when another device's or anything else is there. Times of the
// device and those that a file of it has stay, but for those that are given anew. `free_memory` and `missing` are not kept. `timing_cache`: the path of one of that device, or empty; of what was
// measured there the fastest choice of each tactic is kept, and builds for the profile take it. Throws when the cache is damaged or another
// device's.
void save_device_profile(const std::string& path, const DeviceInfo& device, const std::string& timing_cache = "");
// Throws for what is no such file.
DeviceInfo load_device_profile(const std::string& path);

// What this build of Kiln has. list_tactics throws for a back end that it lacks.
std::vector<std::string> list_backends();
std::vector<std::string> list_operators();
std::vector<std::string> list_rules();
std::vector<std::string> list_tactics(const std::string& backend);
std::string version();

}  // namespace kiln::api
