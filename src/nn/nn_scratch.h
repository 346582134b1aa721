/* A session's scratch memory as its runs use it, for who wants to have it in place before the first. */
#ifndef NN_SCRATCH_H
#define NN_SCRATCH_H

#include "nn_session.h"

#define NN_SCRATCH_PARTS                                                                                     \
    8 /* more than there are: image, the first output before pooling, four activations, each thread's own */

typedef struct nn_scratch_part {
    void *data; /* in one piece of memory of base_pages_new */
    size_t bytes;
} nn_scratch_part;

/**
 * What a run of so many images writes to, but for a few KB: in the order in which it first does.
 * @param parts  room for `most`; borrowed memory, as long as the session lives.
 * @return       how many were told.
 */
size_t nn_scratch_list(nn_session *session, size_t images, nn_scratch_part *parts, size_t most);

#endif
