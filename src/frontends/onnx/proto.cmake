# kiln_onnx_proto: the messages of the onnx wheel's schema, generated in the build folder and compiled without our warnings.
get_filename_component(KILN_ONNX_ROOT ${KILN_ONNX_PROTO}/../.. ABSOLUTE)
set(KILN_ONNX_GENERATED ${CMAKE_BINARY_DIR}/generated/onnx_proto)
file(MAKE_DIRECTORY ${KILN_ONNX_GENERATED})
add_custom_command(
  OUTPUT ${KILN_ONNX_GENERATED}/onnx/onnx-ml.pb.cc ${KILN_ONNX_GENERATED}/onnx/onnx-ml.pb.h
         ${KILN_ONNX_GENERATED}/onnx/onnx-data.pb.cc ${KILN_ONNX_GENERATED}/onnx/onnx-data.pb.h
  COMMAND protobuf::protoc -I ${KILN_ONNX_ROOT} --cpp_out=${KILN_ONNX_GENERATED} onnx/onnx-ml.proto onnx/onnx-data.proto
  DEPENDS ${KILN_ONNX_PROTO}
  COMMENT "ONNX schema")
add_library(kiln_onnx_proto STATIC ${KILN_ONNX_GENERATED}/onnx/onnx-ml.pb.cc ${KILN_ONNX_GENERATED}/onnx/onnx-data.pb.cc)
target_include_directories(kiln_onnx_proto SYSTEM PUBLIC ${KILN_ONNX_GENERATED})
target_link_libraries(kiln_onnx_proto PUBLIC protobuf::libprotobuf)
target_compile_options(kiln_onnx_proto PRIVATE -w)
