/* The store object and small helpers of its room. */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <limits.h>
#include "base_host.h"
#include "base_sha256.h"
#include "base_thread.h"
#include "store_open.h"

#define STORE_ID_HEX   32
#define STORE_NAME_MAX 256 /* bytes of a path of this room's own making, with the zero */

struct store {
    int root;
    char *path;
    char id[STORE_ID_HEX + 1];
    store_role role;
    store_sharing sharing;
    base_modes modes;
    uint32_t owner;
    bool local_disk;         /* no network file system */
    char why_read_only[256]; /* empty: it may be written */
    bool verify_always;
    char *state_dir; /* or NULL */
    unsigned takeover_ms;
    void (*fault)(void *user, const char *point);
    void *fault_user;
};

/** A step between two changes on disk is done: tests of crashes end the process here. */
void store_fault(const store *s, const char *point);

/** "blobs/sha256/ab/abcd…" or "chunks/sha256/…". */
void store_digest_path(const char *top, const base_digest *d, char out[STORE_NAME_MAX]);

/** Make the directory `top` ("partial", "derived") with its CACHEDIR.TAG, so that backups skip it. */
cistern_status store_cache_dir(store *s, const char *top, cistern_error *err) CISTERN_MUST_CHECK;

/** fsync a file that somebody else may have made, before anything refers to it. */
cistern_status store_sync_file(const store *s, const char *path, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether `path` still names the inode that fd has open. */
bool store_names_inode(const store *s, const char *path, int fd);
/** Unlink `path` if it still names that inode; says whether it did. */
bool store_unlink_own(const store *s, const char *path, int fd);

/* Progress: at most ten calls a second and one at the end. */
typedef struct store_ticker {
    const base_run *run;
    base_progress p;
    uint64_t last_ms;
} store_ticker;
void store_ticker_init(store_ticker *t, const base_run *run, const char *what, uint64_t total);
void store_ticker_step(store_ticker *t, uint64_t done);
void store_ticker_end(store_ticker *t, uint64_t done);

const base_cancel *store_cancel_of(const base_run *run); /* run may be NULL */
const base_log *store_log_of(const base_run *run);

/** Hash n bytes of fd from `offset`; cancellable, with progress. */
cistern_status store_hash_range(int fd, uint64_t offset, uint64_t n, const base_run *run,
                                store_ticker *ticker, base_digest *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
