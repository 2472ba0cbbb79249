# Imports LibTorch from a Python wheel (or an unpacked LibTorch) without find_package(Torch), whose CUDA flavour stops on a
# machine that has no CUDA toolkit. Looks in DUET_TORCH alone if that is set, else in the .venv of the tree it lies in.
# Installed with the package duet, where there is no such tree.
#   LibTorch::LibTorch   headers, c10, torch_cpu and, where they exist, c10_cuda and torch_cuda
set(DUET_TORCH "" CACHE PATH "folder of the torch package (holds include/ and lib/); empty: the project's .venv")
if(NOT DUET_TORCH)  # kept: a build may configure again in a shell that does not know it
  set_property(CACHE DUET_TORCH PROPERTY VALUE "$ENV{DUET_TORCH}")
endif()
set(_torch_places "${DUET_TORCH}")
if(NOT _torch_places)
  cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH _torch_tree)
  file(GLOB _torch_places "${_torch_tree}/.venv/lib/python3*/site-packages/torch")
endif()
find_path(LibTorch_ROOT NAMES include/torch/csrc/api/include/torch/torch.h
          HINTS ${_torch_places} NO_DEFAULT_PATH NO_CACHE)
string(REGEX REPLACE "/$" "" LibTorch_ROOT "${LibTorch_ROOT}")

set(LibTorch_VERSION "")
set(_torch_version_header "${LibTorch_ROOT}/include/torch/headeronly/version.h")
if(EXISTS "${_torch_version_header}")
  file(STRINGS "${_torch_version_header}" _torch_version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX MATCHALL "[0-9]+" _torch_version "${_torch_version}")
  list(JOIN _torch_version "." LibTorch_VERSION)
endif()

if(LibTorch_ROOT AND NOT TARGET LibTorch::LibTorch)
  set(_torch_libraries "")
  set(_torch_files "")
  foreach(_name c10 torch_cpu c10_cuda torch_cuda)
    set(_file "${LibTorch_ROOT}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${_name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
    if(EXISTS "${_file}")
      add_library(LibTorch::${_name} SHARED IMPORTED)
      set_target_properties(LibTorch::${_name} PROPERTIES IMPORTED_LOCATION "${_file}" IMPORTED_NO_SONAME OFF)
      list(APPEND _torch_libraries LibTorch::${_name})
      string(APPEND _torch_files " \"${_file}\"")
    endif()
  endforeach()
  set(LibTorch_HAS_CUDA FALSE)
  if(TARGET LibTorch::torch_cuda)
    set(LibTorch_HAS_CUDA TRUE)
  endif()
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # As a link option they stand before all else that a program links, whatever the order of its targets: the BLAS that comes
  # first is the one that LibTorch uses. And none is dropped: nothing refers to a symbol of torch_cuda, which registers CUDA.
  set_target_properties(LibTorch::LibTorch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_ROOT}/include;${LibTorch_ROOT}/include/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_ROOT}/include;${LibTorch_ROOT}/include/torch/csrc/api/include"
    INTERFACE_LINK_OPTIONS "SHELL:-Wl,--push-state,--no-as-needed${_torch_files} -Wl,--pop-state"
    INTERFACE_LINK_LIBRARIES "${_torch_libraries}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/setup.sh, or set DUET_TORCH to the folder of a torch package")
