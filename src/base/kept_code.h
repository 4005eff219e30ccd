// Code that builds compiled, for builds to come.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/hash.h"

namespace kiln {

// Binaries by a hash of all that decides what a compiler makes: source, options, headers, architecture, the compiler's version. Nobody can
// tell what code does that was made elsewhere: who may write the file that it comes from is trusted as the compiler is. Thread-safe.
class KeptCode {
 public:
  using Binary = std::shared_ptr<const std::vector<std::byte>>;
  static constexpr size_t kMostBytes = 64 << 20;  // of all together; a kernel has some 10 to 100 KB

  KeptCode() = default;
  KeptCode(const KeptCode& other) { *this = other; }
  KeptCode& operator=(const KeptCode& other);

  Binary find(const Hash128& made_of) const;  // null when it is not there
  // In the place of an older one. Where there is no room, all others go first.
  void put(const Hash128& made_of, Binary code);
  // False, and nothing changes, when there is one already or no room.
  bool add(const Hash128& made_of, Binary code);
  std::map<Hash128, Binary> all() const;

 private:
  bool add_locked(const Hash128& made_of, Binary code);
  mutable std::mutex mutex_;
  std::map<Hash128, Binary> all_;
  size_t bytes_ = 0;
};

}  // namespace kiln
