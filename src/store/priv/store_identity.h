/* Identity records: "this inode was hashed and is what its name says". Per user and host, outside the store.
 *
 * Invariants
 *  1. A record is taken of the inode whose bytes were hashed, only if it did not change meanwhile, and only once
 *     its ctime is older than the grain of the file system's clock: a later change then shows.
 *  2. A record is believed only if it belongs to this user, root or the store's owner and nobody else may write it.
 *  3. Records only save work: every failure here means "hash again".
 */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include "base_file.h"
#include "store_object.h"

/** Whether two states are of one unchanged inode (links, owner and mode aside, which ctime covers). */
bool store_identity_equal(const base_identity *a, const base_identity *b);

/** Whether there is a record for this blob that says exactly this. */
bool store_identity_known(const store *s, const base_digest *blob, const base_identity *now);

/** Whether records can be kept at all; makes the directory. */
bool store_identity_possible(const store *s);

/** Take a record of the open, hashed file. @param hashed  its identity before it was hashed. */
void store_identity_record(const store *s, const base_digest *blob, int fd, const base_identity *hashed);

/** Forget what is known of a blob. */
void store_identity_forget(const store *s, const base_digest *blob);

/** Wait until no other process of this user hashes this blob; saves work only. *out: close it; -1: no lock. */
cistern_status store_identity_lock(const store *s, const base_digest *blob, const base_run *run, int *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
void store_identity_unlock(const store *s, const base_digest *blob, int lock);

#endif
