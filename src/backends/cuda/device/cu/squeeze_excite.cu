// Squeeze-and-excite in one kernel: the blocks of a cluster share one image after the other, of which each may keep its part in shared
// memory, where the next may come meanwhile. The first product is linear in the means, so blocks exchange nothing but their parts of its sums, in two places in turn: who is
// ahead by an image writes where nobody reads. The second product each block does for its own channels. Where the sums of pixels are known
// already, what is left are the factors.
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/hopper.cuh"
#include "backends/cuda/device/cu/squeeze_excite.h"

namespace kiln::cuda {
namespace {

// What a block sent before the beginning the others have after the end. A block may be alone.
__device__ inline void begin_exchange(uint32_t blocks) {
#if __CUDA_ARCH__ >= 900
  if (blocks > 1) arrive_at_cluster();
#endif
}
__device__ inline void end_exchange(uint32_t blocks) {
#if __CUDA_ARCH__ >= 900
  if (blocks > 1) wait_for_cluster();
#endif
}

template <class T, int kThreads> class SqueezeBlock {
 public:
  __device__ SqueezeBlock(const SqueezeExciteArguments& arguments, char* shared) : a_(arguments) {
    const SqueezeFloats floats = squeeze_floats(kThreads, a_.slice_words, kLanes, a_.hidden, a_.excite_words, a_.blocks);
    all_kept_ = kept_ = reinterpret_cast<Word*>(shared);
    weights_ = kept_ + (1 + a_.ahead) * a_.kept_words;
    sums_ = reinterpret_cast<float*>(weights_ + a_.weight_words);
    groups_ = sums_ + floats.sums;
    means_ = groups_ + floats.groups;
    factors_ = means_ + floats.channels;
    all_parts_ = factors_ + floats.channels;
    hidden_ = all_parts_ + floats.parts;
    rank_ = blockIdx.x % a_.blocks;
    const uint32_t slice = rank_ % a_.slices, part = rank_ / a_.slices, parts = a_.blocks / a_.slices;
    word0_ = a_.words * slice / a_.slices;
    width_ = a_.words * (slice + 1) / a_.slices - word0_;
    first_ = uint64_t{a_.pixels} * part / parts;
    count_ = uint64_t{a_.pixels} * (part + 1) / parts - first_;
    rows_ = kThreads / width_;
    row_ = threadIdx.x / width_;
    word_ = threadIdx.x - row_ * width_;
  }

  __device__ void run() {
    let_next_start();
    begin_exchange(a_.blocks);
    if (!a_.weights_are_constant) wait_for_inputs();
    copy_weights();
    wait_for_inputs();
    end_exchange(a_.blocks);  // all blocks are there to be written to
    const uint32_t step = gridDim.x / a_.blocks;
    if (a_.ahead) copy_pixels(blockIdx.x / a_.blocks, all_kept_);
    wait_for_copies<0>();
    for (uint32_t image = blockIdx.x / a_.blocks, turn = 0; image < a_.images; image += step, turn ^= 1) {
      pixel0_ = int64_t{image} * a_.pixels + first_;
      parts_ = all_parts_ + turn * a_.blocks * a_.hidden;
      if (a_.ahead) {
        kept_ = all_kept_ + turn * a_.kept_words;
        wait_for_copies<0>();
        add_kept_pixels();
        if (image + step < a_.images) copy_pixels(image + step, all_kept_ + (turn ^ 1) * a_.kept_words);
      } else {
        add_pixels();
      }
      __syncthreads();
      average();
      make_factors();
      scale();
    }
  }

  // Of images whose pixels are summed up.
  __device__ void run_on_sums() {
    let_next_start();
    begin_exchange(a_.blocks);
    if (!a_.weights_are_constant) wait_for_inputs();
    copy_weights();
    wait_for_inputs();
    end_exchange(a_.blocks);
    wait_for_copies<0>();
    const uint32_t step = gridDim.x / a_.blocks;
    for (uint32_t image = blockIdx.x / a_.blocks, turn = 0; image < a_.images; image += step, turn ^= 1) {
      parts_ = all_parts_ + turn * a_.blocks * a_.hidden;
      add_sums(image);
      make_factors();
      store_factors(image);
    }
  }

 private:
  static constexpr int kLanes = 16 / sizeof(T);
  using Word = Pack<T, kLanes>;

  __device__ uint32_t channels() const { return width_ * kLanes; }

  // The block's weights: of all rows of the first product its slice of words, and whole rows of the second.
  __device__ void copy_weights() const {
    if (a_.weight_words == 0) return;
    const Word* squeeze = static_cast<const Word*>(a_.squeeze) + word0_;
    const uint32_t first = a_.hidden * width_, second = channels() * a_.excite_words, to = shared_address(weights_);
    const uint32_t gap = squeeze_row_words(a_.excite_words) - a_.excite_words;
    for (uint32_t i = threadIdx.x; i < first; i += kThreads) {
      const uint32_t row = i / width_;
      copy_piece(to + i * kPieceBytes, squeeze + row * a_.words + (i - row * width_), true);
    }
    const Word* excite = static_cast<const Word*>(a_.excite) + word0_ * kLanes * a_.excite_words;
    for (uint32_t i = threadIdx.x; i < second; i += kThreads)
      copy_piece(to + (first + i + i / a_.excite_words * gap) * kPieceBytes, excite + i, true);
    commit_copies();
  }
  __device__ const Word* squeeze_row(uint32_t row) const {
    return a_.weight_words ? weights_ + row * width_ : static_cast<const Word*>(a_.squeeze) + row * a_.words + word0_;
  }
  __device__ const Word* excite_row(uint32_t channel) const {
    return a_.weight_words ? weights_ + a_.hidden * width_ + channel * squeeze_row_words(a_.excite_words)
                           : static_cast<const Word*>(a_.excite) + (word0_ * kLanes + channel) * a_.excite_words;
  }

  // The thread's words of an image, on their way while it goes on. It alone reads them.
  __device__ void copy_pixels(uint32_t image, Word* kept) const {
    if (row_ < rows_) {
      const T* from =
          static_cast<const T*>(a_.x) + (int64_t{image} * a_.pixels + first_) * a_.from_pixel + (word0_ + word_) * kLanes;
      const uint32_t to = shared_address(kept + word_);
#pragma unroll 4
      for (uint32_t pixel = row_; pixel < count_; pixel += rows_)
        copy_piece(to + pixel * width_ * kPieceBytes, from + pixel * a_.from_pixel, true);
    }
    commit_copies();
  }
  __device__ void add_kept_pixels() const {
    if (row_ >= rows_) return;
    Run<kLanes> sum = {};
#pragma unroll 4
    for (uint32_t pixel = row_; pixel < count_; pixel += rows_) {
      const Run<kLanes> run = run_of<T, kLanes>(kept_[pixel * width_ + word_]);
#pragma unroll
      for (int j = 0; j < kLanes; ++j) sum.at[j] += run.at[j];
    }
#pragma unroll
    for (int j = 0; j < kLanes; ++j) sums_[threadIdx.x * kLanes + j] = sum.at[j];
  }

  __device__ void add_pixels() const {
    constexpr int kAtOnce = 4;  // loads on their way
    if (row_ >= rows_) return;
    Run<kLanes> sum = {};
    const T* from = static_cast<const T*>(a_.x) + pixel0_ * a_.from_pixel + (word0_ + word_) * kLanes;
    for (uint32_t pixel = row_; pixel < count_; pixel += kAtOnce * rows_) {
      Word v[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const uint32_t at = pixel + i * rows_;
        v[i] = load_if<T, kLanes>(from + at * a_.from_pixel, at < count_);
      }
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const uint32_t at = pixel + i * rows_;
        if (a_.kept_words && at < count_) kept_[at * width_ + word_] = v[i];
        const Run<kLanes> run = run_of<T, kLanes>(v[i]);
#pragma unroll
        for (int j = 0; j < kLanes; ++j) sum.at[j] += run.at[j];
      }
    }
#pragma unroll
    for (int j = 0; j < kLanes; ++j) sums_[threadIdx.x * kLanes + j] = sum.at[j];
  }

  // The block's part of the means, from the sums of the threads, [row, channel].
  __device__ void average() const {
    const uint32_t channels = this->channels(), groups = max(kThreads / channels, 1u);
    for (uint32_t i = threadIdx.x; i < groups * channels; i += kThreads) {
      const uint32_t group = i / channels, channel = i - group * channels;
      float sum = 0;
      for (uint32_t row = group; row < rows_; row += groups) sum += sums_[row * channels + channel];
      groups_[i] = sum;
    }
    join_groups(groups);
  }

  // The same from sums of parts of the image.
  __device__ void add_sums(uint32_t image) const {
    const uint32_t channels = this->channels(), groups = max(kThreads / channels, 1u), all = a_.words * kLanes;
    const float* from = a_.sums + int64_t{image} * a_.parts * all + word0_ * kLanes;
    for (uint32_t i = threadIdx.x; i < groups * channels; i += kThreads) {
      const uint32_t group = i / channels, channel = i - group * channels;
      float sum = 0;
#pragma unroll 4
      for (uint32_t part = group; part < a_.parts; part += groups) sum += from[int64_t{part} * all + channel];
      groups_[i] = sum;
    }
    join_groups(groups);
  }

  __device__ void join_groups(uint32_t groups) const {
    const uint32_t channels = this->channels();
    __syncthreads();
    for (uint32_t channel = threadIdx.x; channel < channels; channel += kThreads) {
      float sum = 0;
      for (uint32_t group = 0; group < groups; ++group) sum += groups_[group * channels + channel];
      means_[channel] = sum / a_.pixels;
    }
    __syncthreads();
  }

  __device__ void make_factors() const {
    squeeze();
    excite();
  }

  // A warp has elements between the products, some at a time; every block gets this one's part of their sums.
  __device__ void squeeze() const {
    constexpr uint32_t kAtOnce = 4, kWarps = kThreads / 32;
    const uint32_t lane = threadIdx.x % 32;
    Run<kLanes> means = {};  // of the lane's first word
    if (lane < width_) means = load_run<float, kLanes>(means_ + lane * kLanes, true, kLanes);
    for (uint32_t first = threadIdx.x / 32; first < a_.hidden; first += kAtOnce * kWarps) {
      float sums[kAtOnce] = {};
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i) {
        const uint32_t element = first + i * kWarps;
        if (element >= a_.hidden) continue;
        const Word* row = squeeze_row(element);
        if (lane < width_) sums[i] = product(row[lane], means);
        for (uint32_t word = lane + 32; word < width_; word += 32)
          sums[i] += product(row[word], load_run<float, kLanes>(means_ + word * kLanes, true, kLanes));
      }
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i) sums[i] = combine_warp(sums[i], Sum());
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i)
        if (first + i * kWarps < a_.hidden) send_part(rank_ * a_.hidden + first + i * kWarps, sums[i]);
    }
    __syncthreads();
    begin_exchange(a_.blocks);
    end_exchange(a_.blocks);
    for (uint32_t element = threadIdx.x; element < a_.excite_words * kLanes; element += kThreads) {
      Run<1> v = {};
      if (element < a_.hidden) {
        if (a_.squeezed.bias) v.at[0] = a_.squeezed.bias[element];
        for (uint32_t block = 0; block < a_.blocks; ++block) v.at[0] += parts_[block * a_.hidden + element];
        v = with_epilogue(a_.squeezed, v, Run<1>{});
      }
      hidden_[element] = v.at[0];
    }
    __syncthreads();
  }

  __device__ static float product(const Word& weights, const Run<kLanes>& values) {
    const Run<kLanes> w = run_of<T, kLanes>(weights);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kLanes; ++j) sum += w.at[j] * values.at[j];
    return sum;
  }

  __device__ void send_part(uint32_t index, float part) const {
    const uint32_t lane = threadIdx.x % 32;
    if (lane >= a_.blocks) return;
#if __CUDA_ARCH__ >= 900
    if (a_.blocks > 1) {
      send_float(in_block(shared_address(parts_ + index), lane), part);
      return;
    }
#endif
    parts_[index] = part;
  }

  __device__ void excite() const {
    for (uint32_t channel = threadIdx.x; channel < channels(); channel += kThreads) {
      const Word* row = excite_row(channel);
      Run<1> v = {};
      if (a_.excited.bias) v.at[0] = a_.excited.bias[word0_ * kLanes + channel];
#pragma unroll 2
      for (uint32_t word = 0; word < a_.excite_words; ++word)
        v.at[0] += product(row[word], load_run<float, kLanes>(hidden_ + word * kLanes, true, kLanes));
      factors_[channel] = with_epilogue(a_.excited, v, Run<1>{}).at[0];
    }
    __syncthreads();
  }

  __device__ void store_factors(uint32_t image) const {
    T* to = static_cast<T*>(a_.y) + image * a_.to_image + word0_ * kLanes;
    for (uint32_t channel = threadIdx.x; channel < channels(); channel += kThreads) to[channel] = from_float<T>(factors_[channel]);
  }

  __device__ void scale() const {
    if (row_ >= rows_) return;
    const Run<kLanes> factor = load_run<float, kLanes>(factors_ + word_ * kLanes, true, kLanes);
    const int64_t column = (word0_ + word_) * kLanes;
    const T* from = static_cast<const T*>(a_.x) + pixel0_ * a_.from_pixel + column;
    T* to = static_cast<T*>(a_.y) + pixel0_ * a_.to_pixel + column;
#pragma unroll 4
    for (uint32_t pixel = row_; pixel < count_; pixel += rows_) {
      const Word word = a_.kept_words ? kept_[pixel * width_ + word_] : *reinterpret_cast<const Word*>(from + pixel * a_.from_pixel);
      Run<kLanes> v = run_of<T, kLanes>(word);
#pragma unroll
      for (int j = 0; j < kLanes; ++j) v.at[j] *= factor.at[j];
      store_run(to + pixel * a_.to_pixel, v, true, kLanes);
    }
  }

  const SqueezeExciteArguments& a_;
  Word *all_kept_, *kept_, *weights_;  // kept: of this image
  float *sums_, *groups_, *means_, *factors_, *all_parts_, *parts_, *hidden_;  // parts: of this image
  uint32_t rank_, word0_, width_;  // words of the block's slice
  uint32_t first_, count_;         // pixels of its part of each image
  int64_t pixel0_;                 // the first of them, of all images
  uint32_t rows_, row_, word_;     // pixels at a time; the thread's place
};

template <class T, int kThreads> __device__ void squeeze_excite(const SqueezeExciteArguments& a) {
  extern __shared__ __align__(128) char shared[];
  SqueezeBlock<T, kThreads>(a, shared).run();
}

template <class T> __device__ void squeeze_factors(const SqueezeExciteArguments& a) {
  extern __shared__ __align__(128) char shared[];
  SqueezeBlock<T, kFactorThreads>(a, shared).run_on_sums();
}

}  // namespace

#define KILN_SQUEEZE_THREADS(name, type, threads)                                            \
  extern "C" __global__ void __launch_bounds__(threads, squeeze_blocks(threads))            \
      squeeze_excite_##name##_##threads(const __grid_constant__ SqueezeExciteArguments a) { \
    squeeze_excite<type, threads>(a);                                                       \
  }
#define KILN_SQUEEZE_EXCITE(name, type)  \
  KILN_SQUEEZE_THREADS(name, type, 256)  \
  KILN_SQUEEZE_THREADS(name, type, 512)
#define KILN_SQUEEZE_FACTORS(name, type)                                                    \
  extern "C" __global__ void __launch_bounds__(kFactorThreads, squeeze_blocks(kFactorThreads)) \
      squeeze_factors_##name(const __grid_constant__ SqueezeExciteArguments a) {              \
    squeeze_factors<type>(a);                                                                \
  }
KILN_SQUEEZE_FACTORS(f16, __half)
KILN_SQUEEZE_FACTORS(bf16, __nv_bfloat16)
KILN_SQUEEZE_EXCITE(f16, __half)
KILN_SQUEEZE_EXCITE(bf16, __nv_bfloat16)
KILN_SQUEEZE_EXCITE(f32, float)

}  // namespace kiln::cuda
