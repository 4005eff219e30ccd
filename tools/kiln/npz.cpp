// numpy's .npz: a zip archive with an .npy file per array.
#include <zip.h>

#include <memory>

#include "command.h"

namespace kiln::tool {
namespace {

constexpr uint64_t kHeaderBytes = 64 << 10;  // of an .npy file, at most
constexpr uint64_t kMostUnpacked = 256 << 20,
                   kMostRatio = 100;  // bytes of what is compressed so far that it says nothing

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;
using Entry = std::unique_ptr<zip_file_t, decltype(&zip_fclose)>;

[[noreturn]] void bad_archive(const std::string& path, const std::string& cause) {
  throw api::Failure("error[K2001] '" + path + "' is not a readable .npz file\n  cause: " + cause +
                     "\n  remedy: write it with numpy.savez or numpy.savez_compressed");
}

[[noreturn]] void cannot_write(const std::string& path, const std::string& cause) {
  throw api::Failure("error[K1005] cannot write '" + path + "': " + cause +
                     "\n  remedy: check the folder, its rights and the disk");
}

std::string text_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Archive open(const std::string& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code), &zip_discard);
  if (archive) return archive;
  if (code == ZIP_ER_NOENT)
    throw api::Failure("error[K1004] cannot open '" + path + "': there is no such file\n  remedy: check the path");
  bad_archive(path, text_of(code));
}

std::vector<std::byte> bytes_of(zip_source_t* source, const std::string& path) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_stat(source, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) || zip_source_open(source) != 0)
    cannot_write(path, zip_error_strerror(zip_source_error(source)));
  std::vector<std::byte> bytes(stat.size);
  const zip_int64_t read = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (read < 0 || static_cast<uint64_t>(read) != stat.size) cannot_write(path, "the archive cannot be read back");
  return bytes;
}

}  // namespace

std::vector<std::string> npz_arrays(const std::string& path) {
  const Archive archive = open(path);
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const char* entry = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    std::string name = entry ? entry : "";
    if (!name.ends_with(".npy")) bad_archive(path, "it holds '" + name + "', which is no .npy file");
    names.push_back(name.substr(0, name.size() - 4));
  }
  if (names.empty()) bad_archive(path, "it holds no array");
  return names;
}

namespace {

std::vector<std::byte> bytes_of_array(const std::string& path, const std::string& array, uint64_t max_bytes) {
  const Archive archive = open(path);
  const zip_int64_t index = zip_name_locate(archive.get(), (array + ".npy").c_str(), 0);
  if (index < 0)
    throw api::Failure("error[K1004] '" + path + "' holds no array '" + array + "'" +
                       did_you_mean(array, npz_arrays(path)) +
                       "\n  remedy: name each array as the input, numpy.savez(file, name=array)");
  const auto at = static_cast<zip_uint64_t>(index);
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat_index(archive.get(), at, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE))
    bad_archive(path, zip_strerror(archive.get()));
  if (stat.size > max_bytes + kHeaderBytes)
    throw api::Failure("error[K2005] array '" + array + "' of '" + path + "' has " + std::to_string(stat.size) +
                       " bytes, the network takes at most " + std::to_string(max_bytes) +
                       "\n  remedy: give an array of the input's shape, or larger --shapes or --maxShapes");
  if (stat.size > kMostUnpacked && stat.size / kMostRatio > stat.comp_size)
    throw api::Failure("error[K2005] array '" + array + "' of '" + path + "' unpacks from " +
                       std::to_string(stat.comp_size) + " bytes to " + std::to_string(stat.size) +
                       "\n  remedy: write it with numpy.savez, which does not compress");
  const Entry entry(zip_fopen_index(archive.get(), at, 0), &zip_fclose);
  if (!entry) bad_archive(path, zip_strerror(archive.get()));
  std::vector<std::byte> bytes(stat.size + 1);  // one more, to see an end that is not there
  size_t filled = 0;
  while (filled < bytes.size()) {
    const zip_int64_t read = zip_fread(entry.get(), bytes.data() + filled, bytes.size() - filled);
    if (read < 0) bad_archive(path, zip_file_strerror(entry.get()));
    if (read == 0) break;
    filled += static_cast<size_t>(read);
  }
  if (filled != stat.size) bad_archive(path, "array '" + array + "' is longer or shorter than the archive says");
  bytes.pop_back();
  return bytes;
}

}  // namespace

api::HostTensor load_npz(const std::string& path, const std::string& array, uint64_t max_bytes) {
  return api::parse_npy(bytes_of_array(path, array, max_bytes), path + ":" + array);
}

api::HostValue load_npz_value(const std::string& path, const std::string& array, uint64_t max_bytes) {
  return api::parse_npy_value(bytes_of_array(path, array, max_bytes), path + ":" + array);
}

void save_npz(const std::string& path, const std::map<std::string, api::HostValue>& arrays) {
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> memory(
      zip_source_buffer_create(nullptr, 0, 0, &error), &zip_source_free);
  if (!memory) cannot_write(path, zip_error_strerror(&error));
  Archive archive(zip_open_from_source(memory.get(), ZIP_TRUNCATE, &error), &zip_discard);
  if (!archive) cannot_write(path, zip_error_strerror(&error));
  zip_source_keep(memory.get());              // the archive took the first reference
  std::vector<std::vector<std::byte>> files;  // until the archive is closed
  for (const auto& [name, value] : arrays) {
    files.push_back(api::npy_bytes(value));
    zip_source_t* source = zip_source_buffer(archive.get(), files.back().data(), files.back().size(), 0);
    const zip_int64_t index =
        source ? zip_file_add(archive.get(), (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0 || zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0) {
      if (index < 0) zip_source_free(source);
      cannot_write(path, zip_strerror(archive.get()));
    }
  }
  if (zip_close(archive.get()) != 0) cannot_write(path, zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  api::save_bytes(path, bytes_of(memory.get(), path), kNpzFiles);
}

}  // namespace kiln::tool
