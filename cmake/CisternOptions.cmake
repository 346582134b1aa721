# Language standard, warnings, hardening and sanitizers: the same for every target.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

option(CISTERN_WERROR "treat warnings as errors" OFF)
set(CISTERN_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")

add_library(cistern_flags INTERFACE)
target_compile_definitions(cistern_flags INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64)
target_compile_options(cistern_flags INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wswitch -Wformat=2 -Wundef -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wcast-qual -Wwrite-strings -fno-common -fstack-protector-strong)
if(CISTERN_WERROR)
  target_compile_options(cistern_flags INTERFACE -Werror)
endif()
if(CISTERN_SANITIZE)
  target_compile_options(cistern_flags INTERFACE -fsanitize=${CISTERN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(cistern_flags INTERFACE -fsanitize=${CISTERN_SANITIZE})
  target_compile_definitions(cistern_flags INTERFACE CISTERN_SANITIZED=1)
else()
  target_compile_definitions(cistern_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
  target_link_options(cistern_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
# Own code only, never kernels (whose integer vector code it drowns in noise).
set(CISTERN_CONVERSION_FLAGS -Wconversion -Wno-sign-conversion)
