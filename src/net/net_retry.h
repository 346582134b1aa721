/* Trying again: exponential back-off with jitter, the server's Retry-After, and a count that progress resets.
 *
 *     net_retry_init(&retry, src->options);
 *     for (;;) {
 *         status = net_source_read(src, &range_from_the_byte_reached, …, &answer, err);
 *         if (status == CISTERN_OK) break;
 *         status = net_retry_wait(&retry, status, &answer, run, err);
 *         if (status != CISTERN_OK) break;          // for good: err says why, and after how many tries
 *     }
 */
#ifndef NET_RETRY_H
#define NET_RETRY_H

#include "base_buf.h"
#include "net_source.h"

typedef struct net_retry {
    const net_options *options; /* borrowed */
    unsigned failed;            /* attempts in a row that came no further */
    uint64_t reached;           /* how far any attempt came */
} net_retry;

void net_retry_init(net_retry *retry, const net_options *options);

/**
 * After a failed attempt: wait and return OK (err is cleared: try again), or return the failure for good.
 * @param status   of the attempt; not OK.
 * @param answer   of the attempt: `transient`, `retry_after_s`, and `reached`. Coming further in the object than any
 *                 attempt before is progress; so beginning anew for ever at the same cut is not. One net_retry serves
 *                 one range.
 * @param run      cancel ends the wait within 100 ms (CANCELLED); the wait is logged at level 1.
 * @retval OK      another attempt is due.
 * @retval status  it lasts, or the tries are used up, or the server asks for too long a wait; err has a frame
 * more.
 */
cistern_status net_retry_wait(net_retry *retry, cistern_status status, const net_answer *answer,
                              const base_run *run, cistern_error *err) CISTERN_MUST_CHECK;

/* Whole operations with the tries of the source's options; parameters and statuses as in net_source.h. */
cistern_status net_retry_stat(net_source *src, const base_run *run, net_answer *out,
                              cistern_error *err) CISTERN_MUST_CHECK;
cistern_status net_retry_revalidate(net_source *src, const char *etag, const char *last_modified,
                                    const base_run *run, net_answer *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** A small document into `out` (emptied first). @retval DAMAGED  larger than out->max. */
cistern_status net_retry_document(net_source *src, base_buf *out, const base_run *run, net_answer *answer,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
