# Installs the build folder, moves the result, tries its programs there, and builds two programs with its CMake package. Run
# by ctest as cmake -P, with BUILD, SOURCE, TORCH (LibTorch's folder), GENERATOR, COMPILER, FLAGS and WORK (a folder of its
# own).
file(REMOVE_RECURSE "${WORK}")
set(duet "${WORK}/moved/duet")

# Leaves what the command wrote in `output`; unless MAY_FAIL, it must end with 0.
function(run)
  cmake_parse_arguments(ARG "MAY_FAIL" "" "COMMAND" ${ARGN})
  execute_process(COMMAND ${ARG_COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result AND NOT ARG_MAY_FAIL)
    message(FATAL_ERROR "${ARG_COMMAND} gave ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "expected '${pattern}' in:\n${output}")
  endif()
endfunction()

macro(configure name torch)
  run(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${CMAKE_CURRENT_LIST_DIR}/${name}" -B "${WORK}/${name}"
              "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_PREFIX_PATH=${duet}"
              "-DDUET_TORCH=${torch}" ${ARGN})
endmacro()

run(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/installed")
file(MAKE_DIRECTORY "${WORK}/moved")
file(RENAME "${WORK}/installed" "${duet}")
unset(ENV{DUET_ENGINE})
unset(ENV{DUET_TORCH})
run(COMMAND "${duet}/bin/duet" --version)
expect("^duet [0-9]")
run(COMMAND "${duet}/bin/duet" check "${SOURCE}/configs/shapes.toml")  # the engine's work
expect("shapes.toml is fine")

# Whoever has the tree may have it from another machine.
file(GLOB files "${duet}/lib*/cmake/duet/*" "${duet}/lib*/*/cmake/duet/*")
list(LENGTH files count)
if(count LESS 5)
  message(FATAL_ERROR "of the CMake package there is only: ${files}")
endif()
foreach(file IN LISTS files)
  file(READ "${file}" content)
  foreach(folder "${SOURCE}" "${BUILD}" "${TORCH}" "${WORK}")
    string(FIND "${content}" "${folder}" place)
    if(NOT place EQUAL -1)
      message(FATAL_ERROR "${file} names ${folder}")
    endif()
  endforeach()
endforeach()

configure(consumer "${WORK}/nowhere" MAY_FAIL)
expect("set DUET_TORCH to the folder")
configure(consumer "${TORCH}")
run(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/consumer")
file(MAKE_DIRECTORY "${WORK}/model")
run(COMMAND "${WORK}/consumer/consumer" "${WORK}/model")
expect("pictures \\[2, 8\\]\n")
expect("BLAS [^\n]*libtorch_cpu")  # LibTorch's own, although Debian's is linked too

configure(query_consumer "${WORK}/nowhere")
run(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/query_consumer")
run(COMMAND "${WORK}/query_consumer/query_consumer" "${WORK}/model")
expect("caption \\[8\\]\n")
expect("type at least one word")
