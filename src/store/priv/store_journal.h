/* The journal of a partial: which bytes are certain, of which inode, written by whom.
 *
 *   header, 256 bytes   "cstjour1"; key (32 bytes); SHA-256 of the validator, zeros if there is none (32); size of the
 *                       whole, all ones if unknown (u64); inode (u64) and birth time in ns (u64) of the data; owner: pid
 *                       namespace, pid, start time (u64 each), boot id (36 bytes), machine id (32 bytes); zeros; CRC-32
 *                       of the 252 bytes before (u32)
 *   records, 32 bytes   kind (1 byte: w, s, c, e), 3 zeros, its number from 0 (u32), first byte (u64), length (u64),
 *                       4 zeros, CRC-32 of the 28 bytes before (u32)
 *
 *   w  written: in the page cache, certain while the machine has not booted since     s  synced: certain
 *   c  complete: every byte up to length is there and synced                          e  ended: the owner writes no more
 *
 * Invariants
 *  1. A record is appended only after what it says is true.
 *  2. The first record that is short, out of order or has a wrong check sum ends the journal (a torn tail).
 *  3. A journal speaks of one inode, by number and birth time; of any other it says nothing.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store_claim.h"
#include "store_ranges.h"

#define STORE_SIZE_UNKNOWN UINT64_MAX

typedef struct store_journal_head {
    base_digest key;
    base_digest validator; /* zeros: none */
    uint64_t size;         /* or STORE_SIZE_UNKNOWN */
    uint64_t inode;
    int64_t birth_ns;
    base_process owner;
} store_journal_head;

/* One being written, by one thread at a time. */
typedef struct store_journal {
    int fd; /* -1: none */
    uint32_t next;
} store_journal;

/** Make `<n>.journal` (a left-over of that name is removed). Synced. */
cistern_status store_journal_create(store *s, const base_digest *key, uint64_t number,
                                    const store_journal_head *head, store_journal *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;
cistern_status store_journal_put(store_journal *j, char kind, uint64_t first, uint64_t length,
                                 cistern_error *err) CISTERN_MUST_CHECK;
void store_journal_close(store_journal *j);

/* One as it was found. */
typedef struct store_journal_found {
    store_journal_head head;
    store_ranges certain;   /* merged: what may be believed now */
    uint64_t complete_size; /* STORE_SIZE_UNKNOWN: not complete */
    bool ended;
} store_journal_found;

/** Read hostile bytes. @retval NOT_FOUND  absent, or no header: nothing can be learnt from it. @retval NO_MEMORY */
cistern_status store_journal_read(const store *s, const base_digest *key, uint64_t number,
                                  store_journal_found *out, cistern_error *err) CISTERN_MUST_CHECK;
void store_journal_found_clear(store_journal_found *found);

#endif
