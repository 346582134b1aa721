/* The one object file of the shared library itself; everything else comes from the rooms' archives. */
#include <cistern/context.h>

/* Kept here so that the library has a symbol of its own to be found by (dladdr). */
const char *cistern_library_version(void)
{
    return CISTERN_VERSION_TEXT;
}
