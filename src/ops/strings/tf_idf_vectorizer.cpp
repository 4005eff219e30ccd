// TfIdfVectorizer: how often the n-grams of a pool occur in each row of tokens, numbers or strings; an n-gram may skip tokens.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// The pool's n-grams as a tree: tokens lead from node to node.
class Grams {
 public:
  explicit Grams(const Attributes& attributes) {
    const Strings words = attributes.texts("pool_strings", {});
    std::vector<int64_t> pool = attributes.ints("pool_int64s", {});
    require(words.empty() || pool.empty(), Code::kInvalidArgument,
            "TfIdfVectorizer has both pool_strings and pool_int64s");
    for (const std::string& word : words) pool.push_back(ids_.emplace(word, ids_.size()).first->second);
    const Ints &starts = attributes.ints("ngram_counts"), &columns = attributes.ints("ngram_indexes");
    size_t gram = 0;
    for (size_t n = 0; n < starts.size(); ++n) {
      const auto end = n + 1 < starts.size() ? starts[n + 1] : static_cast<int64_t>(pool.size());
      const auto length = static_cast<int64_t>(n) + 1;
      if (starts[n] < 0 || end < starts[n] || end > static_cast<int64_t>(pool.size()) ||
          (end - starts[n]) % length != 0)
        throw Error(Code::kInvalidArgument, "ngram_counts does not fit the pool of " + std::to_string(pool.size()));
      for (int64_t at = starts[n]; at < end; at += length, ++gram) {
        require(gram < columns.size(), Code::kInvalidArgument, "ngram_indexes has too few elements");
        add({pool.begin() + at, pool.begin() + at + length}, gram);
      }
    }
  }

  // The number of a token; a negative one when no n-gram holds the string.
  int64_t id(const std::string& word) const {
    const auto found = ids_.find(word);
    return found == ids_.end() ? -1 : found->second;
  }
  // The node that follows; -1 when there is none.
  int64_t follow(int64_t node, int64_t token) const {
    const auto found = edges_.find({node, token});
    return found == edges_.end() ? -1 : found->second;
  }
  // The n-gram that ends at the node; -1 when there is none.
  int64_t gram(int64_t node) const { return nth(grams_, node); }

 private:
  void add(const std::vector<int64_t>& tokens, size_t gram) {
    int64_t node = 0;
    for (int64_t token : tokens) {
      const auto [edge, added] = edges_.try_emplace({node, token}, static_cast<int64_t>(grams_.size()));
      if (added) grams_.push_back(-1);
      node = edge->second;
    }
    nth(grams_, node) = static_cast<int64_t>(gram);
  }

  std::map<std::string, int64_t> ids_;
  std::map<std::pair<int64_t, int64_t>, int64_t> edges_;
  std::vector<int64_t> grams_{-1};
};

struct GramLengths {
  int64_t least, most, skips;
};

GramLengths gram_lengths(const ShapeCall& c) {
  const GramLengths n{c.integer("min_gram_length"), c.integer("max_gram_length"), c.integer("max_skip_count")};
  if (n.least < 1 || n.most < n.least || n.skips < 0)
    throw Error(Code::kInvalidArgument, "n-grams of " + std::to_string(n.least) + " to " + std::to_string(n.most) +
                                            " tokens with " + std::to_string(n.skips) + " skips");
  return n;
}

int64_t column_count(const ShapeCall& c) {
  int64_t last = -1;
  for (int64_t column : c.ints("ngram_indexes")) {
    if (column < 0 || column > INT32_MAX)
      throw Error(Code::kInvalidArgument, "ngram_indexes holds " + std::to_string(column));
    last = std::max(last, column);
  }
  return last + 1;
}

OutputShape vectorizer_shape(ShapeCall& c) {
  require_rank(c, "X", 1, 2);
  gram_lengths(c);
  const std::string mode = c.text("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    throw Error(Code::kInvalidArgument, "mode '" + mode + "' is not TF, IDF or TFIDF");
  const bool weighs = c.has_attr("weights");
  if (weighs && c.attributes().reals("weights", {}).size() != c.ints("ngram_indexes").size())
    throw Error(Code::kInvalidArgument, "weights and ngram_indexes differ in length");
  Shape y = c.dims("X");
  y.back() = Dim(column_count(c));
  return y;
}

// Counts of one row. A distance is how far apart the tokens are; single tokens are counted once, whatever it is.
void count_row(const std::vector<int64_t>& row, const Grams& grams, const GramLengths& n,
               std::vector<int64_t>& counts) {
  const auto size = static_cast<int64_t>(row.size());
  for (int64_t distance = 1; distance <= std::min(n.skips, size) + 1; ++distance) {
    const int64_t least = distance == 1 ? n.least : std::max<int64_t>(n.least, 2);
    for (int64_t start = 0; start < size; ++start) {
      poll_work();
      int64_t node = 0, length = 1;
      for (int64_t at = start; at < size && length <= n.most; at += distance, ++length) {
        node = grams.follow(node, nth(row, at));
        if (node < 0) break;
        if (const int64_t gram = grams.gram(node); gram >= 0 && length >= least) ++nth(counts, gram);
      }
    }
  }
}

void vectorizer_reference(RefCall& c) {
  const Tensor& x = c.input("X");
  const Attributes& attributes = c.shapes().attributes();
  const Grams grams(attributes);
  const GramLengths lengths = gram_lengths(c.shapes());
  const Ints columns = c.ints("ngram_indexes");
  const Floats weights = attributes.reals("weights", Floats(columns.size(), 1.0));
  const std::string mode = c.text("mode");
  const int64_t width = x.dims().back(), rows = x.rank() == 2 ? x.dims()[0] : 1;
  auto y = c.output().as_mutable<float>();
  const size_t result_width = rows == 0 ? 0 : y.size() / static_cast<size_t>(rows);
  std::vector<int64_t> row(static_cast<size_t>(width)), counts(columns.size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width; ++i)
      nth(row, i) =
          x.dtype() == DType::kString ? grams.id(nth(x.string_values(), r * width + i)) : x.int_at(r * width + i);
    std::fill(counts.begin(), counts.end(), 0);
    count_row(row, grams, lengths, counts);
    for (size_t g = 0; g < counts.size(); ++g) {
      const auto count = static_cast<double>(mode == "IDF" ? std::min<int64_t>(counts[g], 1) : counts[g]);
      y[static_cast<size_t>(r) * result_width + static_cast<size_t>(columns[g])] +=
          static_cast<float>(mode == "TF" ? count : count * weights[g]);
    }
  }
}

}  // namespace

const OpDef tf_idf_vectorizer = op("TfIdfVectorizer")
                                    .input("X", TypeSet{DType::kString, DType::kI32, DType::kI64})
                                    .required_attr("mode", std::string(""))
                                    .required_attr("min_gram_length", int64_t{0})
                                    .required_attr("max_gram_length", int64_t{0})
                                    .required_attr("max_skip_count", int64_t{0})
                                    .required_attr("ngram_counts", Ints{})
                                    .required_attr("ngram_indexes", Ints{})
                                    .attr("pool_int64s", Ints{})
                                    .attr("pool_strings", Strings{})
                                    .attr("weights", Floats{})
                                    .output("Y", fixed_type(DType::kF32))
                                    .shape(vectorizer_shape)
                                    .reference(vectorizer_reference);

}  // namespace kiln::ops
