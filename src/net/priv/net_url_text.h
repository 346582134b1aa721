/* The characters of URLs, and pieces shared by the files that read and write them. */
#ifndef NET_URL_TEXT_H
#define NET_URL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "net_url.h"

/* Every byte of path and query may become three; scheme, host and port are not longer than that leaves. */
#define NET_URL_TEXT_MAX (3 * (size_t)NET_URL_MAX + 64)

/** Whether text begins so, letters in either case. */
bool net_url_has_prefix(const char *text, const char *prefix);
/** RFC 3986 section 2.3. */
bool net_url_unreserved(unsigned char c);
/** The byte that a %XX at the beginning of n characters stands for, or -1. */
int net_url_escape(const char *text, size_t n);
/** Append scheme://host[:port]. */
cistern_status net_url_put_server(const net_url *url, base_buf *out, cistern_error *err) CISTERN_MUST_CHECK;
#endif
