// Which instruction sets the kernels of bytes are compiled for: those of hwy_targets.h, and AVX-512 with VNNI. Include before
// hwy/foreach_target.h.
#pragma once
#define HWY_BASELINE_TARGETS HWY_SSE4
#ifdef KILN_FEW_TARGETS  // under sanitizers: each costs its time to compile
#define HWY_DISABLED_TARGETS (HWY_SCALAR | HWY_SSSE3 | (HWY_AVX2 - 1))  // nothing better than AVX2
#else
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SCALAR | HWY_SSSE3)
#endif
