# Where each library comes from is told in docs/decisions/0001-dependencies.md.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(date CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(CJOSE REQUIRED IMPORTED_TARGET cjose)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
if(SLIPWAY_TESTS)
  find_package(GTest REQUIRED)
endif()

add_library(soci INTERFACE)
target_link_libraries(soci INTERFACE soci_core soci_sqlite3 soci_postgresql sqlite3 PostgreSQL::PostgreSQL dl)

add_library(pg_query INTERFACE)
target_link_libraries(pg_query INTERFACE /usr/lib/x86_64-linux-gnu/libpg_query.so protobuf-c xxhash)

# Arrow C++ is the one that the pinned pyarrow wheel ships: headers and libraries, no CMake config.
set(pyarrow ${CMAKE_SOURCE_DIR}/.deps/venv/lib/python3.11/site-packages/pyarrow)
if(SKBUILD)  # the one of the Python that builds the wheel
  execute_process(COMMAND ${Python_EXECUTABLE} -c "import importlib.util as u; print(u.find_spec('pyarrow').submodule_search_locations[0], end='')"
    OUTPUT_VARIABLE pyarrow COMMAND_ERROR_IS_FATAL ANY)
endif()
set(SLIPWAY_PYARROW ${pyarrow} CACHE PATH
  "the installed pyarrow package whose Arrow C++ is used")
if(NOT EXISTS ${SLIPWAY_PYARROW}/include/arrow/api.h)
  message(FATAL_ERROR "no pyarrow at ${SLIPWAY_PYARROW}: run ./tools/setup, or set SLIPWAY_PYARROW")
endif()
foreach(lib arrow parquet arrow_compute)
  file(GLOB so ${SLIPWAY_PYARROW}/lib${lib}.so.*00)
  add_library(${lib} SHARED IMPORTED)
  set_target_properties(${lib} PROPERTIES IMPORTED_LOCATION ${so})
  target_include_directories(${lib} SYSTEM INTERFACE ${SLIPWAY_PYARROW}/include)
endforeach()
target_link_libraries(parquet INTERFACE arrow)
target_link_libraries(arrow_compute INTERFACE arrow)

# Binaries find Arrow relative to themselves, so that a moved checkout goes on working.
file(RELATIVE_PATH pyarrow_from_bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${SLIPWAY_PYARROW})
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/${pyarrow_from_bin}")
if(SKBUILD)  # site-packages/slipway/bin and site-packages/pyarrow
  set(CMAKE_INSTALL_RPATH "$ORIGIN/../../pyarrow")
endif()
