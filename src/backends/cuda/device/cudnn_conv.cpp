// Convolutions as graphs of cuDNN's operations.
#include "backends/cuda/device/cudnn_conv.h"

#include <algorithm>

#include "tensor/layout.h"
#include "tensor/shape.h"

namespace kiln::cuda {

using kernels::CudnnChoice;

namespace kernels {

void CudnnChoice::check() const {
  if (knobs.size() != values.size())
    throw malformed_parameter("values", "has " + std::to_string(values.size()) + " elements")
        .cause("there are " + std::to_string(knobs.size()) + " knobs");
}

void CudnnWindow::check() const {
  const size_t axes = strides.size();
  if (axes < 2 || axes > 3)
    throw malformed_parameter("strides", "has " + std::to_string(axes) + " elements").cause("a window has 2 or 3 axes");
  for (const auto& [name, list] : {std::pair{"dilations", &dilations}, {"pads_begin", &begin}, {"pads_end", &end}})
    if (list->size() != axes)
      throw malformed_parameter(name, "has " + std::to_string(list->size()) + " elements")
          .cause("the window has " + std::to_string(axes) + " axes");
}

CudnnEpilogue cudnn_epilogue(bool transposed, const EpilogueParameters& epilogue, bool bias, bool residual) {
  CudnnEpilogue e{.left = epilogue};
  if (transposed) {
    e.left_bias = bias;
    e.left_residual = residual;
    return e;
  }
  e.residual = residual && !epilogue.residual_after;
  e.left_residual = residual && epilogue.residual_after;
  e.relu = epilogue.activation == Activation::kRelu;
  if (e.relu) e.left.activation = Activation::kNone;
  e.bias = bias || e.residual || e.relu;  // its kernels with a sum or with Relu have a bias
  return e;
}

}  // namespace kernels

namespace {

constexpr int64_t kAlignment = 16;  // bytes, of all operands
constexpr int64_t kFirstBetween = 100;

cudnnDataType_t type_of(DType type) {
  switch (type) {
    case DType::kF16: return CUDNN_DATA_HALF;
    case DType::kBF16: return CUDNN_DATA_BFLOAT16;
    case DType::kF32: return CUDNN_DATA_FLOAT;
    default: throw Error(Code::kUnsupported, "cuDNN convolves no elements of type " + std::string(name(type)));
  }
}

// Where `windows` windows, the last of which begins inside the padded rest, leave `size` elements of the other side.
bool fits(int64_t size, int64_t windows, int64_t taps, int64_t stride, int64_t dilation, int64_t pads) {
  const int64_t room = size + pads - (taps - 1) * dilation - 1;
  return room >= 0 && room / stride + 1 == windows;
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

}  // namespace

bool CudnnConv::is_empty() const { return element_count(y) == 0; }

Status CudnnConv::check() const {
  const size_t axes = window.strides.size(), rank = axes + 2;
  if (x.size() != rank || w.size() != rank || y.size() != rank)
    return {Code::kShapeMismatch, "the operands of a convolution have other ranks than its window"};
  for (const Dims* dims : {&x, &w, &y})
    for (int64_t d : *dims)
      if (d < 0 || d > INT32_MAX) return {Code::kUnsupported, "an operand of a convolution is too large"};
  // A transposed convolution is the gradient of one from its result to x.
  const Dims &wide = window.transposed ? y : x, &narrow = window.transposed ? x : y;
  if (element_count(w) == 0 || wide[1] == 0 || wide[1] % w[1] != 0 || narrow[1] != w[0] ||
      narrow[1] % (wide[1] / w[1]) != 0 || x[0] != y[0])
    return {Code::kShapeMismatch, "the channels of a convolution do not fit each other"};
  for (size_t i = 0; i < axes; ++i)
    if (!is_empty() && !fits(wide[2 + i], narrow[2 + i], w[2 + i], window.strides[i], window.dilations[i],
                             window.begin[i] + window.end[i]))
      return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  if ((residual || relu) && !bias) return {Code::kMalformedPlan, "a convolution has a sum and no bias"};
  return kOkStatus;
}

std::string CudnnConv::str() const {
  std::string text = std::string(name(type)) + to_string(x) + (window.transposed ? " transposed by " : " by ") +
                     to_string(w) + " to " + to_string(y) + ", strides " + to_string(window.strides) + ", dilations " +
                     to_string(window.dilations) + ", pads " + to_string(window.begin) + to_string(window.end);
  for (const auto& [has, word] :
       {std::pair{residual, " + sum"}, {bias, " + bias"}, {relu, " + Relu"}, {tf32, ", TF32"}})
    if (has) text += word;
  return text;
}

CudnnDescriptor gpu_properties(const Cudnn& library, int ordinal) {
  CudnnDescriptor d(library, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, static_cast<int32_t>(ordinal));
  d.finalize("cuDNN does not know the GPU");
  return d;
}

CudnnDescriptor gpu_properties(const Cudnn& library, const Chip& chip) {
  const std::string text = properties_text(chip);
  CudnnDescriptor d(library, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(text.size()), text.data());
  d.finalize("cuDNN does not know the GPU");
  return d;
}

CudnnGraph::CudnnGraph(const Cudnn& library, const CudnnSite& site, const CudnnConv& conv)
    : library_(library), site_(site), conv_(conv) {
  throw_if_error(conv.check());
  const int sums = (conv.residual ? 1 : 0) + (conv.bias ? 1 : 0) + (conv.relu ? 1 : 0);
  int left = sums;
  const auto result = [&] { return left-- > 0 ? between() : tensor(CudnnOperand::kY, conv_.y); };
  CudnnDescriptor running = result();
  operations_.push_back(convolution(running));
  const auto step = [&](cudnnPointwiseMode_t mode, const CudnnDescriptor* operand) {
    CudnnDescriptor next = result();
    add(mode, running, operand, next);
    parts_.push_back(std::exchange(running, std::move(next)));
  };
  if (conv.residual) {
    const CudnnDescriptor residual = tensor(CudnnOperand::kResidual, conv_.y);
    step(CUDNN_POINTWISE_ADD, &residual);
  }
  if (conv.bias) {
    Dims dims(conv_.y.size(), 1);
    dims[1] = conv_.y[1];
    const CudnnDescriptor bias = tensor(CudnnOperand::kBias, dims);
    step(CUDNN_POINTWISE_ADD, &bias);
  }
  if (conv.relu) step(CUDNN_POINTWISE_RELU_FWD, nullptr);
  parts_.push_back(std::move(running));
  graph_ = CudnnDescriptor(library_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const CudnnDescriptor& operation : operations_) operations.push_back(operation.get());
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::ssize(operations), operations.data());
  if (site_.handle) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, site_.handle);
  graph_.finalize("cuDNN does not take a convolution");
}

CudnnDescriptor CudnnGraph::tensor(CudnnOperand operand, const Dims& dims) const {
  CudnnDescriptor d(library_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type_of(conv_.type));
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, dims);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, strides(Layout::channels_last(static_cast<int>(dims.size())), dims));
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, static_cast<int64_t>(operand));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
  d.finalize("cuDNN does not take an operand of a convolution");
  return d;
}

// What goes from one operation to the next in registers.
CudnnDescriptor CudnnGraph::between() const {
  CudnnDescriptor d(library_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, conv_.y);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, strides(Layout::channels_last(static_cast<int>(conv_.y.size())), conv_.y));
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, kFirstBetween + std::ssize(operations_));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
  d.finalize("cuDNN does not take a result of a convolution");
  return d;
}

CudnnDescriptor CudnnGraph::convolution(const CudnnDescriptor& y) {
  const kernels::CudnnWindow& w = conv_.window;
  CudnnDescriptor window(library_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  window.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  window.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  window.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{std::ssize(w.strides)});
  window.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, w.strides);
  window.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, w.dilations);
  window.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, w.begin);
  window.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, w.end);
  window.finalize("cuDNN does not take the window of a convolution");
  CudnnDescriptor x = tensor(CudnnOperand::kX, conv_.x), weights = tensor(CudnnOperand::kW, conv_.w);
  const bool t = w.transposed;
  CudnnDescriptor d(library_, t ? CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
                                : CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
        window);
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weights);
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
  // Of the type that is computed in: given as doubles, results of transposed convolutions are 0.
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
        CUDNN_TYPE_FLOAT, 1.0f);
  d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
        CUDNN_TYPE_FLOAT, 0.0f);
  d.finalize("cuDNN does not take a convolution");
  for (CudnnDescriptor* part : {&window, &x, &weights}) parts_.push_back(std::move(*part));
  return d;
}

void CudnnGraph::add(cudnnPointwiseMode_t mode, const CudnnDescriptor& x, const CudnnDescriptor* b,
                     const CudnnDescriptor& y) {
  CudnnDescriptor kind(library_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  kind.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
  kind.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  kind.finalize("cuDNN does not take an operation behind a convolution");
  CudnnDescriptor d(library_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b) d.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  d.finalize("cuDNN does not take an operation behind a convolution");
  parts_.push_back(std::move(kind));
  operations_.push_back(std::move(d));
}

// Of the library's own choice, best first.
std::vector<CudnnDescriptor> CudnnGraph::configurations(cudnnBackendHeurMode_t mode) const {
  CudnnDescriptor heuristic(library_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (!site_.handle) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *site_.properties);
  heuristic.finalize("cuDNN has no kernel for a convolution");
  const int64_t count = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<CudnnDescriptor> list;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int64_t i = 0; i < count; ++i)
    handles.push_back(list.emplace_back(library_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  const int64_t found =
      heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, handles.data());
  list.resize(static_cast<size_t>(std::min(found, count)));
  return list;
}

// Of cuDNN 9.14, in float16 and bfloat16: where x is not finite one gives NaN beyond the windows, the other loses infinities.
constexpr int64_t kUnsoundEngines[] = {10, 32};

// Whether it computes with all bits that it may not lose, adds up in the same order every time, and is there without being compiled.
bool CudnnGraph::is_exact(const CudnnDescriptor& engine) const {
  cudnnBackendNumericalNote_t numbers[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  cudnnBackendBehaviorNote_t manners[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
  const int64_t number_count = engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                          CUDNN_NUMERICAL_NOTE_TYPE_COUNT, numbers),
                manner_count = engine.get(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                          CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, manners);
  const bool all_bits = conv_.type == DType::kF32 && !conv_.tf32;
  const bool loses = std::any_of(numbers, numbers + number_count, [all_bits](cudnnBackendNumericalNote_t note) {
    const bool rounds = note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    return rounds ? all_bits : note != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
  });
  const bool demands = std::any_of(manners, manners + manner_count, [](cudnnBackendBehaviorNote_t note) {
    return note != CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API;
  });
  const auto engine_number = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);
  const bool is_unsound =
      std::find(std::begin(kUnsoundEngines), std::end(kUnsoundEngines), engine_number) != std::end(kUnsoundEngines);
  return !loses && !demands && !is_unsound;
}

std::optional<CudnnGraph::Proposed> CudnnGraph::proposed(const CudnnDescriptor& configuration) const {
  CudnnDescriptor engine(library_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine.get();
  (void)configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle);
  if (!is_exact(engine)) return std::nullopt;
  Proposed p;
  p.choice.engine = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);
  p.choice.library = library_.version;
  std::vector<CudnnDescriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i)
    handles.push_back(knobs.emplace_back(library_, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR).get());
  const int64_t count = configuration.get(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                          CUDNN_KNOB_TYPE_COUNTS, handles.data());
  for (size_t i = 0; i < static_cast<size_t>(std::min<int64_t>(count, CUDNN_KNOB_TYPE_COUNTS)); ++i) {
    p.choice.knobs.push_back(
        knobs[i].get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE));
    p.choice.values.push_back(knobs[i].get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64));
  }
  p.plan = plan(p.choice);
  return p;
}

// Until `take` has enough.
template <class Take> void CudnnGraph::for_each_proposal(const Take& take) const {
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    std::vector<CudnnDescriptor> list;
    try {
      list = configurations(mode);
    } catch (const Error& e) {
      if (e.code() != Code::kUnsupported) throw;
      continue;
    }
    for (const CudnnDescriptor& configuration : list) {
      std::optional<Proposed> p;
      try {
        p = proposed(configuration);
      } catch (const Error& e) {
        if (e.code() == Code::kOutOfMemory) throw;
        continue;  // the library does not do what it proposes
      }
      if (p && take(*p, mode)) break;
    }
  }
}

std::vector<CudnnChoice> CudnnGraph::proposals() const {
  constexpr size_t kMostOfFallback = 2;
  std::vector<CudnnChoice> list;
  for_each_proposal([&](Proposed& p, cudnnBackendHeurMode_t mode) {
    const bool is_new = std::find(list.begin(), list.end(), p.choice) == list.end();
    if (is_new && p.plan.workspace <= kMostWorkspace) list.push_back(std::move(p.choice));
    return list.size() >= kMostProposals - (mode == CUDNN_HEUR_MODE_A ? kMostOfFallback : 0);
  });
  return list;
}

CudnnPlan CudnnGraph::plan_within(size_t workspace) const {
  std::optional<CudnnPlan> found;
  for_each_proposal([&](Proposed& p, cudnnBackendHeurMode_t) {
    if (!found && p.plan.workspace <= workspace) found = std::move(p.plan);
    return found.has_value();
  });
  if (!found)
    throw Error(Code::kUnsupported, "cuDNN has no kernel for a convolution that needs a workspace of " +
                                        std::to_string(workspace) + " bytes at most")
        .cause(conv_.str());
  return *std::move(found);
}

CudnnPlan CudnnGraph::plan(const CudnnChoice& choice) const {
  CudnnDescriptor engine(library_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph_);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, choice.engine);
  if (!site_.handle) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *site_.properties);
  engine.finalize("cuDNN does not have a kernel that was chosen for a convolution");
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
  return plan(configuration);
}

CudnnPlan CudnnGraph::plan(const CudnnDescriptor& configuration) const {
  CudnnPlan p{CudnnDescriptor(library_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)};
  if (site_.handle) p.plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, site_.handle);
  else p.plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *site_.properties);
  p.plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  p.plan.finalize("cuDNN does not make a plan of a convolution");
  const auto size = p.plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64);
  if (size < 0) throw Error(Code::kInternal, "cuDNN wants a workspace of " + std::to_string(size) + " bytes");
  p.workspace = static_cast<size_t>(size);
  return p;
}

}  // namespace kiln::cuda
