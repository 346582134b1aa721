/* The import program's sandbox. */
#ifndef INGEST_SANDBOX_H
#define INGEST_SANDBOX_H

#include "base_error.h"

/* What the sandbox shall do without, as if the kernel lacked it. The import program gives 0; tests that one part
 * holds without the others give these. */
#define INGEST_WITHOUT_FILTER   1u
#define INGEST_WITHOUT_LANDLOCK 2u
#define INGEST_WITHOUT_LIMITS   4u

typedef struct ingest_sandbox {
    size_t data_max;      /* bytes of anonymous memory */
    unsigned cpu_seconds; /* of processor time, then SIGXCPU */
    int write_fd;         /* a descriptor that may be written to */
    int file_fd;          /* another, of a file; 0: none */
    uint64_t file_max;    /* its last byte */
    unsigned without;     /* INGEST_WITHOUT_*; 0 but in tests */
} ingest_sandbox;

/**
 * Give up everything but: memory (never executable), writing to these descriptors, ending. No way back.
 * The filter kills the process at any other system call (SIGSYS); Landlock refuses files, TCP and signals once more, by
 * another part of the kernel. A kernel that lacks one of the two is taken as it is, for the other holds; what the
 * kernel has must be granted. In sanitizer builds there is neither, nor a limit of memory: their runtime could not work.
 * @retval UNEXPECTED  the kernel has neither, or does not grant what it has.
 */
cistern_status ingest_sandbox_enter(const ingest_sandbox *sandbox, cistern_error *err) CISTERN_MUST_CHECK;

#endif
