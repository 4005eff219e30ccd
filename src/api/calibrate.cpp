// Ranges of tensors from what an engine computes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "api/histogram.h"
#include "api/kiln_api.h"

namespace kiln::api {
namespace {

constexpr const char* kRuleNames[] = {"minmax", "entropy", "entropy2", "percentile", "mse"};
constexpr std::string_view kCounted = "float32";

// What the elements of a tensor were.
class Seen {
 public:
  void add(const HostTensor& tensor, bool channels) {
    histogram.add(tensor);
    if (channels && tensor.dims.size() > 1) add_channels(tensor);
  }
  ChannelRanges channels() const {
    ChannelRanges ranges;
    for (size_t c = 0; c < sums_.size() && is_alike_; ++c) {
      ranges.mean.push_back(static_cast<float>(sums_[c] / std::max<double>(1, count_)));
      ranges.most.push_back(most_[c]);
    }
    return ranges;
  }
  Histogram histogram;

 private:
  void add_channels(const HostTensor& tensor) {
    const size_t axis = tensor.dims.size() == 4 ? 1 : tensor.dims.size() - 1;
    const auto count = static_cast<size_t>(tensor.dims[axis]);
    size_t inner = 1;
    for (size_t d = axis + 1; d < tensor.dims.size(); ++d) inner *= static_cast<size_t>(tensor.dims[d]);
    if (sums_.empty()) sums_.assign(count, 0), most_.assign(count, 0);
    is_alike_ = is_alike_ && sums_.size() == count;
    const size_t elements = tensor.data.size() / sizeof(float);
    for (size_t i = 0; i < elements && is_alike_; ++i) {
      float v = 0;
      std::memcpy(&v, tensor.data.data() + i * sizeof v, sizeof v);
      if (!std::isfinite(v)) continue;
      const size_t c = i / inner % count;
      sums_[c] += static_cast<double>(v);
      most_[c] = std::max(most_[c], std::abs(v));
    }
    if (count > 0) count_ += static_cast<double>(elements) / static_cast<double>(count);
  }
  std::vector<double> sums_;
  std::vector<float> most_;
  double count_ = 0;  // elements of a channel
  bool is_alike_ = true;
};

// What lies between two layers, and no network has a name for.
bool is_between(const LayerInfo& layer, const std::string& value) {
  return layer.op == "Reformat" && value == layer.name + ".out";
}

std::map<std::string, Seen> observe(const Engine& engine, const std::function<bool(Values&)>& next, bool channels) {
  std::map<std::string, Seen> seen;
  Session session = engine.create_session();
  session.observe([&](const LayerInfo& layer, const std::string& value, const HostTensor& result) {
    if (result.type == kCounted && !is_between(layer, value)) seen[value].add(result, channels);
  });
  for (Values sample; next(sample); sample.clear()) {
    for (const auto& [name, value] : sample) {
      session.set_input(name, value);
      if (value.type == kCounted) seen[name].add(value, channels);
    }
    session.enqueue();
    session.synchronize();
  }
  return seen;
}

}  // namespace

std::string rule_name(RangeRule rule) { return kRuleNames[static_cast<size_t>(rule)]; }

std::vector<std::string> rule_names() { return {std::begin(kRuleNames), std::end(kRuleNames)}; }

RangeRule rule_of(const std::string& name) {
  const auto* known = std::find(std::begin(kRuleNames), std::end(kRuleNames), name);
  if (known == std::end(kRuleNames))
    throw Failure(Error(Code::kInvalidArgument, "no ranges are found by '" + name + "'")
                      .remedy("minmax, entropy, entropy2, percentile or mse")
                      .what());
  return static_cast<RangeRule>(known - std::begin(kRuleNames));
}

Calibration calibrate(const Engine& engine, const std::function<bool(Values&)>& next,
                      const CalibrationOptions& options) {
  Calibration calibration;
  calibration.algorithm = rule_name(options.rule);
  for (const auto& [name, seen] : observe(engine, next, options.channels)) {
    const Histogram& histogram = seen.histogram;
    if (histogram.odd() > 0 && options.log)
      options.log(Level::kWarning,
                  fmt::format("tensor '{}': {} elements are NaN or infinite and were left out (remedy: check the data)",
                              printable(name), histogram.odd()));
    TensorRange range = histogram.range(options.rule, options.percentile);
    range.channels = seen.channels();
    if (range.range > 0) calibration.tensors[name] = std::move(range);
  }
  return calibration;
}

}  // namespace kiln::api
