// Tactics: operators that choose elements by their values, and running sums.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kOrdered{DType::kF32, DType::kF64, DType::kI8, DType::kU8, DType::kI32, DType::kI64, DType::kU64};
constexpr TypeSet kSummed{DType::kF32, DType::kF64, DType::kI32, DType::kI64};

}  // namespace

const Tactic select_elements{.name = "select_elements",
                             .version = 1,
                             .sizes_results = true,
                             .accepts = [](const Problem& p) -> Refusal {
                               if (p.op() != "NonZero" && p.op() != "Compress")
                                 return refuse(p.op() + " does not select elements");
                               if (Refusal r = needs_plain(p); r.refused()) return r;
                               if (p.op() == "NonZero" && !(kNumericTypes | kBoolType).has(p.input(0).dtype))
                                 return refuse("elements of type " + std::string(name(p.input(0).dtype)));
                               return accept();
                             },
                             .configurations = nullptr,
                             .emit =
                                 [](const Problem& p, const Config&) {
                                   if (p.op() == "NonZero") return emit_kernel("non_zero", {}, {0});
                                   const int64_t axis =
                                       p.attributes().has("axis") ? axis_of(p, "axis", 0, rank(p.input(0))) : -1;
                                   return emit_kernel("compress", {{"axis", axis}}, {0, 1});
                                 }};

const Tactic suppress_boxes{.name = "suppress_boxes",
                            .version = 1,
                            .sizes_results = true,
                            .accepts = [](const Problem& p) -> Refusal {
                              if (p.op() != "NonMaxSuppression") return refuse(p.op() + " is not NonMaxSuppression");
                              return needs_plain(p);
                            },
                            .configurations = nullptr,
                            .emit =
                                [](const Problem& p, const Config&) {
                                  std::vector<int> inputs = all_inputs(p);
                                  inputs.resize(5, Emitted::kAbsent);
                                  return emit_kernel("non_max_suppression",
                                                     {{"center", p.attributes().integer("center_point_box", 0)}},
                                                     inputs);
                                }};

const Tactic top_k_lines{.name = "top_k_lines",
                         .version = 1,
                         .sizes_results = true,
                         .accepts = [](const Problem& p) -> Refusal {
                           if (p.op() != "TopK") return refuse(p.op() + " is not TopK");
                           if (Refusal r = needs_plain(p); r.refused()) return r;
                           if (!kOrdered.has(p.input(0).dtype))
                             return refuse("elements of type " + std::string(name(p.input(0).dtype)));
                           return accept();
                         },
                         .configurations = nullptr,
                         .emit =
                             [](const Problem& p, const Config&) {
                               return emit_kernel("top_k",
                                                  {{"axis", axis_of(p, "axis", -1, rank(p.input(0)))},
                                                   {"largest", p.attributes().integer("largest", 1)}},
                                                  {0, 1});
                             }};

const Tactic running_values{.name = "running_values",
                            .version = 1,
                            .accepts = [](const Problem& p) -> Refusal {
                              if (p.op() != "CumSum" && p.op() != "CumProd")
                                return refuse(p.op() + " has no running values");
                              if (Refusal r = needs_plain(p); r.refused()) return r;
                              if (!kSummed.has(p.input(0).dtype))
                                return refuse("elements of type " + std::string(name(p.input(0).dtype)));
                              return accept();
                            },
                            .configurations = nullptr,
                            .emit =
                                [](const Problem& p, const Config&) {
                                  return emit_kernel("cumulative",
                                                     {{"product", int64_t{p.op() == "CumProd"}},
                                                      {"exclusive", p.attributes().integer("exclusive", 0)},
                                                      {"reverse", p.attributes().integer("reverse", 0)}},
                                                     {0, 1});
                                }};

const Tactic reverse_steps{.name = "reverse_steps",
                           .version = 1,
                           .accepts = [](const Problem& p) -> Refusal {
                             if (p.op() != "ReverseSequence") return refuse(p.op() + " is not ReverseSequence");
                             return needs_plain(p);
                           },
                           .configurations = nullptr,
                           .emit =
                               [](const Problem& p, const Config&) {
                                 return emit_kernel(
                                     "reverse_sequence",
                                     {{"time_first", int64_t{p.attributes().integer("time_axis", 0) == 0}}}, {0, 1});
                               }};

}  // namespace kiln::cpu::tactics
