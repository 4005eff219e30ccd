// The engine in memory: what the compiler writes and the runtime reads. Indices refer to the lists of the same program.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_map.h"
#include "tensor/dim.h"
#include "tensor/generated_kernel.h"
#include "tensor/layout.h"
#include "tensor/sharing.h"

namespace kiln::plan {

inline constexpr uint32_t kFormatVersion = 5;
inline constexpr int64_t kAlignment = 64;  // of every tensor and section, in bytes

// Number is stored: append only.
enum class Storage : uint8_t {
  kNone = 0,       // absent optional argument
  kConstant = 1,   // offset into the constants section
  kInput = 2,      // address given by the user
  kOutput = 3,     // address given by the user
  kArena = 4,      // offset into the context's arena
  kSlot = 5,       // held by the context as a Datum: size known only while running, or no tensor
  kHostArena = 6,  // offset into the context's memory on the host; only in engines whose device has memory of its own
};

// Kernels of transfer steps, which copy one tensor between the memory of the device and that of the host.
inline constexpr std::string_view kToHost = "to_host", kToDevice = "to_device";

// One value of a program. `dims` are indices into Plan::dims. A view (view_of >= 0) shares the storage of another tensor: it starts
// inside its parent's storage and uses its parent's strides for the axes of its own rank (concatenation in place).
struct TensorInfo {
  std::string name;
  Datum::Kind kind = Datum::kTensor;
  DType dtype = DType::kInvalid;
  bool ranked = true;
  std::vector<uint32_t> dims;
  Layout layout;
  Storage storage = Storage::kNone;
  uint64_t offset = 0;      // bytes; kConstant, kArena
  uint64_t size = 0;        // bytes reserved at the largest shapes; kConstant, kArena
  int32_t view_of = -1;     // tensor whose storage this lies in; of the same rank, dtype and layout
  int32_t view_axis = 0;    // axis along which it is a part
  uint32_t view_start = 0;  // index into Plan::dims: first position along view_axis
  bool on_host = false;     // the host reads or writes it, in an engine whose device has memory of its own
};

struct StepVariant;

struct StepInfo {
  std::string name;    // "conv1 + relu1"
  std::string device;  // back end whose kernel runs
  std::string kernel;
  std::string tactic;  // for reports: "winograd_f4_3x3"
  std::string op;      // for reports: "Conv"
  Attributes parameters;
  std::vector<int32_t> inputs, outputs;               // tensors; -1 is absent
  uint64_t workspace_offset = 0, workspace_size = 0;  // bytes in the arena
  std::vector<std::string> origins;                   // nodes of the model
  std::vector<uint32_t> bodies;                       // programs that a branch or loop runs
  bool waits = false;                                 // for all that is queued: the host reads what the device made
  bool is_transfer() const { return device.empty() && (kernel == kToHost || kernel == kToDevice); }
  Sharing sharing = Sharing::kNothing;  // what its kernel says; the runtime asks the kernel again
  int32_t code = -1;                    // generated code that its kernel runs: index into Plan::kernels; -1: none
  std::vector<StepVariant> variants;    // of the main program: how it runs in other profiles
  // Steps of one lane run one after another, in their order in the list; lane 0 is the stream of the user. Of the main program.
  uint32_t lane = 0;
  std::vector<uint32_t> after;  // steps of other lanes, earlier in the list, for whose end it waits
};

// A step as it runs in these profiles: by another kernel, with packed weights of its own; results and workspace are those of the step.
struct StepVariant {
  std::vector<uint32_t> profiles;
  StepInfo step;
};

struct Program {
  std::vector<TensorInfo> tensors;
  std::vector<StepInfo> steps;
  std::vector<int32_t> inputs, outputs;
};

struct ProfileDims {
  std::vector<int64_t> min, opt, max;
};
// The symbol that stands for an element of a shape tensor among the inputs.
inline std::string value_symbol(const std::string& input, int64_t element) {
  return input + "#" + std::to_string(element);
}
// One entry per input of the main program, in order. `values` bound the elements of shape tensors; empty for others.
struct Profile {
  std::vector<ProfileDims> inputs;
  std::vector<ProfileDims> values;
};

// A value of the main program that a context looks at as soon as its step has run: it shows it to a listener that wants it, or ends
// the inference with the message when an element of it, which is of type bool, is false. Number is stored: append only.
struct Watch {
  enum Kind : uint8_t { kShown = 0, kRequired = 1 };
  int32_t tensor = -1;
  Kind kind = kShown;
  std::string message;
};

// The constants section: bytes that lie in one piece in a file that was read, and in many in a plan that was just made.
class Constants {
 public:
  struct Part {
    uint64_t offset;  // a multiple of kAlignment
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  // Behind what is there, at the next multiple of kAlignment; the bytes themselves must be aligned likewise. Returns the offset.
  uint64_t add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  uint64_t size() const { return size_; }
  const std::vector<Part>& parts() const { return parts_; }
  // Null when [offset, offset + size) is not inside of one part.
  const std::byte* at(uint64_t offset, uint64_t size) const;

 private:
  std::vector<Part> parts_;
  uint64_t size_ = 0;
};

// A device and what it was when the engine was built.
struct UsedDevice {
  std::string name, fingerprint;
};

struct Plan {
  std::string built_by;                  // "0.1.0"
  std::string name;                      // of the network
  std::string device;                    // back end of the engine
  std::string fingerprint;               // of the device at build time
  std::vector<UsedDevice> others;        // whose kernels steps run, beside the device's, by name
  std::vector<std::vector<DimOp>> dims;  // postfix programs over symbols
  std::vector<Program> programs;         // 0 is the main one
  std::vector<Profile> profiles;         // at least one
  uint64_t arena_size = 0;               // bytes that a context needs
  // The device has memory of its own: every tensor lies in it or is on_host, steps of other devices work on the host, and transfer
  // steps copy between the two.
  bool device_memory = false;
  uint64_t host_arena_size = 0;  // bytes of the host that a context needs beside the arena
  Constants constants;
  std::vector<GeneratedKernel> kernels;  // each once, however many steps run it
  std::string build_info;                // JSON text: options, timings; for people
  std::vector<Watch> watches;
  bool shows_results = false;  // every result of the main program may be shown
  // Lanes are for inferences that are captured: queued step by step, the host cannot keep several streams busy.
  bool lanes_in_captures = false;
  // The step works on the host's memory, beside a device that has its own.
  bool on_host(const StepInfo& step) const { return device_memory && step.device != device; }
};

// Serialises. The same plan gives the same bytes.
std::vector<std::byte> write(const Plan& plan);
// The same to a file, piece by piece. Throws kIo, also when there is a file that is no engine: it stays.
void write_file(const Plan& plan, const std::string& path);
// Throws where write_file would not begin to write.
void check_writable(const std::string& path);
// Reads, verifies checksums and every index, offset, size and dimension program. Constants and binaries are borrowed from `bytes`, which
// `owner` keeps alive; bytes that do not begin at a multiple of kAlignment are copied first. Throws kMalformedPlan or
// kPlanVersion; never crashes, whatever the bytes.
Plan read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
// Checks a plan that was made in memory; read() and write() call it too. Sizes are checked at the corners of every profile; where
// shapes are set, the runtime still compares what they need with TensorInfo::size, and views with what they lie in.
void verify(const Plan& plan);

}  // namespace kiln::plan
