// Kernel "attention": inputs q, k, v of [batch, heads, sequence, size] or [batch, sequence, heads * size], and a mask (bool, float32
// or like q; may be absent). float32, float16 or bfloat16.
#include <cmath>
#include <optional>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/conv_boxes.h"
#include "backends/cuda/device/kernels/heads.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kChunkElements = 64;   // of a head, on tensor cores
constexpr int64_t kMostShortKeys = 512;  // beyond, larger blocks of queries pay
constexpr int64_t kRegionSlack = 1024;   // bytes to begin regions of shared memory at a multiple of
constexpr float kLeastScale = 1e-25f;    // on tensor cores, where masks are divided by it

// Chunks that hold a head, as there are kernels for.
int chunks_of(int64_t size) { return size <= kChunkElements ? 1 : size <= 2 * kChunkElements ? 2 : 4; }

// Rows of the head are whole aligned words.
bool in_words(const Heads& h, int bytes) {
  const auto whole = [bytes](int64_t n) { return n * bytes % kWord == 0; };
  return whole(h.size) && whole(h.strides.batch) && whole(h.strides.head) && whole(h.strides.row);
}

// Heads as the copy engine sees them: an axis of one element lies anywhere. Nothing when elements of an axis share a place.
std::optional<ImageView> image_of_heads(const Heads& h) {
  ImageView image{.batch = h.batch, .channels = h.size, .height = h.heads, .width = h.rows, .channel_stride = 1};
  image.pixel_stride = h.rows == 1 ? align_up(h.size, kWord) : h.strides.row;
  image.row_stride = h.heads == 1 ? image.pixel_stride : h.strides.head;
  image.batch_stride = h.batch == 1 ? image.pixel_stride : h.strides.batch;
  if (std::min({image.pixel_stride, image.row_stride, image.batch_stride}) < 1) return std::nullopt;
  return image;
}

class AttentionKernel final : public Kernel {
 public:
  AttentionKernel(Gpu& gpu, const BlockAttentionParameters& p)
      : gpu_(gpu),
        q_heads_(p.attention.q_heads),
        kv_heads_(p.attention.kv_heads),
        causal_(p.attention.causal),
        mask_period_(static_cast<int32_t>(p.attention.mask_period)),
        block_(p.choice.queries) {
    if (p.attention.scale) scale_ = static_cast<float>(*p.attention.scale);
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 4 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "attention has other operands"};
      const DType type = call.inputs[0].dtype;
      for (const TensorView& v : {call.inputs[0], call.inputs[1], call.inputs[2], call.outputs[0]})
        if (!float_suffix(type) || v.dtype != type)
          return {Code::kMalformedPlan, "the operands of attention are all float32, all float16 or all bfloat16"};
      const auto q = as_heads(call.inputs[0], q_heads_), k = as_heads(call.inputs[1], kv_heads_),
                 v = as_heads(call.inputs[2], kv_heads_), y = as_heads(call.outputs[0], q_heads_);
      if (!q || !k || !v || !y || q->batch != k->batch || q->batch != v->batch || q->batch != y->batch ||
          q->size != k->size || k->rows != v->rows || k->heads != v->heads || q->heads != y->heads ||
          q->rows != y->rows || v->size != y->size || k->heads < 1 || q->heads % k->heads != 0)
        return {Code::kShapeMismatch, "the operands of attention do not fit each other"};
      for (int64_t n : {q->rows, k->rows, q->size, v->size})
        if (n > INT32_MAX) return {Code::kUnsupported, "a sequence of attention is too long"};
      if (q->heads > UINT16_MAX || q->batch > UINT16_MAX)
        return {Code::kUnsupported, "attention has too many heads or batches"};
      arguments_ = {};
      AttentionArguments& a = arguments_;
      a.q_at = q->strides, a.k_at = k->strides, a.v_at = v->strides, a.y_at = y->strides;
      const auto narrow = [](int64_t n) { return static_cast<int32_t>(n); };
      a.batch = narrow(q->batch);
      a.heads = narrow(q->heads);
      a.heads_per_key_head = narrow(q->heads / k->heads);
      a.queries = narrow(q->rows);
      a.keys = narrow(k->rows);
      a.size = narrow(q->size);
      a.value_size = narrow(v->size);
      a.causal = causal_;
      a.scale = scale_.value_or(1 / std::sqrt(static_cast<float>(q->size)));
      a.inverse_scale = 1 / a.scale;
      KILN_RETURN_IF_ERROR(read_mask(call.inputs[3], type));
      const int bytes = element_bytes(type);
      fast_ =
          bytes == 2 && gpu_.chip().has_cp_async() && in_words(*q, bytes) && in_words(*k, bytes) &&
          in_words(*v, bytes) && in_words(*y, bytes) && std::max(q->size, v->size) <= 4 * kChunkElements &&
          k->rows > 0 && a.scale > kLeastScale &&
          block_shared(chunks_of(std::max(q->size, v->size)), mask_rows(kQueryRows)) <= gpu_.chip().shared_per_block;
      return choose(type, {*q, *k, *v, *y});
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    AttentionArguments a = arguments_;
    a.q = call.inputs[0].data, a.k = call.inputs[1].data, a.v = call.inputs[2].data, a.mask = call.inputs[3].data;
    a.y = call.outputs[0].data;
    bool aligned = fast_;
    for (const void* p : {a.q, a.k, a.v, static_cast<const void*>(a.y)}) aligned = aligned && is_aligned(p, kWord);
    return aligned && streams_ ? launch_stream(stream, a) : gpu_.launch(stream, aligned ? tiles_ : single_, a);
  }

 private:
  struct Operands {
    Heads q, k, v, y;
  };

  Status launch_stream(Stream& stream, const AttentionArguments& a) noexcept {
    if (tiles_.grid[0] == 0) return kOkStatus;
    KILN_RETURN_IF_ERROR(q_map_.place(gpu_, a.q));
    KILN_RETURN_IF_ERROR(k_map_.place(gpu_, a.k));
    KILN_RETURN_IF_ERROR(v_map_.place(gpu_, a.v));
    KILN_RETURN_IF_ERROR(y_map_.place(gpu_, a.y));
    static_cast<AttentionArguments&>(stream_arguments_) = a;
    return gpu_.launch(stream, tiles_, q_map_.map(), k_map_.map(), v_map_.map(), y_map_.map(), stream_arguments_);
  }

  Status read_mask(const TensorView& mask, DType type) {
    AttentionArguments& a = arguments_;
    a.mask_period = std::max(a.batch, 1);
    if (!mask.present()) return kOkStatus;
    if (mask.dtype == DType::kBool) a.mask_kind = MaskKind::kAllowed;
    else if (mask.dtype == DType::kF32) a.mask_kind = MaskKind::kAddedF32;
    else if (mask.dtype == type) a.mask_kind = MaskKind::kAddedLikeQ;
    else return {Code::kMalformedPlan, "the mask of attention is bool, float32 or like the queries"};
    if (!is_plain(mask) || mask.rank < 1 || mask.rank > 4 || mask.dims[mask.rank - 1] != a.keys)
      return {Code::kShapeMismatch, "the mask of attention has another number of keys"};
    if (mask_period_ > 0 && a.batch % mask_period_ == 0) a.mask_period = mask_period_;
    const int64_t to[] = {a.mask_period, a.heads, a.queries, a.keys};
    int64_t strides[4] = {};
    for (int i = 0; i < 4; ++i) {
      const int axis = i - (4 - mask.rank);
      if (axis < 0) continue;
      if (mask.dims[axis] != 1 && mask.dims[axis] != to[i])
        return {Code::kShapeMismatch, "the mask of attention does not broadcast to its scores"};
      strides[i] = mask.dims[axis] == 1 ? 0 : mask.strides[axis];
    }
    a.mask_at = {strides[0], strides[1], strides[2]};
    a.mask_key = strides[3];
    return kOkStatus;
  }

  // Of a block of so many queries.
  int mask_rows(int queries) const { return arguments_.mask_at.row == 0 ? 1 : queries; }

  Status choose(DType type, const Operands& operands) {
    const std::string suffix = float_suffix(type);
    const AttentionArguments& a = arguments_;
    const int64_t scores = align_up(int64_t{a.keys} * 4, kWord);  // they are read by words
    single_ = {};
    if (scores <= gpu_.chip().shared_per_block - 1024)
      single_ = launch_of("attention", "attention_any" + suffix, static_cast<unsigned>(a.queries), kAttentionThreads,
                          static_cast<int>(scores));
    else if (!fast_)
      return {Code::kUnsupported, "a sequence of attention is too long for this type, size or alignment of its heads"};
    streams_ = false;
    if (!fast_) return kOkStatus;
    const int chunks = chunks_of(std::max(a.size, a.value_size));
    if (!choose_stream(type, chunks, operands) && !choose_short(suffix, chunks))
      tiles_ =
          launch_of("attention", "attention" + suffix + "_" + std::to_string(chunks), blocks_for(a.queries, kQueryRows),
                    kAttentionThreads, block_shared(chunks, mask_rows(kQueryRows)));
    return kOkStatus;
  }

  // Many queries, whose heads have one row of the mask each, or none. False: there is no such kernel, or too little for it to do.
  bool choose_stream(DType type, int chunks, const Operands& o) {
    const AttentionArguments& a = arguments_;
    const auto q = image_of_heads(o.q), k = image_of_heads(o.k), v = image_of_heads(o.v), y = image_of_heads(o.y);
    const int64_t tiles = ceil_div(a.queries, int64_t{kStreamQueries}),
                  shared = stream_attention_shared(chunks) + kRegionSlack;
    const int64_t items = tiles * a.heads * a.batch, reach = mul_or_throw(a.keys, a.mask_key, "the mask of attention");
    const bool seems_best = block_ == 0 && a.queries >= kQueryRows && items >= gpu_.chip().multiprocessors;
    if (!(block_ == kStreamQueries || seems_best) || !gpu_.chip().has_wgmma() || chunks > 2 || a.mask_at.row != 0 ||
        !q || !k || !v || !y || shared > gpu_.chip().shared_per_block || std::max(items, reach) > INT32_MAX)
      return false;
    stream_arguments_ = {};
    stream_arguments_.items = static_cast<uint32_t>(items);
    stream_arguments_.mask_step = static_cast<int32_t>(a.mask_key);
    stream_arguments_.tiles = divisor(tiles);
    stream_arguments_.head_count = divisor(a.heads);
    stream_arguments_.key_share = divisor(a.heads_per_key_head);
    stream_arguments_.period = divisor(a.mask_period);
    q_map_.plan(*q, a.size, type, {kStreamQueries, 1, 1}, 1, 1);
    k_map_.plan(*k, a.size, type, {kKeyRows, 1, 1}, 1, 1);
    v_map_.plan(*v, a.value_size, type, {kKeyRows, 1, 1}, 1, 1);
    y_map_.plan(*y, a.value_size, type, {kQueryRows, 1, 1}, 1, 1);
    tiles_ = launch_of("attention_stream",
                       "attention_stream" + std::string(float_suffix(type)) + "_" + std::to_string(chunks), 1,
                       kStreamAttentionThreads, static_cast<int>(shared));
    const int64_t room = int64_t{gpu_.chip().multiprocessors} * stream_attention_blocks(chunks);
    tiles_.grid = {blocks_for(std::min(items, room), 1), 1, 1};
    return streams_ = true;
  }

  // Few queries a block when there are too few for all multiprocessors. False: there is no such kernel.
  bool choose_short(const std::string& suffix, int chunks) {
    const AttentionArguments& a = arguments_;
    const int64_t blocks = ceil_div(a.queries, 16) * a.heads * a.batch, many = 2 * int64_t{gpu_.chip().multiprocessors};
    const int64_t block = block_ != 0 ? block_ : blocks > 4 * many ? kQueryRows : blocks > many ? 32 : 16;
    if (block >= kQueryRows) return false;
    const int tiles = chunks == 1 && block == 32 ? 2 : 1;
    const auto warps = static_cast<int>(std::min<int64_t>(ceil_div(a.keys, kShortKeys), kShortWarps));
    const int shared = short_shared(chunks, tiles, warps, mask_rows(16 * tiles));
    if (chunks > 2 || a.keys > kMostShortKeys || shared > gpu_.chip().shared_per_block) return false;
    tiles_ = launch_of("attention_short",
                       "attention_short" + suffix + "_" + std::to_string(chunks) + "_" + std::to_string(tiles),
                       blocks_for(a.queries, 16 * tiles), warps * 32, shared);
    return true;
  }

  Launch launch_of(const char* module, const std::string& name, unsigned blocks, int threads, int shared) {
    return {gpu_.function(module, name, shared),
            {blocks, static_cast<unsigned>(arguments_.heads), static_cast<unsigned>(arguments_.batch)},
            static_cast<unsigned>(threads),
            static_cast<unsigned>(shared)};
  }

  Gpu& gpu_;
  int64_t q_heads_, kv_heads_;
  bool causal_;
  int32_t mask_period_;
  int64_t block_;
  std::optional<float> scale_;
  AttentionArguments arguments_ = {};
  bool fast_ = false;  // when addresses are aligned too
  Launch tiles_, single_;
  bool streams_ = false;  // tiles_ is of a kernel with maps of its operands
  StreamAttentionArguments stream_arguments_ = {};
  PixelMap q_map_, k_map_, v_map_, y_map_;
};

}  // namespace

std::unique_ptr<Kernel> make_attention(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<AttentionKernel>(gpu, read_parameters<BlockAttentionParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
