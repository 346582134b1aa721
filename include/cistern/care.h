/* Looking after a store: collecting, pins, figures. */
#ifndef CISTERN_CARE_H
#define CISTERN_CARE_H

#include <cistern/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cistern_gc_kind {
    CISTERN_GC_BLOB = 1,     /* bytes that no version refers to, with what was derived from them */
    CISTERN_GC_PARTIAL = 2,  /* an unfinished fetch that nobody goes on with */
    CISTERN_GC_DERIVED = 3,  /* derived files of bytes that are gone */
    CISTERN_GC_TEMPORARY = 4 /* a file whose maker was killed */
} cistern_gc_kind;

typedef struct cistern_gc_item {
    size_t size;
    cistern_gc_kind kind;
    const char *name; /* digest, key or path; borrowed for the call-back */
    uint64_t bytes;   /* on disk */
    int busy;         /* somebody uses it: it stays */
} cistern_gc_item;
typedef void (*cistern_gc_fn)(void *user, const cistern_gc_item *item);

typedef struct cistern_gc_result {
    size_t size;
    uint64_t blobs, blob_bytes; /* removed; with dry_run: that would be */
    uint64_t partials, partial_bytes;
    uint64_t derived, derived_bytes;
    uint64_t temporaries, temporary_bytes;
    uint64_t busy, busy_bytes; /* left because somebody uses them */
    uint64_t versions,
        kept_removed; /* that keep their bytes; of them removed ones (options keep-removed, pins) */
} cistern_gc_result;

/**
 * Delete what nothing refers to: bytes of versions that were removed longer ago than the option keep-removed says, unless
 * pinned; unfinished fetches older than keep-partial; what was derived from bytes that are gone. Safe beside pulls and
 * other collectors, whatever is killed when. An open model keeps its bytes.
 * @param dry_run  only tell. @param fn  NULL allowed. @param out  NULL allowed.
 * @retval CISTERN_DAMAGED  a document cannot be read: nothing was deleted. @retval CISTERN_DENIED, CISTERN_CANCELLED
 */
CISTERN_API cistern_status cistern_gc(cistern *c, int dry_run, const cistern_call *call, cistern_gc_fn fn,
                                      void *user, cistern_gc_result *out,
                                      cistern_error *err) CISTERN_MUST_CHECK;

/** Keep the bytes of a version even after it is removed. @param why kept beside it, or NULL. @param out the version; NULL allowed.
 *  @param out_new 0: it was pinned already; NULL allowed. @retval CISTERN_NOT_FOUND, CISTERN_CONFLICT */
CISTERN_API cistern_status cistern_pin(cistern *c, const char *reference, const char *why,
                                       const cistern_call *call, cistern_version **out, int *out_new,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** The reverse, also of a version that was removed since (NAME:VERSION). @retval CISTERN_NOT_FOUND it is not pinned */
CISTERN_API cistern_status cistern_unpin(cistern *c, const char *reference,
                                         cistern_error *err) CISTERN_MUST_CHECK;

/** What a store holds. Bytes are those on disk, unless said otherwise. */
typedef struct cistern_stats {
    size_t size;
    uint64_t models, versions;  /* alive */
    uint64_t blobs, blob_bytes; /* content */
    uint64_t chunk_bytes;       /* of chunk lists */
    uint64_t partials, partial_bytes;
    uint64_t derived_bytes;
    uint64_t damaged, damaged_bytes; /* set aside */
    uint64_t removable_bytes;        /* what cistern_gc would remove now */
    uint64_t kept_removed;           /* removed versions that keep their bytes */
    uint64_t free_bytes;             /* on the file system, for this user */
} cistern_stats;
/** An absent store has nothing. @retval CISTERN_DAMAGED a document cannot be read */
CISTERN_API cistern_status cistern_stats_read(cistern *c, const cistern_call *call, cistern_stats *out,
                                              cistern_error *err) CISTERN_MUST_CHECK;

typedef enum cistern_finding_level {
    CISTERN_FINDING_OK = 0,
    CISTERN_FINDING_NOTE = 1,    /* worth knowing */
    CISTERN_FINDING_WARNING = 2, /* it works, but not as it should */
    CISTERN_FINDING_FAILED = 3   /* something will not work */
} cistern_finding_level;

typedef struct cistern_finding {
    size_t size;
    cistern_finding_level level;
    const char *group; /* "installation", "store", "times", "network", "configuration" */
    const char *name;  /* "import program" … */
    const char *text;  /* one line; borrowed for the call-back */
    double value;      /* of a measurement, else 0 */
    const char *unit;  /* "ms", "MB/s", "bytes", "" */
} cistern_finding;
typedef void (*cistern_finding_fn)(void *user, const cistern_finding *finding);

/**
 * Check the installation, the store (what it is, and by trying what its file system does), the settings of the network, and
 * measure how long things take. Makes no request; writes and removes some files in the store's gc/ directory.
 * @param fn  called for each finding. @param out_worst  NULL allowed.
 * @retval CISTERN_CANCELLED, CISTERN_NO_MEMORY  nothing else fails: everything else is a finding.
 */
CISTERN_API cistern_status cistern_doctor(cistern *c, const cistern_call *call, cistern_finding_fn fn,
                                          void *user, cistern_finding_level *out_worst,
                                          cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
