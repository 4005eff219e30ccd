// Code that is compiled while the program runs, once in a process for each request.
#pragma once
#include <cstddef>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/kept_code.h"

namespace kiln::cuda {

using Binary = KeptCode::Binary;

// Thread-safe. Who asks for what another thread compiles waits for it.
class CompiledOnce {
 public:
  explicit CompiledOnce(size_t most) : most_(most) {}
  // What `make` returns, now or before; what it throws is thrown to all who ask.
  template <class Make> Binary get(const Hash128& key, const Make& make) {
    std::promise<Binary> promise;
    std::shared_future<Binary> known;
    {
      const std::lock_guard lock(mutex_);
      const auto it = all_.find(key);
      if (it != all_.end()) known = it->second;
      else {
        if (all_.size() >= most_) all_.clear();
        all_[key] = promise.get_future().share();
      }
    }
    if (known.valid()) return known.get();
    try {
      Binary made = make();
      promise.set_value(made);
      return made;
    } catch (...) {
      promise.set_exception(std::current_exception());
      throw;
    }
  }
  // The same for a build that keeps code. What `kept` has comes from there where it is sound, and not to those who did not ask for it: the
  // others get what was made in this process. Null: nothing is kept.
  template <class IsSound, class Make>
  Binary get(const Hash128& key, KeptCode* kept, const IsSound& is_sound, const Make& make) {
    if (Binary known = kept ? kept->find(key) : nullptr; known && is_sound(*known)) return known;
    Binary made = get(key, make);
    if (kept) kept->put(key, made);
    return made;
  }

 private:
  size_t most_;
  std::mutex mutex_;
  std::map<Hash128, std::shared_future<Binary>> all_;
};

}  // namespace kiln::cuda
