/* A file without a name, in memory. */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#include "base_error.h"

/** An empty file that is gone when its last descriptor and mapping are (memfd_create). `what` is seen in /proc only. */
cistern_status base_scratch_file(const char *what, int *out_fd, cistern_error *err) CISTERN_MUST_CHECK;

#endif
