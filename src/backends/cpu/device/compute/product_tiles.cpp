// Matrix products by AMX. Sums of 32 rows and 32 columns stay in four tiles while rows of 64 bytes and their weights stream through the others;
// they are stored beside one another and finished as those of product_int8.cpp are, or row by row where the steps are a common chain.
#include "backends/cpu/device/compute/product_tiles.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_tiles.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/sum_steps-inl.h"
// behind it
#include "backends/cpu/device/compute/sum_chain-inl.h"

// What all instruction sets share.
#ifndef KILN_PRODUCT_TILES_SHARED
#define KILN_PRODUCT_TILES_SHARED
namespace kiln::cpu::tiles {

inline constexpr int64_t kTileRows = 16, kTileBytes = 64;  // of a tile, at most
inline constexpr int64_t kWord = 4;                        // bytes of a row that are multiplied by one row of weights
inline constexpr int64_t kPairRows = 2 * kTileRows;        // rows whose sums are stored at a time
inline constexpr int64_t kMostRows = 8 * kPairRows;        // of a block: weights come once for all of them
inline constexpr int64_t kSumBytes = kInt8Group * static_cast<int64_t>(sizeof(int32_t));  // of a row of stored sums

// How many bytes of a row are multiplied at a time, in each piece of it: `whole` steps of `bytes`, then one of `rest`.
struct Steps {
  explicit Steps(int64_t piece) {
    const int64_t words = piece / kWord, least = (words + kTileBytes / kWord - 1) / (kTileBytes / kWord);
    const bool even = least > 0 && words % least == 0;
    bytes = even ? words / least * kWord : kTileBytes;
    whole = piece / bytes;
    rest = piece % bytes;
  }
  int64_t count() const { return whole + (rest > 0); }
  int64_t bytes, whole, rest;
};

// A block of rows, from which a thread takes pairs of tiles, and what it has in scratch, in bytes.
struct Blocks {
  Blocks(int64_t all, int64_t terms) {
    constexpr int64_t kBytes = 1536 * 1024;  // that stay in the second cache beside weights
    const int64_t fitting = kBytes / std::max<int64_t>(terms, 1) / kPairRows * kPairRows;
    const int64_t most = std::clamp<int64_t>(fitting, kPairRows, kMostRows);
    count = std::min(most, (all + kPairRows - 1) / kPairRows * kPairRows);
    stride = (terms + kLine - 1) / kLine * kLine + kLine;  // no power of two, or rows would share lines of the cache
    sums = count * kSumBytes;
    last = kTileRows * stride;
    rows = count * stride;
  }
  int64_t bytes() const { return sums + last + rows; }
  int64_t count;   // of rows
  int64_t stride;  // between gathered rows
  // Stored sums; the rows of a tile that is not full; rows that are located there, at equal distances, or else gathered.
  int64_t sums, last, rows;
};

// Sixteen rows at equal distances.
struct Rows {
  const uint8_t* first;
  int64_t stride;
  bool joined;  // their pieces follow one another
};

}  // namespace kiln::cpu::tiles
#endif

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL

bool has_tiles() { return true; }

using tiles::Rows;
using tiles::Steps;

// Instructions by number of tile. Assemblers know them whatever a function is compiled for.
template <int kTile> HWY_INLINE void load_tile(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile> HWY_INLINE void store_tile(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile> HWY_INLINE void clear_tile() { asm volatile("tilezero %%tmm%c0" : : "i"(kTile)); }

template <Int8Product::Kind kKind, int kSums, int kRows, int kWeights> HWY_INLINE void multiply_tiles() {
  if constexpr (kKind == Int8Product::kBfloat16)
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kWeights));
  else if constexpr (kKind == Int8Product::kSigned)
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kWeights));
  else asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kWeights));
}

// The tiles: sums 0 to 3, rows 4 and 5, weights 6 and 7; or, where steps end in a shorter one, rows 4 and weights 5, and 6 and 7 of its size.
void configure(const Steps& steps) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  } c;
  const auto set = [&c](int tile, int64_t rows, int64_t bytes) {
    c.rows[tile] = static_cast<uint8_t>(rows);
    c.bytes[tile] = static_cast<uint16_t>(bytes);
  };
  for (int i = 0; i < 4; ++i) set(i, tiles::kTileRows, tiles::kTileBytes);
  const int64_t second = steps.rest > 0 ? steps.rest : steps.bytes;
  set(4, tiles::kTileRows, steps.bytes);
  set(steps.rest > 0 ? 6 : 5, tiles::kTileRows, second);
  set(steps.rest > 0 ? 5 : 6, steps.bytes / tiles::kWord, tiles::kTileBytes);
  set(7, second / tiles::kWord, tiles::kTileBytes);
  asm volatile("ldtilecfg %0" : : "m"(c));
}

// What one or two tiles of rows are multiplied by: one or two panels of weights, `step` bytes between their words.
struct Multiplication {
  const Rows* rows;
  std::span<const int64_t> pieces;
  int64_t own;  // bytes of a piece
  const Steps& steps;
  int64_t begin, end;  // steps of all pieces
  const int8_t* panels;
  int64_t step;
  void* sums;
  const int8_t* soon;  // weights that the next products want, of which each step asks for so many lines
  int64_t lines;
};

// One step. kRows, kWeights: the numbers of the first of these tiles; where the second has the same it is loaded again.
template <Int8Product::Kind kKind, int kTiles, int kPanels, int kRows, int kWeights, bool kApart>
HWY_INLINE void multiply_step(const uint8_t* const (&from)[2], const int64_t (&strides)[2], const int8_t* b,
                              int64_t step) {
  constexpr int kNext = kApart ? 1 : 0, kPanel = static_cast<int>(tiles::kTileBytes);
  load_tile<kRows>(from[0], strides[0]);
  load_tile<kWeights>(b, step);
  multiply_tiles<kKind, 0, kRows, kWeights>();
  if constexpr (kPanels > 1) {
    load_tile<kWeights + kNext>(b + kPanel, step);
    multiply_tiles<kKind, 1, kRows, kWeights + kNext>();
  }
  if constexpr (kTiles > 1) {
    load_tile<kRows + kNext>(from[1], strides[1]);
    if constexpr (kPanels > 1) multiply_tiles<kKind, 3, kRows + kNext, kWeights + kNext>();
    if constexpr (kPanels > 1 && !kApart) load_tile<kWeights>(b, step);
    multiply_tiles<kKind, 2, kRows + kNext, kWeights>();
  }
}

template <Int8Product::Kind kKind, int kTiles, int kPanels, bool kRest>
HWY_NOINLINE void run_multiplication(const Multiplication& m) {
  constexpr int64_t kPanel = tiles::kTileBytes, kBelow = tiles::kTileRows * tiles::kSumBytes;
  auto* const sums = static_cast<uint8_t*>(m.sums);
  const auto each = [&](auto&& f) HWY_ATTR {
    f(std::integral_constant<int, 0>(), sums);
    if constexpr (kPanels > 1) f(std::integral_constant<int, 1>(), sums + kPanel);
    if constexpr (kTiles > 1) f(std::integral_constant<int, 2>(), sums + kBelow);
    if constexpr (kTiles > 1 && kPanels > 1) f(std::integral_constant<int, 3>(), sums + kBelow + kPanel);
  };
  if (m.begin == 0) each([](auto tile, uint8_t*) HWY_ATTR { clear_tile<tile()>(); });
  else each([](auto tile, uint8_t* at) HWY_ATTR { load_tile<tile()>(at, tiles::kSumBytes); });
  const int64_t count = m.steps.count(), words = m.own / tiles::kWord;
  const int64_t strides[2] = {m.rows[0].stride, m.rows[kTiles - 1].stride};
  const int8_t* soon = m.soon;
  const auto ask = [&]() HWY_ATTR {
    for (int64_t i = 0; i < m.lines; ++i, soon += kLine) __builtin_prefetch(soon, 0, 2);
  };
  for (int64_t s = m.begin; s < m.end;) {
    const int64_t piece = s / count, first = s % count, last = std::min(count, first + m.end - s);
    const uint8_t* from[2];
    for (int i = 0; i < 2; ++i) {
      const Rows& rows = m.rows[i < kTiles ? i : 0];
      from[i] =
          rows.first + (rows.joined ? piece * m.own : m.pieces[static_cast<size_t>(piece)]) + first * m.steps.bytes;
    }
    const int64_t step_words = m.steps.bytes / tiles::kWord;
    const int8_t* b = m.panels + (piece * words + first * step_words) * m.step;
    for (int64_t i = first; i < std::min(last, m.steps.whole); ++i) {
      if constexpr (kRest) multiply_step<kKind, kTiles, kPanels, 4, 5, false>(from, strides, b, m.step);
      else multiply_step<kKind, kTiles, kPanels, 4, 6, true>(from, strides, b, m.step);
      ask();
      from[0] += m.steps.bytes;
      from[1] += m.steps.bytes;
      b += step_words * m.step;
    }
    if constexpr (kRest)
      if (last == count) multiply_step<kKind, kTiles, kPanels, 6, 7, false>(from, strides, b, m.step);
    s += last - first;
  }
  each([](auto tile, uint8_t* at) HWY_ATTR { store_tile<tile()>(at, tiles::kSumBytes); });
}

using Multiplier = void (*)(const Multiplication&);
template <Int8Product::Kind kKind, bool kRest> Multiplier multiplier_of(int64_t count, int64_t panels) {
  if (count > 1) return panels > 1 ? run_multiplication<kKind, 2, 2, kRest> : run_multiplication<kKind, 2, 1, kRest>;
  return panels > 1 ? run_multiplication<kKind, 1, 2, kRest> : run_multiplication<kKind, 1, 1, kRest>;
}
template <Int8Product::Kind kKind> Multiplier multiplier_of(bool rest, int64_t count, int64_t panels) {
  return rest ? multiplier_of<kKind, true>(count, panels) : multiplier_of<kKind, false>(count, panels);
}
// Of so many tiles of rows and panels, one or two.
Multiplier multiplier_of(Int8Product::Kind kind, bool rest, int64_t count, int64_t panels) {
  if (kind == Int8Product::kBfloat16) return multiplier_of<Int8Product::kBfloat16>(rest, count, panels);
  if (kind == Int8Product::kSigned) return multiplier_of<Int8Product::kSigned>(rest, count, panels);
  return multiplier_of<Int8Product::kUnsigned>(rest, count, panels);
}

// Stored sums, as `at` has them, become results. kReal: they are float32.
template <bool kReal, int kVectors>
HWY_NOINLINE void finish_stored(const void* stored, const SumEpilogue& e, TilePlace at, void* out, int64_t out_stride) {
  constexpr int kRows = 4;
  using Tag = std::conditional_t<kReal, RealTag, SumTag>;
  const Tag d;
  const auto* sums = static_cast<const hn::TFromD<Tag>*>(stored);
  const int64_t last = at.row + at.rows;
  for (; at.row < last; at.row += kRows, sums += kRows * kInt8Group) {
    at.rows = std::min<int64_t>(kRows, last - at.row);
    hn::Vec<Tag> own[kRows][kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      hn::Vec<Tag> start = hn::Zero(d);
      if constexpr (!kReal)
        if (e.start) start = hn::LoadU(d, e.start + at.column_of(j));
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        own[i][j] = hn::LoadU(d, sums + i * kInt8Group + j * kSumLanes);
        if constexpr (!kReal) own[i][j] = hn::Add(own[i][j], start);
      }
    }
    if constexpr (kReal) finish_reals<true>(e, at, own, out, out_stride);
    else finish_tile(e, at, own, out, out_stride);
  }
}

// The same by the chain that the epilogue is.
template <int kVectors>
HWY_NOINLINE void finish_stored(const SumChain& chain, const int32_t* sums, const SumEpilogue& e, const TilePlace& at,
                                void* out, int64_t out_stride) {
  finish_chain<kVectors>(chain, e, sums, at, out, out_stride);
}

// Stored sums of a group of columns, which has so many panels.
template <int kVectors>
void finish_group(const Int8Product& p, const SumEpilogue& e, const SumChain* chain, const void* sums,
                  const TilePlace& at) {
  if (p.kind == Int8Product::kBfloat16) finish_stored<true, kVectors>(sums, e, at, p.out, p.out_stride);
  else if (!chain) finish_stored<false, kVectors>(sums, e, at, p.out, p.out_stride);
  else finish_stored<kVectors>(*chain, static_cast<const int32_t*>(sums), e, at, p.out, p.out_stride);
}

// A block of located rows times columns of the product.
class TileBlock {
 public:
  TileBlock(const Int8Product& p, const SumEpilogue& e, const Steps& steps, std::span<const int64_t> pieces,
            int64_t own, uint8_t* sums)
      : p_(p), e_(e), steps_(steps), pieces_(pieces), own_(own), sums_(sums), is_chain_(read_chain(e, chain_)) {}

  // Rows of which `tiles` have the addresses; columns [begin, end) of the product.
  void run(const Rows* tiles, int64_t row, int64_t rows, int64_t begin, int64_t end) const {
    constexpr int64_t kMostSteps = 48;                  // whose weights stay near while rows change
    constexpr int64_t kWeightBytes = int64_t{1} << 20;  // that stay in the second
    const int64_t all = steps_.count() * static_cast<int64_t>(pieces_.size());
    const int64_t pairs = (rows + tiles::kPairRows - 1) / tiles::kPairRows,
                  groups = (end - begin + kInt8Group - 1) / kInt8Group;
    const bool weights_stay = (end - begin) * p_.terms <= kWeightBytes;
    const int64_t asking = weights_stay ? 0 : pairs;
    if (all > kMostSteps)
      return run_chunks(tiles, row, rows, begin, end, all, (all + kMostSteps - 1) / kMostSteps, asking);
    for (int64_t n = 0; n < pairs * groups; ++n) {
      const int64_t i = (weights_stay ? n / groups : n % pairs) * tiles::kPairRows;
      const int64_t column = begin + (weights_stay ? n % groups : n / pairs) * kInt8Group;
      multiply(tiles, i, rows, column, 0, all, sums_, asking);
      finish(row, i, rows, column, end, sums_);
    }
  }

 private:
  // The same in parts of the terms, between which sums are stored.
  void run_chunks(const Rows* tiles, int64_t row, int64_t rows, int64_t begin, int64_t end, int64_t all, int64_t chunks,
                  int64_t asking) const {
    for (int64_t column = begin; column < end; column += kInt8Group)
      for (int64_t c = 0; c < chunks; ++c)
        for (int64_t i = 0; i < rows; i += tiles::kPairRows) {
          uint8_t* sums = sums_ + i * tiles::kSumBytes;
          multiply(tiles, i, rows, column, all * c / chunks, all * (c + 1) / chunks, sums, asking);
          if (c + 1 == chunks) finish(row, i, rows, column, end, sums);
        }
  }

  int64_t panels_of(int64_t group) const { return std::min(kInt8Group, int8_columns(p_.columns) - group) / kInt8Panel; }

  // While `asking` pairs of rows are multiplied the weights behind those that they take come nearer; 0: they are there.
  void multiply(const Rows* tiles, int64_t i, int64_t rows, int64_t group, int64_t begin, int64_t end, uint8_t* sums,
                int64_t asking) const {
    const int64_t panels = panels_of(group), count = rows - i > tiles::kTileRows ? 2 : 1;
    const int8_t* packed = p_.packed + group * int8_terms(p_.terms);
    const int64_t step_lines = steps_.bytes / tiles::kWord * panels, shares = asking * ((panels + 1) / 2);
    const int64_t lines = shares > 0 ? (step_lines + shares - 1) / shares : 0;
    const int8_t* soon = packed + (end + (end - begin) * i / rows) * step_lines * kLine;
    for (int64_t j = 0; j < panels; j += 2, soon += (end - begin) * lines * kLine) {
      const Multiplication m{tiles + i / tiles::kTileRows,
                             pieces_,
                             own_,
                             steps_,
                             begin,
                             end,
                             packed + j * tiles::kTileBytes,
                             panels * tiles::kTileBytes,
                             sums + j * tiles::kTileBytes,
                             soon,
                             lines};
      multiplier_of(p_.kind, steps_.rest > 0, count, panels - j)(m);
    }
  }

  // Of a pair of tiles those rows that have results.
  void finish(int64_t row, int64_t i, int64_t rows, int64_t group, int64_t end, const uint8_t* sums) const {
    const int64_t first = row + i, last = first + std::min(tiles::kPairRows, rows - i);
    if (p_.period == 0) return finish_rows(first, last - first, group, end, sums);
    for (int64_t r = first; r < last;) {
      const int64_t line = r / p_.period, at = r % p_.period, next = (line + 1) * p_.period;
      if (at < p_.run)
        finish_rows(line * p_.run + at, std::min(last, next - p_.period + p_.run) - r, group, end,
                    sums + (r - first) * tiles::kSumBytes);
      r = next;
    }
  }

  void finish_rows(int64_t row, int64_t rows, int64_t group, int64_t end, const uint8_t* sums) const {
    const TilePlace at{p_.first_row + row, rows, p_.first_column + group, std::min(kInt8Group, end - group)};
    const SumChain* chain = is_chain_ ? &chain_ : nullptr;
    const int64_t panels = panels_of(group);
    if (panels == 4) finish_group<4>(p_, e_, chain, sums, at);
    else if (panels == 3) finish_group<3>(p_, e_, chain, sums, at);
    else if (panels == 2) finish_group<2>(p_, e_, chain, sums, at);
    else finish_group<1>(p_, e_, chain, sums, at);
  }

  const Int8Product& p_;
  const SumEpilogue& e_;
  const Steps& steps_;
  std::span<const int64_t> pieces_;
  int64_t own_;
  uint8_t* sums_;
  SumChain chain_;
  bool is_chain_;
};

bool at_equal_distances(const uint8_t* const* addresses) {
  const int64_t stride = addresses[1] - addresses[0];
  bool equal = true;
  for (int64_t i = 2; i < tiles::kTileRows; ++i) equal &= addresses[i] - addresses[i - 1] == stride;
  return equal;
}

HWY_INLINE void copy_bytes(const uint8_t* from, uint8_t* to, int64_t count) {
  for (; count >= tiles::kTileBytes; count -= tiles::kTileBytes, from += tiles::kTileBytes, to += tiles::kTileBytes)
    _mm512_storeu_si512(to, _mm512_loadu_si512(from));
  const __mmask64 rest = (__mmask64{1} << count) - 1;
  if (rest) _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

// Where the pieces of a row lie behind its address; where they end between words all rows are gathered, and then they have one piece.
struct Pieces {
  explicit Pieces(const Int8Product& p) {
    if (!p.pieces.empty()) from = p.pieces, length = p.terms / std::ssize(p.pieces);
    else length = int8_terms(p.terms);
    if (length % tiles::kWord == 0) read = from, own = length;
    else own = int8_terms(p.terms);
  }
  bool in_words() const { return length == own; }
  // A row whose pieces follow one another, and zeros up to a word.
  void gather(const uint8_t* row, uint8_t* to) const {
    if (!in_words()) std::memset(to + own - tiles::kWord, 0, tiles::kWord);
    for (size_t j = 0; j < from.size(); ++j) copy_bytes(row + from[j], to + static_cast<int64_t>(j) * length, length);
  }
  static constexpr int64_t kWhole[1] = {0};
  std::span<const int64_t> from = kWhole, read = kWhole;
  int64_t length = 0, own = 0;  // bytes of a piece as it lies and as it is multiplied
};

// Rows [first, last) and columns [begin, end) of the product.
void run_tiles(const Int8Product& p, const SumEpilogue& e, int64_t first, int64_t last, int64_t begin, int64_t end,
               uint8_t* scratch) {
  const tiles::Blocks by(p.rows, p.terms);
  const uint8_t* addresses[tiles::kMostRows];
  Rows rows_of[tiles::kMostRows / tiles::kTileRows];
  const Pieces pieces(p);
  const Steps steps(pieces.own);
  uint8_t* const sums = scratch;
  uint8_t* const part = sums + by.sums;
  uint8_t* const gathered = part + by.last;
  configure(steps);
  for (int64_t row = first; row < last; row += by.count) {
    const int64_t rows = std::min(by.count, last - row);
    p.left->locate(row, rows, addresses, gathered);
    for (int64_t i = 0; i < rows; i += tiles::kTileRows) {
      Rows& tile = rows_of[i / tiles::kTileRows];
      const int64_t count = std::min(tiles::kTileRows, rows - i);
      tile = {addresses[i], addresses[i + (count > 1)] - addresses[i], false};
      if (count == tiles::kTileRows && pieces.in_words() && at_equal_distances(addresses + i)) continue;
      uint8_t* to = count < tiles::kTileRows ? part : gathered + i * by.stride;
      tile = {to, by.stride, true};
      for (int64_t k = i; k < i + count; ++k, to += by.stride) pieces.gather(addresses[k], to);
    }
    TileBlock(p, e, steps, pieces.read, pieces.own, sums).run(rows_of, row, rows, begin, end);
  }
  asm volatile("tilerelease");
}

#else

bool has_tiles() { return false; }
void run_tiles(const Int8Product&, const SumEpilogue&, int64_t, int64_t, int64_t, int64_t, uint8_t*) {}

#endif

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(has_tiles);
HWY_EXPORT(run_tiles);

namespace {

constexpr double kProductsPerNanosecond = 1000;

// Processors say so in leaf 7, bits 22 (bfloat16), 24 (tiles) and 25 (bytes) of edx; Linux gives the state of tiles to those who ask.
bool may_use_tiles() noexcept {
  constexpr unsigned kNeeded = 1u << 22 | 1u << 24 | 1u << 25;
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kNeeded) == kNeeded && HWY_DYNAMIC_DISPATCH(has_tiles)() &&
         syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

}  // namespace

bool multiplies_tiles() noexcept {
  static const bool known = may_use_tiles();
  return known;
}

int64_t tiles_scratch_bytes(int64_t rows, int64_t terms, int threads) {
  return tiles::Blocks(rows, terms).bytes() * threads + kLine;
}

void product_tiles(const Int8Product& p, const SumEpilogue& e, int threads, uint8_t* scratch) noexcept {
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.columns) * static_cast<double>(p.terms);
  threads = useful_threads(threads, work / kProductsPerNanosecond);
  const int64_t count = (p.rows + tiles::kTileRows - 1) / tiles::kTileRows,
                groups = (p.columns + kInt8Group - 1) / kInt8Group;
  const double uneven_rows = imbalance(count, threads), uneven_groups = imbalance(groups, threads);
  // Where both are as good each thread takes a part of what is more.
  const bool by_rows = uneven_rows < uneven_groups || (uneven_rows == uneven_groups && p.rows >= p.columns);
  const int64_t own = tiles::Blocks(p.rows, p.terms).bytes();
  const auto aligned = (reinterpret_cast<uintptr_t>(scratch) + kLine - 1) / kLine * kLine;
  parallel_ranges(threads, by_rows ? count : groups, [&](int64_t begin, int64_t end, int part) {
    uint8_t* space = reinterpret_cast<uint8_t*>(aligned) + part * own;
    const auto run = HWY_DYNAMIC_DISPATCH(run_tiles);
    if (by_rows) run(p, e, begin * tiles::kTileRows, std::min(end * tiles::kTileRows, p.rows), 0, p.columns, space);
    else run(p, e, 0, p.rows, begin * kInt8Group, std::min(end * kInt8Group, p.columns), space);
  });
}

}  // namespace kiln::cpu
#endif
