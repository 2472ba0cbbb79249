# Imports LibTorch from a Python wheel (or an unpacked LibTorch) without find_package(Torch), whose CUDA flavour stops on a
# machine that has no CUDA toolkit. Looks in DUET_TORCH, then in the project's own .venv.
#   LibTorch::LibTorch   headers, c10, torch_cpu and, where they exist, c10_cuda and torch_cuda
set(DUET_TORCH "" CACHE PATH "folder of the torch package (holds include/ and lib/); empty: the project's .venv")
set(_torch_hints ${DUET_TORCH} $ENV{DUET_TORCH})
file(GLOB _torch_venv "${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
find_path(LibTorch_ROOT NAMES include/torch/csrc/api/include/torch/torch.h
          HINTS ${_torch_hints} ${_torch_venv} NO_DEFAULT_PATH NO_CACHE)

if(LibTorch_ROOT AND NOT TARGET LibTorch::LibTorch)
  set(_torch_libraries "")
  foreach(_name c10 torch_cpu c10_cuda torch_cuda)
    set(_file "${LibTorch_ROOT}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${_name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
    if(EXISTS "${_file}")
      add_library(LibTorch::${_name} SHARED IMPORTED)
      set_target_properties(LibTorch::${_name} PROPERTIES IMPORTED_LOCATION "${_file}" IMPORTED_NO_SONAME OFF)
      list(APPEND _torch_libraries LibTorch::${_name})
    endif()
  endforeach()
  set(LibTorch_HAS_CUDA FALSE)
  if(TARGET LibTorch::torch_cuda)
    set(LibTorch_HAS_CUDA TRUE)
    # Nothing refers to a symbol of torch_cuda: without this the linker drops it and CUDA is never registered.
    set(_torch_keep "-Wl,--no-as-needed")
  endif()
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_ROOT}/include;${LibTorch_ROOT}/include/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_ROOT}/include;${LibTorch_ROOT}/include/torch/csrc/api/include"
    INTERFACE_LINK_OPTIONS "${_torch_keep}"
    INTERFACE_LINK_LIBRARIES "${_torch_libraries}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT
  REASON_FAILURE_MESSAGE "run scripts/setup.sh, or set DUET_TORCH to the folder of a torch package")
