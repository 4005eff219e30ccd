// Serialises a plan.
#include <flatbuffers/flatbuffers.h>
#include <plan_schema_generated.h>

#include <type_traits>

#include "base/checked.h"
#include "base/error.h"
#include "plan/container.h"
#include "plan/plan.h"

namespace kiln::plan {
namespace {

using flatbuffers::Offset;

class Writer {
 public:
  // `kernels`: where the binaries lie in their section.
  std::vector<std::byte> metadata(const Plan& plan, const std::vector<Piece>& kernels) {
    auto name = text(plan.name), device = text(plan.device), fingerprint = text(plan.fingerprint),
         build_info = text(plan.build_info);
    auto dims = list(plan.dims, [&](const auto& d) { return dim_program(d); });
    auto programs = list(plan.programs, [&](const Program& p) { return program(p); });
    auto profiles = list(plan.profiles, [&](const Profile& p) { return profile(p); });
    auto watches = plan.watches.empty() ? 0 : list(plan.watches, [&](const Watch& w) {
      auto message = text(w.message);
      return fb::CreateWatch(b_, w.tensor, w.kind, message);
    });
    auto others = plan.others.empty() ? 0 : list(plan.others, [&](const UsedDevice& d) {
      auto other = text(d.name), print = text(d.fingerprint);
      return fb::CreateUsedDevice(b_, other, print);
    });
    auto generated = kernels.empty() ? 0 : list(kernels, [&, k = size_t{0}](const Piece& p) mutable {
      return kernel(plan.kernels[k++], p);
    });
    b_.Finish(fb::CreatePlan(b_, name, device, fingerprint, dims, programs, profiles, plan.arena_size, build_info,
                             watches, plan.shows_results, plan.device_memory, plan.host_arena_size, others, generated,
                             plan.lanes_in_captures));
    const auto* data = reinterpret_cast<const std::byte*>(b_.GetBufferPointer());
    return {data, data + b_.GetSize()};
  }

 private:
  Offset<flatbuffers::String> text(const std::string& s) { return s.empty() ? 0 : b_.CreateString(s); }

  template <class T> Offset<flatbuffers::Vector<T>> numbers(const std::vector<T>& v) {
    return v.empty() ? 0 : b_.CreateVector(v);
  }

  // Of the offsets that `item` gives.
  template <class Items, class F, class R = std::invoke_result_t<F, decltype(*std::declval<const Items&>().begin())>>
  Offset<flatbuffers::Vector<R>> list(const Items& items, F item) {
    std::vector<R> offsets;
    for (const auto& i : items) offsets.push_back(item(i));
    return b_.CreateVector(offsets);
  }

  Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> texts(const Strings& strings) {
    return list(strings, [&](const std::string& s) { return b_.CreateString(s); });
  }

  Offset<fb::DimProgram> dim_program(const std::vector<DimOp>& ops) {
    return fb::CreateDimProgram(b_, list(ops, [&](const DimOp& op) {
                                  auto symbol = text(op.symbol);
                                  return fb::CreateDimOp(b_, op.kind, op.value, symbol);
                                }));
  }

  Offset<fb::Layout> layout(const Layout& l) {
    auto order = numbers(l.order);
    auto blocks =
        list(l.blocks, [&](const Layout::Block& block) { return fb::CreateBlock(b_, block.axis, block.size); });
    return fb::CreateLayout(b_, order, blocks, l.vector_width);
  }

  Offset<fb::Tensor> tensor(const TensorInfo& t) {
    auto name = text(t.name);
    auto dims = numbers(t.dims);
    auto layout_offset = t.layout == Layout() ? 0 : layout(t.layout);
    return fb::CreateTensor(b_, name, t.kind, static_cast<uint8_t>(t.dtype), t.ranked, dims, layout_offset,
                            static_cast<uint8_t>(t.storage), t.offset, t.size, t.view_of, t.view_axis, t.view_start,
                            t.on_host);
  }

  Offset<fb::Attribute> attribute(const std::string& key, const Attribute& value) {
    Ints integers, dims;
    Floats reals;
    Strings strings;
    DType dtype = DType::kInvalid;
    std::vector<uint8_t> elements;
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, int64_t>) integers = {v};
          if constexpr (std::is_same_v<T, double>) reals = {v};
          if constexpr (std::is_same_v<T, std::string>) strings = {v};
          if constexpr (std::is_same_v<T, Ints>) integers = v;
          if constexpr (std::is_same_v<T, Floats>) reals = v;
          if constexpr (std::is_same_v<T, Strings>) strings = v;
          if constexpr (std::is_same_v<T, Tensor>) {
            dtype = v.dtype();
            dims = v.dims();
            if (dtype == DType::kString) strings = v.string_values();
            const auto* data = static_cast<const uint8_t*>(v.data());
            elements.assign(data, data + v.bytes());
          }
        },
        value);
    auto name = text(key);
    auto integers_offset = numbers(integers);
    auto reals_offset = numbers(reals);
    auto texts_offset = texts(strings);
    auto dims_offset = numbers(dims);
    auto elements_offset = numbers(elements);
    return fb::CreateAttribute(b_, name, static_cast<uint8_t>(value.index()), integers_offset, reals_offset,
                               texts_offset, static_cast<uint8_t>(dtype), dims_offset, elements_offset);
  }

  Offset<fb::Step> step(const StepInfo& s) {
    auto name = text(s.name), device = text(s.device), kernel = text(s.kernel), tactic = text(s.tactic),
         op = text(s.op);
    auto parameters = list(s.parameters, [&](const auto& p) { return attribute(p.first, p.second); });
    auto inputs = numbers(s.inputs), outputs = numbers(s.outputs);
    auto origins = texts(s.origins);
    auto bodies = numbers(s.bodies), after = numbers(s.after);
    auto variants = s.variants.empty() ? 0 : list(s.variants, [&](const StepVariant& v) { return variant(v); });
    return fb::CreateStep(b_, name, device, kernel, tactic, op, parameters, inputs, outputs, s.workspace_offset,
                          s.workspace_size, origins, bodies, s.waits, static_cast<uint8_t>(s.sharing), variants, s.code,
                          s.lane, after);
  }

  Offset<fb::Kernel> kernel(const GeneratedKernel& k, const Piece& binary) {
    auto generator = text(k.generator), architecture = text(k.architecture);
    auto parameters = list(k.parameters, [&](const auto& p) { return attribute(p.first, p.second); });
    return fb::CreateKernel(b_, generator, k.version, architecture, parameters, binary.offset, binary.bytes.size());
  }

  Offset<fb::StepVariant> variant(const StepVariant& v) {
    auto profiles = numbers(v.profiles);
    auto info = step(v.step);
    return fb::CreateStepVariant(b_, profiles, info);
  }

  Offset<fb::Program> program(const Program& p) {
    auto tensors = list(p.tensors, [&](const TensorInfo& t) { return tensor(t); });
    auto steps = list(p.steps, [&](const StepInfo& s) { return step(s); });
    auto inputs = numbers(p.inputs), outputs = numbers(p.outputs);
    return fb::CreateProgram(b_, tensors, steps, inputs, outputs);
  }

  Offset<fb::ProfileDims> profile_dims(const ProfileDims& d) {
    auto min = numbers(d.min), opt = numbers(d.opt), max = numbers(d.max);
    return fb::CreateProfileDims(b_, min, opt, max);
  }

  Offset<fb::Profile> profile(const Profile& p) {
    auto inputs = list(p.inputs, [&](const ProfileDims& d) { return profile_dims(d); });
    auto values = list(p.values, [&](const ProfileDims& d) { return profile_dims(d); });
    return fb::CreateProfile(b_, inputs, values);
  }

  flatbuffers::FlatBufferBuilder b_;
};

}  // namespace

namespace {

// Calls use(container) while everything that the container borrows is there.
template <class Use> auto with_container(const Plan& plan, const Use& use) {
  verify(plan);
  Section kernels{SectionKind::kKernels, false, {}};
  for (const GeneratedKernel& k : plan.kernels) {
    const auto offset = static_cast<uint64_t>(align_up(static_cast<int64_t>(kernels.size()), kAlignment));
    kernels.pieces.push_back({offset, k.binary});
  }
  const std::vector<std::byte> metadata = Writer().metadata(plan, kernels.pieces);
  Section constants{SectionKind::kConstants, false, {}};
  for (const Constants::Part& part : plan.constants.parts()) constants.pieces.push_back({part.offset, part.bytes});
  Container container{plan.built_by, {{SectionKind::kMetadata, false, {{0, metadata}}}, std::move(constants)}};
  if (!kernels.pieces.empty()) container.sections.push_back(std::move(kernels));
  return use(container);
}

}  // namespace

std::vector<std::byte> write(const Plan& plan) {
  return with_container(plan, [](const Container& container) { return pack(container); });
}

void write_file(const Plan& plan, const std::string& path) {
  with_container(plan, [&](const Container& container) {
    kiln::write_file(path, [&](const FileSink& sink) { pack(container, sink); }, {kMagic});
  });
}

void check_writable(const std::string& path) { kiln::check_writable(path, {kMagic}); }

}  // namespace kiln::plan
