// Which products compute in int8, of a float network whose ranges are known or of a quantized one: those that win time, and that an error
// budget allows.
#pragma once
#include <optional>

#include "api/kiln_api.h"
#include "tuner/timing_cache.h"

namespace kiln::api {

// What several builds of one network share.
struct BuildMemory {
  std::optional<TimingCache> times;  // measured by the builds before
  std::vector<std::string> remarks;  // why products stay wide, for people who look at the engine
};
std::shared_ptr<Engine::State> build_once(const BuildOptions& options, BuildMemory& memory);

// Whether products of the network have quantized operands, so that it can be built in int8 without ranges. Throws what reading it throws.
bool is_quantized_network(const std::string& model);

// The network in int8 and in float32, measured; then again, with those products in float32 that int8 makes slower, conversions included.
// The fastest of the three. A network that is quantized itself is tuned in float32 only where int8 does not win clearly without that, and then
// in parts, so that few of its weights in float32 are in memory at a time; as a whole only where that would win. Those that wait while another
// is built or runs are parked (parked_engine.h).
Engine build_by_time(const BuildOptions& options);

}  // namespace kiln::api
