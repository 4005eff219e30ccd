// What the kernels of recurrent layers check and bind alike.
#pragma once
#include <span>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/recurrent_parameters.h"

namespace kiln::cuda::kernels {

// A recurrent layer of these parameters; shapes and addresses come at each preparation and launch.
class BoundLayer {
 public:
  explicit BoundLayer(const RecurrentParameters& parameters);

  // Operands behind the weights, each of which may be absent: bias, lengths, initial_h, initial_c, peepholes. Results: y, y_h, y_c.
  static constexpr size_t kOperands = 5;
  // Of x: [steps, batch, ...], or batch first.
  Status prepare(const TensorView& x, int64_t hidden, std::span<const TensorView> operands,
                 std::span<const TensorView> results);
  RecurrentLayer place(const TensorView& x, std::span<const TensorView> operands,
                       std::span<const TensorView> results) const noexcept;

  const RecurrentLayer& layer() const { return layer_; }
  int64_t gates() const { return gates_of(layer_.rules.cell); }
  bool resets_first() const { return layer_.rules.cell == Cell::kGru && !layer_.rules.linear; }
  int64_t states() const { return int64_t{layer_.directions} * layer_.batch * layer_.hidden; }
  // Rows of the weights of all directions.
  int64_t rows() const { return layer_.directions * gates() * layer_.hidden; }

 private:
  RecurrentLayer layer_ = {};
};

}  // namespace kiln::cuda::kernels
