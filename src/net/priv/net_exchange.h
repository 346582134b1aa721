/* One HTTP request and its answer, without redirects: the only place that drives libcurl. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "base_thread.h"
#include "net_url.h"
#include "priv/net_head.h"
#include "priv/net_pool.h"

/** What to ask; texts are borrowed. */
typedef struct net_request {
    bool head;            /* HEAD instead of GET */
    char range[64];       /* "5-10", "5-"; "": everything */
    const char *if_match; /* or NULL */
    const char *if_none_match;
    const char *if_modified_since;
    const net_dialect *dialect; /* or NULL */
    const net_url *start;       /* of the dialect: where the redirects began; set by net_hops_run */
} net_request;

typedef enum net_take {
    NET_TAKE_BODY, /* give it to `body` */
    NET_DROP_BODY, /* read and forget a small one, so that the connection can be used again */
    NET_KEEP_BODY, /* the same, but its beginning goes to `kept` */
    NET_STOP_HERE  /* the head was enough */
} net_take;

/** What is told while the answer comes. `head` is called once, when the head is complete, before any body. */
typedef struct net_listener {
    cistern_status (*head)(void *user, const net_head *head, net_take *out, cistern_error *err);
    cistern_status (*body)(void *user, const void *bytes, size_t n, cistern_error *err);
    void (*tick)(void *user); /* at least 10 times a second; may be NULL */
    base_buf *kept;           /* for NET_KEEP_BODY: filled up to its maximum; else NULL */
    void *user;
} net_listener;

/** How it went, beside the status. */
typedef struct net_exchange {
    net_head head;
    bool transient;
    unsigned retry_after_s;
    char *
        redirect; /* absolute; NULL unless the answer is a redirect; freed by the caller. Holds signatures. */
} net_exchange;

/**
 * Ask and listen.
 * @param shown  redacted URL for messages.
 * @param credentials  whether the URL's user info goes along.
 * @retval OK         an answer came, whatever its code, and the listener took it.
 * @retval NETWORK, REFUSED (proxy), UNEXPECTED, NO_MEMORY, CANCELLED, USAGE (CA file), or the listener's status.
 */
cistern_status net_exchange_run(net_client *client, const net_url *url, bool credentials, const char *shown,
                                const net_request *request, const net_listener *listener, const base_run *run,
                                net_exchange *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
