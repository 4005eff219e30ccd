// Reads a plan. Everything is copied out of the metadata, in memory that its length bounds; the constants are borrowed.
#include <flatbuffers/flatbuffers.h>
#include <plan_schema_generated.h>

#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "plan/container.h"
#include "plan/plan.h"

namespace kiln::plan {
namespace {

using flatbuffers::Offset;
using flatbuffers::Vector;

constexpr int kMaxDepth = 16;
constexpr int kMaxTables = 1 << 24;
constexpr size_t kMaxMetadata = size_t{1} << 28;

// Offsets may lead to one place many times, which would make a short file long. The writer shares nothing, so what is taken out
// is never longer than the section.
class Reader {
 public:
  Reader(size_t budget, std::span<const std::byte> kernels, std::shared_ptr<const void> owner)
      : left_(budget), kernels_(kernels), owner_(std::move(owner)) {}

  Plan plan(const fb::Plan& p) {
    Plan plan;
    plan.name = text(p.name());
    plan.device = text(p.device());
    plan.fingerprint = text(p.fingerprint());
    plan.dims = list(p.dims(), [&](const fb::DimProgram& d) { return dim_program(d); });
    plan.programs = list(p.programs(), [&](const fb::Program& q) { return program(q); });
    plan.profiles = list(p.profiles(), [&](const fb::Profile& q) { return profile(q); });
    plan.arena_size = p.arena_size();
    plan.build_info = text(p.build_info());
    plan.watches = list(p.watches(), [&](const fb::Watch& w) {
      return Watch{w.tensor(), static_cast<Watch::Kind>(w.kind()), text(w.message())};
    });
    plan.shows_results = p.shows_results();
    plan.lanes_in_captures = p.lanes_in_captures();
    plan.device_memory = p.device_memory();
    plan.host_arena_size = p.host_arena_size();
    plan.kernels = list(p.kernels(), [&](const fb::Kernel& k) { return kernel(k); });
    plan.others =
        list(p.others(), [&](const fb::UsedDevice& d) { return UsedDevice{text(d.name()), text(d.fingerprint())}; });
    return plan;
  }

 private:
  void charge(size_t bytes) {
    if (bytes > left_) malformed("parts of its metadata overlap");
    left_ -= bytes;
  }

  std::string text(const flatbuffers::String* s) {
    if (!s) return {};
    charge(s->size() + sizeof(uint32_t));
    return s->str();
  }

  template <class T> std::vector<T> numbers(const Vector<T>* v) {
    if (!v) return {};
    charge(v->size() * sizeof(T));
    std::vector<T> values(v->size());
    // The verifier does not promise that elements are aligned.
    if (!values.empty()) std::memcpy(values.data(), v->Data(), values.size() * sizeof(T));
    return values;
  }

  template <class T, class F> std::vector<std::invoke_result_t<F, const T&>> list(const Vector<Offset<T>>* v, F item) {
    std::vector<std::invoke_result_t<F, const T&>> result;
    if (!v) return result;
    charge(v->size() * sizeof(uint32_t));
    result.reserve(v->size());
    for (const T* t : *v) result.push_back(item(*t));
    return result;
  }

  Strings texts(const Vector<Offset<flatbuffers::String>>* v) {
    return list(v, [&](const flatbuffers::String& s) { return text(&s); });
  }

  std::vector<DimOp> dim_program(const fb::DimProgram& d) {
    return list(d.ops(), [&](const fb::DimOp& op) {
      return DimOp{static_cast<DimOp::Kind>(op.kind()), op.value(), text(op.symbol())};
    });
  }

  Layout layout(const fb::Layout* l) {
    if (!l) return {};
    Layout layout;
    layout.order = numbers(l->order());
    layout.blocks = list(l->blocks(), [](const fb::Block& b) { return Layout::Block{b.axis(), b.size()}; });
    layout.vector_width = l->vector_width();
    return layout;
  }

  TensorInfo tensor(const fb::Tensor& t) {
    TensorInfo info;
    info.name = text(t.name());
    info.kind = static_cast<Datum::Kind>(t.kind());
    info.dtype = static_cast<DType>(t.dtype());
    info.ranked = t.ranked();
    info.dims = numbers(t.dims());
    info.layout = layout(t.layout());
    info.storage = static_cast<Storage>(t.storage());
    info.offset = t.offset();
    info.size = t.size();
    info.view_of = t.view_of();
    info.view_axis = t.view_axis();
    info.view_start = t.view_start();
    info.on_host = t.on_host();
    return info;
  }

  Tensor attribute_tensor(const fb::Attribute& a) {
    const auto dtype = static_cast<DType>(a.dtype());
    const Dims dims = numbers(a.dims());
    const std::optional<int64_t> count = checked_element_count(dims);
    if (!count || a.dtype() == 0 || a.dtype() >= kDTypeCount)
      malformed("a tensor among the parameters has no sound type");
    if (dtype == DType::kString) {
      Strings strings = texts(a.texts());
      if (static_cast<int64_t>(strings.size()) != *count)
        malformed("a tensor among the parameters has too few or too many strings");
      return Tensor::strings(dims, std::move(strings));
    }
    const std::vector<uint8_t> elements = numbers(a.elements());
    if (byte_size(dtype, *count) != static_cast<int64_t>(elements.size()))
      malformed("a tensor among the parameters has too few or too many elements");
    for (uint8_t e : elements)
      if (dtype == DType::kBool && e > 1) malformed("a bool among the parameters is neither true nor false");
    Tensor tensor = Tensor::allocate(dtype, dims);
    if (!elements.empty()) std::memcpy(tensor.mutable_data(), elements.data(), elements.size());
    return tensor;
  }

  template <class T> static T single(const std::vector<T>& values) {
    if (values.size() != 1) malformed("a parameter that is a single value has " + std::to_string(values.size()));
    return values[0];
  }

  Attribute attribute(const fb::Attribute& a) {
    switch (a.kind()) {
      case 0: return single(numbers(a.integers()));
      case 1: return single(numbers(a.reals()));
      case 2: return single(texts(a.texts()));
      case 3: return numbers(a.integers());
      case 4: return numbers(a.reals());
      case 5: return texts(a.texts());
      case 6: return attribute_tensor(a);
      default: malformed("a parameter has the unknown kind " + std::to_string(a.kind()));
    }
  }

  Attributes parameters(const Vector<Offset<fb::Attribute>>* v) {
    Attributes attributes;
    auto items = list(v, [&](const fb::Attribute& a) { return std::pair(text(a.name()), attribute(a)); });
    for (auto& [name, value] : items) {
      if (attributes.has(name)) malformed("a step or a kernel has two parameters of one name");
      attributes.set(std::move(name), std::move(value));
    }
    return attributes;
  }

  StepInfo step(const fb::Step& s) {
    StepInfo info;
    info.name = text(s.name());
    info.device = text(s.device());
    info.kernel = text(s.kernel());
    info.tactic = text(s.tactic());
    info.op = text(s.op());
    info.parameters = parameters(s.parameters());
    info.inputs = numbers(s.inputs());
    info.outputs = numbers(s.outputs());
    info.workspace_offset = s.workspace_offset();
    info.workspace_size = s.workspace_size();
    info.origins = texts(s.origins());
    info.bodies = numbers(s.bodies());
    info.waits = s.waits();
    info.sharing = static_cast<Sharing>(s.sharing());
    info.code = s.code();
    info.lane = s.lane();
    info.after = numbers(s.after());
    info.variants = list(s.variants(), [&](const fb::StepVariant& v) {
      if (!v.step() || (v.step()->variants() && v.step()->variants()->size() > 0))
        malformed("a step for some profiles is absent, or has others in it");
      return StepVariant{numbers(v.profiles()), step(*v.step())};
    });
    return info;
  }

  GeneratedKernel kernel(const fb::Kernel& k) {
    GeneratedKernel kernel{text(k.generator()), k.version(), text(k.architecture()), parameters(k.parameters())};
    if (k.offset() > kernels_.size() || k.size() > kernels_.size() - k.offset())
      malformed("kernel '" + kernel.generator.substr(0, 100) + "' lies outside its section");
    kernel.binary = kernels_.subspan(k.offset(), k.size());
    kernel.owner = owner_;
    return kernel;
  }

  Program program(const fb::Program& p) {
    Program program;
    program.tensors = list(p.tensors(), [&](const fb::Tensor& t) { return tensor(t); });
    program.steps = list(p.steps(), [&](const fb::Step& s) { return step(s); });
    program.inputs = numbers(p.inputs());
    program.outputs = numbers(p.outputs());
    return program;
  }

  ProfileDims profile_dims(const fb::ProfileDims& d) { return {numbers(d.min()), numbers(d.opt()), numbers(d.max())}; }

  Profile profile(const fb::Profile& p) {
    Profile profile;
    profile.inputs = list(p.inputs(), [&](const fb::ProfileDims& d) { return profile_dims(d); });
    profile.values = list(p.values(), [&](const fb::ProfileDims& d) { return profile_dims(d); });
    return profile;
  }

  size_t left_;
  std::span<const std::byte> kernels_;  // the section
  std::shared_ptr<const void> owner_;   // of its bytes
};

// Null when there is none.
const Section* look_for_section(const Container& container, SectionKind kind, const char* name) {
  const Section* found = nullptr;
  for (const Section& s : container.sections) {
    if (s.kind != kind) continue;
    if (found) malformed(std::string("it has two sections of ") + name);
    found = &s;
  }
  return found;
}

std::span<const std::byte> find_section(const Container& container, SectionKind kind, const char* name) {
  const Section* found = look_for_section(container, kind, name);
  if (!found) malformed(std::string("it has no section of ") + name);
  return found->pieces[0].bytes;
}

// Numbers in the metadata and tensors in the constants need their alignment; a caller's buffer may lie anywhere.
std::span<const std::byte> aligned(std::span<const std::byte> bytes, std::shared_ptr<const void>& owner) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment == 0) return bytes;
  auto copy = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(bytes.size())}));
  std::memcpy(copy->mutable_data(), bytes.data(), bytes.size());
  owner = copy;
  return {static_cast<const std::byte*>(copy->data()), bytes.size()};
}

}  // namespace

Plan read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  bytes = aligned(bytes, owner);
  const Container container = unpack(bytes);
  const std::span<const std::byte> metadata = find_section(container, SectionKind::kMetadata, "metadata");
  const auto* data = reinterpret_cast<const uint8_t*>(metadata.data());
  if (metadata.size() > kMaxMetadata) malformed("its metadata has " + std::to_string(metadata.size()) + " bytes");
  flatbuffers::Verifier verifier(data, metadata.size(), kMaxDepth, kMaxTables);
  if (!fb::VerifyPlanBuffer(verifier)) malformed("its metadata is not sound");
  const Section* kernels = look_for_section(container, SectionKind::kKernels, "kernels");
  const std::span<const std::byte> binaries = kernels ? kernels->pieces[0].bytes : std::span<const std::byte>();
  Plan plan = Reader(metadata.size(), binaries, owner).plan(*fb::GetPlan(data));
  plan.built_by = container.built_by;
  plan.constants.add(find_section(container, SectionKind::kConstants, "constants"), std::move(owner));
  verify(plan);
  return plan;
}

}  // namespace kiln::plan
