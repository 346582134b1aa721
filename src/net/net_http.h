/* Sources behind http: and https: URLs. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "net_client.h"
#include "net_source.h"
#include "net_url.h"

#define NET_WATCH_MAX   6           /* further header fields of an answer that one source can ask to see */
#define NET_FAILURE_MAX (32u << 10) /* bytes of a failure's body that are kept for whoever explains it */

/**
 * Make a source for a URL. Makes no request.
 * @param client  borrowed until the source is freed. Its mirrors decide where requests go (net_source_published).
 * @param url     as net_url_parse takes it. User info becomes basic authorisation, sent to that scheme, host
 * and port only, and is never shown.
 * @param out     freed with net_source_free.
 * @retval USAGE  not an http or https URL. @retval NO_MEMORY
 */
cistern_status net_http_source_new(net_client *client, const char *url, net_source **out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/* --- sources of services that speak HTTP with a dialect of their own (signatures, errors in documents) -------- */

typedef struct net_field {
    const char *name; /* lower case */
    const char *value;
} net_field;

/** A request that is about to be sent: one of perhaps several of an attempt (redirects, HEAD and GET). */
typedef struct net_outgoing {
    bool head;            /* HEAD instead of GET */
    const net_url *start; /* what the source was made for */
    const net_url *url;   /* where this one goes; not the same server after a redirect */
    const net_field *fields;
    size_t field_count; /* Range, If-Match, If-None-Match, If-Modified-Since, as they are sent */
} net_outgoing;

/** Adds one field to the request. */
typedef cistern_status (*net_put_field)(void *where, const char *name, const char *value, cistern_error *err);

/** An answer that is not the success asked for. Every text and byte in it is hostile. */
typedef struct net_failure {
    bool head; /* of a HEAD: no body was possible */
    int code;
    const char *shown;          /* where it came from, redacted */
    const char *const *watched; /* values of the watched fields, in their order; "" where absent */
    const char *body;           /* at most NET_FAILURE_MAX bytes, zero-terminated; never NULL */
    size_t body_size;
} net_failure;

/**
 * A dialect of HTTP. Calls come from several threads at once.
 * A HEAD that fails in any way is asked again as a GET of one byte, because only that answer has a body to explain.
 */
typedef struct net_dialect {
    const char *shown; /* the address for messages in place of the URL; borrowed while the source lives */
    const char *const
        *watch; /* lower-case names of answers' fields wanted, ended by NULL; at most NET_WATCH_MAX */
    /** Add fields to a request. NULL: none. */
    cistern_status (*sign)(void *user, const net_outgoing *request, net_put_field put, void *where,
                           cistern_error *err);
    /** Set err for a failure, and whether another try may help. @retval OK  nothing better is known: net's own words. */
    cistern_status (*explain)(void *user, const net_failure *failure, bool *out_transient,
                              cistern_error *err);
    /** See a success: its watched fields, before the sink's first byte. May complete `stat`. NULL: not wanted. */
    void (*seen)(void *user, const char *const *watched, net_stat *stat);
    void *user;
} net_dialect;

/**
 * The same for a service with its own dialect.
 * @param url      dots in its path stay as they are: for such services they are letters of a name.
 * @param dialect  copied; what it points to is borrowed until the source is freed.
 */
cistern_status net_http_dialect_source_new(net_client *client, const char *url, const net_dialect *dialect,
                                           net_source **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
