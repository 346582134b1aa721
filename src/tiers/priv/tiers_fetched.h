/* The state of bringing one model in, shared by tiers_fetch.c, tiers_look.c and tiers_commit.c. */
#ifndef TIERS_FETCHED_H
#define TIERS_FETCHED_H

#include "tiers_fetch.h"

/* A validator that is no ETag is kept in the hint behind this; ETags begin with '"' or "W/". */
#define TIERS_LAST_MODIFIED "last-modified:"

/** One file: fetched now (`claim`), or here already (`fd` of its blob). */
typedef struct tiers_file {
    char *path;         /* inside the version; owned */
    store_fetch *claim; /* NULL: the blob was here */
    int fd;             /* -1: the claim's */
    store_file file;
    net_stat stat; /* of the source; zero if the blob was here */
} tiers_file;

struct tiers_fetched {
    tiers *chain;
    tiers_request request;   /* borrowed texts: the caller's, for the whole life */
    catalog_reference name;  /* model name and explicit tag ("": none) */
    origin_address *address; /* NULL: added from paths */
    base_digest expected;    /* if has_expected */
    bool has_expected;
    char seen[CATALOG_TAG_MAX + 1]; /* the version whose origin was found changed; no hit any more */
    model_facts facts;
    model_index *index;      /* of bytes that were here; else NULL */
    catalog_version version; /* the result, if has_version */
    bool has_version;
    tiers_file *files;
    size_t file_count;
    tiers_outcome outcome;
    uint64_t received, resumed;
    const model_published *published; /* what its only file was shown to be; NULL: nothing that is known */
    char note[256];
};

/**
 * Look for the model in the local store: sets f->version (a hit), or f->files, f->index and f->facts (the bytes are here,
 * a version is to be made of them), or nothing.
 */
cistern_status tiers_look(tiers_fetched *f, const base_run *run, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The same for a version that was found (taken): a hit if all that is declared holds for it, else its bytes are used.
 * @param out_here  false: its blobs are not all here; nothing was set.
 */
cistern_status tiers_look_version(tiers_fetched *f, store *s, catalog_version *v, const base_run *run,
                                  bool *out_here, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether a version is what the expected digest, if there is one, asks for. */
bool tiers_expected_digest(const tiers_fetched *f, const catalog_version *v);

/** Note for people if `latest` is not at this version. */
void tiers_note_latest(tiers_fetched *f, const char *latest);

/** The request's local files, copied or shared, under claims of their own. Of an origin that is known a hit is looked for. */
cistern_status tiers_add_paths(tiers_fetched *f, const base_run *run, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Check what a name promises of its file: the digits of its SHA-256, or the digest that the table of published files
 * has, which for some is an MD5. Sets f->published if that shows that it is a published file.
 * @param fd  of the file, open for reading. @retval DAMAGED  it is another one, and that counts. @retval CANCELLED
 */
cistern_status tiers_check_promise(tiers_fetched *f, const store_file *file, int fd, const base_run *run,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** Room for n files in f, each empty. */
cistern_status tiers_files_make(tiers_fetched *f, size_t n, cistern_error *err) CISTERN_MUST_CHECK;
/** Forget the files: descriptors closed, claims ended with this status. */
void tiers_files_end(tiers_fetched *f, cistern_status status, const cistern_error *why);

#endif
