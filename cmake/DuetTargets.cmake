# duet_library(NAME [TORCH] [INTERNAL] SOURCES ... LINKS ...)   one static library a folder, called duet_NAME
#   TORCH: the sources may include LibTorch; they share one precompiled header and the pool of large units.
#   INTERNAL: a part of the programs; every other library is exported as duet::NAME (DuetPackage.cmake).
# duet_executable(NAME [TORCH] ...) and duet_test(NAME [TORCH] [WHOLE] [LABEL slow] ...) take the same arguments.
add_library(duet_options INTERFACE)
target_compile_options(duet_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                       $<$<BOOL:${DUET_WERROR}>:-Werror>)
target_include_directories(duet_options INTERFACE
                           $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>)
if(DUET_SANITIZE)
  target_compile_options(duet_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer)
  target_link_options(duet_options INTERFACE -fsanitize=address,undefined)
  set(_test_environment ENVIRONMENT "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1")  # else it only prints
endif()

function(_duet_common target)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;LINKS" ${ARGN})
  target_sources(${target} PRIVATE ${ARG_SOURCES})
  if(ARG_TORCH)  # LibTorch stands first on every link line, see FindLibTorch.cmake
    target_link_libraries(${target} PUBLIC LibTorch::LibTorch)
    target_precompile_headers(${target} REUSE_FROM duet_pch)
    set_target_properties(${target} PROPERTIES JOB_POOL_COMPILE torch_units)
  endif()
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:duet_options> ${ARG_LINKS})
endfunction()

function(duet_library name)
  cmake_parse_arguments(ARG "INTERNAL" "" "" ${ARGN})
  add_library(duet_${name} STATIC)
  _duet_common(duet_${name} ${ARG_UNPARSED_ARGUMENTS})
  if(NOT ARG_INTERNAL)
    duet_export(${name} ${ARG_UNPARSED_ARGUMENTS})
  endif()
endfunction()

function(duet_executable name)
  add_executable(${name})
  _duet_common(${name} ${ARGN})
endfunction()

function(duet_test name)
  cmake_parse_arguments(ARG "TORCH;WHOLE" "LABEL" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL fast)
  endif()
  set(_torch "")
  if(ARG_TORCH)
    set(_torch TORCH)
  endif()
  add_executable(${name})
  _duet_common(${name} ${_torch} SOURCES ${ARG_SOURCES} LINKS ${ARG_LINKS} GTest::gtest_main GTest::gmock)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(ARG_WHOLE)  # one process for all its tests: they share a costly set-up
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 900 ${_test_environment})
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
                         PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600 ${_test_environment})
  endif()
endfunction()

if(NOT EXISTS "${CMAKE_BINARY_DIR}/pch/pch.cpp")  # written once: a newer one would recompile every unit
  file(WRITE "${CMAKE_BINARY_DIR}/pch/pch.cpp" "")
endif()
add_library(duet_pch OBJECT "${CMAKE_BINARY_DIR}/pch/pch.cpp")
target_link_libraries(duet_pch PUBLIC LibTorch::LibTorch duet_options)
target_precompile_headers(duet_pch PRIVATE "${CMAKE_SOURCE_DIR}/cmake/torch_pch.h")
