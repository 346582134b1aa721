/* Version documents inside the room: reading under a model that is read already, comparing, writing. */
#ifndef CATALOG_MANIFEST_H
#define CATALOG_MANIFEST_H

#include "catalog_tags.h"
#include "catalog_version.h"

/** catalog_version_read under a known model: the lineage inside must be the model's. */
cistern_status catalog_version_load(const store *s, const catalog_model *model, const char *tag,
                                    catalog_version *out, bool *out_found,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** Build a version from a document (stolen in every case) and check it whole. */
cistern_status catalog_version_parse(json_t *document, const catalog_model *model, const char *tag,
                                     const char *path, catalog_version *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/** Check the files of a version to be published: each by itself and all together. @retval USAGE */
cistern_status catalog_files_check(const catalog_file *files, size_t count,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** Whether two versions hold the same files: paths, sizes and digests. Both sorted by path. The name of an only file does
 *  not matter, as it does not for the digest of a version. */
bool catalog_files_equal(const catalog_file *a, size_t a_count, const catalog_file *b, size_t b_count);

/** Sorted copy (by path bytes); freed with free(); the paths are borrowed from `files`. */
cistern_status catalog_files_sort(const catalog_file *files, size_t count, catalog_file **out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** Whether two "facts" objects agree in what was declared. */
cistern_status catalog_facts_same_declared(const json_t *a, const json_t *b, bool *out,
                                           cistern_error *err) CISTERN_MUST_CHECK;

/** The version order: by sequence, then by tag; as strcmp. */
int catalog_version_order(const catalog_version *a, const catalog_version *b);

#endif
