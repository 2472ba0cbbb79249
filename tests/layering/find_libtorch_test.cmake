# Feeds cmake/FindLibTorch.cmake made-up LibTorch packages, on a machine without the CUDA toolkit: a CPU build, a CUDA build
# and none at all. Run by ctest as cmake -P, with MODULES, COMPILER, CONSUMER and WORK (a folder of its own).
file(REMOVE_RECURSE "${WORK}")

function(run)
  cmake_parse_arguments(ARG "MAY_FAIL" "OUTPUT" "COMMAND" ${ARGN})
  execute_process(COMMAND ${ARG_COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result AND NOT ARG_MAY_FAIL)
    message(FATAL_ERROR "${ARG_COMMAND} gave ${result}:\n${output}")
  endif()
  set(${ARG_OUTPUT} "${output}" PARENT_SCOPE)
  set(result "${result}" PARENT_SCOPE)
endfunction()

# A package whose libraries hold one function each.
function(make_package folder)
  file(WRITE "${folder}/include/torch/csrc/api/include/torch/torch.h" "")
  file(MAKE_DIRECTORY "${folder}/lib")
  foreach(name ${ARGN})
    file(WRITE "${folder}/${name}.cpp" "int fake_${name}() { return 0; }\n")
    run(COMMAND "${COMPILER}" -shared -fPIC "-Wl,-soname,lib${name}.so" -o "${folder}/lib/lib${name}.so"
        "${folder}/${name}.cpp" OUTPUT output)
  endforeach()
endfunction()

function(configure name torch)
  # --as-needed is the default of some distributions: it drops libraries that nothing refers to.
  run(COMMAND "${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${WORK}/build ${name}" "-DMODULES=${MODULES}" "-DDUET_TORCH=${torch}"
              "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_EXE_LINKER_FLAGS=-Wl,--as-needed ${ARGN} OUTPUT output)
  set(result "${result}" PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text pattern)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "expected '${pattern}' in:\n${text}")
  endif()
endfunction()

make_package("${WORK}/cpu" c10 torch_cpu torch)
configure(cpu "${WORK}/cpu")
expect("${output}" "has CUDA: FALSE")
run(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build cpu" OUTPUT output)
run(COMMAND "${WORK}/build cpu/consumer" OUTPUT output)
expect("${output}" "^cpu\n$")

make_package("${WORK}/cuda" c10 torch_cpu torch c10_cuda torch_cuda)
configure(cuda "${WORK}/cuda")
expect("${output}" "has CUDA: TRUE")
run(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build cuda" OUTPUT output)
run(COMMAND "${WORK}/build cuda/consumer" OUTPUT output)
expect("${output}" "^cuda\n$")

configure(none "${WORK}/nowhere" MAY_FAIL)
if(result EQUAL 0)
  message(FATAL_ERROR "a folder that is not there was taken for LibTorch")
endif()
expect("${output}" "scripts/setup.sh, or set DUET_TORCH")
