// Code that builds compiled, for builds to come.
#include "base/kept_code.h"

#include <utility>

namespace kiln {

KeptCode& KeptCode::operator=(const KeptCode& other) {
  std::map<Hash128, Binary> all = other.all();
  const std::lock_guard lock(mutex_);
  all_.clear();
  bytes_ = 0;
  for (auto& [made_of, code] : all) add_locked(made_of, std::move(code));
  return *this;
}

KeptCode::Binary KeptCode::find(const Hash128& made_of) const {
  const std::lock_guard lock(mutex_);
  const auto it = all_.find(made_of);
  return it == all_.end() ? nullptr : it->second;
}

bool KeptCode::add_locked(const Hash128& made_of, Binary code) {
  if (code->size() > kMostBytes - bytes_) return false;
  const size_t size = code->size();
  if (!all_.try_emplace(made_of, std::move(code)).second) return false;
  bytes_ += size;
  return true;
}

void KeptCode::put(const Hash128& made_of, Binary code) {
  const std::lock_guard lock(mutex_);
  if (const auto old = all_.find(made_of); old != all_.end()) {
    bytes_ -= old->second->size();
    all_.erase(old);
  }
  if (add_locked(made_of, code)) return;
  all_.clear();
  bytes_ = 0;
  add_locked(made_of, std::move(code));
}

bool KeptCode::add(const Hash128& made_of, Binary code) {
  const std::lock_guard lock(mutex_);
  return add_locked(made_of, std::move(code));
}

std::map<Hash128, KeptCode::Binary> KeptCode::all() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

}  // namespace kiln
