/* The closed list of names that a pickle may ask for, and what each one does here. */
#ifndef FORMATS_GLOBAL_H
#define FORMATS_GLOBAL_H

#include "priv/formats_pickle.h"

typedef enum formats_global_kind {
    FORMATS_GLOBAL_ORDERED_DICT = 1,  /* a dict */
    FORMATS_GLOBAL_SIZE,              /* torch.Size: its tuple */
    FORMATS_GLOBAL_IGNORED,           /* torch.device, _codecs.encode: gives something opaque */
    FORMATS_GLOBAL_REBUILD_TENSOR,    /* (storage, offset, size, stride) */
    FORMATS_GLOBAL_REBUILD_TENSOR_V2, /* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
    FORMATS_GLOBAL_REBUILD_TENSOR_V3, /* (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata]) */
    FORMATS_GLOBAL_REBUILD_PARAMETER, /* (tensor, requires_grad, hooks[, state]) */
    FORMATS_GLOBAL_STORAGE,           /* torch.FloatStorage …: names a dtype in a persistent id */
    FORMATS_GLOBAL_UNTYPED,           /* torch.storage.UntypedStorage: numel counts bytes */
    FORMATS_GLOBAL_TYPED,             /* torch.storage.TypedStorage: tells no dtype */
    FORMATS_GLOBAL_DTYPE,             /* torch.float32 … */
    FORMATS_GLOBAL_SET,               /* set: of a list */
} formats_global_kind;

typedef struct formats_global {
    const char *module, *name;
    formats_global_kind kind;
    model_dtype dtype; /* of a storage or dtype */
} formats_global;

/**
 * The allowed name's number, put on *out. @param out_known  false: any other name.
 * @retval UNREADABLE  a name that is too long; one of a kind of tensor that is not read.
 */
cistern_status formats_global_find(formats_pickle *p, const uint8_t *module, size_t module_len,
                                   const uint8_t *name, size_t name_len, bool *out_known,
                                   uint32_t *out) CISTERN_MUST_CHECK;
const formats_global *formats_global_peek(uint32_t number);

#endif
