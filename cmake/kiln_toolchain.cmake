# Compiler, linker and cache settings that every target shares. Test programs (KILN_IS_TEST) are compiled quickly, as most of the time
# of a test goes into compiling it.
add_library(kiln_options INTERFACE)
target_compile_options(kiln_options INTERFACE -Wall -Wextra $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local> -Werror -fvisibility-inlines-hidden -ffp-contract=off
                       $<$<CONFIG:Release>:-O$<IF:$<BOOL:$<TARGET_PROPERTY:KILN_IS_TEST>>,1,2>>
                       $<$<AND:$<CONFIG:RelWithDebInfo>,$<BOOL:$<TARGET_PROPERTY:KILN_IS_TEST>>>:-O0> $<$<CONFIG:Debug>:-O0>)
target_include_directories(kiln_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
if(KILN_SANITIZE)
  add_compile_options(-fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # instrumented code makes GCC warn of what is not so
  add_compile_definitions(KILN_FEW_TARGETS)
  add_link_options(-fsanitize=${KILN_SANITIZE})
endif()
if(KILN_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(KILN_CCACHE ccache)
if(KILN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KILN_CCACHE})
endif()
find_program(KILN_MOLD mold)
if(KILN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
