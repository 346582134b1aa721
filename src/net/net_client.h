/* The HTTP client: options, the loaded libcurl, its pool of connections, a counter of requests.
 *
 * Invariants
 *  1. libcurl is loaded (dlopen) at the first request and not before; it is initialised once per process and
 *     never unloaded, because resolver threads and TLS libraries may outlive any client.
 *  2. Nothing is read from the environment: proxy, exceptions from it, the CA file and secrets come from the options only.
 *     (libcurl itself looks at SSLKEYLOGFILE, and OpenSSL at OPENSSL_CONF; neither changes where requests go.)
 *  3. No signal disposition is changed. Signals are blocked on the calling thread while libcurl works, so
 * that its helper threads start with all of them blocked and a broken pipe is never seen by the program.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base_error.h"
#include "net_mirror.h"

/** How requests are made. Text is copied by net_client_new. Zero never means "default": start from
 * NET_OPTIONS_INIT. */
typedef struct net_options {
    size_t size;            /* sizeof(net_options) */
    const char *ca_file;    /* PEM file of trusted certificates; NULL: the system's */
    const char *proxy;      /* URL of a proxy; NULL or "": none */
    const char *no_proxy;   /* hosts reached without it, separated by commas; NULL: none */
    const char *user_agent; /* NULL: "cistern" */
    unsigned tries;         /* attempts for each request, the first included */
    unsigned
        backoff_first_ms; /* wait before the second attempt, doubled before each further one, with jitter */
    unsigned backoff_max_ms;     /* no wait of our own is longer */
    unsigned retry_after_max_s;  /* a server that asks for a longer wait is not asked again */
    unsigned connect_timeout_ms; /* name, connection and TLS handshake together */
    unsigned low_speed_bytes;    /* bytes per second … */
    unsigned low_speed_seconds;  /* … below which, for so long, a transfer counts as cut; 0: never */
    unsigned redirect_max;       /* redirects followed within one request */
    const char *netrc_file;      /* user names and passwords by host; NULL: none is looked at */
    const char *headers_file;    /* see net_header.h, read at the first request; NULL: none */
    const net_mirror *mirrors;   /* mirror_count of them, checked by net_mirror_check */
    size_t mirror_count;
} net_options;

#define NET_OPTIONS_INIT                                                                                     \
    {                                                                                                        \
        sizeof(net_options), NULL, NULL, NULL, NULL, 5, 500, 8000, 60, 10000, 1024, 30, 10, NULL, NULL,      \
            NULL, 0                                                                                          \
    }

typedef struct net_client net_client;

/**
 * Make a client. Makes no request and loads nothing.
 * @param options  borrowed for the call; NULL: NET_OPTIONS_INIT.
 * @param out      freed with net_client_free, after every source made with it.
 * @retval NO_MEMORY
 * Threads: a client may be used by several at once.
 */
cistern_status net_client_new(const net_options *options, net_client **out,
                              cistern_error *err) CISTERN_MUST_CHECK;
void net_client_free(net_client *client); /* NULL allowed */

/** The options in force; borrowed while the client lives. */
const net_options *net_client_options(const net_client *client);

/** Whether libcurl is there and can be used: loads it, as the first request would. @retval UNEXPECTED  what is missing */
cistern_status net_client_check(cistern_error *err) CISTERN_MUST_CHECK;

/** Requests sent so far (each attempt and each redirect counts). Threads: any. */
uint64_t net_client_requests(const net_client *client);

#endif
