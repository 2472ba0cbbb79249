# What cmake --install puts down beside the programs, component "package": the CMake package duet, with every library as a
# target duet::NAME (duetConfig.cmake.in) and all headers below include/duet, in the folders that #include names.
set(_duet_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/duet)

# duet_export(NAME [TORCH] ...): called by duet_library with its arguments
function(duet_export name)
  set_target_properties(duet_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(duet_${name} INTERFACE cxx_std_20)
  install(TARGETS duet_${name} EXPORT duetTargets
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT package
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/duet)
  set_property(GLOBAL APPEND PROPERTY DUET_LIBRARIES ${name})
  if("TORCH" IN_LIST ARGN)
    set_property(GLOBAL APPEND PROPERTY DUET_TORCH_LIBRARIES ${name})
  endif()
endfunction()

# duet_install_package(): called once, after the libraries
function(duet_install_package)
  file(GLOB_RECURSE headers RELATIVE "${CMAKE_SOURCE_DIR}" src/*.h datasets/*.h encoders/*.h losses/*.h retrieval/*.h)
  list(FILTER headers EXCLUDE REGEX "^src/cli/")  # a part of the programs
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "^src/" "" folder "${header}")
    cmake_path(REMOVE_FILENAME folder)
    install(FILES "${header}" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/duet/${folder} COMPONENT package)
  endforeach()

  get_property(DUET_LIBRARIES GLOBAL PROPERTY DUET_LIBRARIES)
  get_property(DUET_TORCH_LIBRARIES GLOBAL PROPERTY DUET_TORCH_LIBRARIES)
  include(CMakePackageConfigHelpers)
  configure_file(cmake/duetConfig.cmake.in "${CMAKE_BINARY_DIR}/package/duetConfig.cmake" @ONLY)
  write_basic_package_version_file("${CMAKE_BINARY_DIR}/package/duetConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${CMAKE_BINARY_DIR}/package/duetConfig.cmake" "${CMAKE_BINARY_DIR}/package/duetConfigVersion.cmake"
                cmake/FindLibTorch.cmake
          DESTINATION ${_duet_package_folder} COMPONENT package)
  install(EXPORT duetTargets NAMESPACE duet:: DESTINATION ${_duet_package_folder} COMPONENT package)
endfunction()
