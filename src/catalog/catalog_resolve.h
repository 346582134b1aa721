/* From a reference to the version it names, in one tier, without a request.
 *
 *   NAME            what `latest` names
 *   NAME:TAG        the version of that tag, else what that alias names
 *   NAME@sha256:HEX the live version with that digest (or the only digest with that prefix); of several the
 * newest NAME:TAG@…      as NAME:TAG, and the digest must agree
 */
#ifndef CATALOG_RESOLVE_H
#define CATALOG_RESOLVE_H

#include "catalog_alias.h"

typedef struct catalog_resolved {
    catalog_version version;
    char alias[CATALOG_TAG_MAX + 1]; /* through which it was reached; "": by its own tag or digest */
    uint32_t move;                   /* number of that alias's move; 0: none */
} catalog_resolved;

void catalog_resolved_init(catalog_resolved *r);
void catalog_resolved_clear(catalog_resolved *r);

/**
 * @param out         initialised; filled on success.
 * @retval NOT_FOUND  no such model (similar names are offered), tag (those that exist are listed) or digest;
 * or it was removed (when, by whom). @retval USAGE  a shortened digest that fits several.
 * @retval DAMAGED    the digest does not agree (both shown), or a document is bad (its path).
 */
cistern_status catalog_resolve(const store *s, const catalog_reference *ref, catalog_resolved *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
