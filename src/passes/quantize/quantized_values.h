// What the rules of quantization ask about values.
#pragma once
#include "passes/value_queries.h"

namespace kiln::passes {

// A value that a Dequantize makes of integers: (integers - zero_point) * scale.
struct Dequantized {
  Node* node = nullptr;
  Value* integers = nullptr;
  Value* scale = nullptr;
  Value* zero_point = nullptr;  // may be null
};
std::optional<Dequantized> dequantized(const Value* value);

// Positive, and far from where products of scales leave the normal numbers.
bool sound_scale(float scale);
// The scale as one number that is sound; nothing otherwise.
std::optional<float> one_scale(const Value* scale);
// The same for scales along `axis` of a tensor of this shape; one per index.
std::optional<std::vector<float>> scales_along(const Value* scale, const Shape& shape, int64_t axis);

bool is_finite(const Tensor& tensor);  // all its elements

// Of the largest weight: smaller ones are no part of the sums that it gives, in float32.
inline constexpr float kNegligibleWeight = 0x1p-24f;

inline constexpr TypeSet kByteTypes{DType::kI8, DType::kU8}, kWordTypes{DType::kI16, DType::kU16};
// Bytes less their zero point are signed bytes: signed ones without, or unsigned ones less 128.
bool centres_bytes(DType type, const Value* zero_point);
// Matrices of as many leading axes, none of which broadcasts.
bool multiplies_alike(const Value* a, const Value* b);
// Of one to three spatial dimensions. Convolutions of bytes over so many are products within these limits: three where they take volumes.
inline bool has_space(int64_t rank) { return rank >= 3 && rank <= 5; }
bool convolves_bytes(int64_t rank, const FusionLimits& limits);
inline constexpr const char* kOtherSpace =
    "x is neither a line nor an image, nor a volume where the target multiplies those in bytes";
// A product of bytes, with sums in int32: by constant weights lines, images or volumes, or matrices by one matrix; or matrices by as many
// centred ones. Targets finish such sums themselves.
bool is_integer_product(const Node& node);

bool reorders(const Node& node);           // its results are all elements of x
bool is_nearest_resize(const Node& node);  // its results are elements of x
bool pads_zeros(const Node& node);         // Pad by zeros or by elements of its own
// The inputs of such a Pad that pads integers instead; their zero point may be absent.
std::vector<PatchValue> padded_integers(Patch& patch, const Node& pad, PatchValue integers, Value* zero_point);

// Dimensions of a parameter per column: channels, with `inner` axes behind them, or the last axis.
Dims per_column(int64_t count, int64_t inner);

// Both absent (or zero), or constants with the same elements.
bool same_zero_points(const Value* a, const Value* b);
bool same_parameters(const Value* a, const Value* b);  // the same value, or identical constants

// The largest size of the dimension; nothing where only running tells.
std::optional<int64_t> largest_size(const Dim& dim, const PassOptions& options);

// Why the rule, which has a pattern, does not fire at the node; empty when it would.
std::string refusal(const Rule& rule, Node& node, const PassOptions& options);

}  // namespace kiln::passes
