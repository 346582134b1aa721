/* The head of an HTTP answer, taken in line by line. Every byte is hostile. */
#ifndef NET_HEAD_H
#define NET_HEAD_H

#include "net_http.h"

typedef enum net_range_kind {
    NET_RANGE_NONE,
    NET_RANGE_BAD,
    NET_RANGE_BYTES,
    NET_RANGE_UNSATISFIED
} net_range_kind;

/** Texts are "" when absent, too long, or not printable. */
typedef struct net_head {
    int code; /* of the last status line */
    bool length_known;
    uint64_t length; /* Content-Length */
    bool chunked;    /* the body marks its own end */
    net_range_kind range_kind;
    uint64_t range_first, range_last;
    bool range_total_known;
    uint64_t range_total;
    bool encoded; /* a Content-Encoding other than identity */
    bool accepts_ranges;
    char encoding[NET_FIELD_MAX];
    char etag[NET_ETAG_MAX];
    char last_modified[NET_FIELD_MAX];
    char content_type[NET_FIELD_MAX];
    char disposition[NET_NAME_MAX]; /* the file name of Content-Disposition, made harmless */
    const char *const
        *watch; /* names of further fields, ended by NULL; NULL: none. Stays from head to head */
    char watched[NET_WATCH_MAX][NET_FIELD_MAX];
} net_head;

/** One line with or without its line end; a status line begins a new head. */
void net_head_line(net_head *head, const char *line, size_t n);

#endif
