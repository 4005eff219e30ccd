// Which instruction sets the Highway kernels are compiled for. Include before hwy/foreach_target.h.
#pragma once
#define HWY_BASELINE_TARGETS HWY_SSE4
#define HWY_DISABLED_TARGETS (HWY_SCALAR | HWY_SSSE3 | HWY_AVX3_DL)
