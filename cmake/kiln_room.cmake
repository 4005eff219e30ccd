# kiln_room(NAME DIR [RECURSE] [UNITY COUNT] [LIBS ...]): a static library of the .cpp files of a room. UNITY: so many files compile as one
# (unless KILN_UNITY is off), because most of the time of small files is that of their headers; their names must not meet.
function(kiln_room name dir)
  cmake_parse_arguments(arg "RECURSE" "UNITY" "LIBS" ${ARGN})
  if(arg_RECURSE)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${dir}/*.cpp)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${dir}/*.cpp)
  endif()
  if(NOT sources)
    return()
  endif()
  add_library(kiln_${name} STATIC ${sources})
  target_link_libraries(kiln_${name} PUBLIC kiln_options ${arg_LIBS})
  if(arg_UNITY AND KILN_UNITY)
    set_target_properties(kiln_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${arg_UNITY})
  endif()
endfunction()

# kiln_flatbuffer(NAME SCHEMA): the room's .cpp files may include <NAME_schema_generated.h>, made from the schema.
function(kiln_flatbuffer name schema)
  set(folder ${CMAKE_BINARY_DIR}/generated/${name})
  set(header ${folder}/${name}_schema_generated.h)
  add_custom_command(OUTPUT ${header} DEPENDS ${CMAKE_SOURCE_DIR}/src/${schema}
                     COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
                     COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/src/${schema} ${folder}/${name}_schema.fbs
                     COMMAND ${KILN_FLATC} --cpp -o ${folder} ${folder}/${name}_schema.fbs VERBATIM)
  target_sources(kiln_${name} PRIVATE ${header})
  target_include_directories(kiln_${name} SYSTEM PRIVATE ${folder} ${KILN_FLATBUFFERS_INCLUDE})
endfunction()

# kiln_shared_library(TARGET OUTPUT NAME EXPORTS MAP [WHOLE ROOMS ...] [ON LIBRARIES ...] [LIBS ...]): a shared library of whole rooms, and
# what they need of LIBS that the shared libraries ON do not offer. It shows the symbols of cmake/exports/MAP.map and hides the rest.
function(kiln_shared_library target)
  cmake_parse_arguments(arg "" "OUTPUT;EXPORTS" "WHOLE;ON;LIBS" ${ARGN})
  set(map ${CMAKE_SOURCE_DIR}/cmake/exports/${arg_EXPORTS}.map)
  add_library(${target} SHARED ${CMAKE_BINARY_DIR}/empty.cpp)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT} LINKER_LANGUAGE CXX LINK_DEPENDS ${map})
  set(whole "")
  foreach(room ${arg_WHOLE})
    list(APPEND whole $<TARGET_FILE:${room}>)
    add_dependencies(${target} ${room})
  endforeach()
  if(whole)
    list(PREPEND whole -Wl,--whole-archive)
    list(APPEND whole -Wl,--no-whole-archive)
  endif()
  # The C++ library goes first too: else an object of a static library is taken for a template that it happens to instantiate.
  target_link_libraries(${target} PRIVATE -Wl,--version-script=${map} ${whole} ${arg_ON} stdc++ ${arg_LIBS})
endfunction()
