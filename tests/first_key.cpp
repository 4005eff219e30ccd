// The first key for values of threads that a process makes is gone when some drivers of GPUs have started, whoever made it: GoogleTest, which
// makes one for itself, gets a later one.
#include <pthread.h>

namespace {

[[gnu::constructor(101)]] void spare_first_key() {
  pthread_key_t key;
  (void)pthread_key_create(&key, nullptr);
}

}  // namespace
