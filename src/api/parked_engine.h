// Engines that wait for their turn beside others.
#pragma once
#include <optional>
#include <string>

#include "api/kiln_api.h"

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
  // Of the process alone; removed with what is in it.
  class Folder {
   public:
    Folder();  // throws Error
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file() const { return path_ + "/engine"; }

   private:
    std::string path_;
  };

  void load(bool copies) const;
  std::shared_ptr<Engine::State> state_;
  Engine engine_;
  std::optional<Folder> folder_;  // none: it is not parked
};

}  // namespace kiln::api
