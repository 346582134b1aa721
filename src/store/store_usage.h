/* How much a store holds. */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "store_open.h"

typedef struct store_usage {
    uint64_t blobs, blob_bytes;       /* files; bytes of content */
    uint64_t chunk_bytes;             /* of chunk lists */
    uint64_t partials, partial_bytes; /* unfinished fetches; bytes that they occupy on disk */
    uint64_t derived_bytes;           /* occupied on disk */
    uint64_t damaged, damaged_bytes;  /* set aside */
    uint64_t free_bytes;              /* on the file system, for this user */
} store_usage;

/** Count. What vanishes meanwhile is not counted. @retval DENIED, UNEXPECTED */
cistern_status store_usage_count(const store *s, store_usage *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
