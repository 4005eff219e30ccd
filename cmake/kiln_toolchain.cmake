# Compiler, linker and cache settings that every target shares.
add_library(kiln_options INTERFACE)
target_compile_options(kiln_options INTERFACE -Wall -Wextra -Wshadow -Werror -fvisibility-inlines-hidden -ffp-contract=off
                       $<$<CONFIG:Release>:-O2> $<$<CONFIG:Debug>:-O0>)
target_include_directories(kiln_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
if(KILN_SANITIZE)
  add_compile_options(-fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KILN_SANITIZE})
endif()

find_program(KILN_CCACHE ccache)
if(KILN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KILN_CCACHE})
endif()
find_program(KILN_MOLD mold)
if(KILN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
