// trtexec's options beyond those of a build and a measurement: what each does here, or why it does nothing.
#pragma once
#include <map>
#include <string>

#include "command.h"

namespace kiln::tool {

struct TrtexecOptions {
  std::string device;  // a number, or a name of `kiln list devices`
  bool dry_run = false, plan_version_only = false, time_deserialize = false, dump_profiles = false, use_graph = false,
       raw_bindings = false, monitor_memory = false, include_transfers = false, exposes_copies = false;
  std::string references;                  // --loadRefOutputs
  std::string save_debug, save_all_debug;  // results of layers
  double rtol = 1e-3, atol = 1e-5;
  std::string sparsity;
  std::string tactic_sources;                         // "+NAME,-NAME"
  std::map<std::string, std::string> without_effect;  // options that were given, and why they do nothing
};

// `measures`: with those that only a measurement heeds.
void add_trtexec_options(CLI::App& app, TrtexecOptions& options, bool measures);
// Takes the device of --device for all that follows, and its back end for the build, if there is to be one; `engine`: the saved one;
// of one that is only looked at nothing is taken.
void choose_device(const TrtexecOptions& options, BuildFlags& build, const std::string& engine,
                   bool only_looks = false);
// Names the device of the back end, and when none was named those that would have been taken before it, which is of
// the level.
void tell_device(const std::string& backend, api::Level level);
// Disables the tactics of the libraries that --tacticSources leaves out.
void leave_out_sources(const TrtexecOptions& options, BuildFlags& build);
// One line for each option that was given and does nothing on this engine's device.
void tell_without_effect(const TrtexecOptions& options, const api::Engine& engine);

}  // namespace kiln::tool
