// kiln compare: an engine against the reference, or against stored data.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "command.h"

namespace kiln::tool {
namespace {

struct Options {
  BuildFlags build;
  std::string model, data, inputs;
  double rtol = 1e-3, atol = 1e-5;
};

struct Difference {
  bool agree = true;
  std::string text;
};

// As numpy.allclose: |got - want| <= atol + rtol |want|; NaN agrees with NaN.
Difference difference(const api::HostTensor& got, const api::HostTensor& want, double rtol, double atol) {
  if (got.type != want.type || got.dims != want.dims)
    return {false,
            "is " + got.type + " " + shape_text(got.dims) + ", expected " + want.type + " " + shape_text(want.dims)};
  double worst = -1, largest = 0;
  int64_t at = 0, bad = 0;
  for (int64_t i = 0; i < api::element_count(want); ++i) {
    const double g = api::element(got, i), w = api::element(want, i);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    const double error = std::isfinite(g) && std::isfinite(w) ? std::abs(g - w) : INFINITY;
    largest = std::max(largest, error);
    const double excess = error - (atol + rtol * std::abs(w));
    if (!(excess <= 0)) ++bad;
    if (excess > worst || at == 0) {
      worst = std::max(worst, excess);
      at = i;
    }
  }
  if (bad == 0) return {true, fmt::format("agrees; largest difference {:.3g}", largest)};
  return {false, fmt::format("{} of {} elements differ; worst at {}: {:.8g}, expected {:.8g}", bad,
                             api::element_count(want), at, api::element(got, at), api::element(want, at))};
}

std::vector<api::IoTensor> of_kind(const std::vector<api::IoTensor>& list, bool inputs) {
  std::vector<api::IoTensor> result;
  std::copy_if(list.begin(), list.end(), std::back_inserter(result),
               [&](const auto& t) { return t.is_input == inputs; });
  return result;
}

bool check(api::Session& session, const std::vector<api::IoTensor>& outputs, const api::Values& want,
           const Options& o) {
  bool all = true;
  for (const api::IoTensor& io : outputs) {
    const Difference d = difference(session.output(io.name), want.at(io.name), o.rtol, o.atol);
    say(d.agree ? api::Level::kInfo : api::Level::kError, "output '" + io.name + "' " + d.text);
    all = all && d.agree;
  }
  return all;
}

void run(Options& o) {
  o.build.onnx = o.model;
  api::Values inputs, want;
  const auto model = api::model_io(o.model);
  if (!o.data.empty()) {
    const auto ins = of_kind(model, true), outs = of_kind(model, false);
    for (size_t i = 0; i < ins.size(); ++i) {
      inputs[ins[i].name] = api::load_tensor(o.data + "/input_" + std::to_string(i) + ".pb");
      o.build.shapes += (o.build.shapes.empty() ? "" : ",") + ins[i].name + ":" + shape_text(inputs[ins[i].name].dims);
    }
    for (size_t i = 0; i < outs.size(); ++i)
      want[outs[i].name] = api::load_tensor(o.data + "/output_" + std::to_string(i) + ".pb");
  }
  const api::Engine engine = build_engine(o.build);
  api::Session session = engine.create_session();
  const Shapes shapes = parse_shapes(o.build.shapes);
  for (const api::IoTensor& io : of_kind(engine.io(), true)) {
    if (!inputs.count(io.name)) inputs[io.name] = input_tensor(io, input_shape(io, shapes), parse_pairs(o.inputs));
    session.set_input(io.name, inputs[io.name]);
  }
  session.enqueue();
  if (o.data.empty()) {
    say(api::Level::kInfo, "evaluating the model by the reference");
    want = api::evaluate_model(o.model, inputs);
  }
  if (!check(session, of_kind(engine.io(), false), want, o)) throw api::Failure("the outputs differ");
}

}  // namespace

void add_compare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX model")->required();
  app.add_option("--data", o->data,
                 "Folder with input_K.pb and output_K.pb, as in the ONNX test sets; without it the reference is asked");
  app.add_option("--loadInputs", o->inputs, "Input values, name:file.npy,…; random where not given");
  app.add_option("--rtol", o->rtol, "Relative tolerance (default 1e-3)");
  app.add_option("--atol", o->atol, "Absolute tolerance (default 1e-5)");
  add_build_flags(app, o->build);
  app.footer(
      "Exit code 0 when all outputs agree.\nExample:\n  kiln compare model.onnx --data=test_data_set_0 --rtol=1e-3 "
      "--atol=1e-5");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
