// Operator definitions: all that Kiln knows of an operator's meaning. One file and one word in a family's list per operator.
#pragma once
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/expr.h"
#include "tensor/attributes.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

namespace kiln {

// A set of element types.
class TypeSet {
 public:
  constexpr TypeSet() = default;
  constexpr TypeSet(DType type) : bits_(1u << static_cast<int>(type)) {}
  constexpr TypeSet(std::initializer_list<DType> types) {
    for (DType t : types) bits_ |= 1u << static_cast<int>(t);
  }
  constexpr bool has(DType type) const { return bits_ >> static_cast<int>(type) & 1; }
  constexpr TypeSet operator|(TypeSet other) const {
    TypeSet s;
    s.bits_ = bits_ | other.bits_;
    return s;
  }
  std::vector<DType> list() const;
  std::string str() const;

 private:
  uint32_t bits_ = 0;
};
inline constexpr TypeSet kFloatTypes{DType::kF16, DType::kBF16, DType::kF32, DType::kF64};
inline constexpr TypeSet kSignedTypes{DType::kI8, DType::kI16, DType::kI32, DType::kI64};
inline constexpr TypeSet kUnsignedTypes{DType::kU8, DType::kU16, DType::kU32, DType::kU64};
inline constexpr TypeSet kIntegerTypes = kSignedTypes | kUnsignedTypes;
inline constexpr TypeSet kNumericTypes = kFloatTypes | kIntegerTypes;
inline constexpr TypeSet kIndexTypes{DType::kI32, DType::kI64};
inline constexpr TypeSet kBoolType{DType::kBool};
inline constexpr TypeSet kFloat8Types{DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ,
                                      DType::kF8E8M0};
inline constexpr TypeSet kSubByteTypes{DType::kU2, DType::kI2, DType::kU4, DType::kI4, DType::kF4E2M1};
inline constexpr TypeSet kRealTypes =
    kNumericTypes | kBoolType | kFloat8Types | kSubByteTypes;  // what a scalar program can load
inline constexpr TypeSet kAnyType = kRealTypes | TypeSet{DType::kC64, DType::kC128, DType::kString};

// How far a faster implementation may be from the reference; tests derive tolerances from it.
enum class Accuracy {
  kExact,      // the same bits, but for the sign of a zero
  kFewUlp,     // a few units in the last place of the result
  kReduction,  // a sum whose terms may cancel: relative to the largest term, grows with their number
};

// Kinds of edges: what may flow along an input or output.
struct EdgeType {
  Datum::Kind kind = Datum::kTensor;
  TensorType tensor;                  // of a tensor; of the elements for a sequence or optional
  bool optional_of_sequence = false;  // an optional that holds a sequence
  bool operator==(const EdgeType&) const = default;
  std::string str() const;  // "float32[2]", "seq(float32[*])", "optional(float32[2])"
};

// What is known of an input when shapes are inferred.
struct InputInfo {
  bool present = false;
  EdgeType type;
  const Tensor* constant = nullptr;            // when the value is known
  const std::vector<Dim>* elements = nullptr;  // when the elements of an integer tensor are known as expressions
};

class OpDef;

// Shape inference of one node. Names are those of the schema. Throws Error(kShapeMismatch, kTypeMismatch, kInvalidArgument).
class ShapeCall {
 public:
  ShapeCall(const OpDef& op, const Attributes& attributes, std::vector<InputInfo> inputs, std::string fresh_prefix,
            int output_count);

  const Attributes& attributes() const { return attributes_; }
  int64_t integer(std::string_view attribute) const;  // the schema's default when absent
  double real(std::string_view attribute) const;
  std::string text(std::string_view attribute) const;
  Ints ints(std::string_view attribute) const;  // empty when absent and the default is empty
  bool has_attr(std::string_view attribute) const { return attributes_.has(attribute); }

  int input_count() const { return static_cast<int>(inputs_.size()); }
  int output_count() const { return output_count_; }
  bool present(std::string_view input) const;
  const InputInfo& info(std::string_view input) const;
  const InputInfo& info(int index) const { return inputs_[static_cast<size_t>(index)]; }
  bool present(int index) const { return index < input_count() && inputs_[static_cast<size_t>(index)].present; }
  DType dtype(std::string_view input) const { return info(input).type.tensor.dtype; }
  DType dtype(int index) const { return info(index).type.tensor.dtype; }
  bool ranked(std::string_view input) const { return info(input).type.tensor.ranked; }
  const Shape& dims(std::string_view input) const { return info(input).type.tensor.shape; }
  const Shape& dims(int index) const { return info(index).type.tensor.shape; }
  int64_t rank(std::string_view input) const { return static_cast<int64_t>(dims(input).size()); }
  int64_t axis(std::string_view attribute, int64_t rank) const { return normalize_axis(integer(attribute), rank); }
  // Elements of an integer input, if known as numbers or expressions; nothing when unknown or absent.
  std::optional<std::vector<Dim>> elements(std::string_view input) const;
  std::optional<std::vector<Dim>> elements(int index) const;
  // The same as numbers; nothing unless all are numbers.
  std::optional<Ints> int_values(std::string_view input) const;
  const Tensor* constant(std::string_view input) const { return info(input).constant; }
  // A dimension that only running the node can tell; the same call on the same node gives the same symbol.
  Dim unknown_dim(int output, int axis) const;
  Shape unknown_shape(int output, int64_t rank) const;

 private:
  int find(std::string_view input) const;
  const OpDef& op_;
  const Attributes& attributes_;
  std::vector<InputInfo> inputs_;
  std::string fresh_prefix_;
  int output_count_;
};

// Symbols that only running a node can bind start with this character.
inline constexpr char kRunTimeSymbol = '?';
bool has_run_time_symbol(const Shape& shape);

// Result of a shape rule for one output: a shape, or nothing when not even the rank is known.
struct OutputShape {
  OutputShape() : ranked(false) {}
  OutputShape(Shape s) : shape(std::move(s)) {}
  Shape shape;
  bool ranked = true;
};
inline OutputShape unranked() { return {}; }

// Reference evaluation of one node. Inputs are dense row-major tensors; outputs whose shape the shape rule could tell are
// allocated and zeroed before the call; others must be given with set_output.
class RefCall {
 public:
  using RegionRunner = std::function<std::vector<Datum>(int region, std::vector<Datum> inputs)>;
  RefCall(const ShapeCall& shape_call, const OpDef& op, std::vector<Datum> inputs, std::vector<Datum>& outputs,
          const RegionRunner& regions);

  const ShapeCall& shapes() const { return shape_call_; }
  int64_t integer(std::string_view a) const { return shape_call_.integer(a); }
  double real(std::string_view a) const { return shape_call_.real(a); }
  std::string text(std::string_view a) const { return shape_call_.text(a); }
  Ints ints(std::string_view a) const { return shape_call_.ints(a); }
  bool has_attr(std::string_view a) const { return shape_call_.has_attr(a); }
  int64_t axis(std::string_view a, int64_t rank) const { return shape_call_.axis(a, rank); }

  int input_count() const { return static_cast<int>(inputs_.size()); }
  int output_count() const { return static_cast<int>(outputs_.size()); }
  bool present(std::string_view name) const { return shape_call_.present(name); }
  bool present(int index) const { return shape_call_.present(index); }
  const Tensor& input(std::string_view name) const;
  const Tensor& input(int index) const { return inputs_[static_cast<size_t>(index)].tensor; }
  const Datum& datum(int index) const { return inputs_[static_cast<size_t>(index)]; }
  Tensor& output(int index = 0) { return outputs_[static_cast<size_t>(index)].tensor; }
  void set_output(int index, Datum value) { outputs_[static_cast<size_t>(index)] = std::move(value); }
  bool wants(int index) const { return index < output_count(); }
  std::vector<Datum> run_region(int region, std::vector<Datum> inputs) const {
    return regions_(region, std::move(inputs));
  }

 private:
  const ShapeCall& shape_call_;
  const OpDef& op_;
  std::vector<Datum> inputs_;
  std::vector<Datum>& outputs_;
  const RegionRunner& regions_;
};

// Type rules of outputs.
struct TypeRule {
  enum Kind { kSameAs, kFixed, kFromAttribute, kComputed } kind = kSameAs;
  std::string name;  // input (kSameAs) or attribute (kFromAttribute)
  DType fixed = DType::kInvalid;
  std::function<DType(const ShapeCall&)> compute;
};
inline TypeRule same_type(std::string input) { return {TypeRule::kSameAs, std::move(input), DType::kInvalid, nullptr}; }
inline TypeRule fixed_type(DType type) { return {TypeRule::kFixed, "", type, nullptr}; }
inline TypeRule type_from(std::string attribute) {
  return {TypeRule::kFromAttribute, std::move(attribute), DType::kInvalid, nullptr};
}
inline TypeRule computed_type(std::function<DType(const ShapeCall&)> f) {
  return {TypeRule::kComputed, "", DType::kInvalid, std::move(f)};
}

struct InputDef {
  std::string name;
  TypeSet types;
  std::string same_as;  // must have the element type of this input
  bool optional = false;
  bool variadic = false;  // last input: any number, at least one unless optional
  InputDef(std::string n, TypeSet t) : name(std::move(n)), types(t) {}
  InputDef(std::string n, TypeSet t, std::string same) : name(std::move(n)), types(t), same_as(std::move(same)) {}
};

inline InputDef variadic_input_def(std::string name, TypeSet types) {  // all of one type
  InputDef def(name, types, name);
  def.variadic = true;
  return def;
}
inline InputDef optional_input_def(std::string name, TypeSet types, std::string same_as) {
  InputDef def(std::move(name), types, std::move(same_as));
  def.optional = true;
  return def;
}

struct AttributeDef {
  std::string name;
  Attribute fallback;  // its kind is the attribute's kind
  bool required = false;
};

struct OutputDef {
  std::string name;
  TypeRule type;
  bool optional = false;
  bool variadic = false;
};

// The definition; made once, at start, by chained calls; immutable afterwards and safe to share between threads.
class OpDef {
 public:
  using ShapeRule = std::function<std::vector<OutputShape>(ShapeCall&)>;
  using EdgeRule = std::function<std::vector<EdgeType>(ShapeCall&)>;
  using ElementRule = std::function<std::optional<std::vector<Dim>>(ShapeCall&)>;
  using Reference = std::function<void(RefCall&)>;
  using Scalar = std::function<Expr(std::span<const Expr>, const Attributes&)>;

  explicit OpDef(std::string name) : name_(std::move(name)) {}

  // Schema.
  OpDef&& input(std::string name, TypeSet types, std::string same_as = "") &&;
  OpDef&& optional_input(std::string name, TypeSet types, std::string same_as = "") &&;
  OpDef&& variadic_input(std::string name, TypeSet types, std::string same_as = "", bool may_be_empty = false) &&;
  OpDef&& attr(std::string name, Attribute fallback) &&;  // optional, with default
  OpDef&& required_attr(std::string name, Attribute kind) &&;
  OpDef&& output(std::string name, TypeRule type) &&;
  OpDef&& optional_output(std::string name, TypeRule type) &&;
  OpDef&& variadic_output(std::string name, TypeRule type) &&;
  OpDef&& regions(int count) &&;  // nested graphs; see ir/graph.h for how they are called
  // Shape of output 0 alone, or of all outputs. When an input is unranked the rule is not called, and the outputs are unranked,
  // unless it was given by shape_of_anything or edges.
  OpDef&& shape(std::function<OutputShape(ShapeCall&)> rule) &&;
  OpDef&& shapes(ShapeRule rule) &&;
  OpDef&& shape_of_anything(ShapeRule rule) &&;
  OpDef&& edges(EdgeRule rule) &&;  // for sequences, optionals and regions: whole types
  // Elements of output 0 as expressions, when they follow from what is known.
  OpDef&& elements(ElementRule rule) &&;
  OpDef&& reference(Reference run) &&;
  OpDef&& accuracy(Accuracy a) &&;
  // The result depends on more than the inputs (random numbers): never folded, never merged.
  OpDef&& nondeterministic() &&;
  // Pointwise: the formula, and the type of the output when it is not that of the first input.
  OpDef&& scalar(std::function<Expr(Expr)> f) &&;
  OpDef&& scalar(std::function<Expr(Expr, Expr)> f) &&;
  OpDef&& scalar(std::function<Expr(Expr, const Attributes&)> f) &&;
  OpDef&& scalar(std::function<Expr(Expr, Expr, const Attributes&)> f) &&;
  OpDef&& scalar_n(Scalar f) &&;
  OpDef&& output_type(TypeRule rule) &&;

  const std::string& name() const { return name_; }
  const std::vector<InputDef>& inputs() const { return inputs_; }
  const std::vector<OutputDef>& outputs() const { return outputs_; }
  const std::vector<AttributeDef>& attributes() const { return attributes_; }
  const AttributeDef* find_attribute(std::string_view name) const;
  int region_count() const { return regions_; }
  Accuracy accuracy() const { return accuracy_; }
  bool deterministic() const { return deterministic_; }
  bool is_pointwise() const { return static_cast<bool>(scalar_); }
  const Scalar& scalar_rule() const { return scalar_; }
  const ElementRule& element_rule() const { return element_rule_; }
  const Reference& reference_rule() const { return reference_; }
  bool takes_any_edge() const {
    return static_cast<bool>(edge_rule_);
  }  // sequences, optionals, unknown types; its rule checks
  // The definition of input `index`; variadic inputs repeat the last one. Null when there is none.
  const InputDef* input_def(int index) const;
  const OutputDef* output_def(int index) const;

  // Types of all outputs, checked against the schema. Throws Error.
  std::vector<EdgeType> infer(ShapeCall& call) const;

 private:
  friend class PointwiseOp;
  std::string name_;
  std::vector<InputDef> inputs_;
  std::vector<OutputDef> outputs_;
  std::vector<AttributeDef> attributes_;
  int regions_ = 0;
  bool shape_takes_unranked_ = false;
  bool deterministic_ = true;
  Accuracy accuracy_ = Accuracy::kExact;
  ShapeRule shape_rule_;
  EdgeRule edge_rule_;
  ElementRule element_rule_;
  Reference reference_;
  Scalar scalar_;
};

inline OpDef op(std::string name) { return OpDef(std::move(name)); }
// An operator whose output element depends on the elements of its (broadcast) inputs alone. Inputs after the first must have
// the type of the first unless they name no type to follow: {"x", types} or {"b", types, "a"}.
OpDef pointwise(std::string name, std::initializer_list<InputDef> inputs);
inline OpDef pointwise(std::string name, InputDef input) { return pointwise(std::move(name), {std::move(input)}); }

// The operator of that name; null when there is none. All operators, sorted by name.
const OpDef* find_op(std::string_view name);
const std::vector<const OpDef*>& all_ops();

// The scalar program of a pointwise operator for inputs of these types: one result, computed in the type that suits the output.
// kInvalid stands for an optional input that is absent; the program's inputs are those that are present. Throws kTypeMismatch for
// types (strings, complex numbers) and kUnsupported for attributes that only the reference evaluation handles.
ScalarProgram scalar_program(const OpDef& op, const Attributes& attributes, std::span<const DType> inputs);

// Checks inputs, infers, allocates and runs the reference. An absent optional input is a Datum with an invalid tensor.
std::vector<Datum> evaluate(const OpDef& op, const Attributes& attributes, std::vector<Datum> inputs, int output_count,
                            const RefCall::RegionRunner& regions = nullptr);
EdgeType edge_type_of(const Datum& datum);

}  // namespace kiln
