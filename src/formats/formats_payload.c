/* Elements on their way out: as they are, gathered, or rounded to another type. */
#include "priv/formats_payload.h"

#include <assert.h>
#include <string.h>
#include "base_mem.h"

#define STEP  1024              /* elements that are rounded at a time */
#define PIECE ((size_t)8 << 20) /* bytes between two looks at the cancel token: some 10 ms of a disk */

bool formats_payload_bytes(const formats_out *t, model_dtype dtype, uint64_t *out)
{
    return base_mul_u64(t->values.count, model_dtype_bytes(dtype), out);
}

static cistern_status put_plain(const uint8_t *data, uint64_t n, const formats_sink *sink,
                                const base_cancel *cancel, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    while (st == CISTERN_OK && n > 0) {
        size_t now = n < PIECE ? (size_t)n : PIECE;
        st = base_check_cancel(cancel, err);
        if (st == CISTERN_OK)
            st = sink->put(sink->user, data, now, err);
        data += now;
        n -= now;
    }
    return st;
}

static size_t round_step(const formats_out *t, model_dtype dtype, uint64_t from, size_t n, uint8_t *out)
{
    double x[STEP];

    model_values_read(&t->values, from, n, x);
    for (size_t i = 0; i < n; i++) {
        double wide = x[i] + t->add;
        float narrow = (float)wide;
        if (dtype == MODEL_F64)
            memcpy(out + i * sizeof wide, &wide, sizeof wide);
        else
            memcpy(out + i * sizeof narrow, &narrow, sizeof narrow);
    }
    return n * model_dtype_bytes(dtype);
}

cistern_status formats_payload_put(const formats_out *t, model_dtype dtype, const formats_sink *sink,
                                   const base_cancel *cancel, cistern_error *err)
{
    uint8_t bytes[STEP * 8];
    bool as_stored = dtype == t->values.dtype && t->add == 0;
    const uint8_t *plain = as_stored ? model_values_plain(&t->values) : NULL;
    cistern_status st = CISTERN_OK;

    assert(as_stored || dtype == MODEL_F32 || dtype == MODEL_F64);
    if (plain)
        return put_plain(plain, t->values.count * model_dtype_bytes(dtype), sink, cancel, err);
    for (uint64_t done = 0; st == CISTERN_OK && done < t->values.count; done += STEP) {
        size_t n = t->values.count - done < STEP ? (size_t)(t->values.count - done) : STEP;
        size_t size = n * model_dtype_bytes(dtype);
        if (as_stored)
            model_values_gather(&t->values, done, n, bytes);
        else
            size = round_step(t, dtype, done, n, bytes);
        st = base_check_cancel(cancel, err);
        if (st == CISTERN_OK)
            st = sink->put(sink->user, bytes, size, err);
    }
    return st;
}
