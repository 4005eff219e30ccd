// IInt8Calibrator: batches of the user's data become ranges.
#include "api/nv_calibration.h"

#include "api/kiln_api.h"

namespace kiln::api {
namespace {

passes::TensorRanges ranges_of(const Calibration& calibration) {
  passes::TensorRanges ranges;
  for (const auto& [name, tensor] : calibration.tensors) ranges[name] = tensor.range;
  return ranges;
}

CalibrationOptions options_for(nvinfer1::IInt8Calibrator& calibrator, Reporter& reporter) {
  using Type = nvinfer1::CalibrationAlgoType;
  CalibrationOptions options;
  options.log = [&reporter](Level level, const std::string& text) { reporter.log(static_cast<Severity>(level), text); };
  switch (calibrator.getAlgorithm()) {
    case Type::kENTROPY_CALIBRATION: options.rule = RangeRule::kEntropy; return options;
    case Type::kENTROPY_CALIBRATION_2: options.rule = RangeRule::kEntropy2; return options;
    case Type::kMINMAX_CALIBRATION: options.rule = RangeRule::kMinMax; return options;
    case Type::kLEGACY_CALIBRATION: break;
  }
  const double share = static_cast<nvinfer1::IInt8LegacyCalibrator&>(calibrator).getQuantile();
  if (!(share >= 0.5 && share <= 1))
    throw Error(Code::kInvalidArgument, "IInt8LegacyCalibrator::getQuantile gives " + std::to_string(share))
        .remedy("give a share of the elements from 0.5 to 1");
  options.rule = RangeRule::kPercentile;
  options.percentile = 100 * share;
  return options;
}

// The network as it is, every result by the name of its tensor.
Engine float_engine(NetworkImpl& network, const ProfileImpl* profile, Reporter& reporter) {
  CompileOptions options;
  options.logger = &reporter;
  options.tuner.level = 0;
  std::set<std::string> valued;
  if (profile) {
    options.profiles = {profile->bounds()};
    options.values = {profile->values()};
    for (const auto& [input, bounds] : options.values[0]) valued.insert(input);
  }
  NetworkImpl::Lowered lowered = network.lower(valued, true);
  options.watched = std::move(lowered.watched);
  options.returned = lowered.returned;
  auto state = std::make_shared<Engine::State>();
  state->engine = kiln::Engine::from_plan(compile(std::move(lowered.graph), options));
  return Engine(std::move(state));
}

// The user's batches as samples.
class Batches {
 public:
  Batches(nvinfer1::IInt8Calibrator& calibrator, const Engine& engine) : calibrator_(calibrator) {
    for (const IoTensor& io : engine.io()) {
      if (!io.is_input) continue;
      inputs_.push_back(io);
      if (!io.profiles.empty()) inputs_.back().dims = io.profiles[0].opt;
    }
    for (const IoTensor& io : inputs_) names_.push_back(io.name.c_str());
  }

  bool next(Values& sample) {
    std::vector<void*> data(inputs_.size(), nullptr);
    if (!calibrator_.getBatch(data.data(), names_.data(), static_cast<int32_t>(data.size()))) return false;
    for (size_t i = 0; i < data.size(); ++i) {
      const IoTensor& io = inputs_[i];
      if (!data[i]) throw Error(Code::kInvalidArgument, "getBatch gives no address for input '" + io.name + "'");
      const DType type = *dtype_from_name(io.type);
      const auto size = static_cast<size_t>(byte_size(type, kiln::element_count(io.dims)).value());
      HostTensor& to = sample[io.name] = {io.type, io.dims, std::vector<std::byte>(size)};
      throw_if_error(api_device().copy(*stream_, to.data.data(), data[i], size, CopyKind::kDeviceToHost));
    }
    throw_if_error(stream_->synchronize());
    ++count;
    return true;
  }

  size_t count = 0;

 private:
  nvinfer1::IInt8Calibrator& calibrator_;
  std::unique_ptr<Stream> stream_ = api_device().create_stream();
  std::vector<IoTensor> inputs_;
  std::vector<char const*> names_;
};

}  // namespace

passes::TensorRanges calibrated_ranges(NetworkImpl& network, nvinfer1::IInt8Calibrator& calibrator,
                                       const ProfileImpl* profile, Reporter& reporter) {
  std::size_t length = 0;
  const void* kept = calibrator.readCalibrationCache(length);
  if (kept && length > 0)
    return ranges_of(parse_calibration({static_cast<const char*>(kept), length}, "the calibrator's cache"));
  const Engine engine = float_engine(network, profile, reporter);
  Batches batches(calibrator, engine);
  const Calibration calibration =
      calibrate(engine, [&](Values& sample) { return batches.next(sample); }, options_for(calibrator, reporter));
  if (batches.count == 0)
    throw Error(Code::kInvalidArgument, "the calibrator gives neither a cache nor a batch")
        .remedy("return true from getBatch for each batch of data");
  const std::string text = calibration_text(calibration, true);
  calibrator.writeCalibrationCache(text.data(), text.size());
  return ranges_of(calibration);
}

}  // namespace kiln::api
