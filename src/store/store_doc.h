/* The small documents of a store (the catalogue's): immutable ones, and hints.
 *
 * Invariants
 *  1. A document is created whole or not at all, and never changes; only hints are overwritten or removed.
 *  2. When a call returns OK, the document and every directory made for it are on disk, whoever made them.
 * Paths are relative to the store, e.g. "models/vgg16/versions/3.json"; parts are neither empty, "." nor
 * "..", and do not begin with ".tmp-"; the caller has encoded names (a '/' in a name is "--"). It does not
 * look into documents.
 */
#ifndef STORE_DOC_H
#define STORE_DOC_H

#include "store_open.h"

#define STORE_DOC_MAX  (4u << 20) /* bytes of one document (BASE_JSON_MAX) */
#define STORE_PATH_MAX 1024       /* bytes of a path in a store, with the zero */

/**
 * Create-if-absent.
 * @param out_created  may be NULL; false: equal content was there already.
 * @retval CONFLICT  other content is there; it was not touched (the error names the path).
 * @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY; USAGE a path as it must not be; DAMAGED what is there is
 * no file.
 */
cistern_status store_doc_create(store *s, const char *path, const void *bytes, size_t n, bool *out_created,
                                cistern_error *err) CISTERN_MUST_CHECK;

/** Read a whole document; appended to buf. @retval NOT_FOUND; DAMAGED too large (buf->max), or no regular
 * file. */
cistern_status store_doc_read(const store *s, const char *path, base_buf *buf,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Whether there is such a document or directory; links count as DAMAGED. */
cistern_status store_doc_has(const store *s, const char *path, bool *out,
                             cistern_error *err) CISTERN_MUST_CHECK;

/** Each entry's name in a directory, sorted by bytes, temporaries left out; an absent directory has none.
 * fn's first status that is not OK ends it and is returned. */
cistern_status store_doc_each(const store *s, const char *dir, base_dir_fn fn, void *user,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Write or overwrite a hint. Readers see the old or the new one. @retval as store_doc_create, without
 * CONFLICT. */
cistern_status store_doc_hint(store *s, const char *path, const void *bytes, size_t n,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Remove a hint; an absent one is success. Never call it for a document that is no hint. */
cistern_status store_doc_remove_hint(store *s, const char *path, cistern_error *err) CISTERN_MUST_CHECK;

#endif
