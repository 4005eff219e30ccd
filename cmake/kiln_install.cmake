# What `cmake --install` lays down, in three components, and the packages that CPack makes of them:
#   runtime      the two files that load and run engines: libkiln_runtime.so and the library of the first back end
#   tools        the program, the build side, further devices, man page, completion
#   development  headers, CMake package, pkg-config, the libraries under the names of the field
include(GNUInstallDirs)
set(private ${CMAKE_INSTALL_LIBDIR}/kiln)  # what only Kiln's own libraries and makefiles of the field look for

list(GET KILN_TARGETS 0 first)
list(TRANSFORM KILN_DEVICES PREPEND kiln_library_ OUTPUT_VARIABLE devices)
list(REMOVE_ITEM devices kiln_library_${first})
set(libraries kiln kiln_runtime_library kiln_cudart kiln_library_${first} ${devices})
set_target_properties(${libraries} PROPERTIES INSTALL_RPATH "$ORIGIN;$ORIGIN/kiln")
set_target_properties(kiln_tool PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

install(TARGETS kiln_runtime_library kiln_library_${first} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(TARGETS kiln kiln_cudart ${devices} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT tools)
install(TARGETS kiln_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
if(KILN_ONEDNN)
  install(FILES ${KILN_DNNL_LIBRARY} DESTINATION ${private} RENAME libdnnl.so.3 COMPONENT tools)
endif()

# Made by the program itself from the options that it parses.
set(made ${CMAKE_BINARY_DIR}/made)
file(MAKE_DIRECTORY ${made})
foreach(page bash zsh man)
  add_custom_command(OUTPUT ${made}/kiln.${page} DEPENDS kiln_tool VERBATIM
                     COMMAND sh -c "\"$1\" completion \"$2\" > \"$3\"" sh $<TARGET_FILE:kiln_tool> ${page} ${made}/kiln.${page})
endforeach()
add_custom_target(kiln_pages ALL DEPENDS ${made}/kiln.bash ${made}/kiln.zsh ${made}/kiln.man)
install(FILES ${made}/kiln.man DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME kiln.1 COMPONENT tools)
install(FILES ${made}/kiln.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME kiln COMPONENT tools)
install(FILES ${made}/kiln.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _kiln COMPONENT tools)

# Links: the program under trtexec's name, the libraries under the names of the field.
set(links ${CMAKE_BINARY_DIR}/links)
file(MAKE_DIRECTORY ${links}/bin ${links}/compat)
file(CREATE_LINK kiln ${links}/bin/trtexec SYMBOLIC)
foreach(pair nvinfer:kiln nvonnxparser:kiln cudart:kiln_cudart)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 library)
  file(CREATE_LINK ../../lib${library}.so ${links}/compat/lib${name}.so SYMBOLIC)
endforeach()
install(FILES ${links}/bin/trtexec DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
install(DIRECTORY ${links}/compat DESTINATION ${private} COMPONENT development)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kiln COMPONENT tools)

include(CMakePackageConfigHelpers)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/kilnConfig.cmake.in ${made}/kilnConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kiln PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${made}/kilnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${made}/kilnConfig.cmake ${made}/kilnConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kiln COMPONENT development)

# kiln_pkg_config(NAME DESCRIPTION LIBS): a file that finds its prefix by where it lies.
function(kiln_pkg_config name description libs)
  file(CONFIGURE OUTPUT ${made}/${name}.pc @ONLY CONTENT "prefix=\${pcfiledir}/../..
libdir=\${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=\${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: @name@
Description: @description@
Version: @PROJECT_VERSION@
Libs: -L\${libdir} -Wl,-rpath,\${libdir} @libs@
Cflags: -I\${includedir}
")
  install(FILES ${made}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
kiln_pkg_config(kiln "Inference compiler and runtime" "-lkiln -lkiln_runtime")
kiln_pkg_config(kiln-runtime "Loads and runs engines of Kiln" "-lkiln_runtime")

# cpack -G "TGZ;DEB" makes kiln-VERSION.tar.gz and a package of each component; scripts/package.sh also one of the runtime alone.
set(CPACK_PACKAGE_NAME kiln)
set(CPACK_PACKAGE_VENDOR "The Kiln authors")
set(CPACK_PACKAGE_CONTACT "The Kiln authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Compiles trained networks to tuned engines and runs them")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_FILE_NAME kiln-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_COMPONENTS_ALL runtime tools development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME kiln-runtime)
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME kiln)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME kiln-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_CONFLICTS "libnvinfer-headers-dev, libnvonnxparsers-dev")
set(CPACK_COMPONENT_TOOLS_DEPENDS runtime)
set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS tools)
include(CPack)
