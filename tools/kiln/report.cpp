// kiln report: an engine, its times and its memory as one page.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "command.h"
#include "layer_table.h"
#include "report_page.h"

namespace kiln::tool {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kPlace = "KILN_DATA";

struct ReportOptions {
  std::vector<std::string> engines;
  std::string output, shapes;
  int rounds = 20, profile = -1, threads = 0;
};

// "name" of "name float32[1,2] channels-last".
std::vector<std::string> value_names(const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (const std::string& text : texts)
    if (text != "-") names.push_back(text.substr(0, text.rfind(' ', text.rfind('['))));
  return names;
}

// Values that only rename the bytes of another, by which the layers are linked all the same: its name instead.
class Links {
 public:
  explicit Links(const api::Engine& engine) {
    for (const api::MemoryUse& use : engine.memory()) offsets_[use.name] = use.offset;
  }
  std::vector<std::string> reads(const api::LayerInfo& layer) const {
    std::vector<std::string> names = value_names(layer.inputs);
    for (std::string& name : names) {
      const auto offset = offsets_.find(name);
      if (made_.count(name) || offset == offsets_.end()) continue;
      if (const auto maker = last_.find(offset->second); maker != last_.end()) name = maker->second;
    }
    return names;
  }
  void make(const api::LayerInfo& layer) {
    for (const std::string& name : value_names(layer.outputs)) {
      made_.insert(name);
      if (const auto it = offsets_.find(name); it != offsets_.end()) last_[it->second] = name;
    }
  }

 private:
  std::map<std::string, uint64_t> offsets_;
  std::map<uint64_t, std::string> last_;  // value that was made last at an offset
  std::set<std::string> made_;
};

Json layer_json(const LayerTimes& l, const Limits& limits, Links& links) {
  const api::LayerInfo& info = l.layer;
  Json tried = Json::array();
  for (const auto& [candidate, ms] : info.tried) tried.push_back({candidate, ms});
  Json json{{"name", info.name},
            {"op", info.op},
            {"backend", info.backend},
            {"kernel", info.kernel},
            {"tactic", info.tactic},
            {"origins", info.origins},
            {"inputs", info.inputs},
            {"outputs", info.outputs},
            {"reads", links.reads(info)},
            {"makes", value_names(info.outputs)},
            {"ms", l.median()},
            {"flops", info.flops},
            {"bytes", info.bytes},
            {"least", limits.least_ms(info)},
            {"tried", tried}};
  links.make(info);
  return json;
}

// Of each back end, measured when first asked for.
class KnownLimits {
 public:
  explicit KnownLimits(int threads) : threads_(threads) {}
  const Limits& of(const api::Engine& engine) {
    const auto it = limits_.find(engine.backend());
    return it != limits_.end()
               ? it->second
               : limits_[engine.backend()] = measure_limits(threads_, engine.backend(), engine.layers());
  }

 private:
  int threads_;
  std::map<std::string, Limits> limits_;
};

Json engine_json(const std::string& path, const ReportOptions& o, KnownLimits& known) {
  const api::Engine engine = api::Engine::load(path);
  const Shapes asked = parse_shapes("--shapes", o.shapes);
  check_names("--shapes", asked, engine.io());
  api::Session session = engine.create_session(o.threads);
  set_inputs(session, engine, {}, asked, choose_profile(engine, {}, asked, o.profile));
  session.enqueue();  // the first prepares
  const Limits& limits = known.of(engine);
  Json json{{"name", engine.name()},
            {"backend", engine.backend()},
            {"device", engine.device()},
            {"built_by", engine.built_by()},
            {"options", engine.build_options()},
            {"weight_bytes", engine.weight_bytes()},
            {"context_bytes", engine.context_bytes()},
            {"limits", {{"flops", limits.flops_per_s}, {"bytes", limits.bytes_per_s}}},
            {"io", Json::array()},
            {"layers", Json::array()},
            {"memory", Json::array()}};
  for (const api::IoTensor& io : engine.io())
    json["io"].push_back(
        {{"name", io.name}, {"type", io.type}, {"shape", shape_text(session.shape(io.name))}, {"input", io.is_input}});
  Links links(engine);
  for (const LayerTimes& l : profile_layers(session, engine, o.rounds))
    json["layers"].push_back(layer_json(l, limits, links));
  for (const api::MemoryUse& m : engine.memory())
    json["memory"].push_back(
        {{"name", m.name}, {"offset", m.offset}, {"size", m.size}, {"first", m.first}, {"last", m.last}});
  return json;
}

// JSON that may stand inside of a script.
std::string script_text(const Json& json) {
  std::string text;
  for (char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<') text += "\\u003c";
    else text += c;
  }
  return text;
}

void run(const ReportOptions& o) {
  check_output(o.output, kMarkupFiles);
  KnownLimits limits(o.threads);
  Json data{{"engines", Json::array()}};
  for (const std::string& path : o.engines) data["engines"].push_back(engine_json(path, o, limits));
  std::string page(kReportPage);
  page.replace(page.rfind(kPlace), kPlace.size(), script_text(data));
  write_text(o.output, page);
  say(api::Level::kInfo, fmt::format("wrote {}: {}", o.output, bytes_text(static_cast<double>(page.size()))));
}

}  // namespace

void add_report(CLI::App& app) {
  auto o = std::make_shared<ReportOptions>();
  app.add_option("engines", o->engines, "Saved engine; or two, which are compared")
      ->required()
      ->expected(1, 2)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  app.add_option("-o,--output", o->output, "The page (.html)")->required();
  app.add_option("--shapes", o->shapes, "Shapes of the inputs, name:1x3x8x8,…; default: the optimum of the profile");
  app.add_option("--useOptimizationProfile", o->profile,
                 "Profile of the engines (default: the first that takes the shapes)")
      ->check(not_negative());
  app.add_option("--iterations", o->rounds, "Profiled inferences; the page shows medians")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--cpuThreads", o->threads, "Threads that compute; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  set_footer(app,
             "  kiln report resnet50.plan -o report.html\n"
             "  kiln report before.plan after.plan -o report.html\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
