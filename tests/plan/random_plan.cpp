// Random plans, and checksums made right again.
#include "plan/random_plan.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <set>

#include "base/checked.h"
#include "base/hash.h"
#include "plan/container.h"

namespace kiln::plan {
namespace {

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  Plan make() {
    plan_.built_by = "0." + std::to_string(pick(20)) + ".0";
    plan_.name = text("net");
    plan_.device = "ref";
    plan_.fingerprint = text("print");
    plan_.others = {{"another", text("print")}, {"other", text("print")}};
    kernels();
    plan_.build_info = "{\"n\": " + std::to_string(pick(1000)) + "}";
    dims();
    const size_t count = 1 + pick(3);
    plan_.programs.push_back(program(count));
    while (plan_.programs.size() < count) plan_.programs.push_back(body(count));
    profiles();
    share_constants();
    return std::move(plan_);
  }

 private:
  size_t pick(size_t n) { return random_() % n; }
  std::string text(const char* stem) {
    return stem + std::string(pick(3) ? "" : "_\"\xc3\xa9\n") + std::to_string(pick(100));
  }

  void kernels() {
    for (size_t i = pick(3); i > 0; --i) {
      Tensor bytes = Tensor::allocate(DType::kU8, {static_cast<int64_t>(1 + pick(200))});
      for (uint8_t& b : bytes.as_mutable<uint8_t>()) b = static_cast<uint8_t>(random_());
      auto owner = std::make_shared<Tensor>(bytes);
      GeneratedKernel kernel{text("generator"), static_cast<int64_t>(1 + pick(9)), text("architecture"), parameters()};
      kernel.binary = {static_cast<const std::byte*>(owner->data()), static_cast<size_t>(bytes.bytes())};
      kernel.owner = owner;
      plan_.kernels.push_back(std::move(kernel));
    }
  }

  uint32_t dim(std::vector<DimOp> program) {
    plan_.dims.push_back(std::move(program));
    return static_cast<uint32_t>(plan_.dims.size() - 1);
  }

  // dims 0..4: the numbers 1..5; 5: n; 6: 2*n; 7: 0; 8: what only running tells; 9: n again, under the name of its place.
  void dims() {
    for (int64_t value = 1; value <= 5; ++value) dim({{DimOp::kConstant, value, {}}});
    dim(Dim::symbol("n").program());
    dim((Dim::symbol("n") * 2).program());
    dim({{DimOp::kConstant, 0, {}}});
    dim(Dim::symbol("?rows").program());
    dim(Dim::symbol("in0.0").program());
    dim(floor_div(Dim::symbol("n") + 3, 2).program());
  }

  DType dtype() {
    static constexpr DType kTypes[] = {DType::kF32, DType::kBool, DType::kI4,  DType::kF16,
                                       DType::kI64, DType::kU8,   DType::kC128};
    return kTypes[pick(std::size(kTypes))];
  }

  TensorInfo tensor(const std::string& name, Storage storage) {
    TensorInfo t;
    t.name = name;
    t.dtype = dtype();
    t.storage = storage;
    t.dims.push_back(storage == Storage::kConstant ? static_cast<uint32_t>(pick(5)) : 5);
    for (size_t rank = pick(4); rank > 0; --rank) t.dims.push_back(static_cast<uint32_t>(pick(5)));
    if (pick(3) == 0) t.layout = Layout::channels_last(static_cast<int>(t.dims.size()));
    if (pick(4) == 0) t.layout.blocks = {{static_cast<int>(pick(t.dims.size())), 4}};
    if (!t.layout.blocks.empty() && pick(2)) t.layout.vector_width = 4;
    if (storage == Storage::kConstant || storage == Storage::kArena) reserve(t);
    return t;
  }

  // As much as n = 8 needs.
  void reserve(TensorInfo& t) {
    Dims dims;
    for (uint32_t d : t.dims) dims.push_back(*evaluate(plan_.dims[d], [](const std::string&) { return 8; }));
    t.size = static_cast<uint64_t>(*byte_size(t.dtype, storage_elements(t.layout, dims)));
    uint64_t& end = t.storage == Storage::kConstant ? constants_ : plan_.arena_size;
    t.offset = end;
    end = static_cast<uint64_t>(align_up(static_cast<int64_t>(end + t.size), kAlignment));
  }

  // Two halves of a whole along the first axis.
  void views(Program& p, Storage storage) {
    TensorInfo whole = tensor("whole", storage);
    whole.dtype = DType::kF32;
    whole.layout = {};
    whole.dims[0] = 6;
    if (storage == Storage::kArena) reserve(whole);
    p.tensors.push_back(whole);
    const auto parent = static_cast<int32_t>(p.tensors.size() - 1);
    if (storage == Storage::kOutput) p.outputs.push_back(parent);
    for (uint32_t start : {7u, 5u}) {
      TensorInfo half = whole;
      half.name = "half" + std::to_string(start);
      half.dims[0] = 5;
      half.view_of = parent;
      half.view_start = start;
      p.tensors.push_back(half);
    }
  }

  static int32_t add(Program& p, TensorInfo t) {
    p.tensors.push_back(std::move(t));
    return static_cast<int32_t>(p.tensors.size() - 1);
  }

  Program program(size_t count) {
    Program p;
    for (size_t i = 0; i < 1 + pick(2); ++i)
      p.inputs.push_back(add(p, tensor("in" + std::to_string(i), Storage::kInput)));
    for (size_t i = 0; i < pick(4); ++i) add(p, tensor(text("w"), Storage::kConstant));
    for (size_t i = 0; i < pick(4); ++i) add(p, tensor(text("t"), Storage::kArena));
    if (pick(2)) views(p, pick(2) ? Storage::kArena : Storage::kOutput);
    if (pick(2)) add(p, slot());
    if (pick(2)) add(p, {});
    p.outputs.push_back(add(p, tensor("out", Storage::kOutput)));
    for (size_t i = 0; i < pick(4); ++i) p.steps.push_back(step(p, 0));
    if (count > 1) control(p, 0, count);
    return p;
  }

  Program body(size_t count) {
    Program p;
    for (size_t i = 0; i < pick(3); ++i) p.inputs.push_back(add(p, slot()));
    for (size_t i = 0; i < pick(3); ++i) add(p, tensor(text("w"), Storage::kConstant));
    if (pick(2)) add(p, {});
    p.outputs.push_back(add(p, slot()));
    for (size_t i = 0; i < pick(3); ++i) p.steps.push_back(step(p, plan_.programs.size()));
    control(p, plan_.programs.size(), count);
    return p;
  }

  // A step with some of the programs that are no bodies yet.
  void control(Program& p, size_t index, size_t count) {
    StepInfo s = step(p, index);
    s.outputs = {-1, add(p, slot())};
    for (bodies_ = std::max(bodies_, index); bodies_ + 1 < count && pick(2); s.code = -1)
      s.bodies.push_back(static_cast<uint32_t>(++bodies_));
    p.steps.push_back(std::move(s));
  }

  TensorInfo slot() {
    TensorInfo t = tensor("slot", Storage::kSlot);
    t.kind = static_cast<Datum::Kind>(pick(3));
    t.ranked = pick(2);
    if (t.ranked) {
      t.dims[0] = 8;
    } else {
      t.dims.clear();
      t.layout = {};
    }
    return t;
  }

  static int32_t whole_of(const Program& p, int32_t tensor) {
    const int32_t parent = p.tensors[static_cast<size_t>(tensor)].view_of;
    return parent < 0 ? tensor : parent;
  }

  // Those that no step writes yet, nor the whole or a half of them.
  static std::vector<int32_t> free_tensors(const Program& p) {
    std::set<int32_t> taken(p.inputs.begin(), p.inputs.end());
    for (const StepInfo& s : p.steps)
      for (int32_t t : s.outputs)
        if (t >= 0) taken.insert(whole_of(p, t));
    std::vector<int32_t> free;
    for (size_t i = 0; i < p.tensors.size(); ++i) {
      const auto t = static_cast<int32_t>(i);
      if (p.tensors[i].storage != Storage::kInput && p.tensors[i].storage != Storage::kConstant &&
          p.tensors[i].view_of < 0 && !taken.count(t))
        free.push_back(t);
    }
    return free;
  }

  StepInfo step(const Program& p, size_t index) {
    StepInfo s;
    s.name = text("step");
    s.device = "ref";
    s.kernel = text("kernel");
    s.tactic = text("tactic");
    s.op = "Op";
    s.parameters = parameters();
    s.sharing = static_cast<Sharing>(pick(3));
    for (int32_t t : free_tensors(p))
      if (pick(2)) s.outputs.push_back(t);
    std::set<int32_t> written;
    for (int32_t t : s.outputs) written.insert(whole_of(p, t));
    for (size_t i = pick(4); i > 0; --i) {
      const int32_t t = static_cast<int32_t>(pick(p.tensors.size() + 1)) - 1;
      if (t < 0 || !written.count(whole_of(p, t))) s.inputs.push_back(t);
    }
    if (index == 0) {
      s.workspace_size = pick(200);
      s.workspace_offset = plan_.arena_size;
      plan_.arena_size += 256;
    }
    if (!plan_.kernels.empty() && pick(2)) s.code = static_cast<int32_t>(pick(plan_.kernels.size()));
    for (size_t i = pick(3); i > 0; --i) s.origins.push_back(text("node"));
    return s;
  }

  Attributes parameters() {
    Attributes a;
    if (pick(2)) a.set("int", static_cast<int64_t>(random_()) * (pick(2) ? 1 : -1000000007));
    if (pick(2)) a.set("real", pick(2) ? -0.0 : std::numeric_limits<double>::quiet_NaN());
    if (pick(2)) a.set("text", text("v"));
    if (pick(2)) a.set("ints", Ints(pick(5), std::numeric_limits<int64_t>::min()));
    if (pick(2)) a.set("reals", Floats{0.1, -0.0, std::numeric_limits<double>::infinity()});
    if (pick(2)) a.set("texts", Strings{"", text("v"), std::string("\0x", 2)});
    if (pick(2)) a.set("tensor", Tensor::of<float>({1, 2, 1}, {1.5f, -0.0f}));
    if (pick(2)) a.set("empty", Tensor::allocate(DType::kI4, {3, 0}));
    if (pick(2)) a.set("packed", Tensor::allocate(DType::kI4, {3}));
    if (pick(2)) a.set("bools", Tensor::of<uint8_t>({2}, {0, 1}).cast(DType::kBool));
    if (pick(2)) a.set("strings", Tensor::strings({2, 1}, {"a", ""}));
    return a;
  }

  void profiles() {
    const Program& main = plan_.programs[0];
    std::vector<size_t> valued;  // elements of each input that are bounded
    for (int32_t index : main.inputs) {
      const TensorInfo& input = main.tensors[static_cast<size_t>(index)];
      size_t count = (input.dtype == DType::kI32 || input.dtype == DType::kI64) && pick(2) ? 1 : 0;
      for (uint32_t dim : input.dims) count *= dim < 5 ? dim + 1 : 0;
      valued.push_back(count <= 64 ? count : 0);
    }
    for (size_t i = 1 + pick(3); i > 0; --i) {
      Profile profile;
      const auto min = static_cast<int64_t>(pick(3)), opt = min + static_cast<int64_t>(pick(3));
      for (int32_t index : main.inputs) {
        ProfileDims d;
        for (uint32_t dim : main.tensors[static_cast<size_t>(index)].dims) {
          const bool fixed = dim < 5;
          d.min.push_back(fixed ? dim + 1 : min);
          d.opt.push_back(fixed ? dim + 1 : opt);
          d.max.push_back(fixed ? dim + 1 : 8);
        }
        profile.inputs.push_back(d);
        const size_t count = valued[profile.values.size()];
        profile.values.push_back({Dims(count, 0), Dims(count, 1), Dims(count, 7)});
      }
      plan_.profiles.push_back(profile);
    }
  }

  void share_constants() {
    const size_t size = constants_ + pick(100);
    Tensor bytes = Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)});
    for (uint8_t& b : bytes.as_mutable<uint8_t>()) b = static_cast<uint8_t>(pick(2));
    auto owner = std::make_shared<Tensor>(bytes);
    plan_.constants = {};
    plan_.constants.add({static_cast<const std::byte*>(owner->data()), size}, owner);
  }

  std::mt19937 random_;
  Plan plan_;
  uint64_t constants_ = 0;
  size_t bodies_ = 0;  // programs that are bodies: up to this one
};

uint64_t load(std::span<const std::byte> file, size_t at) {
  uint64_t value;
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

void store(std::span<std::byte> file, size_t at, uint64_t value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

}  // namespace

Plan random_plan(uint32_t seed) { return Generator(seed).make(); }

void refresh_checksums(std::span<std::byte> file) {
  if (file.size() < kHeaderSize) return;
  store(file, kNumbersAt, file.size());
  const uint64_t sections = load(file, kNumbersAt + 8);
  if (sections > (file.size() - kHeaderSize) / kEntrySize) return;
  for (size_t i = 0; i < sections; ++i) {
    const size_t entry = kHeaderSize + i * kEntrySize;
    const uint64_t offset = load(file, entry + 8), size = load(file, entry + 16);
    if (offset <= file.size() && size <= file.size() - offset)
      store(file, entry + 24, section_checksum({SectionKind::kConstants, false, {{0, file.subspan(offset, size)}}}));
  }
  store(file, kHeaderChecksumAt, 0);
  store(file, kHeaderChecksumAt, checksum64(file.data(), kHeaderSize + sections * kEntrySize));
}

}  // namespace kiln::plan
