/* The import program as a process: started, listened to, ended. */
#ifndef INGEST_CHILD_H
#define INGEST_CHILD_H

#include <sys/types.h>
#include "ingest_read.h"

typedef struct ingest_child {
    pid_t pid;
    int answer; /* our end of the answer's socket */
} ingest_child;

/** How it ended. */
typedef struct ingest_end {
    bool known; /* false: another waited for it (SIGCHLD ignored) */
    int wait_status;
    bool too_long; /* the answer was, and it was killed for that */
    bool hung;     /* it answered, but did not end, and was killed */
} ingest_end;

/** Start the program on the files. @param decoded  a descriptor, or -1. @retval UNEXPECTED, NO_MEMORY */
cistern_status ingest_child_start(const char *program, const ingest_file *files, size_t count, int decoded,
                                  ingest_child *out, cistern_error *err) CISTERN_MUST_CHECK;
/**
 * Collect its answer until the socket's end, then its end. Whatever happens, the process is gone afterwards and the
 * socket closed.
 * @param answer  at most answer->max bytes.
 * @retval CANCELLED, NO_MEMORY
 */
cistern_status ingest_child_finish(ingest_child *child, const base_cancel *cancel, base_buf *answer,
                                   ingest_end *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
