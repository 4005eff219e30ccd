// Times of layers beside what each has to compute and to move.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "command.h"

namespace kiln::tool {

// What a device does at most, measured by this process once.
struct Limits {
  double flops_per_s = 0, bytes_per_s = 0;      // of products in float32, and of memory
  std::map<std::string, double> flops_in = {};  // of products in other types
  // The least milliseconds that the layer can take; 0 when the engine does not tell its work.
  double least_ms(const api::LayerInfo& layer) const;
};
// Of a product of large float32 matrices and of a sum of long vectors, by engines built for that back end; takes about a second. Of products
// in the other types that the layers read: as the device says, or measured.
Limits measure_limits(int threads, const std::string& backend, const std::vector<api::LayerInfo>& layers = {});

// "float16" of "x float16[1,64] channels-last"; empty of what is no tensor.
std::string type_told(const std::string& operand);

struct LayerTimes {
  api::LayerInfo layer;
  std::vector<double> ms;  // of each profiled inference
  double total() const;
  double average() const { return ms.empty() ? 0 : total() / static_cast<double>(ms.size()); }
  double median() const;
};
// Of `rounds` profiled inferences, in the order of the engine.
std::vector<LayerTimes> profile_layers(api::Session& session, const api::Engine& engine, int rounds);

}  // namespace kiln::tool
