/* Headers from a file, for servers that want a token: sections of servers, lines of headers.
 *
 *     [https://models.example.com]
 *     Authorization: Bearer …
 *
 * Invariants
 *  1. A header goes to the scheme, host and port of its section only, redirects included.
 *  2. No value is ever shown: messages name the file, the line and the header.
 *  3. Headers that decide what is asked for (ranges, conditions, lengths, the host) cannot be given.
 */
#ifndef NET_HEADER_H
#define NET_HEADER_H

#include "net_url.h"

#define NET_HEADERS_FILE_MAX (1u << 20) /* bytes */
#define NET_HEADERS_MAX      64         /* lines of a file that are headers */
#define NET_HEADER_LINE_MAX  8192u      /* bytes: more than the common servers' limit of all headers */

typedef struct net_header {
    net_url server; /* scheme, host and port count */
    char *line;     /* "Name: value"; secret */
} net_header;

typedef struct net_headers {
    net_header *items;
    size_t count;
} net_headers;

/**
 * Understand a file's text: a header before any section, an unknown kind of line, or a bad name or value is an error.
 * @param what  the file, for messages. @param out  initialised with zero; net_headers_clear.
 * @retval USAGE  with the line's number. @retval NO_MEMORY
 */
cistern_status net_headers_parse(const char *text, size_t n, const char *what, net_headers *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
void net_headers_clear(net_headers *headers);

#endif
