// Parsing of graphs.
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/work.h"
#include "ir/text.h"
#include "tensor/number_text.h"

namespace kiln::ir {
namespace {

constexpr int kMaxNesting = 32;
constexpr int64_t kMaxRandomElements = int64_t{1} << 26;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == '-';
}

using Scope = std::map<std::string, Value*, std::less<>>;

struct Result {
  std::string name;
  std::optional<EdgeType> type;
  Layout layout;
};

class Parser {
 public:
  Parser(std::string_view text, const TensorMap& constants) : text_(text), constants_(constants) {}

  std::unique_ptr<Graph> whole() {
    try {
      auto graph = parse();
      skip();
      if (position_ != text_.size()) fail("text follows the graph");
      return graph;
    } catch (const Error& error) {
      check_work();
      if (error.code() == Code::kOutOfMemory) throw;
      throw Error(Code::kInvalidArgument, "malformed graph at " + place())
          .node(error.node())
          .cause(error.message() + (error.cause().empty() ? "" : ": " + error.cause()));
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(Code::kInvalidArgument, what); }

  std::string place() const {
    std::string_view before = text_.substr(0, std::min(position_, text_.size()));
    before = before.substr(0, before.find_last_not_of(" \t\r\n") + 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t last = before.rfind('\n');
    const size_t column = last == std::string_view::npos ? before.size() + 1 : before.size() - last;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip() {
    for (;;) {
      while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++position_;
      if (!text_.substr(position_).starts_with("//")) return;
      position_ = std::min(text_.find('\n', position_), text_.size());
    }
  }

  bool take(char c) {
    skip();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' is missing");
  }

  std::string_view word() {
    skip();
    const size_t start = position_;
    while (is_word(peek())) ++position_;
    if (position_ == start) fail("a name is missing");
    return text_.substr(start, position_ - start);
  }

  bool take_word(std::string_view wanted) {
    skip();
    if (!text_.substr(position_).starts_with(wanted)) return false;
    const size_t end = position_ + wanted.size();
    if (end < text_.size() && is_word(text_[end])) return false;
    position_ = end;
    return true;
  }

  std::string plain_or_quoted() {
    skip();
    return peek() == '"' ? parse_quoted(text_, position_) : std::string(word());
  }

  template <class T> T integer() {
    skip();
    T value = 0;
    const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("a number is missing or out of range");
    position_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  const OpDef* operation() {
    const std::string name(word());
    const OpDef* op = find_op(name);
    if (!op) fail("there is no operator '" + name + "'");
    return op;
  }

  DType dtype() {
    const std::string name(word());
    const auto type = dtype_from_name(name);
    if (!type) fail("'" + name + "' is not an element type");
    return *type;
  }

  // One dimension: up to a comma or bracket that no parenthesis or quote holds.
  Dim dim() {
    skip();
    const size_t start = position_;
    int depth = 0;
    bool in_quote = false;
    for (; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (in_quote && c == '\\') {
        ++position_;
        continue;
      }
      if (c == '\'') in_quote = !in_quote;
      if (in_quote) continue;
      if (c == '\n' || (depth == 0 && (c == ',' || c == ']'))) break;
      depth += (c == '(') - (c == ')');
    }
    const std::string_view text = text_.substr(start, std::min(position_, text_.size()) - start);
    position_ = start;
    Dim result = Dim::parse(text);
    position_ += text.size();
    return result;
  }

  TensorType tensor_type() {
    TensorType type;
    type.dtype = dtype();
    expect('[');
    if (take('*')) {
      type.ranked = false;
      expect(']');
      return type;
    }
    if (take(']')) return type;
    do {
      type.shape.push_back(dim());
      if (type.shape.back().is_constant() && type.shape.back().value() < 0) fail("a dimension is negative");
    } while (take(','));
    expect(']');
    return type;
  }

  EdgeType edge_type() {
    EdgeType type;
    const bool optional = take_word("optional");
    if (optional) expect('(');
    const bool sequence = take_word("seq");
    if (sequence) expect('(');
    type.tensor = tensor_type();
    if (sequence) expect(')');
    if (optional) expect(')');
    type.kind = optional ? Datum::kOptional : sequence ? Datum::kSequence : Datum::kTensor;
    type.optional_of_sequence = optional && sequence;
    return type;
  }

  Layout layout() {
    if (!take_word("layout")) return {};
    skip();
    const size_t start = position_;
    while (is_word(peek()) || peek() == ':') ++position_;
    return parse_layout(text_.substr(start, position_ - start));
  }

  Value* value(const Scope& scope) {
    if (take_word("_")) return nullptr;
    expect('%');
    const std::string name = plain_or_quoted();
    auto it = scope.find(name);
    if (it == scope.end()) fail("'%" + name + "' is not defined before its use");
    return it->second;
  }

  Result result() {
    Result r;
    expect('%');
    r.name = plain_or_quoted();
    if (take(':')) {
      r.type = edge_type();
      r.layout = layout();
    }
    return r;
  }

  void define(Scope& scope, Value* v, const std::string& name) {
    if (v->name() != name || !scope.emplace(name, v).second) fail("'%" + name + "' is defined twice");
  }

  std::unique_ptr<Graph> parse() {
    if (++depth_ > kMaxNesting) fail("graphs are nested too deeply");
    if (!take_word("graph")) fail("'graph' is missing");
    auto graph = std::make_unique<Graph>();
    graph->name = plain_or_quoted();
    graph->depth = depth_ - 1;
    Scope scope;
    expect('(');
    if (!take(')')) {
      do {
        Result r = result();
        if (!r.type) fail("an input of a graph needs its type");
        Value* v = graph->add_input(r.name, *r.type);
        v->layout = r.layout;
        define(scope, v, r.name);
      } while (take(','));
      expect(')');
    }
    expect('{');
    while (!take_word("return")) statement(*graph, scope);
    std::vector<Value*> outputs;
    if (!take('}')) {
      do {
        Value* v = value(scope);
        if (!v) fail("a graph cannot return '_'");
        outputs.push_back(v);
      } while (take(','));
      expect('}');
    }
    graph->set_outputs(std::move(outputs));
    --depth_;
    return graph;
  }

  void statement(Graph& graph, Scope& scope) {
    std::vector<Result> results;
    do results.push_back(result());
    while (take(','));
    expect('=');
    if (auto tensor = constant_tensor()) {
      if (results.size() != 1 || results[0].type) fail("a constant has one name and no type before '='");
      Value* v = graph.add_constant(std::move(*tensor), results[0].name);
      v->layout = layout();
      define(scope, v, results[0].name);
      return;
    }
    node(graph, scope, results);
  }

  std::optional<Tensor> constant_tensor() {
    if (take_word("constant")) {
      skip();
      Attribute value = parse_attribute(text_, position_);
      if (Tensor* t = std::get_if<Tensor>(&value); t && t->valid()) return *t;
      fail("a constant needs a tensor");
    }
    if (take_word("random")) {
      const TensorType type = tensor_type();
      if (!take_word("seed")) fail("'seed' is missing");
      return random_tensor(type.dtype, static_dims(type.shape), integer<uint64_t>());
    }
    if (!take('@')) return std::nullopt;
    const std::string name = plain_or_quoted();
    auto it = constants_.find(name);
    if (it == constants_.end()) fail("no constant '@" + name + "' is given");
    const TensorType type = tensor_type();
    if (type != TensorType{it->second.dtype(), to_shape(it->second.dims()), true})
      fail("'@" + name + "' is " + it->second.type_string() + ", the text says " + type.str());
    return it->second;
  }

  std::vector<Value*> arguments(const Scope& scope) {
    std::vector<Value*> list;
    expect('(');
    if (take(')')) return list;
    do list.push_back(value(scope));
    while (take(','));
    expect(')');
    return list;
  }

  Attributes attributes() {
    skip();
    return peek() == '{' ? parse_attributes(text_, position_) : Attributes();
  }

  struct Post {
    const OpDef* op;
    Attributes attributes;
    std::vector<int> operands;  // -1, k of `#k`, or -2 for the next of `extra`
    std::vector<Value*> extra;
  };

  Post post_op(const Scope& scope) {
    Post post;
    post.op = operation();
    if (!post.op->is_pointwise()) fail(post.op->name() + " is not pointwise");
    expect('(');
    do {
      if (take('.')) {
        post.operands.push_back(-1);
      } else if (take('#')) {
        post.operands.push_back(std::max(0, integer<int>()));
      } else {
        Value* v = value(scope);
        if (!v) fail("an operand of a post-operation cannot be '_'");
        post.operands.push_back(-2);
        post.extra.push_back(v);
      }
    } while (take(','));
    expect(')');
    post.attributes = attributes();
    return post;
  }

  void append(Node& n, Post post) {
    int next = static_cast<int>(n.inputs().size());
    const int end = next + static_cast<int>(post.extra.size());
    for (int& k : post.operands) {
      if (k == -2) k = next++;
      if (k >= end) fail("'#" + std::to_string(k) + "' is no input of the node");
    }
    n.add_post_op({post.op, std::move(post.attributes), {}}, std::move(post.extra));
    n.post.back().operands = std::move(post.operands);
  }

  std::vector<std::string> origins() {
    std::vector<std::string> list;
    if (!take_word("from")) return list;
    expect('[');
    do {
      skip();
      list.push_back(parse_quoted(text_, position_));
    } while (take(','));
    expect(']');
    return list;
  }

  void node(Graph& graph, Scope& scope, const std::vector<Result>& results) {
    NodeSpec spec;
    spec.op = operation();
    skip();
    const std::string wanted = peek() == '"' ? parse_quoted(text_, position_) : "";
    spec.name = wanted;
    spec.inputs = arguments(scope);
    spec.attributes = attributes();
    std::vector<Post> posts;
    while (take('+')) posts.push_back(post_op(scope));
    if (take_word("in")) spec.precision = dtype();
    if (take_word("declared")) spec.declared = dtype();
    if (take_word("keeps")) spec.keeps = dtype();
    spec.origins = origins();
    if (take_word("regions")) {
      expect('{');
      while (!take('}')) spec.regions.push_back(parse());
    }
    if (static_cast<int>(spec.regions.size()) != spec.op->region_count())
      fail(spec.op->name() + " has " + std::to_string(spec.op->region_count()) + " regions, " +
           std::to_string(spec.regions.size()) + " are given");
    spec.output_count = static_cast<int>(results.size());
    for (const Result& r : results) spec.output_names.push_back(r.name);
    Node* n = graph.add_node(std::move(spec));
    if (!wanted.empty() && n->name() != wanted) fail("the node name '" + wanted + "' occurs twice");
    for (Post& p : posts) append(*n, std::move(p));
    if (!posts.empty()) graph.infer(*n);
    for (size_t i = 0; i < results.size(); ++i) finish(scope, n->output(static_cast<int>(i)), results[i]);
  }

  void finish(Scope& scope, Value* v, const Result& r) {
    if (r.type && !(*r.type == v->type()))
      fail("'%" + r.name + "' is " + v->type().str() + ", the text says " + r.type->str());
    v->layout = r.layout;
    define(scope, v, r.name);
  }

  std::string_view text_;
  const TensorMap& constants_;
  size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace

std::unique_ptr<Graph> parse_graph(std::string_view text, const TensorMap& constants) {
  return Parser(text, constants).whole();
}

Tensor random_tensor(DType type, const Dims& dims, uint64_t seed) {
  if (is_complex(type) || type == DType::kString || type == DType::kInvalid)
    throw Error(Code::kInvalidArgument, "no random " + std::string(name(type)));
  const auto count = checked_element_count(dims);
  if (!count || *count > kMaxRandomElements)
    throw Error(Code::kInvalidArgument, "a random tensor of " + to_string(dims) + " is too large");
  Tensor t = Tensor::allocate(type, dims);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (int64_t i = 0; i < t.size(); ++i) {
    state += 0x9E3779B97F4A7C15u;  // splitmix64
    uint64_t z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    if (is_float(type)) t.set(i, static_cast<double>(z >> 11) * 0x1p-52 - 1);
    else if (type == DType::kBool) t.set_int(i, static_cast<int64_t>(z & 1));
    else t.set_int(i, static_cast<int64_t>(z % 9) - (is_signed_integer(type) ? 4 : 0));
  }
  return t;
}

}  // namespace kiln::ir
