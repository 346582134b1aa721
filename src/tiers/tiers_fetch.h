/* Bringing a model into the local store: fetch, then (the caller imports), then commit.
 *
 *     tiers_fetch(…, &fetch)        here already?  -> tiers_fetch_version(fetch): done
 *       else verified files, unpublished, claims held
 *     (the caller reads index and facts from tiers_fetch_fd of each file)
 *     tiers_commit(fetch, …)        blob, decoded tensors, index, version, alias, in that order
 *     tiers_fetch_end(fetch, …)     always: tells those who wait, releases claims, frees
 *
 * Invariants
 *  1. A hit makes no request (unless `update`), and moves no alias.
 *  2. Whoever wins the claim looks in the catalogue again before any request.
 *  3. Nothing is published before every file is complete, checked and imported.
 *  4. Bytes that are here are not transferred again, under whatever name or facts they are wanted.
 */
#ifndef TIERS_FETCH_H
#define TIERS_FETCH_H

#include "base_thread.h"
#include "catalog_origin.h"
#include "catalog_publish.h"
#include "store_derived.h"
#include "tiers_chain.h"
#include "tiers_config.h"

typedef struct tiers_request {
    const char
        *origin; /* an address as typed; with `paths`: where they are known to come from; NULL: nowhere */
    const char
        *reference; /* pull REF: the model's own reference, whose recorded origin is asked; else NULL */
    const char *const *paths; /* of an add */
    size_t path_count;
    const int *fds;            /* path_count open descriptors of them, borrowed; NULL: the paths are opened */
    const char *const *names;  /* path_count paths inside the version; NULL: the last part of each path */
    const char *prefix;        /* digits that the SHA-256 must begin with; NULL: what `origin` promises */
    const char *name;          /* NULL: made from the address */
    const char *tag;           /* NULL: the next number */
    const base_digest *sha256; /* expected; NULL: none */
    bool update;               /* ask the origin whether it changed */
    bool ignore_name_digest;
    const model_facts *declared; /* by flags */
    const char *config;          /* see tiers_config_read */
    const char *why;             /* for the history; NULL: none */
} tiers_request;

typedef enum tiers_outcome {
    TIERS_HIT,       /* it was here; no request */
    TIERS_UNCHANGED, /* update: the origin says so */
    TIERS_FETCHED,   /* bytes came (or were copied) and became a new version */
    TIERS_RECORDED,  /* the bytes were here; a version was made of them */
    TIERS_SAME,      /* bytes came and were those of a version that was here */
} tiers_outcome;

typedef struct tiers_fetched tiers_fetched;

/**
 * Look, and fetch unless it is here.
 * @param out  freed by tiers_fetch_end, also when it is a hit.
 * @retval OFFLINE  not here, and no request may be made. @retval others as store_fetch_copy, catalog_publish_check,
 *         origin_address_parse, tiers_config_read
 */
cistern_status tiers_fetch(tiers *t, const tiers_request *request, const base_run *run, tiers_fetched **out,
                           cistern_error *err) CISTERN_MUST_CHECK;

/** The version if nothing needs to be committed, else NULL; borrowed. */
const catalog_version *tiers_fetch_version(const tiers_fetched *f);
/** The same, moved out of f, once there is one (asserted). @param out  initialised. */
void tiers_fetch_take_version(tiers_fetched *f, catalog_version *out);
/** Valid once tiers_fetch (hit, unchanged) or tiers_commit returned OK. */
tiers_outcome tiers_fetch_outcome(const tiers_fetched *f);
uint64_t tiers_fetch_received(const tiers_fetched *f); /* bytes from the origin */
uint64_t tiers_fetch_resumed(const tiers_fetched *f);  /* bytes left by an earlier fetch */
const char *tiers_fetch_note(const tiers_fetched *f);  /* for people; "" if none */

size_t tiers_fetch_count(const tiers_fetched *f); /* files */
int tiers_fetch_fd(const tiers_fetched *f, size_t i);
const char *tiers_fetch_path(const tiers_fetched *f, size_t i);
/** Facts so far: flags and config; the caller completes them before tiers_commit. Borrowed, writable. */
model_facts *tiers_fetch_facts(tiers_fetched *f);
/** The stored index of these files if the bytes were here already, else NULL (then read it from the files). */
const model_index *tiers_fetch_index(const tiers_fetched *f);

/**
 * Publish. Afterwards tiers_fetch_version is the version.
 * @param index    of the files.
 * @param decoded  what it refers to besides them (taken), or NULL.
 */
cistern_status tiers_commit(tiers_fetched *f, const model_index *index, store_derived *decoded,
                            const base_run *run, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether another process took the fetch over because this one stood still: after a failure of tiers_commit, end it and
 *  fetch again, at most TIERS_TAKEN_OVER_MAX times in all. */
bool tiers_fetch_taken_over(const tiers_fetched *f);
#define TIERS_TAKEN_OVER_MAX 3 /* who is stopped again and again must tell in the end */

/** End it: `status` and its text go to those who wait. NULL allowed. */
void tiers_fetch_end(tiers_fetched *f, cistern_status status, const cistern_error *why);

#endif
