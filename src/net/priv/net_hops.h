/* A request with its redirects: where it may go, and what goes along. */
#ifndef NET_HOPS_H
#define NET_HOPS_H

#include "priv/net_exchange.h"

/** Where the last answer came from. */
typedef struct net_hops {
    net_exchange exchange; /* of the last hop; redirect is NULL */
    char final_url[NET_SHOWN_MAX];
    char final_name[NET_NAME_MAX]; /* its last segment as a file name */
} net_hops;

/**
 * Ask `url`, follow what it redirects to, hand the last answer to the listener.
 * Never from https to http; user info only to the scheme, host and port it was given for; conditions and range to all.
 * @retval OK       an answer that is no redirect, whatever its code (the listener's head call saw it).
 * @retval REFUSED  a redirect from https to http. @retval NETWORK  more than redirect_max of them, or to no http URL.
 * @retval others   as net_exchange_run.
 */
cistern_status net_hops_run(net_client *client, const net_url *url, const net_request *request,
                            const net_listener *listener, const base_run *run, net_hops *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

#endif
