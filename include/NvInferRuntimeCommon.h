// What run time and builder share, under the name that programs before 8.5 include.
#pragma once
#include "NvInferRuntimeBase.h"
