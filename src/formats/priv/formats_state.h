/* From what a pickle made to named tensors. */
#ifndef FORMATS_STATE_H
#define FORMATS_STATE_H

#include "model_index.h"
#include "priv/formats_pickle.h"

/**
 * Find the state_dict in p->root and add its tensors to `index` as those of file number `file`. Each storage's
 * data_offset must be set. Text keys are joined by dots where containers are nested.
 * @retval UNREADABLE  no tensors; a name that is none; a limit.
 */
cistern_status formats_state_add(const formats_pickle *p, uint32_t file, model_index *index,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** Whether mentions of one storage agree; sorts *out by key (owned by the caller: free). */
cistern_status formats_state_storages(const formats_pickle *p, formats_storage ***out, size_t *out_n,
                                      cistern_error *err) CISTERN_MUST_CHECK;

#endif
