/* Temporaries in people's own directories, which no collector looks after.
 *
 *   .tmp-<32 hex>, locked by its maker until it has its name ──maker killed──> lock gone ──base_temporary_sweep──> removed
 *
 * So a later write into the same directory clears away what an earlier one left. Only on local file systems: elsewhere a lock may
 * prove nothing.
 */
#ifndef BASE_TEMPORARY_H
#define BASE_TEMPORARY_H

#include "base_error.h"

#define BASE_TEMPORARY_NAME (sizeof ".tmp-" + 32)

/** A new name. */
cistern_status base_temporary_name(char out[BASE_TEMPORARY_NAME], cistern_error *err) CISTERN_MUST_CHECK;
/**
 * Make one for writing, mode 0666 under the umask. It counts as abandoned once no descriptor of this open file is left.
 * @param path  for messages: what it will become.
 */
cistern_status base_temporary_create(int dir, const char *path, char out_name[BASE_TEMPORARY_NAME],
                                     int *out_fd, cistern_error *err) CISTERN_MUST_CHECK;
/** Remove this user's whose makers have died. Never fails: what stays is looked at again. */
void base_temporary_sweep(int dir);

#endif
