/* Any bytes as a pickle: the machine ends with a root or UNREADABLE; what it made can be searched for tensors, and each
 * view lies inside its storage. (In a zip a changed pickle would only ever meet its CRC-32.) */
#include <stdint.h>
#include <stdlib.h>
#include "model_index.h"
#include "priv/formats_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Storages are laid over one imagined file of 2^40 bytes, all at its beginning. */
#define FILE_BYTES ((uint64_t)1 << 40)

static void must(cistern_status status, const cistern_error *err)
{
    if (status != CISTERN_OK && (status != CISTERN_UNREADABLE || err->text[0] == 0)) {
        abort();
    }
}

static void check_views(const formats_pickle *p)
{
    for (uint32_t i = 1; i < p->views.count; i++) {
        const formats_view *v = formats_pool_get(&p->views, i);
        const formats_storage *s = formats_pool_get(&p->storages, v->storage);
        model_tensor t = {.dtype = v->dtype, .rank = v->rank};
        uint64_t extent, room = s->viewed ? s->view_size : s->bytes;
        for (uint32_t d = 0; d < v->rank; d++) {
            t.shape[d] = v->shape[d];
            t.stride[d] = v->stride[d];
        }
        if (!model_tensor_extent(&t, &extent) || v->start > room || extent > room - v->start) {
            abort();
        }
    }
}

static void search(const formats_pickle *p, cistern_error *err)
{
    static const uint64_t size = FILE_BYTES;
    formats_storage **storage = NULL;
    size_t count;
    model_index *index = NULL;
    cistern_status status = formats_state_storages(p, &storage, &count, err);
    must(status, err);
    free(storage);
    if (model_index_new(&size, 1, &index, err) == CISTERN_OK) {
        *err = (cistern_error)CISTERN_ERROR_INIT;
        must(formats_state_add(p, 0, index, err), err);
    }
    model_index_free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    formats_pickle *p = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = formats_pickle_run(data, size, 0, &p, &err);
    must(status, &err);
    if (status == CISTERN_OK) {
        check_views(p);
        search(p, &err);
    }
    formats_pickle_free(p);
    return 0;
}
