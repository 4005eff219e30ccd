// Problems: their text and their key.
#include "base/error.h"
#include "base/index.h"
#include "target/target.h"

namespace kiln {

const Argument& Problem::input(int i) const {
  static const Argument absent;
  return i >= 0 && i < static_cast<int>(inputs.size()) ? nth(inputs, i) : absent;
}

namespace {

constexpr int64_t kKeyedConstantBytes = 1024;  // smaller constants are part of the problem

void append(std::string& text, const Argument& a) {
  if (!a.present) {
    text += " _";
    return;
  }
  text += " " + std::string(name(a.dtype)) + to_string(a.opt);
  if (!a.is_static) text += ".." + to_string(a.max);
  if (!a.layout.is_row_major()) text += ":" + to_string(a.layout);
  if (a.constant) text += "c";
}

void append_value(std::string& text, const Argument& a) {
  if (!a.constant || a.constant->dtype() == DType::kString || a.constant->bytes() > kKeyedConstantBytes) return;
  text += "=" + hash128({static_cast<const char*>(a.constant->data()), static_cast<size_t>(a.constant->bytes())}).hex();
}

}  // namespace

std::string Problem::str() const {
  std::string text = op();
  for (const Argument& a : inputs) append(text, a);
  for (const ir::PostOp& post : node->post) text += " + " + post.op->name();
  text += " ->";
  for (const Argument& a : outputs) append(text, a);
  return text;
}

namespace {

// "a, b and c"
std::string listed(const std::vector<std::string_view>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 < words.size() ? ", " : " and ") + std::string(words[i]);
  return text;
}

}  // namespace

Refusal Tactic::refusal(const Problem& problem) const {
  if (!ops.empty() && std::find(ops.begin(), ops.end(), problem.op()) == ops.end())
    return refuse("is for " + listed(ops));
  return accepts(problem);
}

TacticList::TacticList(std::vector<const Tactic*> all) : all_(std::move(all)) {
  for (const Tactic* tactic : all_)
    for (std::string_view op : tactic->ops) of_[op];
  for (const Tactic* tactic : all_) {
    if (tactic->ops.empty()) for_any_.push_back(tactic);
    for (auto& [op, list] : of_)
      if (tactic->ops.empty() || std::find(tactic->ops.begin(), tactic->ops.end(), op) != tactic->ops.end())
        list.push_back(tactic);
  }
}

std::set<std::string, std::less<>> TacticList::ops() const {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, tactics] : of_) names.emplace(name);
  return names;
}

const std::vector<const Tactic*>& TacticList::of(std::string_view op) const {
  const auto it = of_.find(op);
  return it == of_.end() ? for_any_ : it->second;
}

Hash128 Problem::key() const {
  std::string text = str() + " " + to_string(attributes()) + " threads " + std::to_string(threads);
  if (sizes_results) text += " sizes results";
  if (tf32) text += " tf32";
  if (node->precision != DType::kInvalid) text += " in " + std::string(name(node->precision));
  if (node->keeps != DType::kInvalid) text += " keeps " + std::string(name(node->keeps));
  for (const auto* arguments : {&inputs, &outputs})
    for (const Argument& a : *arguments)
      if (!a.min.empty()) text += " from " + to_string(a.min);
  for (const Argument& a : inputs) append_value(text, a);
  for (const ir::PostOp& post : node->post) {
    text += " " + post.op->name() + to_string(post.attributes);
    for (int operand : post.operands) text += " " + std::to_string(operand);
  }
  return hash128(text);
}

}  // namespace kiln
