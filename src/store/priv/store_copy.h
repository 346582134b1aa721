/* Filling a fetch's partial; see store_copy.c. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store_fetch_object.h"

/** Fill fetch->partial from the source; digests into *out. */
cistern_status store_copy_run(store_fetch *fetch, net_source *source, const store_fetch_want *want,
                              const base_run *run, store_fetch_got *out,
                              cistern_error *err) CISTERN_MUST_CHECK;
/** The same from a local file. */
cistern_status store_copy_local(store_fetch *fetch, int fd, const char *name, const store_fetch_want *want,
                                const base_run *run, store_fetch_got *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
