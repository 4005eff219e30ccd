// kiln/kiln.h: layers against the reference, profiles, tensors in files.
#include "kiln/kiln.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "api/program.h"
#include "pretend/pretend.h"

namespace kiln::api {
namespace {

// A file in the tests' folder of temporary files that is removed at the end.
class File {
 public:
  explicit File(const std::string& name) : path_(::testing::TempDir() + "kiln_facade_" + name) {}
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

 private:
  std::string path_;
};

const char* const kModel = R"(
w = nh.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) / 8 - 0.5, 'w')
nodes = [h.make_node('MatMul', ['x', 'w'], ['m'], name='mm'), h.make_node('Softmax', ['m'], ['s'], name='soft'),
         h.make_node('Tanh', ['s'], ['y'], name='act')]
g = h.make_graph(nodes, 'net', [h.make_tensor_value_info('x', T.FLOAT, ['n', 3])], [h.make_tensor_value_info('y', T.FLOAT, ['n', 4])], [w])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
)";

class Facade : public ::testing::Test {
 protected:
  Facade() : model_("model.onnx") {
    model_.write(onnx_model(kModel));
    options_.onnx = model_.path();
    options_.optimization_level = 0;
    options_.profiles = {{{"x", {{1, 3}, {2, 3}, {2, 3}}}}, {{"x", {{5, 3}, {6, 3}, {9, 3}}}}};
  }
  File model_;
  BuildOptions options_;
};

TEST_F(Facade, EveryLayerIsCheckedOnItsOwnInputs) {
  options_.keep_graph = true;
  const Engine engine = Engine::build(options_);
  const Values inputs{{"x", random_tensor("float32", {7, 3}, 5)}};
  std::vector<std::string> values;
  const Values outputs = engine.check_layers(
      inputs, 1, [&](const LayerInfo& layer, const std::string& value, const HostTensor& got, const HostTensor& want) {
        values.push_back(value);
        EXPECT_FALSE(layer.origins.empty());
        ASSERT_EQ(got.type, want.type);
        ASSERT_EQ(got.dims, want.dims);
        for (int64_t i = 0; i < element_count(want); ++i) EXPECT_NEAR(element(got, i), element(want, i), 1e-5);
      });
  EXPECT_EQ(values.size(), engine.layers().size());
  EXPECT_EQ(values.back(), "y");
  const Values expected = evaluate_model(options_.onnx, inputs);
  ASSERT_EQ(outputs.at("y").dims, (std::vector<int64_t>{7, 4}));
  for (int64_t i = 0; i < 28; ++i) EXPECT_NEAR(element(outputs.at("y"), i), element(expected.at("y"), i), 1e-5);
}

TEST(Evaluation, ShowsNumbersOfTheMainGraphInOrder) {
  const File model("shown.kir");
  model.write(R"(graph main(%x: float32[2]) {
  %t = constant string[1]:{"a"}
  %three = constant int64[]:{3}
  %a = Neg(%x)
  %u = StringConcat(%t, %t)
  %l = Loop(%three, _, %a) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[2]) {
      %go = Identity(%c)
      %d = Add(%s, %s)
      return %go, %d
    }
  }
  %e = Equal(%u, %t)
  %y = Abs(%l)
  return %y, %e
})");
  std::vector<std::string> seen;
  const Values outputs = evaluate_model(model.path(), {{"x", random_tensor("float32", {2}, 1)}},
                                        [&](const std::string& value, const HostTensor&) { seen.push_back(value); });
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "l", "e", "y"}));
  EXPECT_EQ(outputs.size(), 2u);
}

TEST_F(Facade, LayersNeedTheGraphAndTheInputs) {
  const auto nothing = [](const LayerInfo&, const std::string&, const HostTensor&, const HostTensor&) {};
  EXPECT_THROW(Engine::build(options_).check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 0, nothing), Failure);
  options_.keep_graph = true;
  const Engine engine = Engine::build(options_);
  EXPECT_THROW(engine.check_layers({}, 0, nothing), Failure);
  EXPECT_THROW(engine.check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 1, nothing), Failure);
  EXPECT_THROW(engine.check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 2, nothing), Failure);
}

TEST_F(Facade, Profiles) {
  const Engine engine = Engine::build(options_);
  const auto io = engine.io();
  ASSERT_EQ(io[0].profiles.size(), 2u);
  EXPECT_EQ(io[0].profiles[1].max, (std::vector<int64_t>{9, 3}));
  Session session = engine.create_session();
  EXPECT_THROW(session.set_shape("x", {9, 3}), Failure);
  session.set_profile(1);
  session.set_input("x", random_tensor("float32", {9, 3}, 1));
  session.enqueue();
  EXPECT_EQ(session.output("y").dims, (std::vector<int64_t>{9, 4}));
  EXPECT_THROW(session.set_profile(2), Failure);
}

TEST_F(Facade, MemoryOfTheCallerIsReadAndWritten) {
  const Engine engine = Engine::build(options_);
  const HostTensor x = random_tensor("float32", {2, 3}, 3);
  Session plain = engine.create_session(1);
  plain.set_input("x", x);
  plain.enqueue();
  const HostTensor want = plain.output("y");

  alignas(64) float in[6], out[8] = {};
  std::memcpy(in, x.data.data(), sizeof in);
  Session bound = engine.create_session();
  bound.set_shape("x", {2, 3});
  bound.bind("x", in, sizeof in);
  bound.bind("y", out, sizeof out);
  bound.enqueue();
  bound.synchronize();
  EXPECT_EQ(std::memcmp(out, want.data.data(), sizeof out), 0);
  in[0] += 1;  // seen without another call
  bound.enqueue();
  bound.synchronize();
  EXPECT_NE(std::memcmp(out, want.data.data(), sizeof out), 0);
  EXPECT_EQ(std::memcmp(bound.output("y").data.data(), out, sizeof out), 0);

  EXPECT_THROW(bound.bind("x", in, sizeof in - 1), Failure);
  EXPECT_THROW(bound.bind("z", in, sizeof in), Failure);
  EXPECT_THROW(bound.bind("x", reinterpret_cast<char*>(in) + 4, sizeof in), Failure);
  bound.bind("x", nullptr, 0);
  bound.bind("y", nullptr, 0);
  bound.set_input("x", x);
  bound.enqueue();
  EXPECT_EQ(bound.output("y").data, want.data);
  EXPECT_THROW(engine.create_session(-1), Failure);
}

TEST_F(Facade, LayersTellTheirWorkAndMemoryItsHolders) {
  options_.profiles = {{{"x", {{4, 3}, {4, 3}, {4, 3}}}}};
  options_.optimization_level = 3;
  const Engine engine = Engine::build(options_);
  EXPECT_EQ(engine.built_by(), version());
  EXPECT_EQ(engine.build_options(), "level 3");
  EXPECT_EQ(engine.io()[0].dims, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(engine.io()[1].dims, (std::vector<int64_t>{4, 4}));
  const File file("work.plan");
  engine.save(file.path());
  const Engine again = Engine::load(file.path());
  double flops = 0;
  bool tried = false;
  for (const LayerInfo& layer : again.layers()) {
    flops += layer.flops;
    tried = tried || layer.tried.size() > 1;
    EXPECT_GT(layer.bytes, 0) << layer.name;
  }
  EXPECT_GE(flops, 2 * 4 * 3 * 4);
  EXPECT_TRUE(tried);
  EXPECT_EQ(again.build_options(), "level 3");
  ASSERT_FALSE(again.memory().empty());
  for (const MemoryUse& use : again.memory()) {
    EXPECT_LE(use.offset + use.size, again.context_bytes());
    EXPECT_LE(use.first, use.last);
    EXPECT_LT(use.last, again.layers().size());
  }
}

TEST_F(Facade, ACancelledBuildKeepsItsTimes) {
  const File cache("times.cache");
  options_.optimization_level = 5;
  options_.timing_cache = cache.path();
  options_.progress = [](size_t done, size_t total, const std::string& layer) {
    EXPECT_EQ(layer.empty(), done == total);
    return done == 0;
  };
  EXPECT_THROW(Engine::build(options_), Failure);
  EXPECT_GT(std::ifstream(cache.path(), std::ios::ate).tellg(), 100);
}

// A device with memory of its own copies inputs and outputs, and the results are the same with and without it.
TEST_F(Facade, CopiesAreTimedWhereSomethingIsCopied) {
  pretend::register_pretend();
  const HostTensor x = random_tensor("float32", {7, 3}, 5), other = random_tensor("float32", {6, 3}, 6);
  HostTensor want;
  for (const char* backend : {"cpu", "pretend"}) {
    options_.backend = backend;
    const Engine engine = Engine::build(options_);
    EXPECT_EQ(engine.on_host(), options_.backend == "cpu");
    Session session = engine.create_session();
    session.set_profile(1);
    for (const HostTensor* input : {&x, &other, &x}) {
      session.set_input("x", *input);
      for (const bool copies : {false, true, true}) {
        const InferenceTimes t = session.timed(copies);
        EXPECT_GT(t.compute, 0);
        EXPECT_GT(t.queued, 0);
        if (!copies) EXPECT_EQ(t.upload + t.download, 0);
        else EXPECT_TRUE(engine.on_host() || (t.upload > 0 && t.download > 0)) << t.upload << " " << t.download;
      }
    }
    const HostTensor got = session.output("y");
    if (want.dims.empty()) want = got;
    ASSERT_EQ(got.dims, (std::vector<int64_t>{7, 4}));
    for (int64_t i = 0; i < element_count(want); ++i) EXPECT_NEAR(element(got, i), element(want, i), 1e-6);
  }
}

TEST_F(Facade, NoMoreIsMeasuredOnceItIsEnough) {
  options_.optimization_level = 5;
  int asked = 0;
  options_.enough = [&] { return ++asked > 0; };
  for (const LayerInfo& layer : Engine::build(options_).layers()) EXPECT_LT(layer.built_ms, 0) << layer.name;
  EXPECT_GT(asked, 0);
  options_.enough = [] { return false; };
  const auto layers = Engine::build(options_).layers();
  EXPECT_TRUE(std::any_of(layers.begin(), layers.end(), [](const LayerInfo& l) { return l.built_ms >= 0; }));
}

TEST_F(Facade, DebugTensorsAreNotFusedAway) {
  options_.debug_tensors = {"m", "s", "m"};
  const Engine engine = Engine::build(options_);
  std::vector<std::string> marked = engine.debug_tensors();
  std::sort(marked.begin(), marked.end());
  EXPECT_EQ(marked, (std::vector<std::string>{"m", "s"}));
  EXPECT_EQ(engine.io().size(), 2U);  // they are no outputs
  std::vector<std::string> seen;
  Session session = engine.create_session();
  session.set_input("x", random_tensor("float32", {2, 3}, 5));
  session.observe([&](const LayerInfo&, const std::string& value, const HostTensor&) { seen.push_back(value); });
  session.enqueue();
  for (const char* name : {"m", "s", "y"}) EXPECT_EQ(std::count(seen.begin(), seen.end(), name), 1) << name;
  for (const char* name : {"x", "w", "nothing"}) {
    options_.debug_tensors = {name};
    EXPECT_THROW(Engine::build(options_), Failure) << name;
  }
  options_.debug_tensors.clear();
  EXPECT_TRUE(Engine::build(options_).debug_tensors().empty());
  options_.debug_all = true;
  EXPECT_EQ(Engine::build(options_).debug_tensors().size(), Engine::build(options_).layers().size());
}

TEST(Devices, AreListedAndKept) {
  const std::vector<DeviceInfo> devices = list_devices();
  const auto cpu = std::find_if(devices.begin(), devices.end(), [](const DeviceInfo& d) { return d.backend == "cpu"; });
  ASSERT_NE(cpu, devices.end());
  EXPECT_TRUE(cpu->missing.empty());
  EXPECT_GT(cpu->memory, 0);
  const File file("device.json");
  save_device_profile(file.path(), *cpu);
  const DeviceInfo again = load_device_profile(file.path());
  EXPECT_EQ(again.fingerprint, cpu->fingerprint);
  EXPECT_EQ(again.memory, cpu->memory);
  EXPECT_EQ(again.units, cpu->units);
  EXPECT_LT(again.free_memory, 0);
  EXPECT_TRUE(again.times.empty());
  const File model("device.onnx");
  model.write("a model");
  EXPECT_THROW(save_device_profile(model.path(), *cpu), Failure);
  EXPECT_THROW(load_device_profile(model.path()), Failure);
  DeviceInfo odd = *cpu;
  odd.operations_per_second["float99"] = 1;
  EXPECT_THROW(save_device_profile(file.path(), odd), Failure);
}

TEST_F(Facade, ProfilesKeepTimes) {
  const File times("kept.times"), profile("timed.json");
  options_.backend = "cpu";
  options_.timing_cache = times.path();
  options_.optimization_level = 3;
  Engine::build(options_);
  const std::vector<DeviceInfo> devices = list_devices();
  DeviceInfo cpu =
      *std::find_if(devices.begin(), devices.end(), [](const DeviceInfo& d) { return d.backend == "cpu"; });
  save_device_profile(profile.path(), cpu, times.path());
  const std::map<std::string, double> kept = load_device_profile(profile.path()).times;
  EXPECT_GT(kept.size(), 0u);
  save_device_profile(profile.path(), cpu);
  EXPECT_EQ(load_device_profile(profile.path()).times, kept) << "the file's times stay";
  const File copy("copied.json");
  save_device_profile(copy.path(), load_device_profile(profile.path()));
  EXPECT_EQ(load_device_profile(copy.path()).times, kept);
  DeviceInfo newer = cpu;
  newer.times[kept.begin()->first] = 2 * kept.begin()->second;
  save_device_profile(profile.path(), newer);
  EXPECT_EQ(load_device_profile(profile.path()).times.at(kept.begin()->first), newer.times.begin()->second);
  EXPECT_THROW(save_device_profile(profile.path(), cpu, profile.path()), Failure) << "no timing cache";
  cpu.fingerprint = "another";
  EXPECT_THROW(save_device_profile(profile.path(), cpu, times.path()), Failure) << "another device's";
  EXPECT_THROW(save_device_profile(profile.path(), cpu), Failure) << "the file is of another device";
  EXPECT_EQ(load_device_profile(profile.path()).times.size(), kept.size());
}

TEST_F(Facade, TimesOfAnotherDeviceStay) {
  const File times("other.times");
  const std::string other = "KILN timing cache 3\nanother device\nchecksum 0\n";
  times.write(other);
  options_.backend = "cpu";
  options_.timing_cache = times.path();
  std::string log;
  options_.log = [&](Level, const std::string& line) { log += line + "\n"; };
  Engine::build(options_);
  EXPECT_EQ(std::filesystem::file_size(times.path()), other.size());
  EXPECT_NE(log.find("the timing cache is not written"), std::string::npos) << log;
}

TEST_F(Facade, UnknownNamesAreRefused) {
  options_.disabled = {"conv_bais"};
  try {
    Engine::build(options_);
    FAIL() << "nothing was refused";
  } catch (const Failure& failure) {
    EXPECT_NE(std::string(failure.what()).find("did you mean 'conv_bias'?"), std::string::npos) << failure.what();
  }
  options_.disabled = {"conv_bias", "onednn"};
  EXPECT_NO_THROW(Engine::build(options_));
  EXPECT_THROW(model_info(options_.onnx, {{"z", {1, 3}}}), Failure);
  const ModelInfo info = model_info(options_.onnx, {{"x", {5, 3}}});
  EXPECT_EQ(info.operators.at("MatMul"), 1);
  EXPECT_EQ(info.parameters, 12);
  EXPECT_EQ(info.io[0].symbols, (std::vector<std::string>{"n", ""}));
}

TEST_F(Facade, ObserversSeeEveryResult) {
  const Engine engine = Engine::build(options_);
  Session session = engine.create_session();
  session.set_input("x", random_tensor("float32", {2, 3}, 3));
  std::vector<std::string> values;
  session.observe([&](const LayerInfo&, const std::string& value, const HostTensor&) { values.push_back(value); });
  session.enqueue();
  EXPECT_EQ(values.size(), engine.layers().size());
  EXPECT_EQ(values.back(), "y");
  session.observe(nullptr);
  session.enqueue();
  EXPECT_EQ(values.size(), engine.layers().size());
}

std::string text_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST_F(Facade, CallsInTheWrongOrderSayWhatIsMissing) {
  const Engine engine = Engine::build(options_);
  Session session = engine.create_session();
  EXPECT_NE(text_of([&] { session.output("y"); }).find("K1002"), std::string::npos);
  EXPECT_NE(text_of([&] { session.record_stop_ms(); }).find("K1002"), std::string::npos);
  EXPECT_NE(text_of([&] { session.profile(); }).find("K4002"), std::string::npos);
  session.set_input("x", random_tensor("float32", {2, 3}, 1));
  session.enqueue();  // does not report to the profiler of the call that failed
  EXPECT_EQ(session.profile().size(), engine.layers().size());
  Session other = std::move(session);
  EXPECT_NE(text_of([&] { session.enqueue(); }).find("moved away"), std::string::npos);
  EXPECT_NE(text_of([&] { session.set_profile(0); }).find("moved away"), std::string::npos);
  EXPECT_NE(text_of([&] { session.output("y"); }).find("moved away"), std::string::npos);
  EXPECT_NE(text_of([&] { session.profile(); }).find("moved away"), std::string::npos);
  EXPECT_EQ(other.output("y").dims, (std::vector<int64_t>{2, 4}));
  Engine first = engine;
  const Engine second = std::move(first);
  EXPECT_EQ(first.name(), second.name());
}

TEST_F(Facade, SavingReplacesOnlyEngines) {
  const Engine engine = Engine::build(options_);
  EXPECT_NE(text_of([&] { engine.save(options_.onnx); }).find("K1005"), std::string::npos);
  EXPECT_EQ(text_of([&] { Engine::check_place(options_.onnx); }), text_of([&] { engine.save(options_.onnx); }));
  EXPECT_NO_THROW(Engine::build(options_));
  const File file("engine.plan");
  file.write("");
  engine.save(file.path());
  EXPECT_NO_THROW(Engine::check_place(file.path()));
  engine.save(file.path());
  EXPECT_EQ(Engine::load(file.path(), {.copies = true}).layers().size(), engine.layers().size());
}

TEST_F(Facade, ATimingCacheThatCannotBeWrittenIsAWarning) {
  std::string warnings;
  options_.log = [&](Level level, const std::string& text) {
    if (level == Level::kWarning) warnings += text + "\n";
  };
  for (const std::string& path : {options_.onnx, std::string("/no/such/folder/cache"), ::testing::TempDir()}) {
    warnings.clear();
    options_.timing_cache = path;
    EXPECT_NO_THROW(Engine::build(options_)) << path;
    EXPECT_NE(warnings.find("the timing cache is not written"), std::string::npos) << path << ": " << warnings;
  }
}

TEST_F(Facade, BuildsJoinTheirTimes) {
  const File cache("cache");
  options_.timing_cache = cache.path();
  options_.optimization_level = 3;
  Engine::build(options_);
  const auto size = std::filesystem::file_size(cache.path());
  options_.profiles = {{{"x", {{1, 3}, {64, 3}, {64, 3}}}}};
  Engine::build(options_);
  EXPECT_GT(std::filesystem::file_size(cache.path()), size);
}

TEST(HostValues, StringsAndSequencesGoInAndOut) {
  const File model("strings.onnx");
  model.write(onnx_model(R"(
nodes = [h.make_node('StringConcat', ['a', 'a'], ['b']), h.make_node('SequenceInsert', ['s', 'x'], ['t']), h.make_node('SequenceLength', ['t'], ['n'])]
g = h.make_graph(nodes, 'net', [h.make_tensor_value_info('a', T.STRING, [2]), h.make_tensor_sequence_value_info('s', T.FLOAT, None),
                                h.make_tensor_value_info('x', T.FLOAT, [1])],
                 [h.make_tensor_value_info('b', T.STRING, [2]), h.make_tensor_sequence_value_info('t', T.FLOAT, None), h.make_tensor_value_info('n', T.INT64, [])])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 20)], ir_version=9)
)"));
  BuildOptions options;
  options.onnx = model.path();
  options.optimization_level = 0;
  options.backend = "cpu";
  const Engine engine = Engine::build(options);
  Session session = engine.create_session();
  HostValue words{HostValue::Kind::kStrings, {}, {2}, {"x", "yz"}, {}, {}};
  HostValue list{HostValue::Kind::kSequence, {}, {}, {}, "float32", {}};
  list.items.push_back({HostValue::Kind::kNumbers, random_tensor("float32", {3}, 1), {}, {}, {}, {}});
  session.set_input("x", random_tensor("float32", {1}, 2));
  EXPECT_THROW(session.enqueue(), Failure);
  session.set_value("a", words);
  session.set_value("s", list);
  session.enqueue();
  EXPECT_EQ(session.value("b").strings, (std::vector<std::string>{"xx", "yzyz"}));
  const HostValue longer = session.value("t");
  ASSERT_EQ(longer.items.size(), 2u);
  EXPECT_EQ(longer.items[0].tensor.data, list.items[0].tensor.data);
  EXPECT_EQ(element(session.value("n").tensor, 0), 2);
  EXPECT_THROW(session.output("b"), Failure);
  EXPECT_THROW(session.set_input("a", random_tensor("float32", {2}, 1)), Failure);
  EXPECT_THROW(session.set_value("a", list), Failure);
  words.dims = {3};
  EXPECT_THROW(session.set_value("a", words), Failure);
  list.type = "words";
  EXPECT_THROW(session.set_value("s", list), Failure);
}

TEST(HostTensors, FilesKeepEveryType) {
  for (const char* type : {"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
                           "float32", "float64", "bfloat16", "float8e4m3fn", "int4", "uint4"}) {
    for (const std::vector<int64_t>& dims : {std::vector<int64_t>{}, {3}, {2, 0}, {2, 3, 5}}) {
      const HostTensor tensor = random_tensor(type, dims, 7);
      const File pb("tensor.pb");
      save_tensor(pb.path(), tensor);
      const HostTensor back = load_tensor(pb.path());
      EXPECT_EQ(back.type, type);
      EXPECT_EQ(back.dims, dims);
      EXPECT_EQ(back.data, tensor.data) << type;
      const bool in_numpy = std::string(type).find("int4") == std::string::npos && std::strncmp(type, "b", 1) != 0 &&
                            std::string(type).find("float8") == std::string::npos;
      if (!in_numpy && std::string(type) != "bool") {
        EXPECT_THROW(npy_bytes(tensor), Failure) << type;
        continue;
      }
      const HostTensor again = parse_npy(npy_bytes(tensor), "bytes");
      EXPECT_EQ(again.dims, dims);
      EXPECT_EQ(again.data, tensor.data);
    }
  }
}

TEST(HostTensors, NpyOfEitherByteOrderAndOrderOfDimensions) {
  const HostTensor numbers = random_tensor("int16", {2, 3}, 1);
  std::vector<std::byte> bytes = npy_bytes(numbers);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.replace(text.find("<i2"), 3, ">i2");
  for (size_t i = text.size() - 12; i < text.size(); i += 2) std::swap(text[i], text[i + 1]);
  const auto bytes_of = [](const std::string& t) {
    const auto* data = reinterpret_cast<const std::byte*>(t.data());
    return std::vector<std::byte>(data, data + t.size());
  };
  EXPECT_EQ(parse_npy(bytes_of(text), "bytes").data, numbers.data);
  text = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.replace(text.find("False"), 5, "True ");
  const HostTensor turned = parse_npy(bytes_of(text), "bytes");
  EXPECT_EQ(turned.dims, numbers.dims);
  for (int64_t row = 0; row < 2; ++row)
    for (int64_t column = 0; column < 3; ++column)
      EXPECT_EQ(element(turned, row * 3 + column), element(numbers, column * 2 + row));
}

TEST(HostTensors, TextInNpy) {
  HostValue words;
  words.kind = HostValue::Kind::kStrings;
  words.dims = {2, 2};
  words.strings = {"", "é", "longer words", "\U0001F600"};
  const HostValue back = parse_npy_value(npy_bytes(words), "bytes");
  EXPECT_EQ(back.kind, HostValue::Kind::kStrings);
  EXPECT_EQ(back.dims, words.dims);
  EXPECT_EQ(back.strings, words.strings);
  EXPECT_THROW(parse_npy(npy_bytes(words), "bytes"), Failure);
}

TEST(HostTensors, DamagedNpyIsRefused) {
  const std::vector<std::byte> good = npy_bytes(random_tensor("float32", {2, 3}, 1));
  const auto refused = [](std::vector<std::byte> bytes) { EXPECT_THROW(parse_npy(bytes, "bytes"), Failure); };
  for (size_t size = 0; size < good.size(); ++size) refused({good.begin(), good.begin() + static_cast<int>(size)});
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string text(reinterpret_cast<const char*>(good.data()), good.size());
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, to.size(), to);
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return std::vector<std::byte>(data, data + text.size());
  };
  refused(edited("<f4", "|O8"));
  refused(edited("<f4", ">f8"));
  refused(edited("<f4", "<U9"));
  refused(edited("<f4", "<U-"));
  refused(edited("False", "Maybe"));
  refused(edited("(2,3,)", "(2,9,)"));
  refused(edited("(2,3,)", "(-2,3)"));
  refused(edited("(2,3,), }   ", "(99999999999"));
  refused(edited("(2,3,), }                       ", "(4294967296,4294967296,4,), }   "));
}

}  // namespace
}  // namespace kiln::api
