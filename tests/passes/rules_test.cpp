// Every rule on pairs of graphs: tests/passes/<family>/<rule>.txt holds cases, divided by lines `=====`. A case is a graph before,
// a line `-----`, and the graph after, or `unchanged`. Both graphs are also run by the reference on random inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ir/text.h"
#include "passes/limits.h"
#include "passes/pass.h"

namespace kiln::passes {
namespace {

std::vector<std::string> split(const std::string& text, const std::string& divider) {
  std::vector<std::string> parts(1);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == divider) parts.emplace_back();
    else parts.back() += line + "\n";
  }
  return parts;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<const Rule*> all_rules() {
  std::vector<const Rule*> rules = canonical_rules();
  for (const Rule* r : fusion_rules()) rules.push_back(r);
  for (const Rule* r : precision_rules()) rules.push_back(r);
  for (const Rule* r : narrow_rules()) rules.push_back(r);
  for (const Rule* r : quantize_rules()) rules.push_back(r);
  return rules;
}

// The graph with values numbered in order, so that names of values do not matter; constants by content, rounded.
class Outline {
 public:
  explicit Outline(const Graph& g) {
    for (const Value* v : g.inputs()) number(v);
    for (const auto& n : g.nodes()) {
      text_ += n->name() + " = " + n->op_name() + "(";
      for (const Value* v : n->inputs()) text_ += name(v) + " ";
      text_ += ") " + to_string(n->attributes);
      for (const auto& post : n->post) {
        text_ += " + " + post.op->name() + to_string(post.attributes);
        for (int k : post.operands) text_ += " " + std::to_string(k);
      }
      for (const Value* v : n->outputs()) text_ += " -> " + std::to_string(number(v)) + ": " + v->type().str();
      if (n->declared != DType::kInvalid) text_ += " declared " + std::string(kiln::name(n->declared));
      for (const auto& o : n->origins) text_ += " <" + o + ">";
      text_ += "\n";
    }
    for (const Value* v : g.outputs()) text_ += "return " + v->name() + " " + name(v) + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  size_t number(const Value* v) { return numbers_.try_emplace(v, numbers_.size()).first->second; }
  std::string name(const Value* v) {
    if (!v) return "_";
    if (!v->constant()) return std::to_string(number(v));
    std::ostringstream out;
    out << v->constant()->type_string() << ":{" << std::setprecision(4);
    for (int64_t i = 0; i < std::min<int64_t>(v->constant()->size(), 16); ++i)
      out << (i ? "," : "") << v->constant()->at(i) + 0.0;
    return out.str() + "}";
  }
  std::map<const Value*, size_t> numbers_;
  std::string text_;
};

// Symbols become 3, so that dynamic graphs run too.
Dims dims_of(const Value& v) {
  Dims dims;
  for (const Dim& d : v.shape())
    dims.push_back(d.substitute([](const std::string&) { return std::optional<Dim>(3); }).value());
  return dims;
}

std::vector<Datum> run(const Graph& g) {
  std::vector<Datum> inputs;
  for (const Value* v : g.inputs()) inputs.emplace_back(ir::random_tensor(v->dtype(), dims_of(*v), inputs.size() + 1));
  return ir::evaluate(g, std::move(inputs));
}

// What a value of the narrowest type of the graph is rounded by.
double rounding_of(const Graph& g) {
  double rounding = 2e-4;
  for (const auto& n : g.nodes())
    for (const auto* list : {&n->outputs(), &n->inputs()})
      for (const Value* v : *list)
        if (v) rounding = std::max(rounding, v->dtype() == DType::kF16 ? 1e-3 : v->dtype() == DType::kBF16 ? 8e-3 : 0);
  return rounding;
}

void expect_close(const Tensor& a, const Tensor& b, double rounding) {
  ASSERT_EQ(a.type_string(), b.type_string());
  for (int64_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a.at(i)) && std::isnan(b.at(i))) continue;
    ASSERT_NEAR(a.at(i), b.at(i), rounding * (1 + std::abs(b.at(i)))) << "element " << i;
  }
}

void run_case(const Rule& rule, const std::string& text) {
  SCOPED_TRACE(rule.name + ":\n" + text);
  const auto halves = split(text, "-----");
  ASSERT_EQ(halves.size(), 2u) << "a case has two halves";
  const auto before = ir::parse_graph(halves[0]);
  ir::verify(*before);
  const auto after = before->clone();
  const Pass pass{"test", [&](Graph& g, PassContext& c) { apply_rules(g, {&rule}, c); }};
  const PassReport report = run_passes(*after, {pass}, {.limits = usual_limits()});
  if (halves[1].starts_with("unchanged")) {
    EXPECT_EQ(report.fired.size(), 0u);
    return;
  }
  EXPECT_GT(report.fired.size(), 0u);
  EXPECT_EQ(Outline(*after).text(), Outline(*ir::parse_graph(halves[1])).text());
  const auto wanted = run(*before), got = run(*after);
  ASSERT_EQ(wanted.size(), got.size());
  for (size_t i = 0; i < wanted.size(); ++i) expect_close(got[i].tensor, wanted[i].tensor, rounding_of(*after));
}

class RuleTest : public testing::TestWithParam<const Rule*> {};

TEST_P(RuleTest, Cases) {
  const std::filesystem::path root = std::filesystem::path(KILN_SOURCE_DIR) / "tests/passes";
  std::string text;
  for (const char* family : {"canonicalize", "fuse", "narrow", "precision", "quantize"}) {
    const auto path = root / family / (GetParam()->name + ".txt");
    if (std::filesystem::exists(path)) text = read(path);
  }
  ASSERT_FALSE(text.empty()) << "the rule has no cases";
  const auto cases = split(text, "=====");
  EXPECT_GE(cases.size(), 2u) << "a rule needs a case in which it must not fire";
  size_t unchanged = 0;
  for (const std::string& c : cases) {
    unchanged += c.find("-----\nunchanged") != std::string::npos;
    ASSERT_NO_THROW(run_case(*GetParam(), c)) << c;
  }
  EXPECT_GE(unchanged, 1u);
}

INSTANTIATE_TEST_SUITE_P(All, RuleTest, testing::ValuesIn(all_rules()), [](const auto& i) { return i.param->name; });

TEST(RuleList, NamesAreUnique) {
  std::set<std::string> names;
  for (const Rule* r : all_rules()) EXPECT_TRUE(names.insert(r->name).second) << r->name;
}

}  // namespace
}  // namespace kiln::passes
