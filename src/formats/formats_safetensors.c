/* safetensors: a length, a JSON header, the tensors' bytes.
 *
 * Invariants (all of the reference's checks, and that nothing is said twice)
 *  1. 8 + header + data is the whole file; tensors cover the data without holes and overlaps.
 *  2. data_offsets hold exactly shape times dtype bytes; every product is checked.
 *  3. Names, fields of an entry, and `__metadata__` itself occur once; unknown fields are refused.
 * Memory: one range of 24 bytes per tensor, whatever the header's length.
 * Source: huggingface/safetensors, README.md and safetensors/src/tensor.rs (Metadata::validate).
 */
#include "priv/formats_container.h"

#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_header.h"

#define LENGTH_BYTES 8u
#define DTYPE_MAX    15u /* bytes; "F8_E4M3" is among the longest */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)

typedef struct range {
    uint64_t begin, end; /* bytes of the data */
    uint64_t at;         /* byte of the file where the entry stands */
} range;

typedef struct reading {
    formats_header h;
    const formats_file *file;
    uint32_t number;
    uint64_t data; /* byte of the file where the data begin */
    model_index *index;
    range *ranges;
    size_t count, capacity;
    bool metadata;
    bool torch; /* false: `format` names a framework with other conventions */
    cistern_error *err;
} reading;

typedef struct entry {
    model_tensor t;
    char name[MODEL_NAME_MAX + 1];
    bool has_dtype, has_shape, has_offsets;
    uint64_t begin, end;
    uint64_t at;
} entry;

#define FAIL(r, at, ...) base_fail_at((r)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

/* ---- an entry's fields ---- */

static cistern_status read_dtype(reading *r, entry *e)
{
    char text[DTYPE_MAX + 1];
    uint64_t at = formats_header_at(&r->h);

    TRY(formats_header_string(&r->h, text, DTYPE_MAX));
    if (!model_dtype_parse(text, &e->t.dtype))
        return FAIL(r, at, "tensor '%s' has dtype '%s', which this version does not read", e->name, text);
    return CISTERN_OK;
}

static cistern_status read_shape(reading *r, entry *e)
{
    TRY(formats_header_expect(&r->h, '['));
    if (formats_header_try(&r->h, ']'))
        return CISTERN_OK;
    do {
        uint64_t at = formats_header_at(&r->h);
        if (e->t.rank == MODEL_RANK_MAX)
            return FAIL(r, at, "tensor '%s' has more than %d dimensions", e->name, MODEL_RANK_MAX);
        TRY(formats_header_natural(&r->h, &e->t.shape[e->t.rank]));
        e->t.rank++;
    } while (formats_header_try(&r->h, ','));
    return formats_header_expect(&r->h, ']');
}

static cistern_status read_offsets(reading *r, entry *e)
{
    TRY(formats_header_expect(&r->h, '['));
    TRY(formats_header_natural(&r->h, &e->begin));
    TRY(formats_header_expect(&r->h, ','));
    TRY(formats_header_natural(&r->h, &e->end));
    return formats_header_expect(&r->h, ']');
}

static cistern_status read_field(reading *r, entry *e)
{
    static const struct {
        const char *name;
        size_t flag;
        cistern_status (*read)(reading *r, entry *e);
    } fields[] = {
        {"dtype", offsetof(entry, has_dtype), read_dtype},
        {"shape", offsetof(entry, has_shape), read_shape},
        {"data_offsets", offsetof(entry, has_offsets), read_offsets},
    };
    char name[32];
    uint64_t at = formats_header_at(&r->h);

    TRY(formats_header_string(&r->h, name, sizeof name - 1));
    TRY(formats_header_expect(&r->h, ':'));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(name, fields[i].name) != 0)
            continue;
        bool *seen = (bool *)((char *)e + fields[i].flag);
        if (*seen)
            return FAIL(r, at, "tensor '%s' has two fields '%s'", e->name, name);
        *seen = true;
        return fields[i].read(r, e);
    }
    return FAIL(r, at, "tensor '%s' has a field '%s'; dtype, shape and data_offsets are known", e->name,
                name);
}

/* ---- an entry ---- */

static cistern_status add_range(reading *r, const entry *e)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 64;
        range *bigger;
        TRY(base_calloc(capacity, sizeof *bigger, &bigger, r->err));
        if (r->count)
            memcpy(bigger, r->ranges, r->count * sizeof *bigger);
        free(r->ranges);
        r->ranges = bigger;
        r->capacity = capacity;
    }
    r->ranges[r->count++] = (range){e->begin, e->end, e->at};
    return CISTERN_OK;
}

/* Row by row; false: the product overflows. */
static bool fill_strides(model_tensor *t, uint64_t *out_bytes)
{
    uint64_t step = 1;

    for (uint32_t i = t->rank; i-- > 0;) {
        t->stride[i] = step;
        if (!base_mul_u64(step, t->shape[i], &step))
            return false;
    }
    return base_mul_u64(step, model_dtype_bytes(t->dtype), out_bytes);
}

static cistern_status finish_entry(reading *r, entry *e)
{
    uint64_t bytes, room = r->file->size - r->data;

    if (!e->has_dtype || !e->has_shape || !e->has_offsets)
        return FAIL(r, e->at, "tensor '%s' has no %s", e->name,
                    !e->has_dtype   ? "dtype"
                    : !e->has_shape ? "shape"
                                    : "data_offsets");
    if (!fill_strides(&e->t, &bytes))
        return FAIL(r, e->at, "tensor '%s' has a shape whose size overflows", e->name);
    if (e->begin > e->end || e->end - e->begin != bytes)
        return FAIL(r, e->at, "tensor '%s' has data_offsets [%llu, %llu], but its shape takes %llu bytes",
                    e->name, (unsigned long long)e->begin, (unsigned long long)e->end,
                    (unsigned long long)bytes);
    if (e->end > room)
        return FAIL(r, e->at,
                    "tensor '%s' ends at byte %llu of the data, of which the file has %llu: it is cut short",
                    e->name, (unsigned long long)e->end, (unsigned long long)room);
    e->t.offset = r->data + e->begin;
    e->t.name = e->name;
    e->t.file = r->number;
    TRY(add_range(r, e));
    return model_index_add(r->index, &e->t, r->err);
}

static cistern_status read_entry(reading *r, entry *e)
{
    TRY(formats_header_expect(&r->h, '{'));
    do {
        TRY(read_field(r, e));
    } while (formats_header_try(&r->h, ','));
    TRY(formats_header_expect(&r->h, '}'));
    return finish_entry(r, e);
}

/* {"format": "pt", …}: texts only. */
static cistern_status read_metadata(reading *r, uint64_t at)
{
    char key[8], value[8];
    formats_header peek;

    if (r->metadata)
        return FAIL(r, at, "the header has __metadata__ twice");
    r->metadata = true;
    TRY(formats_header_expect(&r->h, '{'));
    if (formats_header_try(&r->h, '}'))
        return CISTERN_OK;
    do {
        peek = r->h;
        peek.err = NULL; /* a longer key is none of ours */
        bool format =
            formats_header_string(&peek, key, sizeof key - 1) == CISTERN_OK && !strcmp(key, "format");
        TRY(formats_header_string(&r->h, NULL, 0));
        TRY(formats_header_expect(&r->h, ':'));
        peek = r->h;
        peek.err = NULL;
        if (format)
            r->torch =
                formats_header_string(&peek, value, sizeof value - 1) == CISTERN_OK && !strcmp(value, "pt");
        TRY(formats_header_string(&r->h, NULL, 0));
    } while (formats_header_try(&r->h, ','));
    return formats_header_expect(&r->h, '}');
}

static cistern_status read_member(reading *r)
{
    entry e = {.at = formats_header_at(&r->h)};

    TRY(formats_header_string(&r->h, e.name, MODEL_NAME_MAX));
    TRY(formats_header_expect(&r->h, ':'));
    return strcmp(e.name, "__metadata__") == 0 ? read_metadata(r, e.at) : read_entry(r, &e);
}

/* ---- the whole ---- */

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static cistern_status check_cover(reading *r)
{
    uint64_t end = 0, room = r->file->size - r->data;

    if (r->count == 0)
        return base_fail(r->err, CISTERN_UNREADABLE, "holds no tensors");
    qsort(r->ranges, r->count, sizeof *r->ranges, by_begin);
    for (size_t i = 0; i < r->count; i++) {
        const range *a = &r->ranges[i];
        if (a->begin != end)
            return FAIL(r, a->at,
                        "this tensor begins at byte %llu of the data, where the ones before it end at byte "
                        "%llu: %s",
                        (unsigned long long)a->begin, (unsigned long long)end,
                        a->begin < end ? "they overlap" : "there is a hole");
        end = a->end;
    }
    if (end != room)
        return FAIL(r, r->data + end, "%llu bytes after the last tensor", (unsigned long long)(room - end));
    return CISTERN_OK;
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static cistern_status read_header(reading *r)
{
    uint64_t size = r->file->size, length = le64(r->file->data);

    if (length > FORMATS_SAFETENSORS_HEADER_MAX)
        return FAIL(r, 0, "a header of %llu bytes, at most %u allowed", (unsigned long long)length,
                    FORMATS_SAFETENSORS_HEADER_MAX);
    if (length > size - LENGTH_BYTES)
        return FAIL(r, 0, "a header of %llu bytes, but the file has only %llu: it is cut short",
                    (unsigned long long)length, (unsigned long long)size);
    r->data = LENGTH_BYTES + length;
    r->h = (formats_header){
        .bytes = r->file->data + LENGTH_BYTES, .len = (size_t)length, .origin = LENGTH_BYTES, .err = r->err};
    TRY(formats_header_expect(&r->h, '{'));
    if (!formats_header_try(&r->h, '}')) {
        do {
            TRY(read_member(r));
        } while (formats_header_try(&r->h, ','));
        TRY(formats_header_expect(&r->h, '}'));
    }
    TRY(formats_header_end(&r->h));
    return check_cover(r);
}

cistern_status formats_safetensors_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err)
{
    reading r = {.file = file, .number = number, .index = out->index, .torch = true, .err = err};
    cistern_status st = read_header(&r);

    if (!st && !r.torch)
        model_index_note(out->index,
                         "its metadata names another framework than PyTorch (\"format\" is not \"pt\"): axes "
                         "may be in another order");
    free(r.ranges);
    return st;
}
