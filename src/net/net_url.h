/* http and https URLs: parsing, the normalised form, redaction.
 *
 * The normalised form names the same object as the URL and holds no secret; only it is stored, compared or
 * shown: scheme and host in lower case, no default port, no user info, no fragment, dot segments of the path
 * resolved, percent-encoded unreserved characters decoded, other escapes in upper case, and of the query
 * everything but signature and secret parameters, in order. Source: RFC 3986, sections 3, 5.2.4 and 6.2.2.
 */
#ifndef NET_URL_H
#define NET_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "base_buf.h"

#define NET_URL_MAX 8192u /* bytes of a URL; servers refuse longer ones (commonly from 8 KiB) */

typedef struct net_url {
    bool tls;       /* https */
    char *user;     /* percent-decoded; NULL: no user info */
    char *password; /* percent-decoded; NULL: none */
    char *host;     /* lower case; IPv6 in brackets */
    uint16_t port;  /* the scheme's own if not given: 80, 443 */
    char *path;     /* begins with '/'; as typed, but bytes that a URL cannot hold are percent-encoded */
    char *query;    /* likewise, without '?'; NULL: none */
} net_url;

/** @retval USAGE  not such a URL; the message says what is wrong with it. @retval NO_MEMORY */
cistern_status net_url_parse(const char *text, net_url *out, cistern_error *err) CISTERN_MUST_CHECK;
void net_url_clear(net_url *url);

/** The URL to ask for: everything but user info and fragment. Owned by the caller. Holds signatures: never
 * show it. */
cistern_status net_url_request(const net_url *url, char **out, cistern_error *err) CISTERN_MUST_CHECK;
/** The normalised form; owned by the caller. */
cistern_status net_url_normalise(const net_url *url, char **out, cistern_error *err) CISTERN_MUST_CHECK;
/** Any text that may be a URL, made fit to be shown: its normalised form, or "(unreadable URL)"; cut to size.
 */
void net_url_redact(const char *text, char *out, size_t size);
/** Same scheme, host and port: credentials may go there. */
bool net_url_same_server(const net_url *a, const net_url *b);
/** The path's last segment, percent-decoded; owned by the caller. @retval NO_MEMORY, USAGE (it holds a zero byte) */
cistern_status net_url_segment(const net_url *url, char **out, cistern_error *err) CISTERN_MUST_CHECK;
/** The same made a harmless file name, see net_url_clean_name. */
void net_url_file_name(const net_url *url, char *out, size_t size);

/** n bytes made a harmless file name: printable ASCII (others become '_'), one component; "" if that cannot be. */
void net_url_clean_name(const char *text, size_t n, char *out, size_t size);

/** Percent-encode every byte but unreserved characters, '/' and the other characters legal in a path;
 * appended. */
cistern_status net_url_encode_path(const char *bytes, base_buf *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Percent-decode n bytes into fresh memory. @retval USAGE  a bad escape or %00. */
cistern_status net_url_decode(const char *text, size_t n, char **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
