// What operators with squeeze-and-excite share: a factor for each channel of each image, which two 1x1 convolutions make of the mean of its
// pixels: with the weights `squeeze` [s,c,1,1] and `excite` [c,s,1,1], each followed by its activation (Hu et al. 2017, arXiv:1709.01507).
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// Inputs squeeze, squeeze_bias, excite and excite_bias, of x's type, and the attributes of the activations.
OpDef&& with_squeeze(OpDef&& op);
// Checks them for images of so many channels.
void require_squeeze(const ShapeCall& c, const Dim& channels);
// What the pointwise operator of that name makes of x.
Datum activated_by(const std::string& name, const Attributes& attributes, Datum x);
// Factors [n,c,1,1] of the image; `first` is the index of the input squeeze.
Datum squeeze_factors(const RefCall& c, Datum image, int first);

}  // namespace kiln::ops
