/* models/<name>/versions/<tag>.json: what a version is, read and checked.
 *
 * Invariants
 *  1. A version document is made by create-if-absent and never changed or unlinked; a tombstone of the same
 * tag makes the version dead (catalog_remove.h). Documents are checked whole on every reading, as if an enemy
 * had written them: wrong types, another name or tag inside, digests that are none, paths that leave a
 * directory are DAMAGED, with the document's path. No path from a document is ever opened by this room.
 *  2. Versions of one model are ordered by `sequence` (one more than the number of version documents and tombstones
 *     that the writer saw), then by tag; numbered ones are thereby in the order of their numbers. No order rests on a
 *     time.
 *  3. Fields that this program does not know stay in `document`.
 * Publishing is in catalog_publish.h. Threads: any; a catalog_version is read-only once filled.
 */
#ifndef CATALOG_VERSION_H
#define CATALOG_VERSION_H

#include "catalog_model.h"
#include "model_facts.h"

#define CATALOG_FILES_MAX 4096 /* files of one version: MODEL_FILES_MAX */
#define CATALOG_PATH_MAX  512  /* bytes of a file's path inside a version */

/** One file of a version. */
typedef struct catalog_file {
    const char *path; /* relative, '/'-separated; no empty, "." or ".." part; borrowed from the version */
    uint64_t size;    /* bytes */
    char sha256[BASE_SHA256_HEX];
    char chunks_sha256[BASE_SHA256_HEX]; /* of the chunk list; "": none is recorded */
} catalog_file;

typedef struct catalog_version {
    char name[CATALOG_NAME_MAX + 1];
    char tag[CATALOG_TAG_MAX + 1];
    char id[CATALOG_ID_HEX]; /* of the act of writing: after a lost reply the writer knows its own */
    char lineage[CATALOG_ID_HEX];
    char digest[BASE_SHA256_HEX]; /* of the version: what @sha256: names */
    uint64_t sequence;
    const catalog_file *files; /* file_count, sorted by path bytes */
    size_t file_count;
    uint64_t size;          /* bytes of all files */
    const char *origin;     /* normalised; NULL: none (added from local files) */
    const char *who, *when; /* for people */
    const json_t *facts;    /* model_facts_to_json's object: catalog_version_facts() */
    json_t *document;       /* the whole document; the pointers above borrow from it */
} catalog_version;

/** Fill with nothing; clear frees what read filled (harmless on an initialised one). */
void catalog_version_init(catalog_version *v);
void catalog_version_clear(catalog_version *v);
/** Move: *to is cleared and takes what *from holds; *from is left initialised. */
void catalog_version_take(catalog_version *from, catalog_version *to);

/**
 * Read a version's document, dead or alive, by its exact tag.
 * @param out       initialised; filled on success only. @param out_found  false: there is no such document.
 * @retval DAMAGED  the document, by path (also: a newer format).
 */
cistern_status catalog_version_read(const store *s, const char *name, const char *tag, catalog_version *out,
                                    bool *out_found, cistern_error *err) CISTERN_MUST_CHECK;

/** The facts, with where each came from. @retval DAMAGED  not such an object. @param out initialised by the
 * call. */
cistern_status catalog_version_facts(const catalog_version *v, model_facts *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Whether a version's facts and these agree in what was declared, by flags or a config.json; what this program inferred
 * or looked up does not count, nor where a declaration came from. Then the same bytes are the same version.
 */
cistern_status catalog_version_same_declared(const catalog_version *v, const model_facts *facts, bool *out,
                                             cistern_error *err) CISTERN_MUST_CHECK;

/** Whether a file's path may stand in a manifest. @retval USAGE  the message says why not. */
cistern_status catalog_path_check(const char *path, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The digest of a version: of one file its SHA-256, else of the sorted `sha256sum` lines ("<hex>  <path>\n").
 * @param files  in any order.
 */
cistern_status catalog_version_digest(const catalog_file *files, size_t count, char out[BASE_SHA256_HEX],
                                      cistern_error *err) CISTERN_MUST_CHECK;

/** A fuller name for messages and for `pull`'s last line: "NAME:TAG@sha256:HEX". */
void catalog_version_text(const catalog_version *v, char out[CATALOG_REFERENCE_TEXT_MAX]);

#endif
