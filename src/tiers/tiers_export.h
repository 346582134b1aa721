/* Giving versions back in other people's layouts: a directory with metadata.json, the cache of torch hub.
 *
 * Invariants
 *  1. Only bytes that are believed to be what their digest says are given (store_blob_open).
 *  2. A file that is there and has other bytes is left alone unless `force`; one with the same bytes is used as it is.
 *  3. metadata.json is replaced last, and at once: killed before, a program that reads it sees the state before.
 */
#ifndef TIERS_EXPORT_H
#define TIERS_EXPORT_H

#include "base_file_place.h"
#include "base_thread.h"
#include "catalog_version.h"
#include "tiers_chain.h"

typedef struct tiers_place {
    base_place_how how;
    bool force; /* replace what has other bytes */
} tiers_place;

/** Told for each version: where it is now. `path` begins as `directory` was given; borrowed for the call.
 *  @param v  NULL: a reference that means none. */
typedef void (*tiers_placed_fn)(void *user, const catalog_version *v, const char *path, bool was_there,
                                cistern_status status, const cistern_error *why);

/**
 * Write one version (a reference with a tag or digest) or all numbered ones (a name) into a directory, made if absent.
 * @param fn  for each version in the order of numbers; failures too, after which the others are still written.
 * @retval NOT_FOUND  no such model or version, or none that is numbered. @retval USAGE  the version has a name or
 *         several files. @retval CONFLICT  metadata.json names other bytes for that number, or a file is in the way.
 * @retval DAMAGED    a blob, or a metadata.json that is there. And the first failure of several.
 */
cistern_status tiers_export(tiers *t, const char *reference, const char *directory, const tiers_place *how,
                            const base_run *run, tiers_placed_fn fn, void *user,
                            cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Put a version's only file into a directory under a name.
 * @param out_path       where it is; owned by the caller. @param out_was_there  the same bytes had that name.
 * @retval CONFLICT  other bytes have that name. @retval USAGE  the version has several files.
 */
cistern_status tiers_place_version(tiers *t, const catalog_version *v, const char *directory,
                                   const char *name, const tiers_place *how, const base_run *run,
                                   char **out_path, bool *out_was_there,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
