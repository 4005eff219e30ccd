// Graphs of cuDNN's operations.
#include "backends/cuda/device/cudnn_graph.h"

#include <algorithm>

#include "backends/cuda/device/device.h"
#include "tensor/shape.h"

namespace kiln::cuda {

using kernels::CudnnChoice;

namespace kernels {

void CudnnChoice::check() const {
  if (knobs.size() != values.size())
    throw malformed_parameter("values", "has " + std::to_string(values.size()) + " elements")
        .cause("there are " + std::to_string(knobs.size()) + " knobs");
}

void CudnnTensors::check() const {
  for (const auto& [name, list] : {std::pair{"dims", &dims}, {"strides", &strides}})
    if (list->size() != kAxes * count())
      throw malformed_parameter(name, "has " + std::to_string(list->size()) + " elements")
          .cause("there are " + std::to_string(count()) + " tensors");
}

void CudnnTensors::add(DType type, const Dims& tensor_dims, const Dims& tensor_strides) {
  types.push_back(type);
  dims.insert(dims.end(), tensor_dims.begin(), tensor_dims.end());
  strides.insert(strides.end(), tensor_strides.begin(), tensor_strides.end());
}

}  // namespace kernels

namespace {

constexpr int64_t kOperandAlignment = 16;  // bytes, of all operands
constexpr int64_t kFirstBetween = 100;

cudnnDataType_t type_of(DType type) {
  switch (type) {
    case DType::kF16: return CUDNN_DATA_HALF;
    case DType::kBF16: return CUDNN_DATA_BFLOAT16;
    case DType::kF32: return CUDNN_DATA_FLOAT;
    case DType::kI32: return CUDNN_DATA_INT32;
    case DType::kBool: return CUDNN_DATA_BOOLEAN;
    default: throw Error(Code::kUnsupported, "cuDNN is not given elements of type " + std::string(name(type)));
  }
}

// What a member of a JSON object is that the library reads device properties from.
std::string member(const char* name, const std::string& value) { return "\"" + std::string(name) + "\":" + value; }

std::string properties_text(const Chip& chip) {
  const auto number = [](const char* name, int64_t value) { return member(name, std::to_string(value)); };
  std::string text = "{" + member("deviceName", "\"described\"");
  for (const std::string& part : {member("maxGridSize", "[2147483647,65535,65535]"),
                                  member("maxBlockSize", "[1024,1024,64]"),
                                  number("regsPerBlock", 65536),
                                  number("multiProcessorCount", chip.multiprocessors),
                                  number("warpSize", 32),
                                  number("maxSharedMemoryPerBlock", 48 << 10),
                                  number("maxSharedMemoryPerBlockOptin", chip.shared_per_block),
                                  number("reservedSharedMemoryPerBlock", 1 << 10),
                                  number("maxRegistersPerSM", 65536),
                                  number("maxCtasPerSM", 32),
                                  number("maxThreadsPerBlock", 1024),
                                  number("maxThreadsPerSM", 2048),
                                  number("pciDeviceId", 0),
                                  number("isTccDriver", 0),
                                  number("supportCoopLaunch", 1),
                                  number("totalGlobalMem", int64_t{64} << 30),
                                  number("smClockRateKHz", 1'700'000),
                                  number("memClockRateKHz", 2'600'000),
                                  number("l2CacheSize", chip.cache),
                                  number("cudaDeviceId", 0),
                                  number("deviceVer", 10 * chip.compute),
                                  number("driverVer", CUDA_VERSION)})
    text += "," + part;
  return text + "}";
}

// Where it is to be made, and what a plan that was made wants.
CudnnDescriptor new_plan(const Cudnn& library, const CudnnSite& site) {
  CudnnDescriptor plan(library, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (site.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, site.handle);
  else plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *site.properties);
  return plan;
}

CudnnPlan made(CudnnDescriptor plan) {
  const auto size = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64);
  if (size < 0) throw Error(Code::kInternal, "cuDNN wants a workspace of " + std::to_string(size) + " bytes");
  return {std::move(plan), static_cast<size_t>(size)};
}

}  // namespace

CudnnDescriptor gpu_properties(const Cudnn& library, const Chip& chip) {
  CudnnDescriptor d(library, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  const std::string text = properties_text(chip);
  if (const auto ordinal = ordinal_of(chip))
    d.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, static_cast<int32_t>(*ordinal));
  else
    d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(text.size()), text.data());
  d.finalize("cuDNN does not know the GPU");
  return d;
}

std::vector<std::byte> text_of(const CudnnPlan& p) {
  const auto get = [&](int64_t most, void* to) {
    return p.plan.get(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, most, to);
  };
  std::vector<std::byte> text(static_cast<size_t>(get(0, nullptr)));
  if (get(std::ssize(text), text.data()) != std::ssize(text))
    throw Error(Code::kInternal, "cuDNN writes another plan than it said");
  return text;
}

CudnnPlan plan_of_text(const Cudnn& library, const CudnnSite& site, std::span<const std::byte> text) {
  CudnnDescriptor plan = new_plan(library, site);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::ssize(text), text.data());
  plan.finalize("cuDNN does not take a plan that it wrote");
  return made(std::move(plan));
}

std::span<const std::byte> plan_among(std::span<const std::byte> plans, size_t number) {
  for (;; --number) {
    const auto end = std::find(plans.begin(), plans.end(), kBetweenPlans);
    const auto size = static_cast<size_t>(end - plans.begin());
    if (number == 0) return plans.first(size);
    if (end == plans.end()) return {};
    plans = plans.subspan(size + 1);
  }
}

CudnnGraph::CudnnGraph(const Cudnn& library, const CudnnSite& site, std::string what)
    : library_(library), site_(site), what_(std::move(what)) {}

CudnnDescriptor& CudnnGraph::part(cudnnBackendDescriptorType_t type) { return parts_.emplace_back(library_, type); }
CudnnDescriptor& CudnnGraph::operation(cudnnBackendDescriptorType_t type) {
  return operations_.emplace_back(library_, type);
}

CudnnDescriptor& CudnnGraph::tensor(int64_t name, DType type, const Dims& dims, const Dims& strides) {
  CudnnDescriptor& d = part(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type_of(type));
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, dims);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, name);
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kOperandAlignment);
  return d;
}

CudnnDescriptor& CudnnGraph::closed_tensor(CudnnDescriptor& tensor) {
  tensor.finalize("cuDNN does not take an operand of " + what_);
  return tensor;
}

CudnnDescriptor& CudnnGraph::operand(int64_t name, DType type, const Dims& dims, const Dims& strides) {
  return closed_tensor(tensor(name, type, dims, strides));
}

CudnnDescriptor& CudnnGraph::number(int64_t name, size_t axes) {
  const Dims ones(axes, 1);
  CudnnDescriptor& d = tensor(name, DType::kF32, ones, ones);
  d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, true);
  return closed_tensor(d);
}

CudnnDescriptor& CudnnGraph::between(DType type, const Dims& dims, const Dims& strides) {
  CudnnDescriptor& d = tensor(kFirstBetween + std::ssize(parts_), type, dims, strides);
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
  return closed_tensor(d);
}

void CudnnGraph::pointwise(const Pointwise& p) {
  CudnnDescriptor& kind = part(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  kind.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, p.mode);
  kind.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, type_of(p.type));
  if (p.axis >= 0) kind.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, p.axis);
  close(kind);
  CudnnDescriptor& d = operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, p.x);
  if (p.b) d.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *p.b);
  if (p.chooser) d.set(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, *p.chooser);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, p.y);
  close(d);
}

void CudnnGraph::close() {
  graph_ = CudnnDescriptor(library_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const CudnnDescriptor& operation : operations_) operations.push_back(operation.get());
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::ssize(operations), operations.data());
  if (site_.handle) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, site_.handle);
  close(graph_);
}

// Of the library's own choice, best first.
std::vector<CudnnDescriptor> CudnnGraph::configurations(cudnnBackendHeurMode_t mode) const {
  CudnnDescriptor heuristic(library_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (!site_.handle) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *site_.properties);
  heuristic.finalize("cuDNN has no kernel for " + what_);
  const int64_t count = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<CudnnDescriptor> list;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int64_t i = 0; i < count; ++i)
    handles.push_back(list.emplace_back(library_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  if (list.empty()) return list;
  const int64_t found =
      heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, handles.data());
  list.resize(static_cast<size_t>(std::min(found, count)));
  return list;
}

// Whether it computes with all bits that it may not lose, adds up in the same order every time, and is compiled when that is wanted.
bool CudnnGraph::serves(const CudnnDescriptor& engine, const CudnnNeeds& needs) const {
  cudnnBackendNumericalNote_t numbers[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  cudnnBackendBehaviorNote_t manners[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
  const int64_t number_count = engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                          CUDNN_NUMERICAL_NOTE_TYPE_COUNT, numbers),
                manner_count = engine.get(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                          CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, manners);
  const bool loses = std::any_of(numbers, numbers + number_count, [&](cudnnBackendNumericalNote_t note) {
    const bool rounds = note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    return rounds ? needs.all_bits : note != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
  });
  const bool demands = std::any_of(manners, manners + manner_count, [](cudnnBackendBehaviorNote_t note) {
    return note != CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API &&
           note != CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
  });
  const bool compiled =
      std::find(manners, manners + manner_count, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != manners + manner_count;
  const auto number = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);
  const bool is_unsound = std::find(needs.unsound.begin(), needs.unsound.end(), number) != needs.unsound.end();
  return !loses && !demands && compiled == needs.compiled && !is_unsound;
}

std::optional<CudnnChoice> CudnnGraph::choice_of(const CudnnDescriptor& configuration, const CudnnNeeds& needs) const {
  CudnnDescriptor engine(library_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine.get();
  (void)configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle);
  if (!serves(engine, needs)) return std::nullopt;
  CudnnChoice choice;
  choice.engine = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);
  choice.library = library_.version;
  std::vector<CudnnDescriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i)
    handles.push_back(knobs.emplace_back(library_, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR).get());
  const int64_t count = configuration.get(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                          CUDNN_KNOB_TYPE_COUNTS, handles.data());
  for (size_t i = 0; i < static_cast<size_t>(std::min<int64_t>(count, CUDNN_KNOB_TYPE_COUNTS)); ++i) {
    choice.knobs.push_back(
        knobs[i].get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE));
    choice.values.push_back(knobs[i].get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64));
  }
  return choice;
}

// Until `take` has enough.
template <class Take> void CudnnGraph::for_each_choice(const CudnnNeeds& needs, const Take& take) const {
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    std::vector<CudnnDescriptor> list;
    try {
      list = configurations(mode);
    } catch (const Error& e) {
      if (e.code() != Code::kUnsupported) throw;
      continue;
    }
    for (const CudnnDescriptor& configuration : list)
      if (auto choice = choice_of(configuration, needs); choice && take(*choice, mode)) break;
  }
}

// Nothing where the library does not do what it proposes.
std::optional<CudnnPlan> CudnnGraph::plan_if_there(const CudnnChoice& choice) const {
  try {
    return plan(choice);
  } catch (const Error& e) {
    if (e.code() == Code::kOutOfMemory) throw;
    return std::nullopt;
  }
}

std::vector<CudnnChoice> CudnnGraph::proposals(const CudnnNeeds& needs) const {
  constexpr size_t kMostOfFallback = 2;
  std::vector<CudnnChoice> list;
  for_each_choice(needs, [&](CudnnChoice& choice, cudnnBackendHeurMode_t mode) {
    const bool is_new = std::find(list.begin(), list.end(), choice) == list.end();
    const auto fits = [&] {
      const auto plan = plan_if_there(choice);
      return plan && plan->workspace <= kMostWorkspace;
    };
    if (is_new && (needs.compiled || fits())) list.push_back(std::move(choice));
    return list.size() >= kMostProposals - (mode == CUDNN_HEUR_MODE_A ? kMostOfFallback : 0);
  });
  return list;
}

CudnnPlan CudnnGraph::plan_within(const CudnnNeeds& needs, size_t workspace) const {
  std::optional<CudnnPlan> found;
  for_each_choice(needs, [&](const CudnnChoice& choice, cudnnBackendHeurMode_t) {
    if (found) return true;
    auto plan = plan_if_there(choice);
    if (plan && plan->workspace <= workspace) found = std::move(plan);
    return found.has_value();
  });
  if (!found)
    throw Error(Code::kUnsupported, "cuDNN has no kernel for " + what_ + " that needs a workspace of " +
                                        std::to_string(workspace) + " bytes at most");
  return *std::move(found);
}

CudnnPlan CudnnGraph::plan(const CudnnChoice& choice) const {
  CudnnDescriptor engine(library_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph_);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, choice.engine);
  if (!site_.handle) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *site_.properties);
  engine.finalize("cuDNN does not have a kernel that was chosen for " + what_);
  CudnnDescriptor configuration(library_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  configuration.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  std::vector<CudnnDescriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (size_t i = 0; i < choice.knobs.size(); ++i) {
    CudnnDescriptor& knob = knobs.emplace_back(library_, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE,
             static_cast<cudnnBackendKnobType_t>(choice.knobs[i]));
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, choice.values[i]);
    knob.finalize("cuDNN does not take a setting of a kernel");
    handles.push_back(knob.get());
  }
  if (!handles.empty())
    configuration.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::ssize(handles),
                      handles.data());
  configuration.finalize("cuDNN does not take the settings of a kernel");
  CudnnDescriptor plan = new_plan(library_, site_);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  plan.finalize("cuDNN does not make a plan of " + what_);
  return made(std::move(plan));
}

}  // namespace kiln::cuda
