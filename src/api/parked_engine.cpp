// The files of parked engines.
#include "api/parked_engine.h"

#include "base/file_map.h"

namespace kiln::api {

static constexpr const char* kFile = "engine";

ParkedEngine::ParkedEngine(std::shared_ptr<Engine::State> built) : state_(std::move(built)), engine_(state_) {
  if (!engine_.on_host()) return;
  try {
    guarded([&] { engine_.save(folder_.emplace().file(kFile)); });
  } catch (const Failure&) {
    folder_.reset();
    return;
  }
  load(false);
  let_go();
}

// The one before goes first, so that never two are in memory.
void ParkedEngine::load(bool copies) const {
  guarded([&] {
    state_->engine.reset();
    state_->engine =
        kiln::Engine::load_file(folder_->file(kFile), {.allocator = nullptr, .device = nullptr, .copies = copies});
  });
}

void ParkedEngine::let_go() const {
  if (!folder_) return;
  for (const plan::Constants::Part& part : state_->engine->plan().constants.parts())
    FileMap::let_go(part.bytes.data(), part.bytes.size());
}

Engine ParkedEngine::unparked() const {
  if (folder_) load(true);
  return engine_;
}

}  // namespace kiln::api
