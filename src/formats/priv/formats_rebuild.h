/* What REDUCE, NEWOBJ and BINPERSID amount to: checked storages and views. */
#ifndef FORMATS_REBUILD_H
#define FORMATS_REBUILD_H

#include "priv/formats_global.h"

/** "Call" an allowed name with a tuple of arguments; *out is the value that stands for the result. */
cistern_status formats_rebuild_call(formats_pickle *p, uint32_t callable, uint32_t args,
                                    uint32_t *out) CISTERN_MUST_CHECK;
/** A persistent id: ('storage', class, key, location, numel[, view]), or a class: ('module', class, file, source). */
cistern_status formats_rebuild_storage(formats_pickle *p, uint32_t id, uint32_t *out) CISTERN_MUST_CHECK;

#endif
