/* The import program's sandbox. */
#ifndef INGEST_SANDBOX_H
#define INGEST_SANDBOX_H

#include "base_error.h"

typedef struct ingest_sandbox {
    size_t data_max;      /* bytes of anonymous memory */
    unsigned cpu_seconds; /* of processor time, then SIGXCPU */
    int write_fd;         /* a descriptor that may be written to */
    int file_fd;          /* another, of a file; 0: none */
    uint64_t file_max;    /* its last byte */
} ingest_sandbox;

/**
 * Give up everything but: memory (never executable), writing to these descriptors, ending. No way back. Any other system
 * call kills the process (SIGSYS). In sanitizer builds memory and system calls stay free: their runtime needs both.
 * @retval UNEXPECTED  the kernel does not offer it.
 */
cistern_status ingest_sandbox_enter(const ingest_sandbox *sandbox, cistern_error *err) CISTERN_MUST_CHECK;

#endif
