// Scalar programs as CUDA C++.
#include "backends/cuda/device/generated/pointwise_source.h"

#include <bit>
#include <cstdio>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/pointwise_code.h"

namespace kiln::cuda::kernels {
namespace {

const char* element_name(DType type) {
  switch (type) {
    case DType::kBool: return "Truth";
    case DType::kU8: return "uint8_t";
    case DType::kI8: return "int8_t";
    case DType::kU16: return "uint16_t";
    case DType::kI16: return "int16_t";
    case DType::kU32: return "uint32_t";
    case DType::kI32: return "int32_t";
    case DType::kU64: return "uint64_t";
    case DType::kI64: return "int64_t";
    case DType::kF16: return "Half";
    case DType::kBF16: return "Bfloat";
    case DType::kF32: return "float";
    case DType::kF64: return "double";
    default: return nullptr;
  }
}

const char* value_name(ScalarType type) {
  switch (type) {
    case ScalarType::kBool: return "bool";
    case ScalarType::kI64: return "int64_t";
    case ScalarType::kU64: return "uint64_t";
    case ScalarType::kF32: return "float";
    case ScalarType::kF64: return "double";
  }
  return nullptr;
}

bool is_real(ScalarType type) { return type == ScalarType::kF32 || type == ScalarType::kF64; }

std::string hex(uint64_t bits, const char* suffix) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx%s", static_cast<unsigned long long>(bits), suffix);
  return text;
}

std::string constant(const ScalarInstruction& v) {
  switch (v.type) {
    case ScalarType::kBool: return v.integer != 0 ? "true" : "false";
    case ScalarType::kF32:
      return "from_bits<float>(" + hex(std::bit_cast<uint32_t>(static_cast<float>(v.real)), "u") + ")";
    case ScalarType::kF64: return "from_bits<double>(" + hex(std::bit_cast<uint64_t>(v.real), "ull") + ")";
    default:
      return "static_cast<" + std::string(value_name(v.type)) + ">(" + hex(static_cast<uint64_t>(v.integer), "ull") +
             ")";
  }
}

// The parts of the text, for one program.
class Source {
 public:
  explicit Source(const GeneratedProgram& generated)
      : g_(generated), code_(with_float_inputs(g_.program)), inputs_(code_.input_count) {}

  std::string text() const {
    return "#include \"backends/cuda/device/cu/generated.cuh\"\n\nnamespace kiln::cuda {\n\n" + program() +
           words_kernel() + elements_kernel() + "}  // namespace kiln::cuda\n";
  }

 private:
  size_t operands() const { return g_.types.size(); }
  std::string element(size_t k) const { return element_name(g_.types[k]); }
  std::string operand(size_t k) const {
    return "p.operands[" + std::to_string(k) + "], g.at[" + std::to_string(k) + "]";
  }
  static std::string value(uint16_t v) { return "v" + std::to_string(v); }

  // "program(a, b, c);", each operand as `form` says.
  template <class Form> std::string call(const Form& form) const {
    std::string list;
    for (size_t k = 0; k < operands(); ++k) list += (k == 0 ? "" : ", ") + form(k);
    return "program(" + list + ");\n";
  }

  // "real_binary(static_cast<ScalarOp>(34), v1, v2)": functions of cu/scalar_math.cuh.
  std::string arithmetic(const ScalarInstruction& v, const char* family) const {
    std::string list = "static_cast<ScalarOp>(" + std::to_string(static_cast<int>(v.op)) + "), " + value(v.a);
    if (operand_count(v.op) > 1) list += ", " + value(v.b);
    return std::string(family) + "(" + list + ")";
  }

  std::string expression(const ScalarInstruction& v) const {
    if (v.op == ScalarOp::kInput)
      return "decoded<" + std::string(value_name(v.type)) + ">(i" + std::to_string(v.integer) + ")";
    if (v.op == ScalarOp::kConstant) return constant(v);
    if (v.op == ScalarOp::kConvert) return "converted<" + std::string(value_name(v.type)) + ">(" + value(v.a) + ")";
    if (v.op == ScalarOp::kSelect) return value(v.a) + " ? " + value(v.b) + " : " + value(v.c);
    if (v.op == ScalarOp::kNarrow)
      return "decoded<" + std::string(value_name(v.type)) + ">(encoded<" + element_name(static_cast<DType>(v.integer)) +
             ">(" + value(v.a) + "))";
    const ScalarType type = code_.code[v.a].type;
    if (v.op >= ScalarOp::kEqual) return arithmetic(v, "compared");
    if (v.op >= ScalarOp::kAdd)
      return arithmetic(v, type == ScalarType::kBool ? "bool_binary"
                           : is_real(type)           ? "real_binary"
                                                     : "integer_binary");
    if (v.op >= ScalarOp::kIsNan) return is_real(type) ? arithmetic(v, "classified") : "false";
    if (type == ScalarType::kBool) return "!" + value(v.a);
    return arithmetic(v, is_real(type) ? "real_unary" : "integer_unary");
  }

  // The program on one element of each operand.
  std::string program() const {
    std::string list, body;
    for (size_t k = 0; k < operands(); ++k) {
      const bool is_input = k < inputs_;
      list +=
          (k == 0 ? "" : ", ") + element(k) + (is_input ? " i" : "& o") + std::to_string(is_input ? k : k - inputs_);
    }
    for (size_t i = 0; i < code_.code.size(); ++i)
      body += "  const " + std::string(value_name(code_.code[i].type)) + " v" + std::to_string(i) + " = " +
              expression(code_.code[i]) + ";\n";
    for (size_t k = 0; k < code_.outputs.size(); ++k)
      body +=
          "  o" + std::to_string(k) + " = encoded<" + element(inputs_ + k) + ">(" + value(code_.outputs[k]) + ");\n";
    return "__device__ inline void program(" + list + ") {\n" + body + "}\n\n";
  }

  std::string kernel_head(const char* name, int lanes) const {
    const std::string count = std::to_string(operands());
    return "extern \"C\" __global__ void __launch_bounds__(kGeneratedThreads) " + std::string(name) +
           "(const __grid_constant__ GeneratedArguments<" + count + "> p) {\n  begin_kernel();\n  const Place<" +
           count + "> g = place_of<" + std::to_string(lanes) + ">(p);\n";
  }

  std::string one_element(const char* lane) const {
    return call([&](size_t k) { return "*element<" + element(k) + ">(" + operand(k) + ", " + lane + ")"; });
  }

  std::string words_kernel() const {
    const std::string lanes = std::to_string(g_.lanes);
    std::string text = kernel_head(kWordsFunction, g_.lanes) + "  if (g.lanes == " + lanes + ") {\n";
    const auto move = [&](const char* what, size_t k) {
      return "    " + std::string(what) + "<" + std::to_string(static_cast<int>(g_.reaches[k])) + ">(x" +
             std::to_string(k) + ", " + operand(k) + ");\n";
    };
    for (size_t k = 0; k < operands(); ++k)
      text += "    " + element(k) + " x" + std::to_string(k) + "[" + lanes + "];\n";
    for (size_t k = 0; k < inputs_; ++k) text += move("load", k);
    text += "#pragma unroll\n    for (int i = 0; i < " + lanes + "; ++i) " +
            call([](size_t k) { return "x" + std::to_string(k) + "[i]"; });
    for (size_t k = inputs_; k < operands(); ++k) text += move("store", k);
    return text + "    return;\n  }\n#pragma unroll 1\n  for (int i = 0; i < g.lanes; ++i) " + one_element("i") +
           "}\n\n";
  }

  std::string elements_kernel() const {
    return kernel_head(kElementsFunction, 1) + "  if (g.lanes > 0) " + one_element("0") + "}\n\n";
  }

  const GeneratedProgram& g_;
  ScalarProgram code_;
  size_t inputs_;
};

}  // namespace

void GeneratedProgram::check() const {
  std::string reason;
  if (!pointwise_code(program, reason)) throw malformed_parameter("program", "is not sound").cause(reason);
  const size_t operands = program.input_count + program.outputs.size();
  for (const auto& [name, count] : {std::pair("types", types.size()), std::pair("reaches", reaches.size())})
    if (count != operands || program.outputs.empty())
      throw malformed_parameter(name, "has " + std::to_string(count) + " elements")
          .cause("the program has " + std::to_string(operands) + " operands");
  for (size_t k = 0; k < operands; ++k) {
    if (!is_generated_type(types[k]))
      throw malformed_parameter("types", "has the element " + std::string(name(types[k])));
    if (reaches[k] == Reach::kAdjacent && lanes * element_bytes(types[k]) > kMaxWord)
      throw malformed_parameter("lanes", "is " + std::to_string(lanes))
          .cause("a word has more than " + std::to_string(kMaxWord) + " bytes");
  }
  for (const ScalarInstruction& v : program.code) {
    if (v.op == ScalarOp::kInput && scalar_type_of(types[static_cast<size_t>(v.integer)]) != v.type)
      throw malformed_parameter("types", "has another type than an input of the program");
    if (v.op == ScalarOp::kNarrow && !is_generated_type(static_cast<DType>(v.integer)))
      throw malformed_parameter("program", "rounds to a type that generated kernels do not have");
    if (v.op == ScalarOp::kNarrow && scalar_type_of(static_cast<DType>(v.integer)) != v.type)
      throw malformed_parameter("program", "rounds to another type than it says");
  }
}

std::string pointwise_source(const Attributes& parameters) {
  return Source(read_parameters<GeneratedProgram>(parameters)).text();
}

}  // namespace kiln::cuda::kernels
