// What programs hold handles of.
#pragma once
#include <map>
#include <memory>
#include <mutex>

namespace kiln::api {

// Objects that this library made, found by their handles, so that a handle that is none is told apart without looking into it. Any thread.
template <class T> class Handles {
 public:
  void add(void* handle, std::unique_ptr<T> object) {
    std::lock_guard lock(mutex_);
    objects_[handle] = std::move(object);
  }
  T* find(void* handle) {
    std::lock_guard lock(mutex_);
    const auto it = objects_.find(handle);
    return it == objects_.end() ? nullptr : it->second.get();
  }
  // Null when it is none.
  std::unique_ptr<T> take(void* handle) {
    std::lock_guard lock(mutex_);
    const auto it = objects_.find(handle);
    if (it == objects_.end()) return nullptr;
    std::unique_ptr<T> object = std::move(it->second);
    objects_.erase(it);
    return object;
  }

 private:
  std::mutex mutex_;
  std::map<void*, std::unique_ptr<T>> objects_;
};

}  // namespace kiln::api
