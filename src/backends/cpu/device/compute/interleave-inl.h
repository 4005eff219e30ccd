// Bytes of four rows side by side, as sums of products take them. Included once per instruction set, behind sum_steps-inl.h.
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int kBlockVectors = 4;  // of sums: a vector of bytes holds as many
inline constexpr int kBlockBytes = kBlockVectors * kSumLanes;

// Neighbouring bytes, four in each word, words in the order that leaves interleaved bytes in theirs.
struct BlockLoader {
  int64_t count;
  ByteVector flip;
  decltype(hn::SetTableIndices(SumTag(), static_cast<const int32_t*>(nullptr))) order;

  HWY_INLINE ByteVector operator()(const uint8_t* from) const {
    const ByteTag d;
    return hn::BitCast(d, hn::TableLookupLanes(hn::BitCast(SumTag(), hn::Xor(load(from), flip)), order));
  }

 private:
  HWY_INLINE ByteVector load(const uint8_t* from) const {
    const ByteTag d;
    if (count >= kBlockBytes) return hn::LoadU(d, from);
#if HWY_TARGET <= HWY_AVX3
    return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, from);
#else
    HWY_ALIGN uint8_t copy[kBlockBytes] = {};
    std::memcpy(copy, from, static_cast<size_t>(count));
    return hn::Load(d, copy);
#endif
  }
};

HWY_INLINE BlockLoader block_loader(int64_t count, bool is_signed) {
  constexpr int kBlocks = kSumLanes / 4;
  HWY_ALIGN int32_t order[kSumLanes];
  for (int block = 0; block < kBlocks; ++block)
    for (int j = 0; j < 4; ++j) order[block * 4 + j] = kBlocks * j + block;
  return {count, hn::Set(ByteTag(), is_signed ? uint8_t{0x80} : uint8_t{0}), hn::SetTableIndices(SumTag(), order)};
}

// Words of one byte from each of four blocks.
HWY_INLINE void interleave(ByteVector a, ByteVector b, ByteVector c, ByteVector d, Sums (&to)[kBlockVectors]) {
  const hn::Repartition<uint16_t, SumTag> pairs;
  const ByteTag bytes;
  const auto low_ab = hn::BitCast(pairs, hn::InterleaveLower(bytes, a, b));
  const auto low_cd = hn::BitCast(pairs, hn::InterleaveLower(bytes, c, d));
  const auto high_ab = hn::BitCast(pairs, hn::InterleaveUpper(bytes, a, b));
  const auto high_cd = hn::BitCast(pairs, hn::InterleaveUpper(bytes, c, d));
  to[0] = hn::BitCast(SumTag(), hn::InterleaveLower(pairs, low_ab, low_cd));
  to[1] = hn::BitCast(SumTag(), hn::InterleaveUpper(pairs, low_ab, low_cd));
  to[2] = hn::BitCast(SumTag(), hn::InterleaveLower(pairs, high_ab, high_cd));
  to[3] = hn::BitCast(SumTag(), hn::InterleaveUpper(pairs, high_ab, high_cd));
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
