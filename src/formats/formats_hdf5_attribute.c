/* HDF5 attributes that hold texts, and the types and spaces that they share with datasets (specification IV.A.2.b, d, m;
 * III.E global heap).
 *
 * Invariants
 *  1. Texts stay where they are: fixed ones in the object header, variable ones in a collection of the global heap.
 */
#include "priv/formats_hdf5.h"

#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

#define VARIABLE_BYTES 16u /* of a reference into the global heap: length, collection, number */
#define GCOL_HEAD      16u
#define GCOL_OBJECT    16u /* bytes before an object's content */

/* ---- types ---- */

/* Bit layouts of IEEE 754, and of bfloat16 as its writers describe it. */
static model_dtype floating_dtype(const uint8_t *p, uint32_t size)
{
    static const struct {
        uint32_t size;
        uint8_t exponent_at, exponent, mantissa;
        uint32_t bias;
        model_dtype dtype;
    } kinds[] = {{2, 10, 5, 10, 15, MODEL_F16},
                 {2, 7, 8, 7, 127, MODEL_BF16},
                 {4, 23, 8, 23, 127, MODEL_F32},
                 {8, 52, 11, 52, 1023, MODEL_F64}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].size == size && formats_hdf5_le(p, 2) == 0 && formats_hdf5_le(p + 2, 2) == 8 * size &&
            p[4] == kinds[i].exponent_at && p[5] == kinds[i].exponent && p[6] == 0 &&
            p[7] == kinds[i].mantissa && formats_hdf5_le(p + 8, 4) == kinds[i].bias)
            return kinds[i].dtype;
    }
    return (model_dtype)0;
}

static model_dtype fixed_dtype(uint32_t size, bool has_sign)
{
    if (!has_sign)
        return size == 1 ? MODEL_U8 : (model_dtype)0;
    switch (size) {
    case 1:
        return MODEL_I8;
    case 2:
        return MODEL_I16;
    case 4:
        return MODEL_I32;
    case 8:
        return MODEL_I64;
    default:
        return (model_dtype)0;
    }
}

cistern_status formats_hdf5_type_read(formats_hdf5 *h, const uint8_t *p, size_t n, uint64_t at,
                                      formats_hdf5_type *out)
{
    formats_hdf5_type t = {0};

    if (n < 8)
        return FORMATS_HDF5_FAIL(h, at, "a datatype of %zu bytes, 8 are needed", n);
    t.class_number = p[0] & 0x0f;
    t.size = (uint32_t)formats_hdf5_le(p + 4, 4);
    if (t.size == 0)
        return FORMATS_HDF5_FAIL(h, at, "a datatype whose elements have 0 bytes");
    if (t.class_number == FORMATS_HDF5_FLOAT && n >= 20) {
        t.big_endian = (p[1] & 1) != 0;
        if ((p[1] & 0x40) == 0 && (p[1] & 0x30) == 0x20)
            t.dtype = floating_dtype(p + 8, t.size);
    } else if (t.class_number == FORMATS_HDF5_FIXED) {
        t.big_endian = (p[1] & 1) != 0;
        t.dtype = fixed_dtype(t.size, (p[1] & 8) != 0);
    } else if (t.class_number == FORMATS_HDF5_VARIABLE) {
        t.text = (p[1] & 0x0f) == 1;
    }
    *out = t;
    return CISTERN_OK;
}

cistern_status formats_hdf5_space_read(formats_hdf5 *h, const uint8_t *p, size_t n, uint64_t at,
                                       formats_hdf5_space *out)
{
    formats_hdf5_space s = {0};
    size_t head = n >= 4 && p[0] == 1 ? 8 : 4;

    if (n < head || (p[0] != 1 && p[0] != 2))
        return FORMATS_HDF5_FAIL(h, at, "a dataspace that is cut or of another version than 1 and 2");
    s.rank = p[1];
    s.null = p[0] == 2 && p[3] == 2;
    if (s.rank > MODEL_RANK_MAX)
        return FORMATS_HDF5_FAIL(h, at, "a dataspace of %u dimensions, at most %d allowed", s.rank,
                                 MODEL_RANK_MAX);
    if (n - head < s.rank * (size_t)8)
        return FORMATS_HDF5_FAIL(h, at, "a dataspace of %u dimensions that is cut", s.rank);
    for (uint32_t i = 0; i < s.rank; i++)
        s.shape[i] = formats_hdf5_le(p + head + i * (size_t)8, 8);
    *out = s;
    return CISTERN_OK;
}

/* ---- an attribute message ---- */

typedef struct wanted {
    const char *name;
    bool found;
    formats_hdf5_type type;
    formats_hdf5_space space;
    const uint8_t *data;
    size_t size;
    uint64_t at;
} wanted;

static size_t padded(unsigned version, size_t n)
{
    return version == 1 ? (n + 7) / 8 * 8 : n;
}

static bool name_is(const uint8_t *p, size_t n, const char *name)
{
    size_t len = strlen(name);

    return n >= len && memcmp(p, name, len) == 0 && (n == len || p[len] == 0);
}

static cistern_status take_attribute(formats_hdf5 *h, wanted *w, const formats_hdf5_message *m)
{
    const uint8_t *p = m->data;
    unsigned version = m->size >= 8 ? p[0] : 0;
    size_t head = version == 3 ? 9 : 8;

    if (version < 1 || version > 3 || m->size < head)
        return FORMATS_HDF5_FAIL(h, m->at, "an attribute that is cut or of another version than 1 to 3");
    size_t name = (size_t)formats_hdf5_le(p + 2, 2), type = (size_t)formats_hdf5_le(p + 4, 2),
           space = (size_t)formats_hdf5_le(p + 6, 2);
    size_t type_at = head + padded(version, name), space_at = type_at + padded(version, type),
           data_at = space_at + padded(version, space);
    if (data_at > m->size)
        return FORMATS_HDF5_FAIL(h, m->at, "an attribute whose parts reach beyond it");
    if (!name_is(p + head, name, w->name))
        return CISTERN_OK;
    if (version > 1 && p[1] != 0)
        return FORMATS_HDF5_FAIL(
            h, m->at, "attribute '%s' has a shared type, which this version does not read", w->name);
    cistern_status st = formats_hdf5_type_read(h, p + type_at, type, m->at + type_at, &w->type);
    if (!st)
        st = formats_hdf5_space_read(h, p + space_at, space, m->at + space_at, &w->space);
    if (st)
        return st;
    w->found = true;
    w->data = p + data_at;
    w->size = m->size - data_at;
    w->at = m->at + data_at;
    return CISTERN_OK;
}

static cistern_status attribute_message(formats_hdf5 *h, void *user, const formats_hdf5_message *m)
{
    wanted *w = user;

    if (m->type == FORMATS_HDF5_ATTRIBUTE_INFO) {
        size_t at = 2 + (m->size >= 2 && (m->data[1] & 1) ? 2u : 0u);
        if (m->size >= at + 8 && formats_hdf5_le(m->data + at, 8) != FORMATS_HDF5_UNDEFINED)
            return FORMATS_HDF5_FAIL(
                h, m->at,
                "dense attributes (written with libver='latest'), which this version does "
                "not read: save the file again with h5py's defaults");
    }
    if (m->type != FORMATS_HDF5_ATTRIBUTE || w->found)
        return CISTERN_OK;
    if (m->shared)
        return FORMATS_HDF5_FAIL(h, m->at, "a shared attribute, which this version does not read");
    return take_attribute(h, w, m);
}

/* ---- texts ---- */

static cistern_status add_text(formats_hdf5 *h, formats_hdf5_texts *texts, uint64_t at, const uint8_t *bytes,
                               size_t len)
{
    if (texts->count == FORMATS_HDF5_TEXTS_MAX)
        return FORMATS_HDF5_FAIL(h, at, "an attribute of more than %u texts", FORMATS_HDF5_TEXTS_MAX);
    if (texts->count == texts->capacity) {
        size_t capacity = texts->capacity ? texts->capacity * 2 : 64;
        formats_hdf5_text *bigger;
        cistern_status st = base_calloc(capacity, sizeof *bigger, &bigger, h->err);
        if (st)
            return st;
        if (texts->count)
            memcpy(bigger, texts->text, texts->count * sizeof *bigger);
        free(texts->text);
        texts->text = bigger;
        texts->capacity = capacity;
    }
    texts->text[texts->count++] = (formats_hdf5_text){bytes, len};
    return CISTERN_OK;
}

/* Object `number` of a collection of the global heap. */
static cistern_status find_object(formats_hdf5 *h, uint64_t collection, uint64_t number, uint64_t at,
                                  const uint8_t **out, uint64_t *out_size)
{
    const uint8_t *p;
    uint64_t end, here = collection + GCOL_HEAD;
    cistern_status st = formats_hdf5_take(h, collection, GCOL_HEAD, "a collection of the global heap", &p);

    if (st)
        return st;
    uint64_t size = formats_hdf5_le(p + 8, 8);
    if (memcmp(p, "GCOL", 4) != 0 || size < GCOL_HEAD || size > h->size - collection)
        return FORMATS_HDF5_FAIL(h, collection, "no collection of the global heap where a text should lie");
    for (end = collection + size; end - here >= GCOL_OBJECT;) {
        if ((st = formats_hdf5_take(h, here, GCOL_OBJECT, "an object of the global heap", &p)))
            return st;
        uint64_t index = formats_hdf5_le(p, 2), length = formats_hdf5_le(p + 8, 8);
        if (length > end - here - GCOL_OBJECT)
            break; /* for free space the length counts its own head: nothing is behind it */
        if (index == number && index != 0) {
            *out = p + GCOL_OBJECT;
            *out_size = length;
            return CISTERN_OK;
        }
        uint64_t whole = (index == 0 ? 0 : GCOL_OBJECT) + (length + 7) / 8 * 8;
        if (whole < GCOL_OBJECT || whole > end - here)
            break;
        here += whole;
    }
    return FORMATS_HDF5_FAIL(h, at, "a text is object %llu of a collection of the global heap that has none",
                             (unsigned long long)number);
}

static cistern_status add_variable(formats_hdf5 *h, formats_hdf5_texts *texts, const uint8_t *p, uint64_t at)
{
    uint64_t len = formats_hdf5_le(p, 4), collection = formats_hdf5_le(p + 4, 8), size = 0;
    const uint8_t *bytes = p;
    cistern_status st = CISTERN_OK;

    if (len)
        st = find_object(h, collection, formats_hdf5_le(p + 12, 4), at, &bytes, &size);
    if (!st && len > size)
        return FORMATS_HDF5_FAIL(h, at, "a text of %llu bytes in an object of %llu", (unsigned long long)len,
                                 (unsigned long long)size);
    return st ? st : add_text(h, texts, at, bytes, (size_t)len);
}

static cistern_status add_fixed(formats_hdf5 *h, formats_hdf5_texts *texts, const uint8_t *p, size_t n,
                                uint64_t at)
{
    const uint8_t *zero = memchr(p, 0, n);
    size_t len = zero ? (size_t)(zero - p) : n;

    while (len && p[len - 1] == ' ') /* padded with spaces, as Fortran does */
        len--;
    return add_text(h, texts, at, p, len);
}

static cistern_status take_texts(formats_hdf5 *h, const wanted *w, formats_hdf5_texts *out)
{
    bool variable = w->type.class_number == FORMATS_HDF5_VARIABLE && w->type.text;
    size_t width = variable ? VARIABLE_BYTES : w->type.size;
    uint64_t count = w->space.null ? 0 : 1;
    cistern_status st = CISTERN_OK;

    for (uint32_t i = 0; i < w->space.rank; i++) {
        if (!base_mul_u64(count, w->space.shape[i], &count))
            count = UINT64_MAX;
    }
    if (count == 0) /* an empty list, of whatever type */
        return CISTERN_OK;
    if (!variable && w->type.class_number != FORMATS_HDF5_STRING)
        return FORMATS_HDF5_FAIL(h, w->at, "attribute '%s' holds no texts", w->name);
    if (count > w->size / width)
        return FORMATS_HDF5_FAIL(h, w->at, "attribute '%s' has %llu texts of %zu bytes each in %zu bytes",
                                 w->name, (unsigned long long)count, width, w->size);
    for (uint64_t i = 0; !st && i < count; i++) {
        const uint8_t *p = w->data + i * width;
        st = variable ? add_variable(h, out, p, w->at + i * width)
                      : add_fixed(h, out, p, width, w->at + i * width);
    }
    return st;
}

cistern_status formats_hdf5_texts_read(formats_hdf5 *h, uint64_t object, const char *name,
                                       formats_hdf5_texts *out, bool *out_found)
{
    wanted w = {.name = name};
    cistern_status st = formats_hdf5_messages(h, object, attribute_message, &w);

    if (!st && w.found)
        st = take_texts(h, &w, out);
    if (!st)
        *out_found = w.found;
    return st;
}

void formats_hdf5_texts_clear(formats_hdf5_texts *texts)
{
    free(texts->text);
    *texts = (formats_hdf5_texts){0};
}
