// Samples of a model's inputs from files.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace kiln::tool {

using Samples = std::vector<api::Values>;

// --data, --samples, --mean and --scale.
CLI::Option* add_sample_flags(CLI::App& app, SampleOptions& options);
// At least one sample, each with every input; throws Failure otherwise.
Samples read_samples(const SampleOptions& options, const std::vector<api::IoTensor>& inputs);

// Ranges of a model's tensors. The model is built as the flags say, but for what is not of the model.
api::Calibration calibrate_model(const BuildFlags& flags, const Samples& samples,
                                 const api::CalibrationOptions& options);

}  // namespace kiln::tool
