/* models/<name>/origins/<64 hex>.json: hints about where a version came from, and "once means once".
 *
 * Invariants
 *  1. A hint is named by the SHA-256 of a normalised origin and may be overwritten, stale, damaged or absent:
 * what cannot be read counts as absent, and a version that it names is checked like any other.
 *  2. A hit is a live version of that name whose manifest or hint has the same normalised origin; of several
 * the newest (by sequence). Whether its blobs are here the caller looks itself. Normalising is origin's work;
 * only that form gets here.
 */
#ifndef CATALOG_ORIGIN_H
#define CATALOG_ORIGIN_H

#include "catalog_version.h"

#define CATALOG_VALIDATOR_MAX 512 /* bytes of an ETag or a version id that is kept; longer ones are not */

/** What was seen of one file at the origin. */
typedef struct catalog_origin_file {
    char path[CATALOG_PATH_MAX + 1];           /* as in the manifest */
    char validator[CATALOG_VALIDATOR_MAX + 1]; /* as the server spelled it; "": none */
    uint64_t size;                             /* bytes */
} catalog_origin_file;

typedef struct catalog_origin_hint {
    char version[CATALOG_TAG_MAX + 1];
    catalog_origin_file *files;
    size_t file_count;
} catalog_origin_hint;

void catalog_origin_hint_init(catalog_origin_hint *h);
void catalog_origin_hint_clear(catalog_origin_hint *h);

/** Read a hint. @param out initialised. @param out_found  false: none, or not readable as one (which is no
 * error). */
cistern_status catalog_origin_read(const store *s, const char *name, const char *origin,
                                   catalog_origin_hint *out, bool *out_found,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** Write or overwrite one; fields of the former that this program does not know are kept. */
cistern_status catalog_origin_write(store *s, const char *name, const char *origin, const char *version,
                                    const catalog_origin_file *files, size_t file_count,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Find the hit.
 * @param out  initialised; filled if found. An absent model is "not found", not an error.
 */
cistern_status catalog_origin_find(const store *s, const char *name, const char *origin, catalog_version *out,
                                   bool *out_found, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether this version is recorded as coming from that origin, by its manifest or a hint. */
cistern_status catalog_origin_matches(const store *s, const catalog_version *v, const char *origin, bool *out,
                                      cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The newest live version of a name with exactly these files (paths, sizes and digests), whatever its facts:
 * what makes "other facts on the same bytes" a new version without a transfer.
 */
cistern_status catalog_version_find_files(const store *s, const char *name, const catalog_file *files,
                                          size_t count, catalog_version *out, bool *out_found,
                                          cistern_error *err) CISTERN_MUST_CHECK;

#endif
