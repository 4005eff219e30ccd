// Scalar programs as kernel parameters of engine files.
#include "tensor/scalar_codec.h"

#include "base/error.h"

namespace kiln {
namespace {
constexpr size_t kFields = 6;  // op, type, a, b, c, integer
}

void put_program(Attributes& parameters, const std::string& prefix, const ScalarProgram& program) {
  Ints code;
  Floats reals;
  for (const ScalarInstruction& i : program.code) {
    code.insert(code.end(), {static_cast<int64_t>(i.op), static_cast<int64_t>(i.type), i.a, i.b, i.c, i.integer});
    reals.push_back(i.real);
  }
  parameters.set(prefix + ".code", std::move(code));
  parameters.set(prefix + ".reals", std::move(reals));
  parameters.set(prefix + ".inputs", int64_t{program.input_count});
  parameters.set(prefix + ".outputs", Ints(program.outputs.begin(), program.outputs.end()));
}

ScalarProgram get_program(const Attributes& parameters, const std::string& prefix) {
  const Ints& code = parameters.ints(prefix + ".code");
  const Floats reals = parameters.reals(prefix + ".reals", {});
  const Ints& outputs = parameters.ints(prefix + ".outputs");
  const int64_t inputs = parameters.integer(prefix + ".inputs");
  auto fits = [](int64_t v, int64_t limit) { return v >= 0 && v < limit; };
  bool sound = code.size() == reals.size() * kFields && reals.size() <= kMaxScalarInstructions && fits(inputs, 65536);
  ScalarProgram program;
  program.input_count = static_cast<uint16_t>(inputs);
  for (size_t i = 0; sound && i < reals.size(); ++i) {
    const int64_t* f = &code[i * kFields];
    sound = fits(f[0], kScalarOpCount) && fits(f[1], 5) && fits(f[2], 65536) && fits(f[3], 65536) && fits(f[4], 65536);
    if (sound)
      program.code.push_back({static_cast<ScalarOp>(f[0]), static_cast<ScalarType>(f[1]), static_cast<uint16_t>(f[2]),
                              static_cast<uint16_t>(f[3]), static_cast<uint16_t>(f[4]), reals[i], f[5]});
  }
  for (int64_t o : outputs) {
    sound = sound && fits(o, 65536);
    program.outputs.push_back(static_cast<uint16_t>(o));
  }
  const std::string defect = sound ? find_defect(program) : "its fields are out of range";
  if (!defect.empty()) throw Error(Code::kMalformedPlan, "a scalar program is not sound: " + defect);
  return program;
}

}  // namespace kiln
