// Checks that running a plan reads and writes nothing outside its storage, whatever the plan says.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "plan/container.h"
#include "plan/lanes.h"
#include "plan/overlap.h"
#include "plan/plan.h"
#include "plan/verify_shapes.h"

namespace kiln::plan {
namespace {

constexpr size_t kMaxItems = size_t{1} << 24;   // tensors, steps, dimension programs: each, in all programs
constexpr size_t kMaxText = size_t{1} << 16;    // of a name
constexpr size_t kMaxInfo = size_t{1} << 26;    // of build_info
constexpr size_t kMaxDimOps = size_t{1} << 12;  // of one dimension program
constexpr size_t kMaxProfiles = 256;
constexpr size_t kMaxDevices = 64;
constexpr size_t kMaxKernels = size_t{1} << 16;
constexpr size_t kMostNested = 64;  // of branches and loops in each other

std::string number(uint64_t n) { return std::to_string(n); }

class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan) {}

  void run() {
    texts();
    counts();
    for (size_t i = 0; i < plan_.kernels.size(); ++i) kernel(i);
    for (size_t i = 0; i < plan_.dims.size(); ++i) dim_program(i);
    for (program_ = 0; program_ < plan_.programs.size(); ++program_) indices();
    bodies();
    sharing();
    lanes();
    main_program();
    for (const Watch& w : plan_.watches) watch(w);
    for (size_t i = 0; i < plan_.profiles.size(); ++i) profile(i);
    symbols();
    sizes();
    bools();
  }

 private:
  void check(bool good, const std::string& where, const char* what) const {
    if (!good) malformed(where + " " + what);
  }
  // Allocates no text when all is well.
  void check_tensor(bool good, size_t i, const char* what) const {
    if (!good)
      malformed("program " + number(program_) + ", tensor " + number(i) + " '" + tensors()[i].name.substr(0, 100) +
                "': " + what);
  }
  void check_step(bool good, size_t i, const char* what) const {
    if (!good)
      malformed("program " + number(program_) + ", step " + number(i) + " '" + program().steps[i].name.substr(0, 100) +
                "': " + what);
  }
  const Program& program() const { return plan_.programs[program_]; }
  const std::vector<TensorInfo>& tensors() const { return program().tensors; }

  void texts() const {
    check(is_version_text(plan_.built_by), "built_by", "is not a version");
    for (const std::string* s : {&plan_.name, &plan_.device, &plan_.fingerprint})
      check(s->size() <= kMaxText, "a name", "is too long");
    check(plan_.others.size() <= kMaxDevices, "the engine", "names too many devices");
    for (size_t i = 0; i < plan_.others.size(); ++i) {
      const UsedDevice& d = plan_.others[i];
      check(d.name.size() <= kMaxText && d.fingerprint.size() <= kMaxText, "a name", "is too long");
      check(d.name != plan_.device && (i == 0 || plan_.others[i - 1].name < d.name), "the engine",
            "names a device twice, or devices out of order");
    }
    check(plan_.build_info.size() <= kMaxInfo, "build_info", "is too long");
  }

  void counts() const {
    size_t tensor_count = 0, step_count = 0;
    for (const Program& p : plan_.programs) {
      tensor_count += p.tensors.size();
      step_count += p.steps.size();
    }
    check(!plan_.programs.empty(), "the engine", "has no program");
    check(!plan_.profiles.empty(), "the engine", "has no profile");
    check(plan_.profiles.size() <= kMaxProfiles, "the engine", "has too many profiles");
    check(plan_.programs.size() <= kMaxItems, "the engine", "has too many programs");
    check(plan_.kernels.size() <= kMaxKernels, "the engine", "has too many kernels");
    check(plan_.watches.size() <= kMaxItems, "the engine", "has too many watches");
    check(tensor_count <= kMaxItems && step_count <= kMaxItems, "the engine", "has too many tensors or steps");
    check(plan_.dims.size() <= kMaxItems, "the engine", "has too many dimensions");
    for (uint64_t size : {plan_.arena_size, plan_.host_arena_size})
      check(size <= std::numeric_limits<int64_t>::max(), "the arena", "is too large");
  }

  // What the code does, its device judges.
  void kernel(size_t i) const {
    const GeneratedKernel& k = plan_.kernels[i];
    const auto require = [&](bool good, const char* what) {
      if (!good) malformed("kernel " + number(i) + " '" + k.generator.substr(0, 100) + "' " + what);
    };
    require(!k.generator.empty() && k.generator.size() <= kMaxText, "has no sound name of its generator");
    require(k.version > 0, "has no sound version of its generator");
    require(!k.architecture.empty() && k.architecture.size() <= kMaxText, "has no sound name of its architecture");
    require(!k.binary.empty(), "has no binary");
    for (const auto& [name, value] : k.parameters) require(is_parameter(name, value), "has an unsound parameter");
  }

  void dim_program(size_t i) const {
    const std::vector<DimOp>& ops = plan_.dims[i];
    const auto require = [&](bool good, const char* what) {
      if (!good) malformed("dimension " + number(i) + " " + what);
    };
    require(ops.size() <= kMaxDimOps, "is too long");
    size_t depth = 0;
    for (const DimOp& op : ops) {
      require(op.kind <= DimOp::kMax, "has an unknown operation");
      const bool leaf = op.kind == DimOp::kConstant || op.kind == DimOp::kSymbol;
      require(leaf || depth >= 2, "takes a value that is not there");
      depth = leaf ? depth + 1 : depth - 1;
      if (op.kind == DimOp::kSymbol)
        require(!op.symbol.empty() && op.symbol.size() <= kMaxText, "has a symbol without a sound name");
    }
    require(depth == 1, "does not end with one value");
  }

  // Everything about one program that no shape is needed for.
  void indices() const {
    for (size_t i = 0; i < tensors().size(); ++i) tensor(i);
    view_chains();
    std::vector<bool> is_input(tensors().size()), is_output(tensors().size());
    for (int32_t i : program().inputs) mark(is_input, i);
    for (int32_t i : program().outputs) mark(is_output, i);
    for (size_t i = 0; i < tensors().size(); ++i) {
      const TensorInfo& t = tensors()[i];
      check_tensor(t.storage != Storage::kInput || is_input[i] || t.view_of >= 0, i,
                   "the user is to give it, but it is no input");
      check_tensor(t.storage != Storage::kOutput || is_output[i] || t.view_of >= 0, i,
                   "the user is to give it, but it is no output");
    }
    std::vector<bool> is_set = std::move(is_input);
    for (size_t i = 0; i < program().steps.size(); ++i) {
      step(i);
      for (int32_t t : program().steps[i].outputs) {
        check_step(t < 0 || !nth(is_set, t), i, "it writes a tensor that is set already");
        if (t >= 0) nth(is_set, t) = true;
      }
    }
  }

  void sharing() {
    inside_.resize(plan_.programs.size());
    for (program_ = 0; program_ < plan_.programs.size(); ++program_) inside_[program_] = check_sharing(program());
  }

  // Steps that run side by side are kernels of the device, in the main program, and what they wait for comes before them.
  void lanes() {
    for (program_ = 0; program_ < plan_.programs.size(); ++program_)
      for (size_t i = 0; i < program().steps.size(); ++i) lane(i);
    program_ = 0;
    const std::vector<StepInfo>& steps = program().steps;
    if (lane_count(steps) == 1) return;
    check(steps.size() <= kMostStepsInLanes, "the main program", "has too many steps for lanes");
    for (size_t i = 0; i < steps.size(); ++i) check_step(steps[i].bodies.empty(), i, "it has bodies, beside lanes");
    parts_ = check_lanes(program());
  }

  void lane(size_t i) const {
    const StepInfo& s = program().steps[i];
    for (const StepVariant& v : s.variants)
      check_step(v.step.lane == 0 && v.step.after.empty(), i, "it has other lanes in some profiles");
    if (s.lane == 0 && s.after.empty()) return;
    check_step(program_ == 0 && plan_.device_memory, i, "it has a lane, and is not of the device's main program");
    check_step(s.lane < kMostLanes && s.after.size() < kMostLanes, i, "it has too many lanes");
    for (size_t k = 0; k < s.after.size(); ++k)
      check_step(
          s.after[k] < i && (k == 0 || s.after[k - 1] < s.after[k]) && program().steps[s.after[k]].lane != s.lane, i,
          "it waits for a step that is none of another lane before it");
    check_step(s.lane == 0 || (!plan_.on_host(s) && !s.is_transfer() && !s.waits), i,
               "it takes the host, in a lane of the device");
  }

  void watch(const Watch& w) const {
    const std::vector<TensorInfo>& all = plan_.programs[0].tensors;
    check(w.tensor >= 0 && static_cast<size_t>(w.tensor) < all.size(), "a watch", "names a tensor that does not exist");
    check(w.kind <= Watch::kRequired, "a watch", "is of an unknown kind");
    check(w.message.size() <= kMaxText, "a watch", "has a message that is too long");
    check(w.kind != Watch::kRequired || nth(all, w.tensor).dtype == DType::kBool, "a watch",
          "requires a tensor to be true that is not of type bool");
  }

  void mark(std::vector<bool>& marks, int32_t index) const {
    check(index >= 0 && static_cast<size_t>(index) < marks.size(), "program " + number(program_),
          "names a tensor that does not exist");
    nth(marks, index) = true;
  }

  void tensor(size_t i) const {
    const TensorInfo& t = tensors()[i];
    check_tensor(t.name.size() <= kMaxText, i, "its name is too long");
    check_tensor(t.kind <= Datum::kOptional, i, "its kind is unknown");
    check_tensor(static_cast<int>(t.dtype) < kDTypeCount, i, "its type is unknown");
    check_tensor(t.storage <= Storage::kHostArena, i, "its storage is unknown");
    check_tensor(plan_.device_memory || (!t.on_host && t.storage != Storage::kHostArena), i,
                 "it is the host's, and the device has no other memory");
    check_tensor(t.storage == Storage::kNone || t.dtype != DType::kInvalid, i, "it has no type");
    check_tensor(t.storage != Storage::kNone || (t.dtype == DType::kInvalid && t.dims.empty()), i,
                 "it is absent and has a type or a shape");
    check_tensor(program_ == 0 || (t.storage != Storage::kInput && t.storage != Storage::kOutput), i,
                 "the user is to give it, but it is a body's");
    check_tensor(t.dims.size() <= kMostRank && (t.ranked || t.dims.empty()), i, "its rank is not sound");
    for (uint32_t d : t.dims) check_tensor(d < plan_.dims.size(), i, "it names a dimension that does not exist");
    kiln::check(t.layout, static_cast<int>(t.dims.size()));
    const bool dense = t.kind == Datum::kTensor && t.ranked && bits(t.dtype) > 0;
    if (has_memory(t)) {
      check_tensor(dense, i, "such a value cannot be in memory of fixed size");
      const uint64_t arena = t.storage == Storage::kArena ? plan_.arena_size : plan_.host_arena_size;
      const bool inside = t.storage == Storage::kConstant ? plan_.constants.at(t.offset, t.size) != nullptr
                                                          : t.offset <= arena && t.size <= arena - t.offset;
      check_tensor(inside, i, "it lies outside its storage");
      check_tensor(t.view_of >= 0 || t.offset % kAlignment == 0, i, "its offset is not aligned");
    }
    if (t.view_of >= 0) view(i, dense);
  }

  void view(size_t i, bool dense) const {
    const TensorInfo& t = tensors()[i];
    check_tensor(static_cast<size_t>(t.view_of) < tensors().size(), i, "it is a view of a tensor that does not exist");
    const TensorInfo& parent = nth(tensors(), t.view_of);
    check_tensor(dense && bits(t.dtype) % 8 == 0 && t.layout.is_plain(), i, "such a value cannot be a view");
    check_tensor(t.storage != Storage::kNone && t.storage != Storage::kSlot, i, "its storage cannot hold a view");
    check_tensor(t.storage == parent.storage && t.kind == parent.kind && t.ranked == parent.ranked, i,
                 "it is not stored as what it is a view of");
    check_tensor(t.dtype == parent.dtype && t.layout == parent.layout && t.dims.size() == parent.dims.size(), i,
                 "it differs from what it is a view of");
    check_tensor(t.view_axis >= 0 && static_cast<size_t>(t.view_axis) < t.dims.size(), i,
                 "its view axis does not exist");
    check_tensor(t.view_start < plan_.dims.size(), i, "its view starts at a dimension that does not exist");
  }

  // Every chain must end at a tensor that is no view.
  void view_chains() const {
    enum State : uint8_t { kNew, kOnPath, kDone };
    std::vector<State> state(tensors().size(), kNew);
    std::vector<size_t> path;
    for (size_t start = 0; start < tensors().size(); ++start) {
      for (size_t i = start; state[i] != kDone;) {
        check_tensor(state[i] == kNew, i, "it is a view of itself");
        state[i] = kOnPath;
        path.push_back(i);
        if (tensors()[i].view_of < 0) break;
        i = static_cast<size_t>(tensors()[i].view_of);
      }
      for (size_t i : path) state[i] = kDone;
      path.clear();
    }
  }

  void step(size_t i) const {
    const StepInfo& s = program().steps[i];
    step(i, s);
    std::set<uint32_t> profiles;
    for (const StepVariant& v : s.variants) {
      check_step(program_ == 0 && s.bodies.empty() && !s.is_transfer(), i, "it cannot differ between profiles");
      step(i, v.step);
      check_step(v.step.variants.empty() && v.step.bodies.empty() && !v.step.is_transfer(), i,
                 "what runs in some profiles is no kernel");
      check_step(v.step.name == s.name && v.step.outputs == s.outputs && v.step.waits == s.waits &&
                     v.step.workspace_offset == s.workspace_offset && v.step.workspace_size == s.workspace_size,
                 i, "it has other results or memory in some profiles");
      check_step(plan_.on_host(v.step) == plan_.on_host(s), i, "it is on another side in some profiles");
      for (uint32_t p : v.profiles)
        check_step(p < plan_.profiles.size() && profiles.insert(p).second, i,
                   "it names a profile that does not exist, or twice");
    }
  }

  void step(size_t i, const StepInfo& s) const {
    for (const std::string* text : {&s.name, &s.device, &s.kernel, &s.tactic, &s.op})
      check_step(text->size() <= kMaxText, i, "a name is too long");
    for (const std::string& origin : s.origins) check_step(origin.size() <= kMaxText, i, "a name is too long");
    check_step(!s.kernel.empty(), i, "it has no kernel");
    check_step(s.sharing <= Sharing::kParts, i, "its operands share bytes in an unknown way");
    check_step(s.code >= -1 && (s.code < 0 || static_cast<size_t>(s.code) < plan_.kernels.size()), i,
               "it runs generated code that does not exist");
    check_step(s.code < 0 || (s.bodies.empty() && !s.is_transfer()), i, "it runs generated code, and is no kernel");
    for (const auto& [name, value] : s.parameters)
      check_step(is_parameter(name, value), i, "a parameter has no sound name, or is a tensor without type");
    const auto exists = [&](int32_t t) { return t >= -1 && (t < 0 || static_cast<size_t>(t) < tensors().size()); };
    for (int32_t t : s.inputs) check_step(exists(t), i, "it reads a tensor that does not exist");
    for (int32_t t : s.outputs) {
      check_step(exists(t), i, "it writes a tensor that does not exist");
      const Storage storage = t < 0 ? Storage::kNone : nth(tensors(), t).storage;
      check_step(storage != Storage::kConstant && storage != Storage::kInput, i,
                 "it writes a tensor that may only be read");
    }
    check_step(!s.bodies.empty() || s.is_transfer() || is_named(s.device), i,
               "it runs on a device that the engine does not name");
    const uint64_t arena = plan_.on_host(s) ? plan_.host_arena_size : plan_.arena_size;
    check_step(s.workspace_offset <= arena && s.workspace_size <= arena - s.workspace_offset, i,
               "its workspace lies outside the arena");
    check_step(plan_.device_memory || !s.is_transfer(), i, "it copies to a device that has no memory of its own");
    if (plan_.device_memory) sides(i, s);
    check_step(s.workspace_offset % kAlignment == 0, i, "its workspace is not aligned");
    for (uint32_t body : s.bodies)
      check_step(body > program_ && body < plan_.programs.size(), i, "its body is not a later program");
  }

  bool is_named(const std::string& device) const {
    return device == plan_.device ||
           std::any_of(plan_.others.begin(), plan_.others.end(), [&](const UsedDevice& d) { return d.name == device; });
  }

  // Where a tensor lies. Slots are the host's.
  bool on_host(int32_t t) const {
    const TensorInfo& info = nth(tensors(), t);
    return info.on_host || info.storage == Storage::kSlot || info.storage == Storage::kHostArena;
  }

  // A kernel sees memory of its own side only; a transfer goes from one to the other.
  void sides(size_t i, const StepInfo& s) const {
    const auto all_on = [&](const std::vector<int32_t>& list, bool host) {
      return std::all_of(list.begin(), list.end(), [&](int32_t t) { return t < 0 || on_host(t) == host; });
    };
    if (!s.is_transfer()) {
      const bool host = plan_.on_host(s);
      check_step(all_on(s.inputs, host) && all_on(s.outputs, host), i, "it works on memory that is not its device's");
      return;
    }
    const bool to_host = s.kernel == kToHost;
    check_step(s.inputs.size() == 1 && s.outputs.size() == 1 && s.inputs[0] >= 0 && s.outputs[0] >= 0, i,
               "a transfer is of one tensor");
    check_step(all_on(s.inputs, !to_host) && all_on(s.outputs, to_host), i, "it copies within one memory");
    const TensorInfo &from = nth(tensors(), s.inputs[0]), &to = nth(tensors(), s.outputs[0]);
    check_step(from.dtype == to.dtype && from.dims == to.dims && from.layout == to.layout && from.view_of < 0 &&
                   to.view_of < 0 && from.kind == Datum::kTensor && to.kind == Datum::kTensor &&
                   (to.storage != Storage::kSlot || (program_ > 0 && to_host)) && bits(to.dtype) > 0,
               i, "it copies between tensors that differ, or that are no blocks of numbers");
  }

  // In bytes that the plan reserves.
  static bool has_memory(const TensorInfo& t) {
    return t.storage == Storage::kConstant || t.storage == Storage::kArena || t.storage == Storage::kHostArena;
  }

  // On the host, by the context or by the file.
  bool is_held(const TensorInfo& t) const {
    return t.storage == Storage::kSlot || (t.storage == Storage::kConstant && (t.on_host || !plan_.device_memory));
  }

  bool in_slot(int32_t t) const { return t < 0 || nth(tensors(), t).storage == Storage::kSlot; }

  // Branches and loops take and give what the context holds, and no program is the body of two.
  void bodies() {
    std::vector<size_t> depth(plan_.programs.size(), 0);
    std::vector<bool> taken(plan_.programs.size(), false);
    for (program_ = 0; program_ < plan_.programs.size(); ++program_) {
      for (size_t i = 0; i < program().steps.size(); ++i) {
        const StepInfo& s = program().steps[i];
        for (uint32_t body : s.bodies) {
          check_step(!taken[body], i, "its body is another's too");
          taken[body] = true;
          depth[body] = depth[program_] + 1;
          check_step(depth[body] <= kMostNested, i, "it is nested too deeply");
        }
        for (int32_t t : s.outputs) check_step(s.bodies.empty() || in_slot(t), i, "its results are not in slots");
      }
      if (program_ == 0) continue;
      for (int32_t t : program().inputs) check(in_slot(t), "a body", "has inputs that are not in slots");
      for (int32_t t : program().outputs)
        check(is_held(nth(tensors(), t)), "a body",
              "has an output that is neither in a slot nor a constant of the host");
    }
    body_memory();
  }

  struct Span {
    uint64_t begin = std::numeric_limits<uint64_t>::max(), end = 0;
    void add(uint64_t from, uint64_t size) {
      if (size == 0) return;
      begin = std::min(begin, from);
      end = std::max(end, from + size);
    }
    bool meets(uint64_t from, uint64_t size) const { return size > 0 && from < end && begin < from + size; }
  };

  // What a program and its bodies use of the arena.
  Span span(uint32_t of, Storage arena, const std::vector<Span>& known) const {
    Span span;
    for (const TensorInfo& t : plan_.programs[of].tensors)
      if (t.storage == arena) span.add(t.offset, t.size);
    for (const StepInfo& s : plan_.programs[of].steps) {
      if (plan_.on_host(s) == (arena == Storage::kHostArena)) span.add(s.workspace_offset, s.workspace_size);
      for (uint32_t body : s.bodies)
        if (known[body].end > 0) span.add(known[body].begin, known[body].end - known[body].begin);
    }
    return span;
  }

  // A body does not write over what its branch or loop reads. Bodies come behind the programs that they belong to.
  void body_memory() {
    for (Storage arena : {Storage::kArena, Storage::kHostArena}) {
      std::vector<Span> spans(plan_.programs.size());
      for (size_t p = plan_.programs.size(); p-- > 1;) spans[p] = span(static_cast<uint32_t>(p), arena, spans);
      for (program_ = 0; program_ < plan_.programs.size(); ++program_)
        for (size_t i = 0; i < program().steps.size(); ++i)
          for (uint32_t body : program().steps[i].bodies)
            for (int32_t t : program().steps[i].inputs)
              check_step(t < 0 || nth(tensors(), t).storage != arena ||
                             !spans[body].meets(nth(tensors(), t).offset, nth(tensors(), t).size),
                         i, "its body writes over what it reads");
    }
  }

  static bool is_parameter(const std::string& name, const Attribute& value) {
    const Tensor* t = std::get_if<Tensor>(&value);
    return !name.empty() && name.size() <= kMaxText && (!t || t->valid());
  }

  // The names and places by which the user gives and takes tensors.
  void main_program() {
    program_ = 0;
    std::set<std::string> inputs, outputs;
    for (int32_t index : program().inputs) {
      const auto i = static_cast<size_t>(index);
      const Storage storage = tensors()[i].storage;
      check_tensor(!tensors()[i].name.empty() && inputs.insert(tensors()[i].name).second, i,
                   "two inputs have its name, or it has none");
      check_tensor((storage == Storage::kInput || storage == Storage::kSlot) && tensors()[i].view_of < 0, i,
                   "an input is not stored as one");
    }
    for (int32_t index : program().outputs) {
      const auto i = static_cast<size_t>(index);
      check_tensor(!tensors()[i].name.empty() && outputs.insert(tensors()[i].name).second, i,
                   "two outputs have its name, or it has none");
      check_tensor(tensors()[i].storage != Storage::kNone, i, "an output is absent");
    }
  }

  void profile(size_t p) const {
    const Profile& profile = plan_.profiles[p];
    const std::string where = "profile " + number(p);
    const size_t count = program().inputs.size();
    check(profile.inputs.size() == count, where, "has not one entry per input");
    check(profile.values.empty() || profile.values.size() == count, where, "has not one list of values per input");
    for (size_t i = 0; i < count; ++i) {
      const TensorInfo& input = nth(tensors(), program().inputs[i]);
      const ProfileDims& dims = profile.inputs[i];
      check(ordered(dims) && dims.min.size() == input.dims.size(), where,
            "does not fit the rank of an input, or is not in order");
      for (size_t axis = 0; axis < input.dims.size(); ++axis) {
        check(dims.min[axis] >= 0, where, "has a negative dimension");
        const std::vector<DimOp>& program = plan_.dims[input.dims[axis]];
        if (program.size() == 1 && program[0].kind == DimOp::kConstant)
          check(dims.min[axis] == program[0].value && dims.max[axis] == program[0].value, where,
                "differs from a fixed dimension of an input");
      }
      if (!profile.values.empty()) values(profile, i, where);
    }
  }

  // Every profile bounds the elements of the same inputs.
  void values(const Profile& profile, size_t i, const std::string& where) const {
    const ProfileDims& bounds = profile.values[i];
    const TensorInfo& input = nth(tensors(), program().inputs[i]);
    check(ordered(bounds), where, "has values that are not in order");
    const bool same = plan_.profiles[0].values.size() == profile.values.size() &&
                      plan_.profiles[0].values[i].opt.size() == bounds.opt.size();
    check(same, where, "bounds other values than the first profile");
    if (bounds.opt.empty()) return;
    check(input.dtype == DType::kI32 || input.dtype == DType::kI64, where, "bounds values that are no integers");
    check(bounds.min[0] >= 0 && checked_element_count(profile.inputs[i].max) == static_cast<int64_t>(bounds.opt.size()),
          where, "bounds more or fewer values than an input has, or negative ones");
    check(profile.inputs[i].min == profile.inputs[i].max, where, "bounds values of an input of changing size");
  }

  static bool ordered(const ProfileDims& d) {
    if (d.min.size() != d.opt.size() || d.max.size() != d.opt.size()) return false;
    for (size_t i = 0; i < d.opt.size(); ++i)
      if (d.min[i] > d.opt[i] || d.opt[i] > d.max[i]) return false;
    return true;
  }

  void symbols() const {
    const std::set<std::string> bound = bound_symbols(plan_);
    for (size_t i = 0; i < plan_.dims.size(); ++i)
      for (const DimOp& op : plan_.dims[i])
        if (op.kind == DimOp::kSymbol && op.symbol[0] != '?' && !bound.contains(op.symbol))
          malformed("dimension " + number(i) + " needs '" + op.symbol.substr(0, 100) + "', which nothing gives");
  }

  void sizes() {
    const DimValues constants = constant_dims(plan_);
    for (program_ = 0; program_ < plan_.programs.size(); ++program_)
      for (size_t i = 0; i < tensors().size(); ++i) {
        if (tensors()[i].storage != Storage::kConstant) continue;
        check_tensor(dims_of(tensors()[i], constants).has_value(), i, "the shape of a constant is not known");
        size(i, constants);
      }
    for_each_corner(plan_, [&](const DimValues& values) {
      for (program_ = 0; program_ < plan_.programs.size(); ++program_)
        for (size_t i = 0; i < tensors().size(); ++i) size(i, values);
      for (program_ = 0; program_ < plan_.programs.size(); ++program_)
        for (const StepInfo* step : inside_[program_])
          check(keeps_apart(program(), *step, [&](uint32_t d) { return values[d]; }).value_or(true),
                "step '" + step->name.substr(0, 100) + "'", "has operands that share bytes");
      for (const TensorPair& pair : parts_)
        check(are_apart(plan_.programs[0], pair, [&](uint32_t d) { return values[d]; }).value_or(true),
              "'" + nth(plan_.programs[0].tensors, pair.first).name.substr(0, 100) + "'",
              "is used while another part of the same bytes is written");
    });
  }

  // Nothing when a dimension is not known or, at these shapes, negative: the runtime refuses such shapes.
  static std::optional<Dims> dims_of(const TensorInfo& t, const DimValues& values) {
    Dims dims;
    for (uint32_t d : t.dims) {
      if (!values[d] || *values[d] < 0) return std::nullopt;
      dims.push_back(*values[d]);
    }
    return dims;
  }

  void size(size_t i, const DimValues& values) const {
    const TensorInfo& t = tensors()[i];
    if (t.storage == Storage::kNone || t.storage == Storage::kSlot || bits(t.dtype) == 0) return;
    const std::optional<Dims> dims = dims_of(t, values);
    if (!dims) return;
    const std::optional<int64_t> bytes = byte_size(t.dtype, storage_elements(t.layout, *dims));
    check_tensor(bytes.has_value(), i, "its size does not fit 64 bits");
    if (t.view_of >= 0) return view_extent(i, *dims, values);
    check_tensor(!has_memory(t) || static_cast<uint64_t>(*bytes) <= t.size, i,
                 "its storage is too small for its shape");
  }

  void view_extent(size_t i, const Dims& dims, const DimValues& values) const {
    const TensorInfo& t = tensors()[i];
    const std::optional<Dims> parent = dims_of(nth(tensors(), t.view_of), values);
    const std::optional<int64_t> start = values[t.view_start];
    if (!parent || !start) return;
    check_tensor(lies_inside(t, dims, *parent, *start), i, "it does not lie inside what it is a view of");
  }

  // A bool that is neither 0 nor 1 is undefined behaviour in every kernel that reads it.
  void bools() const {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const Program& p : plan_.programs)
      for (const TensorInfo& t : p.tensors)
        if (t.storage == Storage::kConstant && t.dtype == DType::kBool)
          ranges.emplace_back(t.offset, t.offset + t.size);
    std::sort(ranges.begin(), ranges.end());
    uint64_t done = 0;
    for (const auto& [begin, end] : ranges)
      for (done = std::max(done, begin); done < end; ++done)
        check(*plan_.constants.at(done, 1) <= std::byte{1}, "a constant of type bool", "is neither true nor false");
  }

  const Plan& plan_;
  size_t program_ = 0;
  std::vector<std::vector<const StepInfo*>>
      inside_;                     // by program: steps of which only shapes tell whether operands share bytes
  std::vector<TensorPair> parts_;  // of the main program: what only shapes keep apart while steps run side by side
};

}  // namespace

void verify(const Plan& plan) {
  try {
    Verifier(plan).run();
  } catch (const Error& e) {
    if (e.code() == Code::kMalformedPlan) throw;
    malformed(e.message() + (e.cause().empty() ? "" : ": " + e.cause()));
  }
}

}  // namespace kiln::plan
