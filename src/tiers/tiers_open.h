/* Opening the files of a version that is here. */
#ifndef TIERS_OPEN_H
#define TIERS_OPEN_H

#include "base_thread.h"
#include "catalog_version.h"
#include "tiers_chain.h"

/**
 * Open each file for reading, sure of its bytes (store_blob_open).
 * @param out  v->file_count descriptors, owned by the caller; all -1 on failure.
 * @retval DAMAGED  a blob is missing or not what it was; the message says which and what to do.
 */
cistern_status tiers_open_files(tiers *t, const catalog_version *v, const base_run *run, int *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

/** Digests and size of file i as the store takes them. @retval DAMAGED  a digest in the manifest is none */
cistern_status tiers_stored_file(const catalog_version *v, size_t i, store_file *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** Whether all blobs of a version are here (by name and size; nothing is read). */
cistern_status tiers_is_here(tiers *t, const catalog_version *v, bool *out,
                             cistern_error *err) CISTERN_MUST_CHECK;

/** Path of file i of a version; owned by the caller. @retval DAMAGED  its blob is not here */
cistern_status tiers_file_path(tiers *t, const catalog_version *v, size_t i, char **out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/** Read and hash file i, whatever was recorded. @retval as store_blob_verify */
cistern_status tiers_verify_file(tiers *t, const catalog_version *v, size_t i, const base_run *run,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
