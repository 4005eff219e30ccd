// Engines that wait for their turn beside others.
#pragma once
#include <optional>

#include "api/kiln_api.h"
#include "base/temporary_folder.h"

namespace kiln::api {

// An engine of the host's memory whose weights lie in a file of its own, as those of a loaded engine do: once let go they need no memory
// until it runs again. Those of a device with memory of its own, and those for which there is no room among temporary files, stay as they
// are.
class ParkedEngine {
 public:
  explicit ParkedEngine(std::shared_ptr<Engine::State> built);  // of which there is no session yet; throws Failure
  const Engine& engine() const { return engine_; }
  void let_go() const;
  // As it was built, with its weights in memory; its sessions are gone before. Throws Failure.
  Engine unparked() const;

 private:
  void load(bool copies) const;
  std::shared_ptr<Engine::State> state_;
  Engine engine_;
  std::optional<TemporaryFolder> folder_;  // none: it is not parked
};

}  // namespace kiln::api
