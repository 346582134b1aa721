/* Asking a store's file system for what everything rests on, and how fast it is. */
#ifndef STORE_DOCTOR_H
#define STORE_DOCTOR_H

#include "base_thread.h"
#include "store_open.h"

#define STORE_DOCTOR_FILE  ((size_t)32 << 20) /* bytes written and read to measure bandwidth */
#define STORE_DOCTOR_SYNCS 9                  /* small files written and synced, of which the median counts */

typedef struct store_doctor {
    bool creates_once; /* a name that is there is never given again: link of many threads, one wins each */
    unsigned rounds;   /* so often tried */
    bool locks;        /* flock keeps two descriptors apart */
    int64_t clock_skew_ns; /* the file system's stamps minus this host's clock */
    double sync_ms;        /* a small document until it is on disk, with its directory */
    double write_mb_s;     /* megabytes per second, synced at the end */
    double read_mb_s;      /* the same file again, its pages dropped before where that is obeyed */
    bool huge_pages;       /* what is written in blocks is mapped in huge pages (see base_disk.h) */
    char file_system[24];  /* "ext4" … */
    bool network;          /* it is one of a network */
    uint64_t free_bytes;
    uint64_t markers; /* of collectors, left or running */
} store_doctor;

/**
 * Try it, in a directory of its own that is gone afterwards. @retval DENIED it may not be written. @retval NO_SPACE,
 * CANCELLED, UNEXPECTED
 */
cistern_status store_doctor_run(store *s, const base_run *run, store_doctor *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
