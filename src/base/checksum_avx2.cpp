// The checksum by AVX2, for processors that have it: this file alone is compiled for them, so it includes nothing that others share.
#if defined(__x86_64__)
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kiln {

unsigned long checksum64_avx2(const void* data, unsigned long size) { return XXH3_64bits(data, size); }

}  // namespace kiln
#endif
