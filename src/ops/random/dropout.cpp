// Dropout: in training, elements become zero with the given probability and the others grow by as much; the mask says which stay. The
// numbers are numpy's for the same seed, which is what ONNX's own tests expect.
#include <random>

#include "base/error.h"
#include "ops/random/random.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// numpy.random.RandomState(seed).random_sample(): 53 bits out of two draws.
double numpy_uniform(std::mt19937& random) {
  const auto high = static_cast<double>(random() >> 5), low = static_cast<double>(random() >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

void dropout_reference(RefCall& c) {
  const Tensor& data = c.input("data");
  const double ratio = c.present("ratio") ? c.input("ratio").at(0) : 0.5;
  const bool training = c.present("training_mode") && c.input("training_mode").int_at(0) != 0;
  if (training && !(ratio >= 0 && ratio < 1))
    throw Error(Code::kInvalidArgument, "Dropout with ratio " + std::to_string(ratio))
        .cause("it is at least 0 and less than 1");
  std::mt19937 random(static_cast<uint32_t>(c.integer("seed")));
  for (int64_t i = 0; i < data.size(); ++i) {
    const bool stays = !training || ratio == 0 || numpy_uniform(random) >= ratio;
    c.output().set(i, training ? (stays ? 1.0 : 0.0) * data.at(i) / (1 - ratio) : data.at(i));
    if (c.wants(1)) c.output(1).set_int(i, stays);
  }
}

}  // namespace

const OpDef dropout = op("Dropout")
                          .input("data", kFloatTypes)
                          .optional_input("ratio", kFloatTypes)
                          .optional_input("training_mode", kBoolType)
                          .attr("seed", int64_t{0})
                          .output("output", same_type("data"))
                          .optional_output("mask", fixed_type(DType::kBool))
                          .shapes([](ShapeCall& c) { return std::vector<OutputShape>{c.dims("data"), c.dims("data")}; })
                          .reference(dropout_reference)
                          .accuracy(Accuracy::kFewUlp)
                          .nondeterministic();

}  // namespace kiln::ops
