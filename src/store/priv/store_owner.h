/* Who wrote a claim or a marker: a process that outlives the reuse of its pid, as one line of canonical JSON. */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

#include "base_buf.h"
#include "base_host.h"

#define STORE_OWNER_MAX 1023 /* bytes of the line */

/** Append this process. */
cistern_status store_owner_encode(base_buf *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Read hostile text. One that cannot be read is all empty, which proves nothing. */
void store_owner_decode(const char *text, base_process *out);

#endif
