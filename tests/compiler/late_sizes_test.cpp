// Values whose size only running tells, from every kind of producer into every kind of consumer.
#include <functional>
#include <random>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// Text that makes %v of %x: float32[6,8,6,5] and of %k: float32[6], whose positive elements count what is kept: at least one.
struct Producer {
  const char* name;
  const char* text;
};

#define KEPT                                \
  "%zero = constant float32[]:{0}\n"        \
  "%more = Greater(%k, %zero)\n"            \
  "%places = NonZero(%more)\n"              \
  "%flat = constant int64[1]:{-1}\n"        \
  "%which = Reshape(%places, %flat)\n"      \
  "%length = Shape(%which)\n"               \
  "%counted = Cast(%more) {to=\"int64\"}\n" \
  "%sum_axis = constant int64[1]:{0}\n"     \
  "%late = ReduceSum(%counted, %sum_axis) {keepdims=1}\n"

const Producer kProducers[] = {
    {"Gather", "%v = Gather(%x, %which)\n"},
    {"Compress", "%v = Compress(%x, %more) {axis=0}\n"},
    {"Slice",
     "%from = constant int64[1]:{0}\n"
     "%v = Slice(%x, %from, %late, %from)\n"},
    {"SliceOfRows",
     "%from = constant int64[1]:{1}\n"
     "%axis = constant int64[1]:{2}\n"
     "%one = constant int64[1]:{1}\n"
     "%end = Add(%late, %one)\n"
     "%v = Slice(%x, %from, %end, %axis)\n"},
    {"Tile",
     "%ones = constant int64[3]:{1,1,1}\n"
     "%repeats = Concat(%late, %ones) {axis=0}\n"
     "%v = Tile(%x, %repeats)\n"},
    {"TileOfColumns",
     "%ones = constant int64[3]:{1,1,1}\n"
     "%repeats = Concat(%ones, %late) {axis=0}\n"
     "%v = Tile(%x, %repeats)\n"},
    {"TopK", "%v, %at = TopK(%x, %late) {axis=0}\n"},
    {"Range",
     "%scalar = constant int64[0]:{}\n"
     "%start = constant int64[]:{0}\n"
     "%step = constant int64[]:{1}\n"
     "%end = Reshape(%late, %scalar)\n"
     "%range = Range(%start, %end, %step)\n"
     "%v = Gather(%x, %range)\n"},
    {"Expand",
     "%from = constant int64[1]:{0}\n"
     "%to = constant int64[1]:{1}\n"
     "%rest = constant int64[3]:{8,6,5}\n"
     "%first = Slice(%x, %from, %to, %from)\n"
     "%shape = Concat(%late, %rest) {axis=0}\n"
     "%v = Expand(%first, %shape)\n"},
    {"Reshape",
     "%from = constant int64[1]:{0}\n"
     "%kept = Slice(%x, %from, %late, %from)\n"
     "%rest = constant int64[3]:{8,6,5}\n"
     "%shape = Concat(%late, %rest) {axis=0}\n"
     "%v = Reshape(%kept, %shape)\n"},
    {"Pad",
     "%front = constant int64[6]:{0,0,0,0,1,0}\n"
     "%back = constant int64[1]:{0}\n"
     "%pads = Concat(%front, %late, %back) {axis=0}\n"
     "%v = Pad(%x, %pads)\n"},
    {"Resize",
     "%nine = constant int64[1]:{9}\n"
     "%fixed = constant int64[2]:{6,8}\n"
     "%sizes = Concat(%fixed, %nine, %late) {axis=0}\n"
     "%v = Resize(%x, _, _, %sizes) {mode=\"linear\"}\n"},
    {"If",
     "%two = constant int64[1]:{2}\n"
     "%scalar = constant int64[0]:{}\n"
     "%many = Greater(%late, %two)\n"
     "%condition = Reshape(%many, %scalar)\n"
     "%v = If(%condition, %x, %which) {captures=2} regions {\n"
     "  graph yes(%a: float32[6,8,6,5], %b: int64[n]) {\n"
     "    %g = Gather(%a, %b)\n"
     "    return %g\n"
     "  }\n"
     "  graph no(%a: float32[6,8,6,5], %b: int64[n]) {\n"
     "    %s = Neg(%a)\n"
     "    return %s\n"
     "  }\n"
     "}\n"},
    {"Loop",
     "%scalar = constant int64[0]:{}\n"
     "%trips = Reshape(%late, %scalar)\n"
     "%mean_axis = constant int64[1]:{0}\n"
     "%image = ReduceMean(%x, %mean_axis) {keepdims=0}\n"
     "%last, %v = Loop(%trips, _, %image) regions {\n"
     "  graph body(%i: int64[], %c: bool[], %a: float32[8,6,5]) {\n"
     "    %t = Identity(%c)\n"
     "    %s = Tanh(%a)\n"
     "    return %t, %s, %s\n"
     "  }\n"
     "}\n"},
    {"NonMaxSuppression",
     "%boxes = constant float32[1,3,4]:{0,0,1,1, 0,0,1,1.1, 5,5,6,6}\n"
     "%one = constant int64[1]:{1}\n"
     "%row = constant int64[3]:{1,1,3}\n"
     "%three = constant int64[1]:{3}\n"
     "%first3 = Slice(%k, %none, %three, %none)\n"
     "%scores = Reshape(%first3, %row)\n"
     "%limit = constant int64[1]:{3}\n"
     "%overlap = constant float32[1]:{0.5}\n"
     "%least = constant float32[1]:{-9}\n"
     "%chosen = NonMaxSuppression(%boxes, %scores, %limit, %overlap, %least)\n"
     "%two = constant int64[1]:{2}\n"
     "%third = Slice(%chosen, %two, %three, %one)\n"
     "%column = Squeeze(%third, %one)\n"
     "%v = Gather(%x, %column)\n"},
};

struct Consumer {
  const char* name;
  const char* text;
};

// The columns of what Resize and Tile make vary, the rows of what Slice and Pad make, the images of the others.
const Consumer kConsumers[] = {
    {"Conv", "%w = random float32[16,8,3,3] seed 1\n%y = Conv(%v, %w) {pads=[1,1,1,1]}\n"},
    {"Conv1x1", "%w = random float32[16,8,1,1] seed 1\n%y = Conv(%v, %w)\n"},
    {"ConvReluAdd",
     "%w = random float32[8,8,3,3] seed 1\n%b = random float32[8] seed 2\n%c = Conv(%v, %w, %b) {pads=[1,1,1,1]}\n"
     "%r = Relu(%c)\n%y = Add(%r, %v)\n"},
    {"ConvConv",
     "%w = random float32[16,8,3,3] seed 1\n%u = random float32[4,16,1,1] seed 2\n%c = Conv(%v, %w) {pads=[1,1,1,1]}\n"
     "%r = Relu(%c)\n%y = Conv(%r, %u)\n"},
    {"DepthwiseConv", "%w = random float32[8,1,3,3] seed 1\n%y = Conv(%v, %w) {group=8,pads=[1,1,1,1]}\n"},
    {"GroupedConv", "%w = random float32[8,2,3,3] seed 1\n%y = Conv(%v, %w) {group=4,pads=[1,1,1,1]}\n"},
    {"ConvTranspose", "%w = random float32[8,4,2,2] seed 1\n%y = ConvTranspose(%v, %w) {strides=[2,2]}\n"},
    {"MaxPool", "%y = MaxPool(%v) {kernel_shape=[3,3],pads=[1,1,1,1]}\n"},
    {"AveragePool", "%y = AveragePool(%v) {kernel_shape=[3,3],pads=[1,1,1,1]}\n"},
    {"GlobalAveragePool", "%y = GlobalAveragePool(%v)\n"},
    {"GlobalMaxPool", "%y = GlobalMaxPool(%v)\n"},
    {"InstanceNormalization",
     "%s = random float32[8] seed 1\n%b = random float32[8] seed 2\n%y = InstanceNormalization(%v, %s, %b)\n"},
    {"LRN", "%y = LRN(%v) {size=3}\n"},
    {"BatchNormalization",
     "%s = random float32[8] seed 1\n%m = random float32[8] seed 2\n%d = Mul(%s, %s)\n"
     "%y = BatchNormalization(%v, %s, %m, %m, %d)\n"},
    {"PoolBetweenConvs",
     "%w = random float32[8,8,3,3] seed 1\n%c = Conv(%v, %w) {pads=[1,1,1,1]}\n%e = Exp(%c)\n"
     "%p = MaxPool(%e) {kernel_shape=[2,2]}\n%y = Conv(%p, %w) {pads=[1,1,1,1]}\n"},
    {"ConcatConv",
     "%w = random float32[4,16,1,1] seed 1\n%s = Sigmoid(%v)\n%c = Concat(%v, %s) {axis=1}\n%y = Conv(%c, %w)\n"},
    {"ConvSplit",
     "%w = random float32[8,8,1,1] seed 1\n%c = Conv(%v, %w)\n%y, %z = Split(%c) {axis=1,num_outputs=2}\n"},
    {"ConvResize",
     "%w = random float32[8,8,1,1] seed 1\n%c = Conv(%v, %w)\n%scales = constant float32[4]:{1,1,2,2}\n"
     "%y = Resize(%c, _, %scales)\n"},
    {"ConvMean",
     "%w = random float32[8,8,1,1] seed 1\n%c = Conv(%v, %w)\n%axes = constant int64[2]:{2,3}\n%y = ReduceMean(%c, "
     "%axes)\n"},
    {"SqueezeExcite",
     "%w = random float32[8,8,3,3] seed 1\n%u = random float32[8,8,1,1] seed 2\n%c = Conv(%v, %w) {pads=[1,1,1,1]}\n"
     "%p = GlobalAveragePool(%c)\n%q = Conv(%p, %u)\n%s = Sigmoid(%q)\n%y = Mul(%c, %s)\n"},
    {"Relu", "%y = Relu(%v)\n"},
    {"Softmax", "%y = Softmax(%v) {axis=1}\n"},
    {"MatMul", "%t = Transpose(%v) {perm=[0,2,3,1]}\n%w = random float32[8,9] seed 1\n%y = MatMul(%t, %w)\n"},
    {"MatMulOfItself", "%t = Transpose(%v) {perm=[0,1,3,2]}\n%y = MatMul(%v, %t)\n"},
    {"LayerNormalization",
     "%t = Transpose(%v) {perm=[0,2,3,1]}\n%s = random float32[8] seed 1\n%y = LayerNormalization(%t, %s)\n"},
    {"ReduceMax", "%axes = constant int64[1]:{0}\n%y = ReduceMax(%v, %axes)\n"},
    {"CumSum", "%along = constant int64[]:{1}\n%y = CumSum(%v, %along)\n"},
    {"Cast", "%h = Cast(%v) {to=\"float16\"}\n%y = Cast(%h) {to=\"float32\"}\n"},
    {"DepthToSpace", "%y = DepthToSpace(%v) {blocksize=2}\n"},
    {"Reshape", "%s = constant int64[2]:{-1,8}\n%t = Transpose(%v) {perm=[0,2,3,1]}\n%y = Reshape(%t, %s)\n"},
};

std::string program(const Producer& from, const std::string& body, const std::string& result) {
  return "graph main(%x: float32[6,8,6,5], %k: float32[6]) {\n%none = constant int64[1]:{0}\n" KEPT +
         std::string(from.text) + body + "return " + result + "\n}";
}

std::vector<Tensor> inputs(int kept) {
  Tensor k = Tensor::allocate(DType::kF32, {6});
  for (int i = 0; i < 6; ++i) k.set(i, i < kept ? 1 + i : -1 - i);
  return {random_f32({6, 8, 6, 5}, 3), k};
}

class LateSizes : public ::testing::TestWithParam<Producer> {};

using Check = void (*)(const Tensor& actual, const Tensor& expected, const std::string& where);

void expect_right(const std::string& text, const plan::Plan& plan, const std::string& where,
                  Check check = expect_close) {
  const auto engine = Engine::from_plan(plan);
  auto context = engine->create_context();
  for (int kept : {2, 5, 1}) {
    std::vector<Tensor> actual;
    ASSERT_NO_THROW(actual = run(*context, inputs(kept))) << where;
    const std::vector<Tensor> expected = reference(text, inputs(kept));
    for (size_t i = 0; i < actual.size(); ++i)
      check(actual[i], expected[i], where + ", " + std::to_string(kept) + " kept");
  }
}

// Sums of sums round apart, but not so far that another element would pass.
void expect_near(const Tensor& actual, const Tensor& expected, const std::string& where) {
  ASSERT_EQ(actual.type_string(), expected.type_string()) << where;
  double largest = 1e-3;
  for (int64_t i = 0; i < expected.size(); ++i) largest = std::max(largest, std::abs(expected.at(i)));
  for (int64_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual.at(i), expected.at(i), 2e-3 * largest) << where << ": element " << i;
}

TEST_P(LateSizes, EveryConsumer) {
  for (const Consumer& to : kConsumers) {
    SCOPED_TRACE(to.name);
    const std::string text = program(GetParam(), to.text, "%y");
    plan::Plan plan;
    ASSERT_NO_THROW(plan = build(text, options_of("cpu", 0)));
    expect_right(text, plan, to.name);
  }
}

// The value is read channels-last and in rows by one engine; measured, saved and loaded again.
TEST_P(LateSizes, SeveralConsumersAtOnce) {
  const std::string text =
      program(GetParam(),
              "%w = random float32[8,8,3,3] seed 1\n%c = Conv(%v, %w) {pads=[1,1,1,1]}\n"
              "%p = MaxPool(%v) {kernel_shape=[2,2]}\n%s = Softmax(%v) {axis=1}\n%y = Mul(%c, %s)\n",
              "%y, %p, %v");
  expect_same_as_reference(text, {{inputs(2)}, {inputs(6)}, {inputs(1)}});
}

// What keeps eight channels: %i becomes %o, names that end in @ are the link's own.
const char* const kLinks[] = {
    "%w@ = random float32[8,8,3,3] seed 1\n%o = Conv(%i, %w@) {pads=[1,1,1,1]}\n",
    "%w@ = random float32[8,1,3,3] seed 2\n%o = Conv(%i, %w@) {group=8,pads=[1,1,1,1]}\n",
    "%w@ = random float32[8,8,1,1] seed 3\n%c@ = Conv(%i, %w@)\n%r@ = Relu(%c@)\n%o = Add(%r@, %i)\n",
    "%w@ = random float32[8,8,2,2] seed 4\n%o = ConvTranspose(%i, %w@) {strides=[1,1]}\n",
    "%p@ = GlobalAveragePool(%i)\n%s@ = Sigmoid(%p@)\n%o = Mul(%i, %s@)\n",
    "%o = MaxPool(%i) {kernel_shape=[3,3],pads=[1,1,1,1]}\n",
    "%o = AveragePool(%i) {kernel_shape=[3,3],pads=[1,1,1,1]}\n",
    "%s@ = random float32[8] seed 5\n%b@ = random float32[8] seed 6\n%o = InstanceNormalization(%i, %s@, %b@)\n",
    "%o = LRN(%i) {size=3}\n",
    "%o = Softmax(%i) {axis=1}\n",
    "%o = Tanh(%i)\n",
    "%a@, %b@ = Split(%i) {axis=1,num_outputs=2}\n%o = Concat(%b@, %a@) {axis=1}\n",
    "%t@ = Transpose(%i) {perm=[0,2,3,1]}\n%w@ = random float32[8,8] seed 7\n%m@ = MatMul(%t@, %w@)\n%o = "
    "Transpose(%m@) {perm=[0,3,1,2]}\n",
    "%f@ = constant int64[1]:{0}\n%o = Slice(%i, %f@, %late, %f@)\n",
    "%f@ = constant int64[6]:{0,0,0,0,0,0}\n%e@ = constant int64[1]:{0}\n%q@ = Concat(%f@, %late, %e@) {axis=0}\n"
    "%o = Pad(%i, %q@)\n",
    "%f@ = constant int64[3]:{1,1,1}\n%g@ = Concat(%late, %f@) {axis=0}\n%d@ = Tile(%i, %g@)\n%e@ = constant "
    "int64[1]:{0}\n"
    "%t@ = constant int64[1]:{9}\n%o = Slice(%d@, %e@, %t@, %e@)\n",
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

TEST_P(LateSizes, RandomChains) {
  std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>()(GetParam().name)));
  for (int chain = 0; chain < 8; ++chain) {
    std::string body, value = "%v";
    const uint32_t length = 2 + random() % 4;
    for (uint32_t i = 0; i < length; ++i) {
      const std::string number = std::to_string(i), next = i + 1 == length ? "%y" : "%v" + number;
      std::string link = replaced(kLinks[random() % std::size(kLinks)], "@", number);
      link = replaced(replaced(link, "%i", value), "%o ", next + " ");
      body += link;
      value = next;
    }
    SCOPED_TRACE(body);
    const std::string text = program(GetParam(), body, "%y");
    plan::Plan plan;
    ASSERT_NO_THROW(plan = build(text, options_of("cpu", 0)));
    expect_right(text, plan, "chain " + std::to_string(chain), expect_near);
  }
}

// Axis 1, the usual one, is none of a vector: one scale is right, several are not, and only running tells how many there are.
TEST(LateScales, OfAVector) {
  const std::string text = R"(graph main(%x: float32[7], %scales: float32[3], %kept: bool[3]) {
    %scale = Compress(%scales, %kept) {axis=0}
    %q = QuantizeLinear(%x, %scale)
    %y = DequantizeLinear(%q, %scale)
    return %q, %y
  })";
  const Tensor x = random_f32({7}, 1), scales = Tensor::of<float>({3}, {0.5f, 0.25f, 2.0f});
  for (const char* device : {"cpu", "ref"}) {
    const auto engine = Engine::from_plan(build(text, options_of(device, 0)));
    auto context = engine->create_context();
    const std::vector<Tensor> one{x, scales, Tensor::of<bool>({3}, {false, true, false})};
    const std::vector<Tensor> actual = run(*context, one), expected = reference(text, one);
    for (size_t i = 0; i < actual.size(); ++i) expect_close(actual[i], expected[i], device);
    EXPECT_THROW(run(*context, {x, scales, Tensor::of<bool>({3}, {true, true, false})}), Error) << device;
  }
}

INSTANTIATE_TEST_SUITE_P(Producers, LateSizes, ::testing::ValuesIn(kProducers),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace kiln::testing
