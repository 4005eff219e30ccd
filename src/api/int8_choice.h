// Which products of a float network compute in int8 when their ranges are known: those that win time, and that an error budget allows.
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
Engine build_once(const BuildOptions& options, BuildMemory& memory);

// The network in int8 and in float32, measured; then again, with those products in float32 that int8 makes slower, conversions included.
// The fastest of the three.
Engine build_by_time(const BuildOptions& options);

}  // namespace kiln::api
