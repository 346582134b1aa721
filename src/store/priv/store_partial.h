/* Partials: the unfinished bytes of a fetch, `partial/<key>/<n>.data` with its journal.
 *
 *   fresh      created by us                                        written by us, published by us
 *   adopted    created by another whose every writer is proven to   renamed to our number, then written and published
 *              have ended (journal says so) or died                 by us: the rename decides between two who try
 *   copied     of an owner that only stands still                   its certain ranges copied (reflinked) into a fresh one
 *
 * Invariants
 *  1. `<n>.data` is written only by the owner of number n, and only through a descriptor opened after it got that name.
 *  2. Data with more than one link is complete, and is opened for reading only.
 *  3. Before data gets our number our own journal, which names its inode and us, is on disk: whoever looks sees an
 *     owner that is alive.
 */
#ifndef STORE_PARTIAL_H
#define STORE_PARTIAL_H

#include "store_journal.h"

typedef struct store_partial {
    int fd;          /* -1: there is none */
    uint64_t number; /* ours, of the claim */
    store_journal journal;
    store_ranges present; /* certain when it came to us; merged */
    uint64_t size;        /* of the whole, or STORE_SIZE_UNKNOWN */
    bool complete;        /* every byte is there; fd is read-only */
} store_partial;

#define STORE_PARTIAL_NONE                                                                                   \
    {                                                                                                        \
        .fd = -1, .journal = {.fd = -1}, .size = STORE_SIZE_UNKNOWN                                          \
    }

/** What must be the same for bytes to be of any use. */
typedef struct store_partial_want {
    base_digest key;
    base_digest validator;     /* digest of the strong validator; zeros: none */
    uint64_t size;             /* or STORE_SIZE_UNKNOWN */
    bool digest_known;         /* the SHA-256 will be checked, so that wrong bytes cannot pass */
    bool complete_only;        /* what is unfinished is left alone */
    const base_cancel *cancel; /* looked at while ranges are copied; NULL: none */
} store_partial_want;

/** A fresh, empty one; disk space is reserved if the size is known. @retval NO_SPACE and others; nothing is left. */
cistern_status store_partial_create(store *s, uint64_t number, const store_partial_want *want,
                                    store_partial *out, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Look for bytes from before. Settled left-overs that are of no use are deleted on the way.
 * @param out  untouched if nothing was found. @param out_found
 */
cistern_status store_partial_find(store *s, uint64_t number, const store_partial_want *want,
                                  store_partial *out, bool *out_found, cistern_error *err) CISTERN_MUST_CHECK;

/** Every byte is there and synced: note it, and go on with a read-only descriptor. */
cistern_status store_partial_complete(store *s, const base_digest *key, store_partial *p, uint64_t size,
                                      cistern_error *err) CISTERN_MUST_CHECK;

/** Forget all bytes, keep the inode. Only for one that was created by us and whose journal has no record yet. */
cistern_status store_partial_restart(store *s, store_partial *p, uint64_t size,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/** Delete names and descriptors. */
void store_partial_drop(store *s, const base_digest *key, store_partial *p);
/** Close and say in the journal that we write no more: the next may adopt it. */
void store_partial_leave(store_partial *p);
/** Delete what other numbers left. Only after the file was published. */
void store_partial_sweep(store *s, const base_digest *key, uint64_t own);

#endif
