# slipway_embed(TARGET NAME FILE): puts a file's bytes into a library, between the symbols slipway_NAME and slipway_NAME_end.
enable_language(ASM)
function(slipway_embed target name file)
  get_source_file_property(generated ${file} GENERATED)
  if(NOT generated AND NOT EXISTS ${file})
    message(FATAL_ERROR "no ${file}: run ./tools/setup")
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.s)
  file(CONFIGURE OUTPUT ${source} CONTENT [[
  .section .rodata
  .global slipway_@name@
  .global slipway_@name@_end
  .balign 16
slipway_@name@:
  .incbin "@file@"
slipway_@name@_end:
  .section .note.GNU-stack,"",@progbits
]] @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file} COMPILE_OPTIONS "")
  target_sources(${target} PRIVATE ${source})
endfunction()

# slipway_archive(TARGET NAME name=file...): embeds one archive of all the files, for src/http/static_files.h.
if(NOT Python_EXECUTABLE)
  find_package(Python REQUIRED COMPONENTS Interpreter)
endif()
function(slipway_archive target name)
  set(archive ${CMAKE_CURRENT_BINARY_DIR}/${name}.archive)
  list(TRANSFORM ARGN REPLACE "^[^=]*=" "" OUTPUT_VARIABLE files)
  foreach(file ${files})
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "no ${file}: run ./tools/setup")
    endif()
  endforeach()
  add_custom_command(OUTPUT ${archive} DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/make_archive.py VERBATIM
    COMMAND ${Python_EXECUTABLE} ${CMAKE_SOURCE_DIR}/cmake/make_archive.py ${archive} ${ARGN})
  set_source_files_properties(${archive} PROPERTIES GENERATED TRUE)
  slipway_embed(${target} ${name} ${archive})
endfunction()
