// What shape rules and reference evaluations see, and how a reference is run.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "base/work.h"
#include "ops/op.h"
#include "ops/shape_elements.h"

namespace kiln {

ShapeCall::ShapeCall(const OpDef& op, const Attributes& attributes, std::vector<InputInfo> inputs,
                     std::string fresh_prefix, int output_count)
    : op_(op),
      attributes_(attributes),
      inputs_(std::move(inputs)),
      fresh_prefix_(std::move(fresh_prefix)),
      output_count_(output_count) {}

namespace {
const AttributeDef& attribute_def(const OpDef& op, std::string_view name) {
  if (const AttributeDef* def = op.find_attribute(name)) return *def;
  throw Error(Code::kInternal, op.name() + " reads the attribute '" + std::string(name) + "', which its schema lacks");
}
}  // namespace

int64_t ShapeCall::integer(std::string_view attribute) const {
  return attributes_.integer(attribute, std::get<int64_t>(attribute_def(op_, attribute).fallback));
}
double ShapeCall::real(std::string_view attribute) const {
  return attributes_.real(attribute, std::get<double>(attribute_def(op_, attribute).fallback));
}
std::string ShapeCall::text(std::string_view attribute) const {
  return attributes_.text(attribute, std::get<std::string>(attribute_def(op_, attribute).fallback));
}
Ints ShapeCall::ints(std::string_view attribute) const {
  return attributes_.ints(attribute, std::get<Ints>(attribute_def(op_, attribute).fallback));
}

int ShapeCall::find(std::string_view input) const {
  const auto& defs = op_.inputs();
  auto it = std::find_if(defs.begin(), defs.end(), [&](const InputDef& d) { return d.name == input; });
  if (it == defs.end())
    throw Error(Code::kInternal, op_.name() + " reads the input '" + std::string(input) + "', which its schema lacks");
  return static_cast<int>(it - defs.begin());
}

bool ShapeCall::present(std::string_view input) const { return present(find(input)); }

const InputInfo& ShapeCall::info(std::string_view input) const {
  static const InputInfo absent;
  const int i = find(input);
  return i < input_count() ? nth(inputs_, i) : absent;
}

std::optional<std::vector<Dim>> ShapeCall::elements(int index) const {
  if (!present(index)) return std::nullopt;
  const InputInfo& in = info(index);
  if (in.elements) return ops::has_unknown_element(*in.elements) ? std::nullopt : std::optional(*in.elements);
  if (!in.constant || !(is_integer(in.constant->dtype()) || in.constant->dtype() == DType::kBool)) return std::nullopt;
  std::vector<Dim> dims;
  for (int64_t v : in.constant->to_ints()) dims.emplace_back(v);
  return dims;
}

std::optional<std::vector<Dim>> ShapeCall::elements(std::string_view input) const { return elements(find(input)); }

std::optional<Ints> ShapeCall::int_values(std::string_view input) const {
  auto dims = elements(input);
  if (!dims || !is_static(*dims)) return std::nullopt;
  return static_dims(*dims);
}

Dim ShapeCall::unknown_dim(int output, int axis) const {
  return Dim::symbol(kRunTimeSymbol + fresh_prefix_ + "." + std::to_string(output) + "." + std::to_string(axis));
}

Shape ShapeCall::unknown_shape(int output, int64_t rank) const {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(unknown_dim(output, i));
  return shape;
}

RefCall::RefCall(const ShapeCall& shape_call, const OpDef& op, std::vector<Datum> inputs, std::vector<Datum>& outputs,
                 const RegionRunner& regions)
    : shape_call_(shape_call), op_(op), inputs_(std::move(inputs)), outputs_(outputs), regions_(regions) {}

const Tensor& RefCall::input(std::string_view name) const {
  static const Tensor absent;
  const auto& defs = op_.inputs();
  for (size_t i = 0; i < defs.size(); ++i)
    if (defs[i].name == name) return i < inputs_.size() ? inputs_[i].tensor : absent;
  throw Error(Code::kInternal, op_.name() + " reads the input '" + std::string(name) + "', which its schema lacks");
}

EdgeType edge_type_of(const Datum& datum) {
  EdgeType type;
  type.kind = datum.kind;
  if (datum.kind == Datum::kTensor) {
    type.tensor = {datum.tensor.dtype(), to_shape(datum.tensor.dims()), true};
    return type;
  }
  type.tensor.ranked = false;
  type.tensor.dtype = datum.element_dtype;
  if (!datum.items.empty()) {
    const Datum& first = datum.items.front();
    const EdgeType inner = edge_type_of(first);
    type.tensor.dtype = inner.tensor.dtype;
    type.optional_of_sequence = datum.kind == Datum::kOptional && first.kind == Datum::kSequence;
  }
  return type;
}

std::vector<Datum> evaluate(const OpDef& op, const Attributes& attributes, std::vector<Datum> inputs, int output_count,
                            const RefCall::RegionRunner& regions) {
  check_work();
  std::vector<InputInfo> infos;
  for (const Datum& d : inputs) {
    InputInfo info;
    info.present = d.kind != Datum::kTensor || d.tensor.valid();
    if (info.present) info.type = edge_type_of(d);
    infos.push_back(info);
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    if (infos[i].present && inputs[i].kind == Datum::kTensor) infos[i].constant = &inputs[i].tensor;
  ShapeCall shape_call(op, attributes, infos, op.name(), output_count);
  const std::vector<EdgeType> types = op.infer(shape_call);
  std::vector<Datum> outputs(static_cast<size_t>(output_count));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const EdgeType& type = types[i];
    if (type.kind == Datum::kTensor && type.tensor.ranked && is_static(type.tensor.shape) &&
        type.tensor.dtype != DType::kInvalid)
      outputs[i].tensor =
          type.tensor.dtype == DType::kString
              ? Tensor::strings(
                    static_dims(type.tensor.shape),
                    std::vector<std::string>(static_cast<size_t>(element_count(static_dims(type.tensor.shape)))))
              : Tensor::allocate(type.tensor.dtype, static_dims(type.tensor.shape));
  }
  if (!op.reference_rule()) throw Error(Code::kInternal, op.name() + " has no reference evaluation");
  RefCall call(shape_call, op, std::move(inputs), outputs, regions);
  op.reference_rule()(call);
  return outputs;
}

}  // namespace kiln
