/* Bringing written bytes to the disk in steps: fsync of hundreds of megabytes takes seconds and hears no cancel. */
#ifndef BASE_FLUSH_H
#define BASE_FLUSH_H

#include "base_thread.h"

/** What is dirty of n bytes from `offset` shall go to the disk from now on, while something else is done. Advice. */
void base_flush_begin(int fd, uint64_t offset, uint64_t n);
/**
 * Write out what is dirty of n bytes from `offset`, so that the fsync that follows has little left to do. Proves nothing: only
 * that fsync does, and only it tells of failures.
 * @param cancel  looked at every 8 MiB; NULL allowed. @retval CANCELLED  nothing else fails.
 */
cistern_status base_flush(int fd, uint64_t offset, uint64_t n, const base_cancel *cancel,
                          cistern_error *err) CISTERN_MUST_CHECK;

#endif
