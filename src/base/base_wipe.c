/* See base_wipe.h. */
#include "base_wipe.h"

#include <string.h>

void base_wipe(void *bytes, size_t n)
{
    if (n > 0)
        explicit_bzero(bytes, n);
}
