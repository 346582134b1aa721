/* The inside of a client: its copy of the options and the handles that keep connections open between requests. */
#ifndef NET_POOL_H
#define NET_POOL_H

#include <sys/types.h>
#include "net_client.h"
#include "net_header.h"
#include "priv/net_curl.h"

/** One transfer at a time. The connections live in `multi`, so that the pair is what is kept. */
typedef struct net_slot {
    const net_curl *curl; /* the loaded library */
    CURL *easy;
    CURLM *multi;
    pid_t process; /* that made it: a forked child must not speak on its parent's connections */
    struct net_slot *next;
} net_slot;

/** Take an idle slot, or make one; loads libcurl. Given back by net_pool_give, on any path. */
cistern_status net_pool_take(net_client *client, net_slot **out, cistern_error *err) CISTERN_MUST_CHECK;
void net_pool_give(net_client *client, net_slot *slot);
/** The headers of the headers file, read now if they were not; borrowed while the client lives. @retval as base_read_path, USAGE */
cistern_status net_pool_headers(net_client *client, const net_headers **out,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** Count one request. */
void net_pool_count(net_client *client);

#endif
