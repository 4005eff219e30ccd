// kiln::api::Session::Overlap: copies beside inferences.
#include <array>
#include <chrono>

#include "api/kiln_api.h"

namespace kiln::api {
namespace {

constexpr size_t kSets = 3;  // one is uploaded, one computes, one is downloaded
enum Mark { kUpload, kUploaded, kCompute, kComputed, kDownload, kDownloaded, kMarks };

}  // namespace

struct Session::Overlap::Sets {
  using Block = Session::State::Block;
  struct Copied {
    int32_t tensor;
    bool is_input;
    std::unique_ptr<Block> own;  // of the device; none of the first set, which has the session's
    std::unique_ptr<Block> staged;
    void* address = nullptr;
  };
  struct Set {
    std::vector<Copied> copied;
    std::array<std::unique_ptr<Event>, kMarks> marks;
    std::unique_ptr<Graph> graph;
    bool ran = false, on_its_way = false;
    double queued = 0;
  };

  explicit Sets(Session::State& state) : session(state), device(state.engine->device()) {
    session.settle();
    for (auto* stream : {&upload, &download}) *stream = device.create_stream();
    for (Set& set : sets) make(set, &set == &sets[0]);
    throw_if_error(session.stream->synchronize());
  }
  // The session has its memory again.
  ~Sets() {
    for (const auto* stream : {&upload, &session.stream, &download}) static_cast<void>((*stream)->synchronize());
    for (const Copied& c : sets[0].copied) static_cast<void>(session.context->set_address(c.tensor, c.address));
  }

  void make(Set& set, bool is_first) {
    for (auto& mark : set.marks) mark = device.create_event();
    for (const auto* list : {&session.engine->main().inputs, &session.engine->main().outputs})
      for (int32_t t : *list) {
        const Block* staged = session.staging_of(t);
        if (!staged) continue;
        Copied c{t, list == &session.engine->main().inputs, nullptr, nullptr, nullptr};
        c.staged = std::make_unique<Block>(device, device.staging(), staged->size());
        std::memcpy(c.staged->data(), staged->data(), staged->size());
        if (!is_first) c.own = std::make_unique<Block>(device, device.allocator(), staged->size());
        c.address = is_first ? session.device_memory(t) : c.own->data();
        set.copied.push_back(std::move(c));
      }
  }

  void copy_all(Set& set, bool inputs, Stream& stream, Mark begin) {
    throw_if_error(set.marks[begin]->record(stream));
    for (const Copied& c : set.copied) {
      if (c.is_input != inputs) continue;
      void *to = inputs ? c.address : c.staged->data(), *from = inputs ? c.staged->data() : c.address;
      throw_if_error(
          device.copy(stream, to, from, c.staged->size(), inputs ? CopyKind::kHostToDevice : CopyKind::kDeviceToHost));
    }
    throw_if_error(set.marks[begin + 1]->record(stream));
  }

  // What only the first inference does is not noted.
  void compute(Set& set) {
    const ThreadLimit limit(session.engine->devices(), session.threads);
    const bool by_graph = session.uses_graphs && set.ran && !session.context->is_watched();
    if (by_graph && set.graph) return throw_if_error(set.graph->launch(*session.stream));
    for (const Copied& c : set.copied) session.check(session.context->set_address(c.tensor, c.address));
    if (by_graph) set.graph = session.noted();
    if (by_graph && set.graph) return throw_if_error(set.graph->launch(*session.stream));
    session.check(session.context->enqueue(*session.stream));
  }

  double queue(Set& set) {
    const auto start = std::chrono::steady_clock::now();
    if (set.ran) throw_if_error(upload->wait(*set.marks[kComputed]));  // who read the inputs
    copy_all(set, true, *upload, kUpload);
    throw_if_error(session.stream->wait(*set.marks[kUploaded]));
    if (set.ran) throw_if_error(session.stream->wait(*set.marks[kDownloaded]));
    throw_if_error(set.marks[kCompute]->record(*session.stream));
    compute(set);
    throw_if_error(set.marks[kComputed]->record(*session.stream));
    throw_if_error(download->wait(*set.marks[kComputed]));
    copy_all(set, false, *download, kDownload);
    set.ran = set.on_its_way = true;
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  InferenceTimes ended(Set& set) {
    throw_if_error(set.marks[kDownloaded]->synchronize());
    set.on_its_way = false;
    const auto between = [&](Mark begin, Mark end) { return set.marks[end]->milliseconds_since(*set.marks[begin]); };
    return {between(kUpload, kUploaded), between(kCompute, kComputed), between(kDownload, kDownloaded), set.queued,
            between(kUpload, kDownloaded)};
  }

  Session::State& session;
  Device& device;
  std::unique_ptr<Stream> upload, download;  // computing is the session's stream's
  std::array<Set, kSets> sets;
  size_t next = 0, earliest = 0;
};

Session::Overlap::Overlap(Session& session) {
  guarded([&] { sets_ = std::make_unique<Sets>(session.state()); });
}

Session::Overlap::~Overlap() = default;

bool Session::Overlap::full() const { return sets_->sets[sets_->next].on_its_way; }

void Session::Overlap::queue() {
  guarded([&] {
    if (full())
      throw Error(Code::kInvalidState, "as many inferences are on their way as there are sets of memory")
          .remedy("call wait before queue");
    Sets::Set& set = sets_->sets[sets_->next];
    set.queued = sets_->queue(set);
    sets_->next = (sets_->next + 1) % kSets;
  });
}

std::optional<InferenceTimes> Session::Overlap::wait() {
  return guarded([&]() -> std::optional<InferenceTimes> {
    Sets::Set& set = sets_->sets[sets_->earliest];
    if (!set.on_its_way) return std::nullopt;
    sets_->earliest = (sets_->earliest + 1) % kSets;
    return sets_->ended(set);
  });
}

}  // namespace kiln::api
