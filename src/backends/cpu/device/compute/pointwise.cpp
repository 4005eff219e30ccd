// Pointwise plans: simplifies the iteration space, chooses tiles, assigns tile registers, and runs the tiles.
#include "backends/cpu/device/compute/pointwise.h"

#include <algorithm>
#include <array>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "backends/cpu/device/compute/float_lanes.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/pointwise_tiles.h"
#include "backends/cpu/device/compute/store_rounding.h"
#include "base/error.h"
#include "base/index.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kMaxRank = 16;
constexpr int64_t kTileBytes = 24 * 1024;  // of the first-level cache, for all that a tile touches
constexpr int64_t kMinTile = 64, kMaxTile = 4096;

// A tensor seen from the tiles: the dimensions outside a tile, and those that it covers.
struct View {
  DType dtype;
  Dims strides;          // per simplified dimension
  bool dense = false;    // the tile is one run with stride 1
  bool uniform = false;  // the tile is one element
};

enum class SlotKind : uint8_t { kUniform, kRegister, kInput, kOutput };  // the last two point into tensors
struct Slot {
  SlotKind kind;
  ScalarType type;
  int64_t offset = 0;  // in a thread's memory, unless it points into a tensor
};

struct Load {  // input to slot, at each tile
  int input;
  int slot;
};
struct Store {  // slot to output, after each tile
  int output;
  int slot;
  ScalarType type;  // of the value; a register that served others before may name another
};
struct Step {
  TileFunction function;
  const ScalarProgram* single;
  int out;
  std::array<int, 3> in{};
  int operands = 0;
  bool uniform = false;
  float alpha = 0, beta = 0;
};

struct Thread {
  std::byte* memory = nullptr;
  std::vector<void*> slots;
  std::vector<int64_t> held_offset;  // per load: what the slot holds already
  std::vector<int64_t> held_lanes;
};

bool lanes_are_elements(DType dtype, ScalarType type) {
  return (dtype == DType::kF32 && type == ScalarType::kF32) || (dtype == DType::kF64 && type == ScalarType::kF64) ||
         (dtype == DType::kI64 && type == ScalarType::kI64) || (dtype == DType::kU64 && type == ScalarType::kU64);
}

[[noreturn]] void refuse(const std::string& why) { throw Error(Code::kInvalidArgument, "pointwise kernel: " + why); }

}  // namespace

struct PointwisePlan::Impl {
  // The iteration space, simplified; dimensions [split, rank) make a tile, of which dimension `split` is cut to `block`.
  Dims dims;
  int64_t split = 0, block = 1, blocks = 1, inner = 1, tiles = 0;
  std::vector<View> inputs, outputs;
  std::vector<Slot> slots;
  std::vector<Load> loads;
  std::vector<Store> stores;
  std::vector<Step> steps;
  std::vector<std::unique_ptr<ScalarProgram>> singles;
  int direct_output_slot = -1;
  bool small_as_floats = false;  // the program was rewritten by in_float_lanes
  int threads = 1;
  double nanoseconds = 0;
  std::vector<Thread> thread_state;
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], Free> memory;

  void simplify(const Dims& space, std::span<const PointwiseOperand> in, std::span<const PointwiseOperand> out);
  void choose_tiles(int64_t bytes_per_element);
  void classify(View& view) const;
  void compile(const ScalarProgram& program);
  void allocate(const ScalarProgram& program, const std::vector<int>& constant_slots);
  bool holds_as_floats(DType dtype, ScalarType type) const {
    return small_as_floats && type == ScalarType::kF32 && is_small_integer(dtype);
  }
  int64_t lanes_of(const Slot& slot) const { return slot.kind == SlotKind::kUniform ? kUniformLanes : block * inner; }

  int64_t outer_offset(const View& view, const std::array<int64_t, kMaxRank>& index) const {
    int64_t offset = 0;
    for (int64_t d = 0; d <= split; ++d) offset += nth(index, d) * nth(view.strides, d);
    return offset;
  }
  template <class Row> void for_each_row(const View& view, int64_t offset, int64_t extent, const Row& row) const;
  void load(const Load& load, Thread& thread, const void* base, int64_t offset, int64_t extent) const;
  void run_tile(Thread& thread, const void* const* in, void* const* out, const std::array<int64_t, kMaxRank>& index,
                int64_t extent) const;
  void run_range(int thread_index, const void* const* in, void* const* out, int64_t begin, int64_t end);
};

// Drops dimensions of one, orders the others by the first output's strides, and merges those that every operand walks alike.
void PointwisePlan::Impl::simplify(const Dims& space, std::span<const PointwiseOperand> in,
                                   std::span<const PointwiseOperand> out) {
  std::vector<const PointwiseOperand*> all;
  for (const auto& operand : in) all.push_back(&operand);
  for (const auto& operand : out) all.push_back(&operand);
  std::vector<size_t> order;
  for (size_t d = 0; d < space.size(); ++d) {
    if (space[d] != 1) order.push_back(d);
  }
  const Dims& key = out[0].strides;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key[a] > key[b]; });
  std::vector<Dims> strides(all.size());
  for (size_t d : order) {
    bool merges = !dims.empty();
    for (size_t k = 0; merges && k < all.size(); ++k) merges = strides[k].back() == all[k]->strides[d] * space[d];
    for (size_t k = 0; k < all.size(); ++k) {
      if (merges) strides[k].back() = all[k]->strides[d];
      else strides[k].push_back(all[k]->strides[d]);
    }
    if (merges) dims.back() *= space[d];
    else dims.push_back(space[d]);
  }
  if (dims.empty()) {
    dims.push_back(1);
    for (auto& s : strides) s.push_back(1);
  }
  if (static_cast<int64_t>(dims.size()) > kMaxRank) refuse("more than 16 dimensions");
  for (size_t k = 0; k < all.size(); ++k) {
    (k < in.size() ? inputs : outputs).push_back({all[k]->dtype, std::move(strides[k])});
  }
}

void PointwisePlan::Impl::choose_tiles(int64_t bytes_per_element) {
  const int64_t target = std::clamp(kTileBytes / bytes_per_element / 16 * 16, kMinTile, kMaxTile);
  const auto rank = static_cast<int64_t>(dims.size());
  split = rank - 1;
  inner = 1;
  while (split > 0 && nth(dims, split) * inner <= target) inner *= nth(dims, split--);
  const int64_t extent = nth(dims, split);
  block = std::clamp<int64_t>(target / std::max<int64_t>(inner, 1), 1, std::max<int64_t>(extent, 1));
  blocks = (extent + block - 1) / block;
  tiles = blocks;
  for (int64_t d = 0; d < split; ++d) tiles *= nth(dims, d);
  for (auto& view : inputs) classify(view);
  for (auto& view : outputs) classify(view);
}

void PointwisePlan::Impl::classify(View& view) const {
  view.dense = view.uniform = true;
  int64_t run = 1;
  for (auto d = static_cast<int64_t>(dims.size()) - 1; d >= split; --d) {
    const int64_t stride = nth(view.strides, d);
    if (stride != run) view.dense = false;
    if (stride != 0) view.uniform = false;
    run *= nth(dims, d);
  }
}

namespace {

// The instructions that results depend on, with patterns replaced by single loops.
struct Lowered {
  bool live = false;
  std::optional<FusedOp> fused;
  std::array<uint16_t, 3> operand{};
  int operands = 0;
  float alpha = 0, beta = 0;
};

class Lowering {
 public:
  explicit Lowering(const ScalarProgram& program)
      : program_(program), result_(program.code.size()), uses_(program.code.size(), 0) {
    for (const auto& c : program.code) {
      const uint16_t operand[3] = {c.a, c.b, c.c};
      for (int k = 0; k < operand_count(c.op); ++k) ++uses_[operand[k]];
    }
    for (uint16_t v : program.outputs) ++uses_[v];
  }

  std::vector<Lowered> run() {
    for (uint16_t v : program_.outputs) result_[v].live = true;
    for (size_t i = program_.code.size(); i-- > 0;) {
      Lowered& l = result_[i];
      if (!l.live) continue;
      const auto& c = program_.code[i];
      if (!(c.type == ScalarType::kF32 && fuse(static_cast<uint16_t>(i), l))) {
        l.operands = operand_count(c.op);
        l.operand = {c.a, c.b, c.c};
      }
      for (int k = 0; k < l.operands; ++k) result_[nth(l.operand, k)].live = true;
    }
    return std::move(result_);
  }

 private:
  const ScalarInstruction& at(uint16_t v) const { return program_.code[v]; }
  bool is_constant(uint16_t v) const { return at(v).op == ScalarOp::kConstant && at(v).type == ScalarType::kF32; }
  bool is_constant(uint16_t v, double value) const { return is_constant(v) && at(v).real == value; }
  bool once(uint16_t v, ScalarOp op) const { return at(v).op == op && uses_[v] == 1 && at(v).type == ScalarType::kF32; }

  // 1 + e^-x, used once: x.
  std::optional<uint16_t> logistic_denominator(uint16_t v) const {
    if (!once(v, ScalarOp::kAdd)) return std::nullopt;
    const uint16_t e = is_constant(at(v).a, 1) ? at(v).b : at(v).a, one = e == at(v).b ? at(v).a : at(v).b;
    if (!is_constant(one, 1) || !once(e, ScalarOp::kExp) || !once(at(e).a, ScalarOp::kNeg)) return std::nullopt;
    return at(at(e).a).a;
  }
  std::optional<uint16_t> logistic(uint16_t v) const {
    if (at(v).op != ScalarOp::kDiv || !is_constant(at(v).a, 1)) return std::nullopt;
    return logistic_denominator(at(v).b);
  }
  // max(x, c) or min(x, c): x and c.
  std::optional<std::pair<uint16_t, float>> bound(uint16_t v, ScalarOp op) const {
    if (at(v).op != op) return std::nullopt;
    if (is_constant(at(v).b)) return std::pair{at(v).a, static_cast<float>(at(at(v).b).real)};
    if (is_constant(at(v).a)) return std::pair{at(v).b, static_cast<float>(at(at(v).a).real)};
    return std::nullopt;
  }

  static bool set(Lowered& l, FusedOp op, uint16_t a) {
    l.fused = op;
    l.operands = 1;
    l.operand[0] = a;
    return true;
  }

  bool fuse(uint16_t v, Lowered& l) const {
    const auto& c = at(v);
    if (c.op == ScalarOp::kDiv) {
      if (auto x = logistic(v)) return set(l, FusedOp::kSigmoid, *x);
      if (auto x = logistic_denominator(c.b); x && *x == c.a) return set(l, FusedOp::kSilu, *x);
    }
    if (c.op == ScalarOp::kMul) {
      if (auto x = logistic(c.b); x && uses_[c.b] == 1 && *x == c.a) return set(l, FusedOp::kSilu, *x);
      if (auto x = logistic(c.a); x && uses_[c.a] == 1 && *x == c.b) return set(l, FusedOp::kSilu, *x);
    }
    if (auto high = bound(v, ScalarOp::kMin); high && uses_[high->first] == 1) {
      if (auto low = bound(high->first, ScalarOp::kMax); low && low->second <= high->second) {
        l.alpha = low->second, l.beta = high->second;
        return set(l, FusedOp::kClip, low->first);
      }
    }
    if (auto low = bound(v, ScalarOp::kMax); low && low->second == 0) {
      if (!once(low->first, ScalarOp::kAdd)) return set(l, FusedOp::kRelu, low->first);
      set(l, FusedOp::kAddRelu, at(low->first).a);
      l.operand[1] = at(low->first).b;
      l.operands = 2;
      return true;
    }
    return false;
  }

  const ScalarProgram& program_;
  std::vector<Lowered> result_;
  std::vector<int> uses_;
};

ScalarType operand_type(const ScalarProgram& program, const ScalarInstruction& c) {
  return operand_count(c.op) ? program.code[c.a].type : c.type;
}

// The instruction alone, its operands as inputs.
std::unique_ptr<ScalarProgram> isolate(const ScalarProgram& program, const ScalarInstruction& c) {
  auto single = std::make_unique<ScalarProgram>();
  const uint16_t operand[3] = {c.a, c.b, c.c};
  const int count = operand_count(c.op);
  for (int k = 0; k < count; ++k) {
    ScalarInstruction input;
    input.op = ScalarOp::kInput;
    input.type = program.code[operand[k]].type;
    input.integer = k;
    single->code.push_back(input);
  }
  ScalarInstruction last = c;
  last.a = 0, last.b = 1, last.c = 2;
  single->code.push_back(last);
  single->input_count = static_cast<uint16_t>(count);
  single->outputs = {static_cast<uint16_t>(count)};
  return single;
}

TileKernel find_tile(const ScalarInstruction& c, const Lowered& l, ScalarType from) {
  if (l.fused) return fused_tile(*l.fused);
  if (const TileKernel floats = f32_tile(c.op, c.type, from); floats.function) return floats;
  if (const TileKernel doubles = f64_tile(c.op, c.type, from); doubles.function) return doubles;
  return any_tile(c.op, c.type, from);
}

}  // namespace

void PointwisePlan::Impl::compile(const ScalarProgram& program) {
  const auto lowered = Lowering(program).run();
  const size_t count = program.code.size();
  std::vector<size_t> last_use(count, 0);
  int64_t live_bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    for (int k = 0; k < lowered[i].operands && lowered[i].live; ++k) last_use[nth(lowered[i].operand, k)] = i;
  }
  for (uint16_t v : program.outputs) last_use[v] = count;
  int64_t peak = 0;
  std::vector<int64_t> ends(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    if (!lowered[i].live || program.code[i].op == ScalarOp::kConstant) continue;
    const int64_t bytes = lane_bytes(program.code[i].type);
    live_bytes += bytes;
    ends[last_use[i]] += bytes;
    peak = std::max(peak, live_bytes);
    live_bytes -= ends[i];
  }
  choose_tiles(std::max<int64_t>(peak, 4));

  std::vector<int> slot_of(count, -1), constant_slots(count, -1);
  std::vector<std::pair<int, int>> free_registers;  // lane bytes, slot
  auto new_slot = [&](SlotKind kind, ScalarType type) {
    slots.push_back({kind, type});
    return static_cast<int>(slots.size()) - 1;
  };
  auto new_register = [&](ScalarType type) {
    for (size_t r = 0; r < free_registers.size(); ++r) {
      if (free_registers[r].first != lane_bytes(type)) continue;
      const int slot = free_registers[r].second;
      free_registers.erase(free_registers.begin() + static_cast<std::ptrdiff_t>(r));
      return slot;
    }
    return new_slot(SlotKind::kRegister, type);
  };
  for (size_t i = 0; i < count; ++i) {
    const Lowered& l = lowered[i];
    const auto& c = program.code[i];
    if (!l.live) continue;
    if (c.op == ScalarOp::kConstant) {
      constant_slots[i] = slot_of[i] = new_slot(SlotKind::kUniform, c.type);
      continue;
    }
    if (c.op == ScalarOp::kInput) {
      const View& view = nth(inputs, c.integer);
      const bool small = holds_as_floats(view.dtype, c.type);
      if (scalar_type_of(view.dtype) != c.type && !small) refuse("input type does not fit the program");
      const bool direct = view.dense && lanes_are_elements(view.dtype, c.type);
      slot_of[i] = new_slot(view.uniform ? SlotKind::kUniform
                            : direct     ? SlotKind::kInput
                                         : SlotKind::kRegister,
                            c.type);
      loads.push_back({static_cast<int>(c.integer), slot_of[i]});
      nanoseconds += direct || view.uniform ? 0.1 : view.dense ? 0.3 : 1.0;
      continue;
    }
    const ScalarType from = operand_type(program, c);
    const TileKernel kernel = find_tile(c, l, from);
    Step step{kernel.function, nullptr, -1, {}, l.operands, true, l.alpha, l.beta};
    if (!l.fused && !f32_tile(c.op, c.type, from).function) {
      singles.push_back(isolate(program, c));
      step.single = singles.back().get();
    }
    for (int k = 0; k < l.operands; ++k) {
      const int slot = slot_of[nth(l.operand, k)];
      nth(step.in, k) = slot;
      step.uniform = step.uniform && nth(slots, slot).kind == SlotKind::kUniform;
    }
    const bool is_result = program.outputs.size() == 1 && program.outputs[0] == i;
    if (step.uniform) {
      slot_of[i] = new_slot(SlotKind::kUniform, c.type);
    } else if (is_result && outputs[0].dense && lanes_are_elements(outputs[0].dtype, c.type)) {
      slot_of[i] = direct_output_slot = new_slot(SlotKind::kOutput, c.type);
    } else {
      slot_of[i] = new_register(c.type);
    }
    step.out = slot_of[i];
    steps.push_back(step);
    if (!step.uniform) nanoseconds += kernel.nanoseconds;
    for (int k = 0; k < l.operands; ++k) {
      const size_t v = nth(l.operand, k);
      const bool repeated = std::find(l.operand.begin(), l.operand.begin() + k, v) != l.operand.begin() + k;
      const bool is_step = program.code[v].op != ScalarOp::kInput && program.code[v].op != ScalarOp::kConstant;
      const Slot& slot = nth(slots, slot_of[v]);
      if (!repeated && is_step && last_use[v] == i && slot.kind == SlotKind::kRegister) {
        free_registers.push_back({lane_bytes(slot.type), slot_of[v]});
      }
    }
  }
  for (size_t k = 0; k < program.outputs.size(); ++k) {
    const size_t v = program.outputs[k];
    nanoseconds += 0.1;
    if (slot_of[v] == direct_output_slot && direct_output_slot >= 0) continue;
    int slot = slot_of[v];
    const ScalarType type = program.code[v].type;
    if (nth(slots, slot).kind == SlotKind::kUniform) {
      const int spread = new_slot(SlotKind::kRegister, type);
      steps.push_back({any_tile(ScalarOp::kConvert, type, type).function, nullptr, spread, {slot, 0, 0}, 1});
      slot = spread;
    }
    stores.push_back({static_cast<int>(k), slot, type});
  }
  allocate(program, constant_slots);
}

void PointwisePlan::Impl::allocate(const ScalarProgram& program, const std::vector<int>& constant_slots) {
  int64_t bytes = 0;
  for (Slot& slot : slots) {
    if (slot.kind == SlotKind::kInput || slot.kind == SlotKind::kOutput) continue;
    slot.offset = bytes;
    bytes += (lanes_of(slot) * lane_bytes(slot.type) + 63) / 64 * 64;
  }
  bytes += 64;  // threads do not share a cache line
  memory.reset(static_cast<std::byte*>(::operator new[](static_cast<size_t>(bytes * threads), std::align_val_t{64})));
  for (int t = 0; t < threads; ++t) {
    Thread thread;
    thread.memory = memory.get() + t * bytes;
    for (const Slot& slot : slots) thread.slots.push_back(thread.memory + slot.offset);
    thread.held_offset.assign(loads.size(), -1);
    thread.held_lanes.assign(loads.size(), 0);
    for (size_t i = 0; i < constant_slots.size(); ++i) {
      if (constant_slots[i] < 0) continue;
      const auto& c = program.code[i];
      void* lanes = nth(thread.slots, constant_slots[i]);
      for (int64_t k = 0; k < kUniformLanes; ++k) {
        switch (c.type) {
          case ScalarType::kBool: static_cast<int32_t*>(lanes)[k] = c.integer ? -1 : 0; break;
          case ScalarType::kI64:
          case ScalarType::kU64: static_cast<int64_t*>(lanes)[k] = c.integer; break;
          case ScalarType::kF32: static_cast<float*>(lanes)[k] = static_cast<float>(c.real); break;
          case ScalarType::kF64: static_cast<double*>(lanes)[k] = c.real; break;
        }
      }
    }
    thread_state.push_back(std::move(thread));
  }
}

// Calls row(element offset, first lane, lanes) for the innermost rows of a tile.
template <class Row>
void PointwisePlan::Impl::for_each_row(const View& view, int64_t offset, int64_t extent, const Row& row) const {
  const auto last = static_cast<int64_t>(dims.size()) - 1;
  if (view.dense || last == split) return row(offset, 0, extent * inner);
  const int64_t length = nth(dims, last);
  std::array<int64_t, kMaxRank> index{};
  for (int64_t lane = 0; lane < extent * inner; lane += length) {
    row(offset, lane, length);
    for (int64_t d = last - 1; d >= split; --d) {
      const int64_t stride = nth(view.strides, d);
      offset += stride;
      if (d == split || ++nth(index, d) < nth(dims, d)) break;
      offset -= stride * nth(dims, d);
      nth(index, d) = 0;
    }
  }
}

void PointwisePlan::Impl::load(const Load& load, Thread& thread, const void* base, int64_t offset,
                               int64_t extent) const {
  const View& view = nth(inputs, load.input);
  const Slot& slot = nth(slots, load.slot);
  void*& pointer = nth(thread.slots, load.slot);
  if (slot.kind == SlotKind::kInput) {
    pointer = static_cast<std::byte*>(const_cast<void*>(base)) + offset * lane_bytes(slot.type);
    return;
  }
  const auto load_lanes = [&](int64_t at, int64_t stride, void* to, int64_t n) {
    if (holds_as_floats(view.dtype, slot.type)) load_small(view.dtype, base, at, stride, static_cast<float*>(to), n);
    else load_run(view.dtype, base, at, stride, to, n);
  };
  const auto k = static_cast<size_t>(&load - loads.data());
  const int64_t lanes = slot.kind == SlotKind::kUniform ? kUniformLanes : extent * inner;
  if (thread.held_offset[k] == offset && thread.held_lanes[k] >= lanes) return;
  thread.held_offset[k] = offset;
  thread.held_lanes[k] = lanes;
  if (slot.kind == SlotKind::kUniform) return load_lanes(offset, 0, pointer, lanes);
  const int64_t stride = view.strides.back(), width = lane_bytes(slot.type);
  for_each_row(view, offset, extent, [&](int64_t at, int64_t lane, int64_t n) {
    load_lanes(at, view.dense ? 1 : stride, static_cast<std::byte*>(pointer) + lane * width, n);
  });
}

void PointwisePlan::Impl::run_tile(Thread& thread, const void* const* in, void* const* out,
                                   const std::array<int64_t, kMaxRank>& index, int64_t extent) const {
  for (const Load& l : loads) {
    load(l, thread, in[l.input], outer_offset(nth(inputs, l.input), index), extent);
  }
  const auto& pointers = thread.slots;
  if (direct_output_slot >= 0) {
    const int64_t width = lane_bytes(nth(slots, direct_output_slot).type);
    nth(thread.slots, direct_output_slot) = static_cast<std::byte*>(out[0]) + outer_offset(outputs[0], index) * width;
  }
  TileCall call{};
  for (const Step& step : steps) {
    call.out = nth(pointers, step.out);
    for (int k = 0; k < step.operands; ++k) {
      const auto slot = static_cast<size_t>(nth(step.in, k));
      call.in[k] = pointers[slot];
      call.step[k] = slots[slot].kind == SlotKind::kUniform ? 0 : 1;
    }
    call.n = step.uniform ? kUniformLanes : extent * inner;
    call.single = step.single;
    call.alpha = step.alpha;
    call.beta = step.beta;
    step.function(call);
  }
  for (const Store& store : stores) {
    const View& view = nth(outputs, store.output);
    const auto* lanes = static_cast<const std::byte*>(nth(pointers, store.slot));
    for_each_row(view, outer_offset(view, index), extent, [&](int64_t at, int64_t lane, int64_t n) {
      const int64_t stride = view.dense ? 1 : view.strides.back();
      const std::byte* from = lanes + lane * lane_bytes(store.type);
      if (holds_as_floats(view.dtype, store.type))
        store_small(view.dtype, out[store.output], at, stride, reinterpret_cast<const float*>(from), n);
      else store_run(view.dtype, out[store.output], at, stride, store.type, from, n);
    });
  }
}

void PointwisePlan::Impl::run_range(int thread_index, const void* const* in, void* const* out, int64_t begin,
                                    int64_t end) {
  Thread& thread = nth(thread_state, thread_index);
  std::fill(thread.held_offset.begin(), thread.held_offset.end(), -1);
  const auto at = static_cast<size_t>(split);
  std::array<int64_t, kMaxRank> index{};
  index[at] = begin % blocks * block;
  int64_t rest = begin / blocks;
  for (int64_t d = split - 1; d >= 0; --d) {
    nth(index, d) = rest % nth(dims, d);
    rest /= nth(dims, d);
  }
  for (int64_t tile = begin; tile < end; ++tile) {
    run_tile(thread, in, out, index, std::min(block, dims[at] - index[at]));
    index[at] += block;
    if (index[at] < dims[at]) continue;
    index[at] = 0;
    for (int64_t d = split - 1; d >= 0; --d) {
      if (++nth(index, d) < nth(dims, d)) break;
      nth(index, d) = 0;
    }
  }
}

namespace {
std::vector<DType> types_of(std::span<const PointwiseOperand> operands) {
  std::vector<DType> types;
  for (const PointwiseOperand& operand : operands) types.push_back(operand.dtype);
  return types;
}
}  // namespace

PointwisePlan::PointwisePlan(const ScalarProgram& given, const Dims& dims, std::span<const PointwiseOperand> inputs,
                             std::span<const PointwiseOperand> outputs, int threads)
    : impl_(std::make_unique<Impl>()) {
  if (std::string defect = find_defect(given); !defect.empty()) refuse(defect);
  if (inputs.size() != given.input_count || outputs.size() != given.outputs.size() || outputs.empty()) {
    refuse("number of operands does not fit the program");
  }
  const ScalarProgram program = rounded_by_stores(given, types_of(outputs));
  for (const auto& o : inputs)
    if (o.strides.size() != dims.size()) refuse("an input has the wrong number of strides");
  for (const auto& o : outputs)
    if (o.strides.size() != dims.size()) refuse("an output has the wrong number of strides");
  impl_->threads = std::max(threads, 1);
  impl_->simplify(dims, inputs, outputs);
  const auto floats = in_float_lanes(program, types_of(inputs), types_of(outputs));
  impl_->small_as_floats = floats.has_value();
  impl_->compile(floats ? *floats : program);
  const double elements =
      std::accumulate(dims.begin(), dims.end(), 1.0, [](double n, int64_t d) { return n * static_cast<double>(d); });
  impl_->threads = useful_threads(impl_->threads, impl_->nanoseconds * elements);
}

PointwisePlan::PointwisePlan(PointwisePlan&&) noexcept = default;
PointwisePlan& PointwisePlan::operator=(PointwisePlan&&) noexcept = default;
PointwisePlan::~PointwisePlan() = default;

void PointwisePlan::run(const void* const* inputs, void* const* outputs) noexcept {
  Impl& p = *impl_;
  parallel_ranges(p.threads, p.tiles,
                  [&](int64_t begin, int64_t end, int part) { p.run_range(part, inputs, outputs, begin, end); });
}

}  // namespace kiln::cpu
