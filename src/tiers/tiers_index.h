/* The stored tensor index of a version, and its decoded tensors if it has such: derived files of the local store. */
#ifndef TIERS_INDEX_H
#define TIERS_INDEX_H

#include "catalog_version.h"
#include "model_index.h"
#include "store_derived.h"
#include "tiers_chain.h"

/**
 * Both, or neither.
 * @param out_decoded  the mapped decoded tensors if the index has one file more than the version, else `base` is NULL; the
 *                     caller's to unmap. NULL: not wanted.
 * @retval NOT_FOUND  none that can be used: read the files again.
 */
cistern_status tiers_index_get(tiers *t, const catalog_version *v, model_index **out,
                               store_derived_map *out_decoded, cistern_error *err) CISTERN_MUST_CHECK;
/** Keep decoded tensors (taken), before the index that refers to them. @param digest  of the version. */
cistern_status tiers_index_put_decoded(const char *digest, store_derived *decoded,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** Keep it. @param digest  of the version. */
cistern_status tiers_index_put(tiers *t, const char *digest, const model_index *index,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
