// Activations and the softmax family.
#include "text_case.h"

namespace kiln::testing {
namespace {

TEST(Activation, Values) {
  const TextCase cases[] = {
      {"Relu", "", {"int32[2]:{-1,2}"}, {"int32[2]:{0,2}"}},
      {"LeakyRelu", "", {"float32[3]:{-1.0,2.0,nan}"}, {"float32[3]:{-0.01,2.0,nan}"}},
      {"LeakyRelu", "{alpha=0.5}", {"float16[1]:{-1.0}"}, {"float16[1]:{-0.5}"}},
      {"PRelu", "", {"float32[2,2]:{-1.0,2.0,-3.0,4.0}", "float32[2]:{0.5,9.0}"}, {"float32[2,2]:{-0.5,2.0,-1.5,4.0}"}},
      {"PRelu", "", {"int64[2]:{-3,3}", "int64[]:{2}"}, {"int64[2]:{-6,3}"}},
      {"PRelu", "", {"uint32[1]:{3}", "uint32[]:{2}"}, {"uint32[1]:{3}"}},
      {"ThresholdedRelu", "{alpha=2.0}", {"float32[3]:{2.0,2.5,-3.0}"}, {"float32[3]:{0.0,2.5,0.0}"}},
      {"Elu", "{alpha=2.0}", {"float64[3]:{-1.0,3.0,-inf}"}, {"float64[3]:{-1.2642411176571153,3.0,-2.0}"}},
      {"Selu", "", {"float32[2]:{1.0,-inf}"}, {"float32[2]:{1.050701,-1.7580993}"}},
      {"Celu", "{alpha=2.0}", {"float32[3]:{-2.0,3.0,nan}"}, {"float32[3]:{-1.2642411,3.0,nan}"}},
      {"Sigmoid", "", {"float32[4]:{0.0,-inf,inf,1.0}"}, {"float32[4]:{0.5,0.0,1.0,0.7310586}"}},
      {"HardSigmoid", "", {"float32[3]:{-9.0,1.0,9.0}"}, {"float32[3]:{0.0,0.7,1.0}"}},
      {"HardSwish", "", {"float32[3]:{-4.0,1.5,4.0}"}, {"float32[3]:{-0.0,1.125,4.0}"}},
      {"Swish", "{alpha=2.0}", {"float64[1]:{1.0}"}, {"float64[1]:{0.8807970779778823}"}},
      {"Mish", "", {"float64[2]:{1.0,-1.0}"}, {"float64[2]:{0.8650983882673103,-0.30340146137410895}"}},
      {"Gelu", "", {"float64[2]:{1.0,-2.0}"}, {"float64[2]:{0.8413447460685429,-0.04550026389635842}"}},
      {"Gelu", "{approximate=\"tanh\"}", {"float64[1]:{1.0}"}, {"float64[1]:{0.8411919906082768}"}},
      {"Softplus", "", {"float32[4]:{0.0,1000.0,-inf,nan}"}, {"float32[4]:{0.6931472,1000.0,0.0,nan}"}},
      {"Softsign", "", {"float32[2]:{-3.0,0.0}"}, {"float32[2]:{-0.75,0.0}"}},
      {"Shrink", "{bias=1.5, lambd=1.5}", {"float32[3]:{-2.0,1.5,2.0}"}, {"float32[3]:{-0.5,0.0,0.5}"}},
      {"Shrink", "{bias=1.0, lambd=1.5}", {"int8[4]:{-2,-1,1,2}"}, {"int8[4]:{-1,0,0,1}"}},
      {"Sigmoid", "", {"float32[2,0]:{}"}, {"float32[2,0]:{}"}},
  };
  for (const TextCase& c : cases) check(c);
  check_refused(Code::kInvalidArgument, {"Gelu", "{approximate=\"cubic\"}", {"float32[1]:{1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Elu", "", {"int32[1]:{1}"}, {""}});
}

TEST(Softmax, Values) {
  const TextCase cases[] = {
      {"Softmax", "", {"float64[1,2]:{0.0,1.0}"}, {"float64[1,2]:{0.2689414213699951,0.7310585786300049}"}},
      {"Softmax",
       "{axis=0}",
       {"float64[2,2]:{0.0,1000.0,1.0,1000.0}"},
       {"float64[2,2]:{0.2689414213699951,0.5,0.7310585786300049,0.5}"}},
      {"Softmax", "{axis=1}", {"float16[1,2,1]:{-inf,3.0}"}, {"float16[1,2,1]:{0.0,1.0}"}},
      {"Softmax", "", {"float32[2]:{nan,1.0}"}, {"float32[2]:{nan,nan}"}},
      {"Softmax", "", {"float32[0,3]:{}"}, {"float32[0,3]:{}"}},
      {"Softmax", "", {"float32[3,0]:{}"}, {"float32[3,0]:{}"}},
      {"LogSoftmax", "", {"float64[2]:{0.0,1.0}"}, {"float64[2]:{-1.3132616875182228,-0.31326168751822286}"}},
      {"LogSoftmax", "", {"float32[2]:{0.0,10000.0}"}, {"float32[2]:{-10000.0,0.0}"}},
      {"Hardmax", "", {"float32[2,3]:{1.0,3.0,3.0,nan,2.0,5.0}"}, {"float32[2,3]:{0.0,1.0,0.0,1.0,0.0,0.0}"}},
      {"Hardmax", "{axis=0}", {"float32[2,2]:{1.0,3.0,2.0,-1.0}"}, {"float32[2,2]:{0.0,1.0,1.0,0.0}"}},
  };
  for (const TextCase& c : cases) check(c);
  check_refused(Code::kInvalidArgument, {"Softmax", "{axis=2}", {"float32[1,2]:{1.0,2.0}"}, {""}});
  EXPECT_EQ(infer("Hardmax", {}, {{DType::kBF16, {Dim::symbol("n"), 3}}}).first.str(), "bfloat16[n,3]");
}

}  // namespace
}  // namespace kiln::testing
