// The reference as a target.
#include "backends/ref/target/target.h"

#include "backends/ref/device/device.h"
#include "passes/pass.h"

namespace kiln::ref {
namespace {

class RefTarget final : public Target {
 public:
  std::string_view name() const override { return "ref"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return none_; }

 private:
  TacticList none_{{}};
};

}  // namespace

const Target& target() {
  static const RefTarget instance;
  return instance;
}

}  // namespace kiln::ref
