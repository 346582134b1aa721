/* Forgetting secrets. */
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stddef.h>

/** Overwrite with zeros, also where a compiler sees that nobody reads them. NULL with n 0 allowed. */
void base_wipe(void *bytes, size_t n);

#endif
