/* The stored tensor index of a version: a derived file of the local store. */
#ifndef TIERS_INDEX_H
#define TIERS_INDEX_H

#include "catalog_version.h"
#include "model_index.h"
#include "tiers_chain.h"

/** @retval NOT_FOUND  none that can be used: read the files again. */
cistern_status tiers_index_get(tiers *t, const catalog_version *v, model_index **out,
                               cistern_error *err) CISTERN_MUST_CHECK;
/** Keep it. @param digest  of the version. */
cistern_status tiers_index_put(tiers *t, const char *digest, const model_index *index,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
