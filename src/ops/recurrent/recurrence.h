// What RNN, GRU and LSTM share: shapes, activations, directions, sequence lengths and the walk over time.
#pragma once
#include <functional>

#include "ops/op.h"

namespace kiln::ops {

// A cell with a state of its own beside its result: that of an LSTM.
enum class Cell : uint8_t { kPlain, kWithState };
// What recurrent operators share behind x and the weights: inputs b, sequence_lens, initial_h and initial_c, of x's type, the attributes of
// directions and layout, and results y, y_h and y_c; initial_c and y_c are those of a cell with a state.
OpDef&& with_recurrence(OpDef&& op, Cell cell);
// The attributes of the cell's activations.
OpDef&& with_activations(OpDef&& op, Strings defaults);
int64_t direction_count(const ShapeCall& c);
// What x holds: the inputs of the steps, or their products with the weights, [.., directions * gates * hidden], where there is no w.
enum class Terms : uint8_t { kInputs, kProducts };
// Shapes of y, y_h and y_c for inputs x, w, r, b with `gates` gates.
std::vector<OutputShape> recurrent_shapes(const ShapeCall& c, int64_t gates, Terms terms = Terms::kInputs);
// The cell's state and the peepholes of an LSTM, where they are present; `state` is the shape of y_c.
void check_cell(const ShapeCall& c, const Shape& state);

// The reference of each cell.
void run_gru(RefCall& call, Terms terms);
void run_lstm(RefCall& call, Terms terms);
void run_rnn(RefCall& call, Terms terms);

using Activation = std::function<double(double)>;  // clips its argument first, when the node clips

// One run of a recurrent operator. State vectors have one value per hidden unit.
class Recurrence {
 public:
  Recurrence(RefCall& c, int64_t gates, Strings default_activations, Terms terms);
  int64_t hidden() const { return hidden_; }
  // Activation `index` of a direction, in the order of the attribute.
  double activate(int64_t direction, size_t index, double x) const {
    return activations_[static_cast<size_t>(direction) * per_direction_ + index](x);
  }
  // state * R^T + Rb for the gates [first, last).
  std::vector<double> recurrent_part(int64_t direction, const std::vector<double>& state, int64_t first,
                                     int64_t last) const;
  // One time step: `input` is X * W^T + Wb for all gates; h and c are replaced.
  using Step = std::function<void(int64_t direction, const std::vector<double>& input, std::vector<double>& h,
                                  std::vector<double>& c)>;
  // Walks all sequences and writes the outputs. The cell state c is that of LSTM alone.
  void run(RefCall& c, const Step& step, bool has_cell) const;

 private:
  std::vector<double> input_part(int64_t direction, const double* x) const;
  void make_activations(RefCall& c, const Strings& defaults);

  int64_t gates_, seq_, batch_, input_, hidden_, directions_;
  bool batch_first_;
  Terms terms_;
  size_t per_direction_;
  std::vector<Activation> activations_;
  std::vector<double> x_, w_, r_,
      b_;  // w_ and r_ transposed per direction: [dir, input or hidden, gates * hidden]; w_ may be empty
};

}  // namespace kiln::ops
