/* A source: something with validators that ranges can be read from and that can be asked again whether it
 * changed.
 *
 * Invariants
 *  1. One call is one attempt (redirects included); trying again is net_retry.h's business and the caller's.
 *  2. The head of an answer is checked before the sink sees the first byte: status, encoding, length, range,
 * validator. A sink never gets bytes of another object, of another range, or beyond the length asked for.
 *  3. A source never changes after it was made: every call may be made from several threads at once.
 *  4. Texts in answers and messages hold no user info and no secret parameters.
 * It keeps nothing on disk and decides nothing: which bytes to ask for and what to do about a change is the
 * caller's.
 */
#ifndef NET_SOURCE_H
#define NET_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base_error.h"
#include "base_sha256.h"
#include "base_thread.h"
#include "net_client.h"

#define NET_ETAG_MAX  256  /* bytes with the zero; a longer ETag counts as none */
#define NET_FIELD_MAX 128  /* bytes with the zero: Last-Modified, Content-Type; longer ones count as none */
#define NET_NAME_MAX  256  /* bytes with the zero of a file name */
#define NET_SHOWN_MAX 1024 /* bytes with the zero of a URL in messages; longer ones are cut */

#define NET_RANGE_END UINT64_MAX /* as `last`: to the end, wherever that is */

/** What is known of the object behind a source. Texts are "" where unknown. */
typedef struct net_stat {
    bool size_known;
    uint64_t size;                     /* bytes of the whole object */
    bool accepts_ranges;               /* the server said so, or has just answered a range */
    char etag[NET_ETAG_MAX];           /* as sent, with quotes and W/ */
    char last_modified[NET_FIELD_MAX]; /* as sent */
    char content_type[NET_FIELD_MAX];  /* as sent */
    char file_name[NET_NAME_MAX];      /* suggested; one path component, printable, never "." or ".." */
    char final_url[NET_SHOWN_MAX];     /* after redirects, redacted */
    bool has_sha256;
    base_digest sha256;          /* of the whole object, where the service keeps and tells it */
    char version[NET_FIELD_MAX]; /* the service's name for this state of it, for people */
} net_stat;

/** Bytes first to last, both included. */
typedef struct net_range {
    uint64_t first;
    uint64_t last;  /* or NET_RANGE_END */
    uint64_t total; /* size of the whole object if known, else 0; the answer must agree */
} net_range;

/** How one attempt went. Filled on failure too, as far as it got; the head's part before the sink's first
 * call. */
typedef struct net_answer {
    net_stat stat;
    int http_code;          /* of the last answer; 0: none came, or not HTTP */
    bool unchanged;         /* revalidate: it is what it was */
    bool changed;           /* read: no longer the object that the validator names (status CONFLICT) */
    bool range_ignored;     /* read: a range was asked for, the whole was offered; no byte was taken (status
                           NETWORK) */
    bool end_proven;        /* read: the end was told or marked; false: it may be a cut */
    bool transient;         /* worth another try (cut, 5xx, 429); false for what lasts (404, full disk) */
    unsigned retry_after_s; /* the server's wish; 0: none */
    uint64_t received;      /* bytes given to the sink in this attempt */
    uint64_t reached;       /* place in the object behind the last of them */
} net_answer;

/**
 * Takes the body piece by piece, in order, on the calling thread.
 * Any status but OK ends the transfer and is what net_source_read returns, with the err that the sink set.
 * Signals are blocked during the call.
 */
typedef cistern_status (*net_sink)(void *user, const void *bytes, size_t n, cistern_error *err);

typedef struct net_source net_source;

/** What a kind of source implements; the functions below say what each has to do. */
typedef struct net_source_ops {
    cistern_status (*stat)(net_source *src, const base_run *run, net_answer *out, cistern_error *err);
    cistern_status (*read)(net_source *src, const net_range *range, const char *validator, net_sink sink,
                           void *user, const base_run *run, net_answer *out, cistern_error *err);
    cistern_status (*revalidate)(net_source *src, const char *etag, const char *last_modified,
                                 const base_run *run, net_answer *out, cistern_error *err);
    void (*free)(net_source *src);
} net_source_ops;

/** The head of every source; a kind embeds it as its first member. */
struct net_source {
    const net_source_ops *ops;
    const net_options *options; /* for net_retry; borrowed from the client */
    char *shown;                /* redacted address for messages; owned */
    char *published; /* the address that this is a mirror of, normalised; NULL: it is none; owned */
};

void net_source_free(net_source *src); /* NULL allowed */
/** The address for messages, redacted; borrowed while the source lives. */
const char *net_source_shown(const net_source *src);
/** The published address if requests go to a mirror of it, else NULL; borrowed likewise. */
const char *net_source_published(const net_source *src);

/**
 * Ask what is there, without its bytes (HTTP: HEAD; where that is refused, GET of one byte).
 * @param run  cancel; may be NULL.
 * @param out  out->stat.
 * @retval NOT_FOUND, REFUSED, NETWORK, CANCELLED, NO_MEMORY, USAGE (not a regular file), DENIED, UNEXPECTED
 * (no libcurl)
 */
cistern_status net_source_stat(net_source *src, const base_run *run, net_answer *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Read a range, or everything, into the sink.
 * @param range      NULL: the whole object, from byte 0. An empty range (last < first) is UNEXPECTED.
 * @param validator  a strong ETag that the object must still have, or NULL. An answer without one counts as
 * changed.
 * @param run        cancel; progress ("fetch": done and resumed count from byte 0 of the object); may be
 * NULL.
 * @retval CONFLICT  out->changed.
 * @retval NETWORK   out->range_ignored; or cut, timed out, 5xx, a wrong Content-Range, an encoded body …
 * @retval others as net_source_stat, and whatever the sink returned.
 */
cistern_status net_source_read(net_source *src, const net_range *range, const char *validator, net_sink sink,
                               void *user, const base_run *run, net_answer *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/**
 * One conditional request: is it still what it was? Sets out->unchanged; when false, out->stat is the new
 * state.
 * @param etag           the ETag that was recorded, strong or weak, else NULL or "".
 * @param last_modified  as recorded, used only without an ETag, else NULL or "".
 * With neither it is a stat, and `unchanged` is false.
 * @retval as net_source_stat.
 */
cistern_status net_source_revalidate(net_source *src, const char *etag, const char *last_modified,
                                     const base_run *run, net_answer *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/** The strong validator of a state (its ETag unless weak), or NULL; borrowed from `stat`. */
const char *net_stat_validator(const net_stat *stat);

#endif
