/* Documents under models/: their paths, reading and creating them, and looking into them with suspicion.
 *
 * Invariants
 *  1. Every fault found in a document is DAMAGED and names the document's path.
 *  2. Text taken from a document is at most the given length and has no control characters: it may be shown.
 * The only file of the room that calls the store.
 */
#ifndef CATALOG_DOCUMENT_H
#define CATALOG_DOCUMENT_H

#include "catalog_model.h"
#include "store_doc.h"

/** "models/<stored name><rest>", rest by printf; name is valid. */
void catalog_document_path(char out[STORE_PATH_MAX], const char *name, const char *fmt, ...)
    CISTERN_PRINTF(3, 4);

/**
 * Read a document of our format.
 * @param out_digest  SHA-256 of its bytes; NULL: not wanted. @param out_found  false: absent; the rest is untouched.
 * @retval DAMAGED    not canonical enough to be one, or of a newer format.
 */
cistern_status catalog_document_read(const store *s, const char *path, json_t **out,
                                     char out_digest[BASE_SHA256_HEX], bool *out_found,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Create-if-absent; success means that exactly this document is there (written now, or by a call whose reply was lost:
 * each holds an id of its own).
 * @retval CONFLICT  another is there. @retval USAGE  larger than STORE_DOC_MAX.
 */
cistern_status catalog_document_create(store *s, const char *path, const json_t *document,
                                       char out_digest[BASE_SHA256_HEX],
                                       cistern_error *err) CISTERN_MUST_CHECK;

/** Write the hint `head` of a directory. It is only a hint: no failure of it is anyone's failure. */
void catalog_document_head(store *s, const char *path, uint32_t number);

/** Set a text. @retval USAGE  not UTF-8, a control character in it, or longer than max bytes; `key` is named. */
cistern_status catalog_document_put_text(json_t *object, const char *key, const char *text, size_t max,
                                         cistern_error *err) CISTERN_MUST_CHECK;
/** json_object_set_new with out of memory as a status. Takes value (NULL counts as out of memory). */
cistern_status catalog_document_put(json_t *object, const char *key, json_t *value,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** Set id (fresh), who, when, why as every act of writing has them; who NULL: base_who(); why NULL: no such field. */
cistern_status catalog_document_sign(json_t *object, const char *who, const char *why,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/* Looking into one; `path` names it. */
cistern_status catalog_document_text(const json_t *object, const char *key, const char *path, size_t max,
                                     const char **out, cistern_error *err) CISTERN_MUST_CHECK;
/** Absent or null gives `*out = other`. */
cistern_status catalog_document_text_or(const json_t *object, const char *key, const char *path, size_t max,
                                        const char *other, const char **out,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/** Exactly `digits` lower-case hexadecimal digits; out holds one byte more. */
cistern_status catalog_document_hex(const json_t *object, const char *key, const char *path, size_t digits,
                                    char *out, cistern_error *err) CISTERN_MUST_CHECK;
/** A tag. */
cistern_status catalog_document_tag(const json_t *object, const char *key, const char *path,
                                    char out[CATALOG_TAG_MAX + 1], cistern_error *err) CISTERN_MUST_CHECK;
/** A text that must be exactly `value`: a document that lies where it does not belong is damaged. */
cistern_status catalog_document_same(const json_t *object, const char *key, const char *path,
                                     const char *value, cistern_error *err) CISTERN_MUST_CHECK;
/** 0 if absent. */
cistern_status catalog_document_u64_or_0(const json_t *object, const char *key, const char *path,
                                         uint64_t *out, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether text is UTF-8 without control characters. */
bool catalog_text_printable(const char *text);
/** The tag of an entry "<tag>.json"; false: the entry is none. */
bool catalog_entry_tag(const char *entry, char out[CATALOG_TAG_MAX + 1]);

#endif
