// The name under which most programs include it.
#pragma once
#include "cuda_runtime_api.h"
