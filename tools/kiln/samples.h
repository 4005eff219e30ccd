// Samples of a model's inputs from files.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace kiln::tool {

using Samples = std::vector<api::Values>;

// --data, --samples, --mean, --scale and --algorithm; and --percentile.
CLI::Option* add_sample_flags(CLI::App& app, SampleOptions& options);
// What --data is for a build.
inline constexpr const char* kBuildSamplesHelp =
    "For --int8: samples as kiln calibrate takes them, which tell the ranges where --calib does not, and on which "
    "--errorBudget measures";
void add_percentile_flag(CLI::App& app, SampleOptions& options);
// How they let ranges be found. Throws CLI::ValidationError for a percentile that nothing heeds.
api::CalibrationOptions calibration_options(const SampleOptions& options, bool channels);
// At least one sample, each with every input; throws Failure otherwise. Where an input takes any number of rows, a sample has one, or what
// the input's first profile takes.
Samples read_samples(const SampleOptions& options, const std::vector<api::IoTensor>& inputs);

// Ranges of a model's tensors. The model is built as the flags say, but for what is not of the model.
api::Calibration calibrate_model(const BuildFlags& flags, const Samples& samples,
                                 const api::CalibrationOptions& options);
// Warns of tensors that lose much in int8, with the largest losses and the products that read them.
void warn_of_losses(const api::Calibration& calibration, const api::Products& products);

}  // namespace kiln::tool
