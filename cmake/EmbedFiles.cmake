# slipway_embed(TARGET NAME FILE): puts a file's bytes into a library, between the symbols slipway_NAME and slipway_NAME_end.
enable_language(ASM)
function(slipway_embed target name file)
  if(NOT EXISTS ${file})
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
