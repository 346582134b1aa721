/* Writing one file of the user's that appears whole or not at all.
 *
 *   begun --base_write_put … base_write_end--> named, synced        (or: base_write_abandon, nothing is left)
 *
 * Invariants
 *  1. The bytes go to `.tmp-<32 hex>` in the target's directory; the name is given when they are synced, by a link (never
 *     over what is there) or, where that is asked for, by a rename.
 *     They are written in whole blocks of BASE_DISK_BLOCK: such a file may be mapped later.
 *  2. A process that is killed leaves at most a `.tmp-` name, which the next one to write there removes. Modes follow the umask: it is the user's own directory.
 */
#ifndef BASE_WRITE_H
#define BASE_WRITE_H

#include "base_thread.h"

typedef struct base_write base_write;

/**
 * @param path     any path of the user's; its directory must be there.
 * @param replace  also a file that is there now.
 * @param out      end with base_write_end or base_write_abandon.
 * @retval CONFLICT  the name is taken (and replace is false, or it is a directory). @retval NOT_FOUND  no such directory.
 * @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY
 */
cistern_status base_write_begin(const char *path, bool replace, base_write **out,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** Append. @retval NO_SPACE, UNEXPECTED */
cistern_status base_write_put(base_write *w, const void *bytes, size_t n,
                              cistern_error *err) CISTERN_MUST_CHECK;
/** Bytes put so far. */
uint64_t base_write_size(const base_write *w);
/** Bring what was put to the disk in steps that look at a cancel, so that ending it takes no time. @retval CANCELLED, NO_SPACE, UNEXPECTED */
cistern_status base_write_flush(base_write *w, const base_cancel *cancel,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** Sync, give it its name, sync the directory; w is gone, whatever comes of it. @retval CONFLICT  taken meanwhile */
cistern_status base_write_end(base_write *w, cistern_error *err) CISTERN_MUST_CHECK;
/** NULL allowed. */
void base_write_abandon(base_write *w);

#endif
