# room(NAME ROOMS <rooms it may include> [LIBS <libraries>] [NO_CONVERSION])
#
# Makes the static library cistern_<name> from src/<name>/*.c. Its include path holds its own directory and the
# directories of exactly the rooms named, so that an include of any other room does not compile. Headers in
# src/<name>/priv/ are reached as "priv/..." from the room's own directory only (never on another room's path by
# name: the lint script refuses it). A file kernel_<isa> flags: see src/nn/CMakeLists.txt.
#
# Of the public headers an inner room sees the leaf <cistern/error.h> only; api, cli and serve ask for PUBLIC.
set(CISTERN_LEAF_INCLUDE ${CMAKE_BINARY_DIR}/leaf-include)
file(MAKE_DIRECTORY ${CISTERN_LEAF_INCLUDE}/cistern)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/include/cistern/error.h ${CISTERN_LEAF_INCLUDE}/cistern/error.h SYMBOLIC)

function(room name)
  cmake_parse_arguments(ROOM "NO_CONVERSION;PUBLIC" "" "ROOMS;LIBS;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  foreach(file IN LISTS ROOM_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/src/${name}/${file})
  endforeach()
  if(NOT sources) # a room that is only laid out: its target exists, so that others can name it
    set(sources ${CMAKE_BINARY_DIR}/empty_${name}.c)
    file(CONFIGURE OUTPUT ${sources} CONTENT "typedef int room_${name}_is_empty;\n")
  endif()
  add_library(cistern_${name} STATIC ${sources})
  room_flags(cistern_${name} ${name} ${ARGN})
  set_property(GLOBAL PROPERTY CISTERN_ROW_${name} ${ROOM_ROOMS}) # for tests, which see what the room sees
endfunction()

# The same flags and include path for a further target of a room (a program, a test).
function(room_flags target name)
  cmake_parse_arguments(ROOM "NO_CONVERSION;PUBLIC" "" "ROOMS;LIBS;EXCLUDE" ${ARGN})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/${name})
  if(ROOM_PUBLIC)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  else()
    target_include_directories(${target} PRIVATE ${CISTERN_LEAF_INCLUDE})
  endif()
  foreach(other IN LISTS ROOM_ROOMS)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/${other})
    target_link_libraries(${target} PRIVATE cistern_${other})
  endforeach()
  target_link_libraries(${target} PRIVATE cistern_flags Threads::Threads m ${ROOM_LIBS})
  target_compile_options(${target} PRIVATE -include ${CMAKE_SOURCE_DIR}/src/base/base_banned.h)
  if(NOT ROOM_NO_CONVERSION)
    target_compile_options(${target} PRIVATE ${CISTERN_CONVERSION_FLAGS})
  endif()
endfunction()
