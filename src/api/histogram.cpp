// Histograms of tensors and the ranges made of them.
#include "api/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kiln::api {
namespace {

constexpr size_t kBins = 2048, kLevels = 128, kCandidateStep = 16;

// Kullback-Leibler divergence of the first `bins` counts, the rest counted to the last, from what kLevels levels keep of them.
double divergence(const std::vector<uint64_t>& counts, size_t bins) {
  std::vector<double> kept(counts.begin(), counts.begin() + static_cast<long>(bins)), levels(bins, 0);
  double outside = 0;
  for (size_t i = bins; i < counts.size(); ++i) outside += static_cast<double>(counts[i]);
  for (size_t level = 0; level < kLevels; ++level) {
    const size_t begin = level * bins / kLevels, end = (level + 1) * bins / kLevels;
    double sum = 0, filled = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += kept[i];
      filled += kept[i] > 0;
    }
    for (size_t i = begin; i < end; ++i) levels[i] = kept[i] > 0 ? sum / filled : 0;
  }
  kept.back() += outside;
  double all = 0, level_sum = 0, result = 0;
  for (size_t i = 0; i < bins; ++i) {
    all += kept[i];
    level_sum += levels[i];
  }
  constexpr double kLeast = 1e-12;  // of what a level that lost its elements is taken for
  for (size_t i = 0; i < bins; ++i)
    if (kept[i] > 0) result += kept[i] / all * std::log(kept[i] / all / std::max(levels[i] / level_sum, kLeast));
  return result;
}

}  // namespace

void Histogram::widen(double largest) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    width_ = largest / kBins;
  }
  while (largest > width_ * kBins) {
    for (size_t i = 0; i < kBins / 2; ++i) bins_[i] = bins_[2 * i] + bins_[2 * i + 1];
    std::fill(bins_.begin() + kBins / 2, bins_.end(), 0);
    width_ *= 2;
  }
}

void Histogram::add(const HostTensor& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(float));
  for (float v : values) {
    if (!std::isfinite(v)) {
      ++odd_;
      continue;
    }
    low_ = count_ == 0 ? v : std::min(low_, static_cast<double>(v));
    high_ = count_ == 0 ? v : std::max(high_, static_cast<double>(v));
    ++count_;
  }
  if (count_ > 0 && largest() > 0) widen(largest());
  for (float v : values) {
    if (!std::isfinite(v)) continue;
    const double size = std::abs(static_cast<double>(v));
    squares_ += size * size;
    if (size == 0) ++zeros_;
    else ++bins_[std::min(static_cast<size_t>(size / width_), kBins - 1)];
  }
}

double Histogram::by_percentile(double percentile) const {
  const double wanted = percentile / 100 * static_cast<double>(count_);
  auto seen = static_cast<double>(zeros_);
  for (size_t i = 0; i < kBins; ++i) {
    seen += static_cast<double>(bins_[i]);
    if (seen >= wanted) return std::min(upper_edge(i), largest());
  }
  return largest();
}

// Numbers next to zero, of which activations leave many, may count as many as their neighbours.
double Histogram::by_entropy(bool counts_least) const {
  std::vector<uint64_t> counts = bins_;
  if (!counts_least) counts[0] = counts[1];
  size_t best = kBins;
  double least = HUGE_VAL;
  for (size_t bins = kLevels; bins <= kBins; bins += kCandidateStep) {
    const double d = divergence(counts, bins);
    if (d < least) least = d, best = bins;
  }
  return std::min(upper_edge(best - 1), largest());
}

double Histogram::squared_error(double range) const {
  if (bins_.empty() || range <= 0) return squares_;
  const double step = range / kInt8Steps;
  double error = 0;
  for (size_t i = 0; i < kBins; ++i) {
    const double middle = upper_edge(i) - width_ / 2, beyond = std::max(middle - range, 0.0);
    error += static_cast<double>(bins_[i]) * (beyond > 0 ? beyond * beyond : step * step / 12);
  }
  return error;
}

double Histogram::by_mse() const {
  double best = largest(), least = squared_error(best);
  for (size_t bins = kLevels; bins < kBins; bins += kCandidateStep)
    if (const double e = squared_error(upper_edge(bins - 1)); e < least) least = e, best = upper_edge(bins - 1);
  return std::min(best, largest());
}

TensorRange Histogram::range(RangeRule rule, double percentile) const {
  TensorRange r;
  if (count_ == 0) return r;
  r.low = low_;
  r.high = high_;
  if (bins_.empty()) return r;
  switch (rule) {
    case RangeRule::kMinMax: r.range = largest(); break;
    case RangeRule::kEntropy: r.range = by_entropy(true); break;
    case RangeRule::kEntropy2: r.range = by_entropy(false); break;
    case RangeRule::kPercentile: r.range = by_percentile(percentile); break;
    case RangeRule::kMse: r.range = by_mse(); break;
  }
  double beyond = 0;
  for (size_t i = 0; i < kBins; ++i)
    if (upper_edge(i) - width_ / 2 > r.range) beyond += static_cast<double>(bins_[i]);
  r.clipped = beyond / static_cast<double>(count_);
  r.error = squares_ > 0 ? std::sqrt(squared_error(r.range) / squares_) : 0;
  return r;
}

}  // namespace kiln::api
