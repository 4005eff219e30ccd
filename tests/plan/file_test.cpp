// The engine file: round trips, damage at every byte, versions, sections of later formats.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "plan/container.h"
#include "plan/plan.h"
#include "plan/random_plan.h"

namespace kiln::plan {
namespace {

using Bytes = std::vector<std::byte>;

Code read_code(std::span<const std::byte> bytes) {
  try {
    read(bytes, nullptr);
  } catch (const Error& e) {
    return e.code();
  }
  return Code::kOk;
}

Bytes small_file() {
  for (uint32_t seed = 0;; ++seed)
    if (Plan plan = random_plan(seed); plan.programs[0].steps.size() > 1 && plan.constants.size() > 100)
      return write(plan);
}

Bytes bytes_of(const Constants& constants) {
  Bytes all(constants.size());
  for (const Constants::Part& part : constants.parts())
    std::copy(part.bytes.begin(), part.bytes.end(), all.begin() + static_cast<ptrdiff_t>(part.offset));
  return all;
}

void expect_same(const DimOp& a, const DimOp& b);
void expect_same(const TensorInfo& a, const TensorInfo& b);
void expect_same(const StepInfo& a, const StepInfo& b);
void expect_same(const GeneratedKernel& a, const GeneratedKernel& b);
void expect_same(const Program& a, const Program& b);
void expect_same(const ProfileDims& a, const ProfileDims& b);
void expect_same(const Profile& a, const Profile& b);

template <class T> void expect_same(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) expect_same(a[i], b[i]);
}

void expect_same(const ProfileDims& a, const ProfileDims& b) {
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.opt, b.opt);
  EXPECT_EQ(a.max, b.max);
}

void expect_same(const TensorInfo& a, const TensorInfo& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.dtype, b.dtype);
  EXPECT_EQ(a.ranked, b.ranked);
  EXPECT_EQ(a.dims, b.dims);
  EXPECT_EQ(a.layout, b.layout);
  EXPECT_EQ(a.storage, b.storage);
  EXPECT_EQ(a.offset, b.offset);
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.view_of, b.view_of);
  EXPECT_EQ(a.view_axis, b.view_axis);
  EXPECT_EQ(a.view_start, b.view_start);
}

void expect_same(const StepInfo& a, const StepInfo& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.kernel, b.kernel);
  EXPECT_EQ(a.tactic, b.tactic);
  EXPECT_EQ(a.op, b.op);
  EXPECT_EQ(to_string(a.parameters), to_string(b.parameters));
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.workspace_offset, b.workspace_offset);
  EXPECT_EQ(a.workspace_size, b.workspace_size);
  EXPECT_EQ(a.origins, b.origins);
  EXPECT_EQ(a.bodies, b.bodies);
  EXPECT_EQ(a.code, b.code);
}

void expect_same(const GeneratedKernel& a, const GeneratedKernel& b) {
  EXPECT_EQ(a.generator, b.generator);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(to_string(a.parameters), to_string(b.parameters));
  EXPECT_TRUE(std::equal(a.binary.begin(), a.binary.end(), b.binary.begin(), b.binary.end()));
}

void expect_same(const DimOp& a, const DimOp& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.symbol, b.symbol);
}

void expect_same(const Program& a, const Program& b) {
  expect_same(a.tensors, b.tensors);
  expect_same(a.steps, b.steps);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
}

void expect_same(const Profile& a, const Profile& b) {
  expect_same(a.inputs, b.inputs);
  expect_same(a.values, b.values);
}

void expect_same(const Plan& a, const Plan& b) {
  EXPECT_EQ(a.built_by, b.built_by);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  ASSERT_EQ(a.others.size(), b.others.size());
  for (size_t i = 0; i < a.others.size(); ++i) {
    EXPECT_EQ(a.others[i].name, b.others[i].name);
    EXPECT_EQ(a.others[i].fingerprint, b.others[i].fingerprint);
  }
  EXPECT_EQ(a.build_info, b.build_info);
  expect_same(a.kernels, b.kernels);
  EXPECT_EQ(a.arena_size, b.arena_size);
  expect_same(a.dims, b.dims);
  expect_same(a.programs, b.programs);
  expect_same(a.profiles, b.profiles);
  EXPECT_EQ(bytes_of(a.constants), bytes_of(b.constants));
}

TEST(EngineFile, RandomPlansComeBackAndAreTheSameBytes) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    const Plan plan = random_plan(seed);
    const auto bytes = std::make_shared<Bytes>(write(plan));
    EXPECT_EQ(*bytes, write(random_plan(seed)));
    const Plan back = read(*bytes, bytes);
    expect_same(plan, back);
    EXPECT_EQ(*bytes, write(back));
    if (HasFailure()) return;
  }
}

TEST(EngineFile, ParametersKeepTheirBits) {
  Plan plan = random_plan(1);
  StepInfo step;
  step.kernel = "k";
  step.device = plan.device;
  const double nan = std::bit_cast<double>(uint64_t{0x7ff8000000001234});
  step.parameters = {{"nan", nan}, {"zero", -0.0}, {"t", Tensor::of<uint16_t>({3}, {1, 0xffff, 7})}};
  plan.programs[0].steps = {step};
  const Bytes bytes = write(plan);
  const Attributes back = read(bytes, nullptr).programs[0].steps[0].parameters;
  EXPECT_EQ(std::bit_cast<uint64_t>(back.real("nan")), std::bit_cast<uint64_t>(nan));
  EXPECT_TRUE(std::signbit(back.real("zero")));
  EXPECT_TRUE(back.tensor("t").identical(step.parameters.tensor("t")));
}

TEST(EngineFile, HeaderIsText) {
  Plan plan = random_plan(3);
  plan.built_by = "0.1.0";
  const Bytes bytes = write(plan);
  const std::string text = "KILN engine\nbuilt by 0.1.0\nformat " + std::to_string(kFormatVersion) + "\n";
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), text.size()), text);
}

TEST(EngineFile, ConstantsAreBorrowedWhenAlignedAndCopiedWhenNot) {
  const Bytes bytes = small_file();
  for (size_t shift : {0, 1, 8}) {
    Tensor buffer = Tensor::allocate(DType::kU8, {static_cast<int64_t>(bytes.size() + shift)});
    auto* start = static_cast<std::byte*>(buffer.mutable_data()) + shift;
    std::memcpy(start, bytes.data(), bytes.size());
    const Plan plan = read({start, bytes.size()}, std::make_shared<Tensor>(buffer));
    const std::byte* constants = plan.constants.at(0, 1);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(constants) % kAlignment, 0u);
    EXPECT_EQ(constants >= start && constants < start + bytes.size(), shift == 0);
    EXPECT_NE(plan.constants.parts()[0].owner, nullptr);
  }
}

TEST(EngineFile, EveryTruncationIsRefused) {
  const Bytes bytes = small_file();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Bytes shorter(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(read_code(shorter), Code::kMalformedPlan) << size;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_EQ(read_code(longer), Code::kMalformedPlan);
}

TEST(EngineFile, EveryFlippedBitIsRefused) {
  Bytes bytes = small_file();
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte(1 << bit);
      const Code code = read_code(bytes);
      EXPECT_TRUE(code == Code::kMalformedPlan || code == Code::kPlanVersion) << "byte " << i << " bit " << bit;
      bytes[i] ^= std::byte(1 << bit);
    }
  EXPECT_EQ(read_code(bytes), Code::kOk);
}

TEST(EngineFile, EveryOverwrittenByteIsRefused) {
  Bytes bytes = small_file();
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int value : {0x00, 0xff, 0x80, 0x0a}) {
      const std::byte old = std::exchange(bytes[i], std::byte(value));
      const bool same = old == bytes[i];
      EXPECT_EQ(read_code(bytes) == Code::kOk, same) << "byte " << i << " value " << value;
      bytes[i] = old;
    }
}

// Whatever the metadata says, there is a plan or an Error; the sanitizers see to the rest.
TEST(EngineFile, FlipsBehindRightChecksumsNeverCrash) {
  const Bytes bytes = small_file();
  size_t refused = 0;
  for (size_t i = kHeaderSize; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = bytes;
      changed[i] ^= std::byte(1 << bit);
      refresh_checksums(changed);
      const Code code = read_code(changed);
      EXPECT_TRUE(code == Code::kOk || code == Code::kMalformedPlan) << "byte " << i << " bit " << bit;
      refused += code != Code::kOk;
    }
  EXPECT_GT(refused, bytes.size());
}

TEST(EngineFile, AnotherFormatIsNamed) {
  Bytes bytes = small_file();
  const std::string header = "KILN engine\nbuilt by 7.5.1\nformat 12\n";
  std::memcpy(bytes.data(), header.data(), header.size());
  try {
    read(bytes, nullptr);
    FAIL() << "read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kPlanVersion);
    EXPECT_NE(e.message().find("built by Kiln 7.5.1 in format 12, this runtime reads format " +
                               std::to_string(kFormatVersion)),
              std::string::npos)
        << e.message();
    EXPECT_FALSE(e.remedy().empty());
  }
}

TEST(EngineFile, UnknownSectionsAreSkippedOnlyWhenOptional) {
  const Bytes bytes = small_file();
  Container container = unpack(bytes);
  const Bytes later(77, std::byte{5});
  container.sections.insert(container.sections.begin() + 1, {static_cast<SectionKind>(9), true, {{0, later}}});
  Bytes file = pack(container);
  EXPECT_EQ(read_code(file), Code::kOk);
  container.sections[1].optional = false;
  EXPECT_EQ(read_code(pack(container)), Code::kMalformedPlan);
}

TEST(EngineFile, EachKnownSectionIsThereOnce) {
  const Bytes bytes = small_file();
  const Container container = unpack(bytes);
  ASSERT_EQ(container.sections.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    Container one = container, three = container;
    one.sections.erase(one.sections.begin() + static_cast<ptrdiff_t>(i));
    three.sections.push_back(container.sections[i]);
    EXPECT_EQ(read_code(pack(one)), Code::kMalformedPlan);
    EXPECT_EQ(read_code(pack(three)), Code::kMalformedPlan);
  }
  EXPECT_EQ(read_code(pack({"0.1.0", {}})), Code::kMalformedPlan);
}

// Table entries that are wrong although every checksum is right.
TEST(EngineFile, TableIsChecked) {
  const Bytes bytes = small_file();
  const auto with = [&](size_t at, uint64_t value) {
    Bytes changed = bytes;
    std::memcpy(changed.data() + at, &value, sizeof value);
    refresh_checksums(changed);
    return read_code(changed);
  };
  EXPECT_EQ(with(kNumbersAt + 8, 2), Code::kOk);
  for (uint64_t sections : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{65}, uint64_t{1} << 59, ~uint64_t{0}})
    EXPECT_EQ(with(kNumbersAt + 8, sections), Code::kMalformedPlan) << sections;
  for (size_t entry : {kHeaderSize, kHeaderSize + kEntrySize})
    for (size_t field : {8, 16})
      for (uint64_t value :
           {uint64_t{0}, uint64_t{1}, uint64_t{64}, bytes.size() - 1, bytes.size() + 64, ~uint64_t{63}, ~uint64_t{0}})
        EXPECT_EQ(with(entry + field, value), Code::kMalformedPlan) << entry << " " << field << " " << value;
}

}  // namespace
}  // namespace kiln::plan
