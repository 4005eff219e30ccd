// test_api [--device=NAME]: runs the suite on the default device, or on that one.
#include <gtest/gtest.h>

#include <string_view>

#include "backends/cpu/device/device.h"
#include "backends/default_device.h"
#include "backends/ref/device/device.h"
#include "pretend/pretend.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  kiln::register_device("cpu", kiln_create_device_cpu);
  kiln::register_device("ref", kiln_create_device_ref);
  kiln::pretend::register_pretend();
  constexpr std::string_view kDevice = "--device=";
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]).starts_with(kDevice)) kiln::prefer_device(argv[i] + kDevice.size());
  return RUN_ALL_TESTS();
}
