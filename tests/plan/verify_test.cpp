// verify(): a sound plan passes, and one wrong index, offset, size or name anywhere does not.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "plan/plan.h"

namespace kiln::plan {
namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
alignas(64) const std::byte kConstants[256] = {};

// dims: 0: n, 1: 2*n, 2: 3, 3: 0, 4: 16, 5: what only running tells.
// tensors: 0 x[n,3] input, 1 w[16] constant, 2 whole[2n,3] arena, 3 and 4 its halves, 5 slot[?,3], 6 y[2n,3] output, 7 absent, 8 mask[3] constant.
enum Tensors { kX, kW, kWhole, kFirst, kSecond, kLoose, kY, kAbsent, kMask };

TensorInfo tensor(const char* name, DType dtype, std::vector<uint32_t> dims, Storage storage, uint64_t offset = 0,
                  uint64_t size = 0) {
  TensorInfo t;
  t.name = name;
  t.dtype = dtype;
  t.dims = std::move(dims);
  t.storage = storage;
  t.offset = offset;
  t.size = size;
  return t;
}

TensorInfo half(const char* name, uint32_t start) {
  TensorInfo t = tensor(name, DType::kF32, {0, 2}, Storage::kArena);
  t.view_of = kWhole;
  t.view_start = start;
  return t;
}

Program body() {
  Program p;
  p.tensors = {tensor("a", DType::kF32, {0}, Storage::kSlot), tensor("b", DType::kF32, {0}, Storage::kSlot)};
  p.inputs = {0};
  p.outputs = {1};
  return p;
}

StepInfo control(std::vector<uint32_t> bodies, std::vector<int32_t> outputs) {
  StepInfo s;
  s.kernel = "if";
  s.outputs = std::move(outputs);
  s.bodies = std::move(bodies);
  return s;
}

// n from 1 to 8; the arena holds whole[16,3] and a workspace.
Plan sound() {
  Plan plan;
  plan.built_by = "0.1.0";
  plan.dims = {Dim::symbol("n").program(), (Dim::symbol("n") * 2).program(), Dim(3).program(), Dim(0).program(),
               Dim(16).program(),          Dim::symbol("?rows").program()};
  Program main;
  main.tensors = {tensor("x", DType::kF32, {0, 2}, Storage::kInput),
                  tensor("w", DType::kF32, {4}, Storage::kConstant, 64, 64),
                  tensor("whole", DType::kF32, {1, 2}, Storage::kArena, 64, 192),
                  half("first", 3),
                  half("second", 0),
                  tensor("loose", DType::kI64, {5, 2}, Storage::kSlot),
                  tensor("y", DType::kF32, {1, 2}, Storage::kOutput),
                  TensorInfo(),
                  tensor("mask", DType::kBool, {2}, Storage::kConstant, 192, 64)};
  main.inputs = {kX};
  main.outputs = {kY, kLoose};
  StepInfo step;
  step.name = "step";
  step.kernel = "kernel";
  step.inputs = {kX, -1, kW, kAbsent};
  step.outputs = {kFirst, kSecond, -1};
  step.workspace_offset = 256;
  step.workspace_size = 256;
  step.parameters = {{"axis", int64_t{1}}};
  main.steps = {step, control({1, 2}, {kLoose})};
  plan.programs = {main, body(), body(), body()};
  plan.programs[1].steps = {control({3}, {1})};
  plan.profiles = {{{{{1, 3}, {4, 3}, {8, 3}}}, {}}};
  plan.arena_size = 512;
  plan.constants.add(kConstants, nullptr);
  GeneratedKernel kernel{"generator", 1, "architecture", {{"lanes", int64_t{4}}}};
  kernel.binary = std::span(kConstants).first(10);
  plan.kernels = {kernel};
  plan.programs[0].steps[0].code = 0;
  return plan;
}

// A step that joins the halves where they lie.
void join(Plan& plan, std::vector<int32_t> parts, Sharing sharing) {
  StepInfo s;
  s.name = "join";
  s.kernel = "kernel";
  s.inputs = std::move(parts);
  s.outputs = {kWhole};
  s.sharing = sharing;
  plan.programs[0].steps.push_back(s);
}

// A step from one tensor to another one of the same bytes.
void overwrite(Plan& plan, Sharing sharing, uint32_t dim = 4) {
  StepInfo s;
  s.name = "overwrite";
  s.kernel = "kernel";
  s.sharing = sharing;
  auto& all = plan.programs[0].tensors;
  s.inputs = {static_cast<int32_t>(all.size())};
  all.push_back(tensor("from", DType::kF32, {dim}, Storage::kArena, 0, 64));
  s.outputs = {static_cast<int32_t>(all.size())};
  all.push_back(tensor("to", DType::kF32, {4}, Storage::kArena, 0, 64));
  plan.programs[0].steps.push_back(s);
}

struct Case {
  const char* cause;  // part of the error's cause
  void (*damage)(Plan&);
};

std::vector<TensorInfo>& tensors(Plan& p) { return p.programs[0].tensors; }
StepInfo& step(Plan& p) { return p.programs[0].steps[0]; }
StepInfo& branch(Plan& p) { return p.programs[0].steps[1]; }
ProfileDims& shapes(Plan& p) { return p.profiles[0].inputs[0]; }

// clang-format off
const Case kDamage[] = {
    // The whole.
    {"built_by", [](Plan& p) { p.built_by = ""; }},
    {"built_by", [](Plan& p) { p.built_by = "0.1\n"; }},
    {"built_by", [](Plan& p) { p.built_by = std::string(65, '1'); }},
    {"too long", [](Plan& p) { p.name = std::string(70000, 'n'); }},
    {"too long", [](Plan& p) { p.device = std::string(70000, 'n'); }},
    {"too long", [](Plan& p) { p.others = {{std::string(70000, 'n'), ""}}; }},
    {"twice", [](Plan& p) { p.others = {{"b", ""}, {"a", ""}}; }},
    {"twice", [](Plan& p) { p.others = {{p.device, ""}}; }},
    {"too many devices", [](Plan& p) { p.others.resize(65); }},
    {"does not name", [](Plan& p) { step(p).device = "another"; }},
    {"too long", [](Plan& p) { p.fingerprint = std::string(70000, 'n'); }},
    {"too long", [](Plan& p) { p.build_info = std::string(70 << 20, 'n'); }},
    {"no program", [](Plan& p) { p.programs.clear(); }},
    {"no profile", [](Plan& p) { p.profiles.clear(); }},
    {"too many profiles", [](Plan& p) { p.profiles.resize(300, p.profiles[0]); }},
    {"arena", [](Plan& p) { p.arena_size = kHuge; }},
    // Generated kernels.
    {"too many kernels", [](Plan& p) { p.kernels.resize(70000, p.kernels[0]); }},
    {"name of its generator", [](Plan& p) { p.kernels[0].generator = ""; }},
    {"name of its generator", [](Plan& p) { p.kernels[0].generator = std::string(70000, 'n'); }},
    {"version of its generator", [](Plan& p) { p.kernels[0].version = 0; }},
    {"name of its architecture", [](Plan& p) { p.kernels[0].architecture = ""; }},
    {"name of its architecture", [](Plan& p) { p.kernels[0].architecture = std::string(70000, 'n'); }},
    {"no binary", [](Plan& p) { p.kernels[0].binary = {}; }},
    {"unsound parameter", [](Plan& p) { p.kernels[0].parameters.set("", int64_t{1}); }},
    {"unsound parameter", [](Plan& p) { p.kernels[0].parameters.set("t", Tensor()); }},
    {"code that does not exist", [](Plan& p) { step(p).code = 1; }},
    {"code that does not exist", [](Plan& p) { step(p).code = -2; }},
    {"code that does not exist", [](Plan& p) { p.kernels.clear(); }},
    {"is no kernel", [](Plan& p) { branch(p).code = 0; }},
    // Dimensions.
    {"dimension 0 does not end with one value", [](Plan& p) { p.dims[0].clear(); }},
    {"does not end with one value", [](Plan& p) { p.dims[2].push_back(p.dims[2][0]); }},
    {"takes a value that is not there", [](Plan& p) { p.dims[2].push_back({DimOp::kAdd, 0, {}}); }},
    {"takes a value that is not there", [](Plan& p) { p.dims[2].insert(p.dims[2].begin(), {DimOp::kMax, 0, {}}); }},
    {"unknown operation", [](Plan& p) { p.dims[2][0].kind = static_cast<DimOp::Kind>(DimOp::kMax + 1); }},
    {"without a sound name", [](Plan& p) { p.dims[0][0].symbol = ""; }},
    {"without a sound name", [](Plan& p) { p.dims[0][0].symbol = std::string(70000, 's'); }},
    {"too long", [](Plan& p) { for (int i = 0; i < 4000; ++i) { p.dims[2].push_back(p.dims[2][0]); p.dims[2].push_back({DimOp::kAdd, 0, {}}); } }},
    {"needs 'm', which nothing gives", [](Plan& p) { p.dims[1] = Dim::symbol("m").program(); }},
    {"needs 'x.2', which nothing gives", [](Plan& p) { p.dims[1] = Dim::symbol("x.2").program(); }},
    // Tensors.
    {"name is too long", [](Plan& p) { tensors(p)[kW].name = std::string(70000, 'n'); }},
    {"kind is unknown", [](Plan& p) { tensors(p)[kX].kind = static_cast<Datum::Kind>(3); }},
    {"type is unknown", [](Plan& p) { tensors(p)[kX].dtype = static_cast<DType>(kDTypeCount); }},
    {"has no type", [](Plan& p) { tensors(p)[kX].dtype = DType::kInvalid; }},
    {"absent and has a type", [](Plan& p) { tensors(p)[kAbsent].dtype = DType::kF32; }},
    {"absent and has a type", [](Plan& p) { tensors(p)[kAbsent].dims = {0}; }},
    {"storage is unknown", [](Plan& p) { tensors(p)[kX].storage = static_cast<Storage>(7); }},
    {"rank", [](Plan& p) { tensors(p)[kLoose].ranked = false; }},
    {"rank", [](Plan& p) { tensors(p)[kLoose].dims.assign(65, 2); }},
    {"dimension that does not exist", [](Plan& p) { tensors(p)[kWhole].dims[0] = 6; }},
    {"dimension that does not exist", [](Plan& p) { p.programs[2].tensors[0].dims[0] = UINT32_MAX; }},
    {"is outside rank", [](Plan& p) { tensors(p)[kX].layout.order = {0, 2}; }},
    {"occurs twice", [](Plan& p) { tensors(p)[kX].layout.order = {0, 0}; }},
    {"it is for rank 1", [](Plan& p) { tensors(p)[kX].layout.order = {0}; }},
    {"block axis 2", [](Plan& p) { tensors(p)[kX].layout.blocks = {{2, 4}}; }},
    {"block has size 0", [](Plan& p) { tensors(p)[kX].layout.blocks = {{1, 0}}; }},
    {"vector width", [](Plan& p) { tensors(p)[kX].layout.vector_width = 4; }},
    {"does not fit", [](Plan& p) { tensors(p)[kX].layout.blocks = {{1, INT64_MAX}, {1, 8}}; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kW].offset = 256; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kW].offset = kHuge - 63; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kW].size = 193; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kW].size = kHuge; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kWhole].offset = 384; }},
    {"outside its storage", [](Plan& p) { tensors(p)[kWhole].size = kHuge - 32; }},
    {"outside its storage", [](Plan& p) {
       p.constants = {};
       p.constants.add(std::span(kConstants).first(127), nullptr);
     }},
    {"outside its storage", [](Plan& p) { p.arena_size = 255; }},
    {"offset is not aligned", [](Plan& p) { tensors(p)[kW].offset = 4; }},
    {"offset is not aligned", [](Plan& p) { tensors(p)[kWhole].offset = 32; }},
    {"cannot be in memory", [](Plan& p) { tensors(p)[kW].dtype = DType::kString; }},
    {"cannot be in memory", [](Plan& p) { tensors(p)[kWhole].kind = Datum::kSequence; }},
    {"too small", [](Plan& p) { tensors(p)[kW].size = 63; }},
    {"too small", [](Plan& p) { tensors(p)[kW].dtype = DType::kF64; }},
    {"too small", [](Plan& p) { tensors(p)[kW].layout.blocks = {{0, 32}}; }},
    {"too small", [](Plan& p) { tensors(p)[kWhole].size = 191; }},
    {"too small", [](Plan& p) { shapes(p).max[0] = 9; }},
    {"does not fit", [](Plan& p) { shapes(p).max[0] = INT64_MAX / 4; }},
    {"shape of a constant", [](Plan& p) { tensors(p)[kW].dims = {0}; }},
    {"shape of a constant", [](Plan& p) { p.dims[4] = Dim(-16).program(); }},
    // Views.
    {"view of a tensor that does not exist", [](Plan& p) { tensors(p)[kFirst].view_of = 9; }},
    {"view of itself", [](Plan& p) { tensors(p)[kFirst].view_of = kFirst; }},
    {"view of itself", [](Plan& p) { tensors(p)[kFirst].view_of = kSecond; tensors(p)[kSecond].view_of = kFirst; }},
    {"differs from", [](Plan& p) { tensors(p)[kFirst].dtype = DType::kI32; }},
    {"differs from", [](Plan& p) { tensors(p)[kFirst].dims.pop_back(); }},
    {"differs from", [](Plan& p) { tensors(p)[kFirst].layout.order = {1, 0}; }},
    {"not stored as", [](Plan& p) { tensors(p)[kFirst].storage = Storage::kOutput; }},
    {"not stored as", [](Plan& p) { tensors(p)[kFirst].view_of = kX; }},
    {"cannot hold a view", [](Plan& p) { tensors(p)[kFirst].storage = tensors(p)[kWhole].storage = Storage::kSlot; }},
    {"cannot be a view", [](Plan& p) { for (int i : {kWhole, kFirst, kSecond}) tensors(p)[i].dtype = DType::kI4; }},
    {"cannot be a view", [](Plan& p) { for (int i : {kWhole, kFirst, kSecond}) tensors(p)[i].layout.blocks = {{0, 2}}; }},
    {"view axis", [](Plan& p) { tensors(p)[kFirst].view_axis = 2; }},
    {"view axis", [](Plan& p) { tensors(p)[kFirst].view_axis = -1; }},
    {"view starts at a dimension", [](Plan& p) { tensors(p)[kFirst].view_start = 6; }},
    {"does not lie inside", [](Plan& p) { tensors(p)[kSecond].view_start = 1; }},
    {"does not lie inside", [](Plan& p) { tensors(p)[kSecond].view_start = 2; }},
    {"does not lie inside", [](Plan& p) { tensors(p)[kSecond].view_axis = 1; }},
    {"does not lie inside", [](Plan& p) { tensors(p)[kSecond].dims[0] = 4; }},
    {"does not lie inside", [](Plan& p) { p.dims[3] = Dim(-1).program(); }},
    {"outside its storage", [](Plan& p) { tensors(p)[kFirst].offset = 513; }},
    // Inputs and outputs.
    {"names a tensor that does not exist", [](Plan& p) { p.programs[0].inputs[0] = 9; }},
    {"names a tensor that does not exist", [](Plan& p) { p.programs[0].inputs[0] = -1; }},
    {"names a tensor that does not exist", [](Plan& p) { p.programs[2].outputs[0] = 2; }},
    {"names a tensor that does not exist", [](Plan& p) { p.programs[2].outputs[0] = INT32_MIN; }},
    {"but it is no input", [](Plan& p) { p.programs[0].inputs.clear(); }},
    {"but it is no output", [](Plan& p) { p.programs[0].outputs.clear(); }},
    {"input is not stored as one", [](Plan& p) { p.programs[0].inputs.push_back(kW); }},
    {"two inputs have its name", [](Plan& p) { p.programs[0].inputs.push_back(kX); }},
    {"two inputs have its name", [](Plan& p) { tensors(p)[kX].name = ""; }},
    {"two outputs have its name", [](Plan& p) { p.programs[0].outputs.push_back(kY); }},
    {"two outputs have its name", [](Plan& p) { tensors(p)[kY].name = "loose"; }},
    {"output is absent", [](Plan& p) { tensors(p)[kAbsent].name = "z"; p.programs[0].outputs.push_back(kAbsent); }},
    // Steps.
    {"name is too long", [](Plan& p) { step(p).name = std::string(70000, 'n'); }},
    {"name is too long", [](Plan& p) { step(p).device = std::string(70000, 'n'); }},
    {"name is too long", [](Plan& p) { step(p).tactic = std::string(70000, 'n'); }},
    {"name is too long", [](Plan& p) { step(p).op = std::string(70000, 'n'); }},
    {"name is too long", [](Plan& p) { step(p).origins = {"a", std::string(70000, 'n')}; }},
    {"no kernel", [](Plan& p) { step(p).kernel = ""; }},
    {"reads a tensor that does not exist", [](Plan& p) { step(p).inputs[0] = 9; }},
    {"reads a tensor that does not exist", [](Plan& p) { step(p).inputs[0] = -2; }},
    {"writes a tensor that does not exist", [](Plan& p) { step(p).outputs[0] = 9; }},
    {"writes a tensor that does not exist", [](Plan& p) { step(p).outputs[0] = INT32_MIN; }},
    {"may only be read", [](Plan& p) { step(p).outputs[0] = kX; }},
    {"may only be read", [](Plan& p) { step(p).outputs[0] = kW; }},
    {"workspace lies outside", [](Plan& p) { step(p).workspace_size = 257; }},
    {"workspace lies outside", [](Plan& p) { step(p).workspace_size = kHuge; }},
    {"workspace lies outside", [](Plan& p) { step(p).workspace_offset = 576; }},
    {"workspace is not aligned", [](Plan& p) { step(p).workspace_offset = 8; }},
    {"not a later program", [](Plan& p) { branch(p).bodies[0] = 0; }},
    {"not a later program", [](Plan& p) { branch(p).bodies[0] = 4; }},
    {"not a later program", [](Plan& p) { p.programs[1].steps[0].bodies[0] = 1; }},
    {"not a later program", [](Plan& p) { p.programs[1].steps[0].bodies[0] = 0; }},
    // What the operands of a step may share.
    {"in an unknown way", [](Plan& p) { step(p).sharing = static_cast<Sharing>(3); }},
    {"set already", [](Plan& p) { step(p).outputs[2] = kFirst; }},
    {"set already", [](Plan& p) { branch(p).outputs.push_back(kLoose); }},
    {"set already", [](Plan& p) { branch(p).outputs.push_back(kSecond); }},
    {"set already", [](Plan& p) { p.programs[1].steps[0].outputs[0] = 0; }},
    {"writes over what it reads", [](Plan& p) { step(p).inputs[0] = kSecond; }},
    {"writes over what it reads", [](Plan& p) { step(p).inputs[0] = kLoose; step(p).outputs.push_back(kLoose); p.programs[0].steps.pop_back(); }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kNothing); }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kParts); }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kInPlace, 2); }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kInPlace); tensors(p).back().dtype = DType::kI32; }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kInPlace); tensors(p).back().offset = 64; tensors(p).end()[-2].size = 128; }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kInPlace); auto& s = p.programs[0].steps.back(); s.outputs.insert(s.outputs.begin(), -1); }},
    {"writes over what it reads", [](Plan& p) { overwrite(p, Sharing::kInPlace); p.programs[0].steps.back().workspace_size = 1; p.programs[0].steps.back().outputs.clear(); }},
    {"two of its results", [](Plan& p) { step(p).workspace_offset = 192; }},
    {"two of its results", [](Plan& p) { overwrite(p, Sharing::kInPlace); std::swap(p.programs[0].steps.back().inputs[0], step(p).outputs[2]); tensors(p).end()[-2].offset = 128; }},
    {"share bytes", [](Plan& p) { step(p).outputs[2] = kWhole; }},
    {"share bytes", [](Plan& p) { tensors(p)[kSecond].view_start = 3; }},
    {"share bytes", [](Plan& p) { join(p, {kFirst, kSecond}, Sharing::kNothing); }},
    {"share bytes", [](Plan& p) { join(p, {kSecond, kFirst}, Sharing::kParts); }},
    {"share bytes", [](Plan& p) { join(p, {kFirst, kSecond}, Sharing::kInPlace); }},
    {"share bytes", [](Plan& p) { join(p, {kSecond}, Sharing::kParts); }},
    // Bodies.
    {"another's too", [](Plan& p) { branch(p).bodies[0] = 2; }},
    {"another's too", [](Plan& p) { branch(p).bodies[0] = 3; }},
    {"not in slots", [](Plan& p) { step(p).outputs = {}; branch(p).outputs[0] = kFirst; }},
    {"not in slots", [](Plan& p) { branch(p).outputs[0] = kAbsent; }},
    {"nested too deeply", [](Plan& p) { for (uint32_t i = 4; i < 70; ++i) { p.programs.push_back(body()); p.programs[i - 1].steps = {control({i}, {1})}; } }},
    {"inputs that are not in slots", [](Plan& p) { p.programs[1].tensors[0].storage = Storage::kArena; p.programs[1].tensors[0].size = 32; }},
    {"it is a body's", [](Plan& p) { p.programs[3].tensors[0].storage = Storage::kInput; }},
    {"writes over what it reads", [](Plan& p) { p.programs[3].tensors.push_back(tensor("c", DType::kF32, {2}, Storage::kArena, 64, 12)); p.programs[0].steps[1].inputs = {kWhole}; }},
    {"outside its storage", [](Plan& p) { p.programs[3].tensors.push_back(tensor("c", DType::kF32, {2}, Storage::kArena, 512, 12)); }},
    {"inputs that are not in slots", [](Plan& p) { p.programs[1].tensors.push_back(tensors(p)[kW]); p.programs[1].inputs[0] = 2; }},
    {"neither in a slot nor", [](Plan& p) { p.programs[1].tensors.emplace_back(); p.programs[1].outputs[0] = 2; }},
    {"no sound name", [](Plan& p) { step(p).parameters.set("", int64_t{1}); }},
    {"no sound name", [](Plan& p) { step(p).parameters.set(std::string(70000, 'n'), int64_t{1}); }},
    {"tensor without type", [](Plan& p) { step(p).parameters.set("t", Tensor()); }},
    // Watches.
    {"names a tensor that does not exist", [](Plan& p) { p.watches = {{9, Watch::kShown, ""}}; }},
    {"names a tensor that does not exist", [](Plan& p) { p.watches = {{-1, Watch::kShown, ""}}; }},
    {"unknown kind", [](Plan& p) { p.watches = {{kY, static_cast<Watch::Kind>(2), ""}}; }},
    {"message that is too long", [](Plan& p) { p.watches = {{kMask, Watch::kRequired, std::string(70000, 'n')}}; }},
    {"not of type bool", [](Plan& p) { p.watches = {{kY, Watch::kRequired, ""}}; }},
    // Profiles.
    {"one entry per input", [](Plan& p) { p.profiles[0].inputs.clear(); }},
    {"one entry per input", [](Plan& p) { p.profiles[0].inputs.push_back(shapes(p)); }},
    {"one list of values per input", [](Plan& p) { p.profiles[0].values.resize(2); }},
    {"values that are not in order", [](Plan& p) { p.profiles[0].values = {{{1}, {0}, {2}}}; }},
    {"rank of an input", [](Plan& p) { shapes(p) = {{1}, {1}, {1}}; }},
    {"rank of an input", [](Plan& p) { shapes(p).opt.pop_back(); }},
    {"rank of an input", [](Plan& p) { shapes(p).max.push_back(3); }},
    {"in order", [](Plan& p) { shapes(p).min[0] = 5; }},
    {"in order", [](Plan& p) { shapes(p).max[0] = 3; }},
    {"negative dimension", [](Plan& p) { shapes(p).min[0] = -1; }},
    {"fixed dimension", [](Plan& p) { shapes(p).max[1] = 4; }},
    {"fixed dimension", [](Plan& p) { shapes(p).min[1] = 2; }},
};
// clang-format on

TEST(Verify, ASoundPlanPasses) { EXPECT_NO_THROW(verify(sound())); }

TEST(Verify, WhatAKernelSharesPasses) {
  Plan plan = sound();
  overwrite(plan, Sharing::kInPlace);
  join(plan, {kFirst, kSecond}, Sharing::kParts);
  EXPECT_NO_THROW(verify(plan));
  const std::vector<std::byte> bytes = write(plan);
  const Plan again = read(bytes, nullptr);
  EXPECT_EQ(again.programs[0].steps[2].sharing, Sharing::kInPlace);
  EXPECT_EQ(again.programs[0].steps[3].sharing, Sharing::kParts);
}

// Parts along different axes meet unless one axis keeps them apart; views in views are moved by both.
TEST(Verify, PartsOfPartsKeepApart) {
  Plan plan = sound();
  TensorInfo inner = tensors(plan)[kSecond];
  inner.view_of = kSecond;
  inner.view_start = 3;
  inner.name = "inner";
  const auto index = static_cast<int32_t>(tensors(plan).size());
  tensors(plan).push_back(inner);
  step(plan).outputs = {kFirst, index};
  EXPECT_NO_THROW(verify(plan));
  step(plan).outputs = {kSecond, index};
  EXPECT_THROW(verify(plan), Error);
  for (int i = 0; i < 100; ++i) {
    tensors(plan).push_back(inner);
    tensors(plan).back().view_of = index + i;
  }
  step(plan).outputs = {kFirst, index + 100};
  EXPECT_THROW(verify(plan), Error);
}

TEST(Verify, WatchesPassAndAreKept) {
  Plan plan = sound();
  plan.watches = {{kY, Watch::kShown, ""}, {kMask, Watch::kRequired, "holds"}};
  plan.shows_results = true;
  const std::vector<std::byte> bytes = write(plan);
  const Plan again = read(bytes, nullptr);
  ASSERT_EQ(again.watches.size(), 2u);
  EXPECT_EQ(again.watches[0].tensor, kY);
  EXPECT_EQ(again.watches[1].kind, Watch::kRequired);
  EXPECT_EQ(again.watches[1].message, "holds");
  EXPECT_TRUE(again.shows_results);
}

TEST(Verify, EveryDamageIsNamed) {
  for (const Case& c : kDamage) {
    const ptrdiff_t index = &c - kDamage;
    Plan plan = sound();
    c.damage(plan);
    try {
      verify(plan);
      ADD_FAILURE() << "case " << index << " passes: " << c.cause;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kMalformedPlan) << index;
      EXPECT_NE(e.cause().find(c.cause), std::string::npos) << "case " << index << " '" << c.cause << "': " << e.what();
    }
    EXPECT_THROW(write(plan), Error) << index;
  }
}

// x input on the device, copied to the host, doubled there, copied back into the output y.
Plan two_memories() {
  Plan plan;
  plan.built_by = "0.1.0";
  plan.device = "far";
  plan.others = {{"near", ""}};
  plan.device_memory = true;
  plan.arena_size = 64;
  plan.host_arena_size = 128;
  plan.dims = {{{DimOp::kConstant, 16, {}}}};
  Program program;
  program.tensors = {tensor("x", DType::kF32, {0}, Storage::kInput, 0, 64),
                     tensor("x.host", DType::kF32, {0}, Storage::kHostArena, 0, 64),
                     tensor("y.host", DType::kF32, {0}, Storage::kHostArena, 64, 64),
                     tensor("y", DType::kF32, {0}, Storage::kOutput, 0, 64)};
  program.inputs = {0};
  program.outputs = {3};
  StepInfo there, work, back;
  there.kernel = kToHost, there.inputs = {0}, there.outputs = {1};
  work.device = "near", work.kernel = "double", work.inputs = {1}, work.outputs = {2}, work.waits = true;
  back.kernel = kToDevice, back.inputs = {2}, back.outputs = {3};
  program.steps = {there, work, back};
  plan.programs.push_back(program);
  plan.profiles.push_back({{{{16}, {16}, {16}}}, {}});
  return plan;
}

TEST(Verify, TwoMemoriesPassAndAreKept) {
  const std::vector<std::byte> bytes = write(two_memories());
  const Plan again = read(bytes, nullptr);
  EXPECT_TRUE(again.device_memory);
  EXPECT_EQ(again.host_arena_size, 128u);
  EXPECT_TRUE(again.programs[0].steps[0].is_transfer());
  EXPECT_FALSE(again.programs[0].steps[1].is_transfer());
  EXPECT_TRUE(again.programs[0].steps[1].waits);
  EXPECT_FALSE(again.programs[0].steps[2].waits);
}

TEST(Verify, NothingIsDoneInTheOtherMemory) {
  const Case cases[] = {
      {"memory that is not its device's", [](Plan& p) { p.programs[0].steps[1].device = "far"; }},
      {"memory that is not its device's", [](Plan& p) { p.programs[0].steps[1].inputs = {0}; }},
      {"does not name", [](Plan& p) { p.programs[0].steps[0].kernel = "copy"; }},
      {"memory that is not its device's",
       [](Plan& p) {
         p.programs[0].steps[0].kernel = "copy";
         p.programs[0].steps[0].device = "near";
       }},
      {"copies within one memory", [](Plan& p) { p.programs[0].steps[0].kernel = kToDevice; }},
      {"copies within one memory", [](Plan& p) { p.programs[0].steps[2].outputs = {1}; }},
      {"is of one tensor", [](Plan& p) { p.programs[0].steps[0].outputs.clear(); }},
      {"is of one tensor", [](Plan& p) { p.programs[0].steps[0].inputs = {-1}; }},
      {"tensors that differ", [](Plan& p) { p.programs[0].tensors[1].dtype = DType::kI32; }},
      {"outside its storage", [](Plan& p) { p.programs[0].tensors[2].offset = 128; }},
      {"workspace lies outside", [](Plan& p) { p.programs[0].steps[1].workspace_size = 192; }},
      {"writes over what it reads", [](Plan& p) { p.programs[0].tensors[2].offset = 0; }},
      {"no other memory", [](Plan& p) { p.device_memory = false; }},
  };
  for (const Case& c : cases) {
    Plan plan = two_memories();
    c.damage(plan);
    try {
      verify(plan);
      ADD_FAILURE() << "passes: " << c.cause;
    } catch (const Error& e) {
      EXPECT_NE(e.cause().find(c.cause), std::string::npos) << c.cause << ": " << e.what();
    }
  }
}

TEST(Verify, CopiesNeedTwoMemories) {
  Plan plan = sound();
  plan.programs[0].steps[0].device.clear();
  plan.programs[0].steps[0].kernel = kToHost;
  EXPECT_THROW(verify(plan), Error);
}

TEST(Verify, BoolConstantsAreTrueOrFalse) {
  alignas(64) std::byte constants[256] = {};
  Plan plan = sound();
  plan.constants = {};
  plan.constants.add(constants, nullptr);
  constants[192] = std::byte{1};
  EXPECT_NO_THROW(verify(plan));
  constants[0] = std::byte{2};
  EXPECT_NO_THROW(verify(plan));
  constants[194] = std::byte{2};
  EXPECT_THROW(verify(plan), Error);
}

TEST(Verify, InputsMayDisagreeAboutASymbol) {
  Plan plan = sound();
  tensors(plan).push_back(tensor("z", DType::kF32, {0}, Storage::kInput));
  plan.programs[0].inputs.push_back(kMask + 1);
  plan.profiles[0].inputs.push_back({{0}, {100}, {100}});
  EXPECT_NO_THROW(verify(plan));
  plan.profiles[0].inputs[0].max[0] = 100;
  EXPECT_THROW(verify(plan), Error);
}

TEST(Verify, ShapesWithoutValueAreLeftToTheRuntime) {
  Plan plan = sound();
  plan.dims.push_back((Dim::symbol("n") - 5).program());
  TensorInfo t = tensor("t", DType::kF32, {6}, Storage::kArena, 0, 12);
  tensors(plan).push_back(t);
  EXPECT_NO_THROW(verify(plan));
  tensors(plan).back().size = 11;
  EXPECT_THROW(verify(plan), Error);
}

TEST(Verify, AnonymousDimensionsAreNamedByTheirPlace) {
  Plan plan = sound();
  plan.dims[0] = Dim::symbol("x.0").program();
  plan.dims[1] = (Dim::symbol("x.0") * 2).program();
  EXPECT_NO_THROW(verify(plan));
}

}  // namespace
}  // namespace kiln::plan
