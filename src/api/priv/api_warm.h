/* What a session's first run would spend on memory, done while its caller still prepares the input.
 *
 * The pool's other threads, idle then, let the pages of scratch memory come into being (the kernel zeroes them) and map what the page
 * cache holds of the weights, in steps of 2 MiB, in the order in which the network needs them. A run does not wait for it: what is
 * not done by then is a fault as ever.
 */
#ifndef API_WARM_H
#define API_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base_pool.h"

typedef struct api_warm_part {
    void *scratch;       /* NULL: a part of a file */
    const uint8_t *file; /* mapped */
    size_t bytes;
} api_warm_part;

typedef struct api_warm {
    base_pool *pool; /* NULL: not begun */
    pid_t process;   /* whose threads those are */
    api_warm_part *parts;
    size_t count;
} api_warm;

struct cistern_session;

/** Begin. Out of memory is no failure: then nothing is done. */
void api_warm_begin(struct cistern_session *s);
/** After it nothing of the session is touched any more. Of one that was not begun: nothing. */
void api_warm_end(struct cistern_session *s);

#endif
