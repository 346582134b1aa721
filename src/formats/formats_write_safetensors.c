/* Writing safetensors: see formats_write.h.
 * Source: the format's page in its reference implementation: 8 bytes with the header's size, the header (JSON), the data.
 */
#include "formats_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "priv/formats_payload.h"

#define HEADER_MAX ((size_t)100000000) /* bytes: the reference refuses more */

/* Larger elements first; of equal ones the given order. */
typedef struct place {
    const formats_out *t;
    size_t number;
} place;

static int by_size(const void *a, const void *b)
{
    const place *x = a, *y = b;
    size_t size_x = model_dtype_bytes(x->t->dtype), size_y = model_dtype_bytes(y->t->dtype);

    if (size_x != size_y)
        return size_x > size_y ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* Names are UTF-8 without control characters: these two are all that must be escaped. */
static cistern_status put_name(base_buf *header, const char *name, cistern_error *err)
{
    cistern_status st = base_buf_put(header, "\"", 1, err);

    for (const char *c = name; st == CISTERN_OK && *c; c++) {
        if (*c == '"' || *c == '\\')
            st = base_buf_put(header, "\\", 1, err);
        if (st == CISTERN_OK)
            st = base_buf_put(header, c, 1, err);
    }
    return st == CISTERN_OK ? base_buf_put(header, "\"", 1, err) : st;
}

static cistern_status put_entry(base_buf *header, const formats_out *t, uint64_t begin, uint64_t end,
                                cistern_error *err)
{
    cistern_status st = base_buf_put(header, ",", 1, err);

    if (st == CISTERN_OK)
        st = put_name(header, t->name, err);
    if (st == CISTERN_OK)
        st = base_buf_printf(header, err, ":{\"dtype\":\"%s\",\"shape\":[", model_dtype_text(t->dtype));
    for (uint32_t d = 0; st == CISTERN_OK && d < t->rank; d++)
        st = base_buf_printf(header, err, "%s%" PRIu64, d ? "," : "", t->shape[d]);
    return st == CISTERN_OK
               ? base_buf_printf(header, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end)
               : st;
}

static cistern_status make_header(const place *places, size_t count, base_buf *header, cistern_error *err)
{
    static const char metadata[] = "{\"__metadata__\":{\"format\":\"pt\"}";
    uint64_t at = 0, bytes;
    cistern_status st = base_buf_put(header, metadata, sizeof metadata - 1, err);

    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        const formats_out *t = places[i].t;
        uint64_t end;
        if (strcmp(t->name, "__metadata__") == 0)
            return base_fail(err, CISTERN_UNREADABLE,
                             "a tensor is called '__metadata__', which safetensors has for itself");
        if (!formats_payload_bytes(t, t->dtype, &bytes) || !base_add_u64(at, bytes, &end))
            return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': more bytes than a file can have",
                             t->name);
        st = put_entry(header, t, at, end, err);
        at = end;
    }
    if (st == CISTERN_OK)
        st = base_buf_put(header, "}", 1, err);
    while (st == CISTERN_OK && header->len % 8 != 0)
        st = base_buf_put(header, " ", 1, err);
    return st;
}

static cistern_status put_all(const place *places, size_t count, const base_buf *header,
                              const formats_sink *sink, const base_cancel *cancel, cistern_error *err)
{
    uint64_t size = header->len; /* this machine is little-endian, as the file is */
    cistern_status st = sink->put(sink->user, &size, sizeof size, err);

    if (st == CISTERN_OK)
        st = sink->put(sink->user, header->data, header->len, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++)
        st = formats_payload_put(places[i].t, places[i].t->dtype, sink, cancel, err);
    return st;
}

cistern_status formats_write_safetensors(const formats_out *tensors, size_t count, const formats_sink *sink,
                                         const base_cancel *cancel, cistern_error *err)
{
    base_buf header;
    place *places = NULL;
    cistern_status st = base_calloc(count + 1, sizeof *places, &places, err);

    if (st != CISTERN_OK)
        return st;
    base_buf_init(&header, HEADER_MAX);
    for (size_t i = 0; i < count; i++)
        places[i] = (place){&tensors[i], i};
    if (count > 1)
        qsort(places, count, sizeof *places, by_size);
    st = make_header(places, count, &header, err);
    if (st == CISTERN_OK)
        st = put_all(places, count, &header, sink, cancel, err);
    base_buf_clear(&header);
    free(places);
    return st;
}
