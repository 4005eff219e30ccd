// One random call of an operator, and who makes it: a pointwise operator's follows from its schema, others have an entry in samplers/.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operators/draw.h"

namespace kiln::operators {

struct Input {
  enum Role { kData, kWeight, kParameter };  // seldom, often or mostly known when the engine is built
  Tensor value;                              // invalid: absent
  Role role = kData;
};

struct Sample {
  Attributes attributes;
  std::vector<Input> inputs;
  int outputs = 1;

  Sample& data(Tensor t) { return add(std::move(t), Input::kData); }
  Sample& weight(Tensor t) { return add(std::move(t), Input::kWeight); }
  Sample& parameter(Tensor t) { return add(std::move(t), Input::kParameter); }
  Sample& absent() { return add({}, Input::kData); }
  Sample& set(std::string name, Attribute value) {
    attributes.set(std::move(name), std::move(value));
    return *this;
  }

 private:
  Sample& add(Tensor t, Input::Role role) {
    inputs.push_back({std::move(t), role});
    return *this;
  }
};

// What it draws may be invalid now and then: what the reference refuses is drawn again.
using Sampler = std::function<Sample(Draw&)>;
struct Entry {
  std::string op;
  Sampler sampler;
};
using Entries = std::vector<Entry>;

inline int64_t rank_of(const Dims& dims) { return static_cast<int64_t>(dims.size()); }

// The families' entries.
Entries attention_samplers();
Entries cast_samplers();
Entries conv_samplers();
Entries index_samplers();
Entries math_samplers();
Entries matrix_samplers();
Entries ml_samplers();
Entries norm_samplers();
Entries pool_samplers();
Entries quantize_samplers();
Entries random_samplers();
Entries recurrent_samplers();
Entries reduce_samplers();
Entries resize_samplers();
Entries shape_samplers();
Entries signal_samplers();
Entries softmax_samplers();

// All of them.
const Entries& all_samplers();
// The sampler of an operator; null when it has none.
Sampler sampler_of(const OpDef& op);
// Types, broadcasting and attributes out of the schema.
Sample sample_pointwise(const OpDef& op, Draw& draw);

}  // namespace kiln::operators
