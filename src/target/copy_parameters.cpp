// Operators that place each element of one input somewhere in the result, as parameters of kernels "copy".
#include "target/copy_parameters.h"

#include <algorithm>

#include "passes/value_queries.h"
#include "target/checks.h"

namespace kiln {
namespace {

using What = CopyParameters::What;

constexpr std::string_view kOps[] = {"Reshape",   "Squeeze", "Unsqueeze", "Flatten", "Identity",     "Reformat",
                                     "Transpose", "Expand",  "Tile",      "Slice",   "DepthToSpace", "SpaceToDepth"};
constexpr std::string_view kDense[] = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Reformat"};

// Parameters of the kernel, or why there are none.
Refusal slice_parameters(const Problem& p, CopyParameters& to) {
  const Argument& given_starts = p.input(1);
  const auto starts = known_ints(p, 1);
  if (!starts && (!given_starts.is_static || given_starts.opt.size() != 1))
    return refuse("the number of starts of the slice is known only at run time");
  const size_t count = starts ? starts->size() : static_cast<size_t>(given_starts.opt[0]);
  Ints axes, steps(count, 1);
  if (p.input(3).present) {
    auto given = known_ints(p, 3);
    if (!given || given->size() != count) return refuse("the axes of the slice are known only at run time");
    for (int64_t a : *given) axes.push_back(normalize_axis(a, rank(p.input(0))));
  } else {
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (p.input(4).present) {
    auto given = known_ints(p, 4);
    if (!given || given->size() != count) return refuse("the steps of the slice are known only at run time");
    steps = *given;
  }
  to.axes = std::move(axes);
  to.starts = starts;
  to.steps = std::move(steps);
  return accept();
}

// A Reformat joins the blocks of one side, or splits the other into them.
Refusal needs_one_plain_side(const Problem& p) {
  const Argument &in = p.input(0), &out = p.outputs[0];
  if (!p.post().empty()) return refuse("it has post-operations");
  if (!in.layout.is_plain() && !out.layout.is_plain()) return refuse("both sides have blocks");
  for (const Argument* a : {&in, &out})
    if (a->layout.blocks.size() > 1) return refuse("blocks within blocks, " + to_string(a->layout));
  if (bits(in.dtype) % 8 != 0) return refuse("elements of type " + std::string(name(in.dtype)));
  return accept();
}

bool has_blocks(const Problem& p) { return !p.input(0).layout.is_plain() || !p.outputs[0].layout.is_plain(); }

}  // namespace

std::vector<std::string_view> copy_ops() { return {std::begin(kOps), std::end(kOps)}; }

void add_filler(const Problem& p, Emitted& emitted) {
  if (p.outputs[0].layout.is_plain()) return;
  emitted.inputs.push_back(Emitted::from_constant(static_cast<int>(emitted.constants.size())));
  emitted.constants.push_back(Tensor::allocate(p.outputs[0].dtype, {1}));
}

Refusal copy_parameters(const Problem& p, CopyParameters& to) {
  const std::string& op = p.op();
  if (op == "Reformat" && has_blocks(p)) {
    to.what = What::kExpand;
    return needs_one_plain_side(p);
  }
  if (Refusal r = needs_plain(p); r.refused()) return r;
  if (std::find(std::begin(kDense), std::end(kDense), op) != std::end(kDense)) {
    if (p.outputs.size() > 1) return refuse("it has more than one result");
    if (!passes::is_told(*p.node)) return refuse("only running tells the shape");
    const bool identity = op == "Identity" || op == "Reformat";
    to.what = identity ? What::kExpand : What::kDense;
  } else if (op == "Transpose") {
    const int64_t n = rank(p.input(0));
    Ints perm = p.attributes().ints("perm", {});
    if (!p.attributes().has("perm"))
      for (int64_t i = n; i-- > 0;) perm.push_back(i);
    for (int64_t& a : perm) a = normalize_axis(a, n);
    to.what = What::kTranspose;
    to.perm = std::move(perm);
  } else if (op == "Expand") {
    to.what = What::kExpand;
  } else if (op == "Tile") {
    to.what = What::kTile;
  } else if (op == "Slice") {
    to.what = What::kSlice;
    return slice_parameters(p, to);
  } else {
    to.what = op == "DepthToSpace" ? What::kDepthToSpace : What::kSpaceToDepth;
    to.block = p.attributes().integer("blocksize");
    to.column_major = p.attributes().text("mode", "DCR") == "CRD";
  }
  return accept();
}

}  // namespace kiln
