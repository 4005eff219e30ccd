// Values of the public API: strings, sequences and optionals beside tensors.
#pragma once
#include "kiln/kiln.h"
#include "tensor/tensor.h"

namespace kiln::api {

// Copies. Throws Error for types that there are not, and counts that do not fit.
Datum from_host_value(const HostValue& value);
HostValue to_host_value(const Datum& datum);
std::string collection_name(Datum::Kind kind);  // as IoTensor has it

}  // namespace kiln::api
