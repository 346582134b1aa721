/* Weight files -> tensor index, in a process of its own. */
#ifndef INGEST_READ_H
#define INGEST_READ_H

#include "base_thread.h"
#include "model_index.h"

/** One file of a version. */
typedef struct ingest_file {
    int fd;           /* open for reading; its offset is neither used nor changed */
    const char *path; /* relative to the version: messages, and what other files of it call this one */
} ingest_file;

typedef struct ingest_options {
    size_t size;         /* of this struct */
    const char *program; /* the import program; NULL: beside this library or program */
    int decoded; /* a file that takes what does not lie plain in the files, from its offset on, where it must be
                            empty; -1: nothing does, and files that need it are UNREADABLE */
} ingest_options;
#define INGEST_OPTIONS_INIT                                                                                  \
    {                                                                                                        \
        sizeof(ingest_options), NULL, -1                                                                     \
    }

/**
 * Have the import program read the files of a version, and check its answer.
 * @param options  NULL: defaults.
 * @param run      its cancel token is obeyed within 100 ms; may be NULL.
 * @param out      owned by the caller: model_index_free(). Every extent was checked against the files' sizes here. Has
 *                 one file more than `count` if something was decoded.
 * @retval UNREADABLE  see formats_read(); or the reader crashed, hung, broke a limit or lied because of these files.
 * @retval DAMAGED     a descriptor that is not a regular file.
 * @retval UNEXPECTED  no import program ("installation incomplete"), no process could be started.
 * @retval NO_SPACE    for decoded tensors. @retval CANCELLED, NO_MEMORY
 * Threads: any. No process is left behind, however this returns; signals and their handlers are not touched.
 */
cistern_status ingest_read(const ingest_options *options, const ingest_file *files, size_t count,
                           const base_run *run, model_index **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
