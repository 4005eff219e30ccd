// Constants of a graph that wait in a file.
#include "compiler/parked_constants.h"

#include <map>
#include <vector>

#include "base/error.h"
#include "base/file_map.h"
#include "base/temporary_folder.h"

namespace kiln {
namespace {

constexpr int64_t kLarge = 1 << 16;  // bytes of a constant that is worth a place in the file
constexpr int64_t kPage = 1 << 12;   // at which it begins there
constexpr std::byte kGap[kPage] = {};

using Large = std::vector<std::pair<ir::Graph*, ir::Value*>>;

int64_t in_pages(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void add_large(ir::Graph& graph, Large& to) {
  for (const auto& v : graph.values())
    if (const Tensor* t = v->constant(); t && !t->borrows() && t->bytes() >= kLarge) to.emplace_back(&graph, v.get());
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) add_large(*region, to);
}

std::span<const std::byte> bytes_of(const Tensor& t) {
  return {static_cast<const std::byte*>(t.data()), static_cast<size_t>(t.bytes())};
}

using Places = std::map<const void*, int64_t>;  // in the file, of elements, which values may share

// The folder goes at once; the file goes with its map.
std::shared_ptr<const FileMap> written(const Large& large, const Places& places) {
  const TemporaryFolder folder;
  const std::string path = folder.file("constants");
  write_file(path, [&](const FileSink& sink) {
    int64_t at = 0;
    for (const auto& [owner, v] : large) {
      const Tensor& t = *v->constant();
      if (places.at(t.data()) != at) continue;
      sink(bytes_of(t));
      sink({kGap, static_cast<size_t>(in_pages(t.bytes()) - t.bytes())});
      at += in_pages(t.bytes());
    }
  });
  return FileMap::open(path);
}

void remove_unread(ir::Graph& graph) {
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) remove_unread(*region);
  graph.remove_dead();
}

}  // namespace

int64_t park_constants(ir::Graph& graph, int64_t least) {
  Large large;
  add_large(graph, large);
  Places places;
  int64_t size = 0;
  for (const auto& [owner, v] : large) {
    const Tensor& t = *v->constant();
    if (places.emplace(t.data(), size).second) size += in_pages(t.bytes());
  }
  if (size == 0 || size < least) return 0;
  std::shared_ptr<const FileMap> file;
  try {
    file = written(large, places);
  } catch (const Error& error) {
    if (error.code() != Code::kIo && error.code() != Code::kNotFound) throw;
    return 0;
  }
  for (const auto& [owner, v] : large) {
    const Tensor t = *v->constant();
    ir::Value* parked =
        owner->add_constant(Tensor::borrow(t.dtype(), t.dims(), file->bytes().data() + places.at(t.data()), file));
    parked->layout = v->layout;
    parked->set_elements(v->elements());
    owner->replace_uses(v, parked);
    const std::string name = v->name();
    owner->rename(parked, name);
  }
  remove_unread(graph);
  return size;
}

}  // namespace kiln
