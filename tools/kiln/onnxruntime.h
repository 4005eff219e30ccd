// Outputs of ONNX Runtime, where Python has it.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace kiln::tool {

// Throws Failure unless the `python3` of the path has ONNX Runtime, so that it is known before long work.
void check_onnxruntime();
// Runs the model by the `python3` of the path. Throws Failure when that, or its package onnxruntime, is missing or fails.
api::Values run_onnxruntime(const std::string& model, const api::Values& inputs,
                            const std::vector<api::IoTensor>& outputs);

}  // namespace kiln::tool
