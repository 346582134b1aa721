/* ONNX's TensorProto: where the elements are.
 *
 * Invariants
 *  1. Elements are in exactly one place: raw_data, the field of the data type, or another file of the version.
 *  2. Another file is named by a bare file name and means the file of that name beside the ONNX file, among those that
 *     were handed over; nothing is ever opened for it.
 * Source: onnx/onnx.proto (TensorProto) and docs/ExternalData.md of the ONNX project.
 */
#include "priv/formats_onnx.h"

#include <string.h>
#include "base_mem.h"
#include "priv/formats_values.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(o, at, ...) base_fail_at((o)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

/* Fields of TensorProto. */
enum {
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_SEGMENT = 3,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_DOUBLE_DATA = 10,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14,
};
#define LOCATION_EXTERNAL 1
#define NAME_SHOWN        80 /* bytes of a name in messages */
#define ASIDE             "@onnx"

/* One row per data type that the index has; `field` holds the elements of tensors without raw_data. */
static const struct {
    uint32_t type;
    model_dtype dtype;
    uint32_t field, width;
} types[] = {
    {1, MODEL_F32, TENSOR_FLOAT_DATA, 4},   {2, MODEL_U8, TENSOR_INT32_DATA, 0},
    {3, MODEL_I8, TENSOR_INT32_DATA, 0},    {5, MODEL_I16, TENSOR_INT32_DATA, 0},
    {6, MODEL_I32, TENSOR_INT32_DATA, 0},   {7, MODEL_I64, TENSOR_INT64_DATA, 0},
    {9, MODEL_BOOL, TENSOR_INT32_DATA, 0},  {10, MODEL_F16, TENSOR_INT32_DATA, 0},
    {11, MODEL_F64, TENSOR_DOUBLE_DATA, 8}, {16, MODEL_BF16, TENSOR_INT32_DATA, 0},
};
#define TYPES (sizeof types / sizeof types[0])

typedef struct external {
    formats_text location;
    uint64_t offset, length, at;
    bool has_length;
} external;

typedef struct tensor {
    formats_text name;
    uint64_t type, where, at;
    uint64_t dims[MODEL_RANK_MAX];
    size_t rank;
    bool has_elements; /* in the message itself */
    external external;
} tensor;

/* ---- external data ---- */

/* Plain decimal digits. */
static bool parse_natural(formats_text text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.at[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return text.len > 0;
}

/* One {key, value}; keys that are not known (checksum) are skipped. */
static cistern_status read_external(formats_onnx *o, formats_protobuf *p, external *e)
{
    formats_text key = {0}, value = {0};
    formats_field f;
    bool more;

    e->at = p->pos;
    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            break;
        if (f.number == 1)
            TRY(formats_protobuf_text(p, &f, &key));
        if (f.number == 2)
            TRY(formats_protobuf_text(p, &f, &value));
    }
    if (formats_text_is(key, "location"))
        e->location = value;
    else if (formats_text_is(key, "offset") && !parse_natural(value, &e->offset))
        return FAIL(o, e->at, "an offset in another file that is no natural number of 64 bits");
    else if (formats_text_is(key, "length") && !(e->has_length = parse_natural(value, &e->length)))
        return FAIL(o, e->at, "a length in another file that is no natural number of 64 bits");
    return CISTERN_OK;
}

static bool is_bare(formats_text name)
{
    return name.len > 0 && !memchr(name.at, '/', name.len) && !memchr(name.at, '\\', name.len) &&
           !memchr(name.at, 0, name.len) && !formats_text_is(name, ".") && !formats_text_is(name, "..");
}

/* The file of this name beside the ONNX file; SIZE_MAX: it is not among those of the version. */
static size_t find_beside(const formats_onnx *o, formats_text name)
{
    const char *slash = strrchr(o->file->path, '/');
    size_t dir = slash ? (size_t)(slash + 1 - o->file->path) : 0;

    for (size_t i = 0; i < o->out->file_count; i++) {
        const char *path = o->out->files[i].path;
        if (i != o->number && strlen(path) == dir + name.len && memcmp(path, o->file->path, dir) == 0 &&
            memcmp(path + dir, name.at, name.len) == 0)
            return i;
    }
    return SIZE_MAX;
}

static cistern_status add_external(formats_onnx *o, const tensor *t, model_tensor *m, uint64_t bytes)
{
    const external *e = &t->external;
    uint64_t end;
    int shown = (int)(e->location.len < NAME_SHOWN ? e->location.len : NAME_SHOWN);

    if (t->has_elements)
        return FAIL(o, t->at, "tensor '%s' is in another file and here as well", m->name);
    if (!is_bare(e->location))
        return FAIL(o, e->at,
                    "tensor '%s' is in '%.*s', which is not the bare name of a file beside this one", m->name,
                    shown, e->location.at);
    size_t i = find_beside(o, e->location);
    if (i == SIZE_MAX)
        return FAIL(o, e->at,
                    "tensor '%s' is in the file '%.*s', which is not here: give it together with this one "
                    "(cistern add FILE FILE… --as NAME)",
                    m->name, shown, e->location.at);
    if (e->has_length && e->length != bytes)
        return FAIL(o, e->at, "tensor '%s' has %llu bytes in '%.*s', but its shape takes %llu", m->name,
                    (unsigned long long)e->length, shown, e->location.at, (unsigned long long)bytes);
    if (!base_add_u64(e->offset, bytes, &end) || end > o->out->files[i].size)
        return FAIL(o, e->at, "tensor '%s' is at byte %llu of '%.*s', beyond the end of its %llu bytes",
                    m->name, (unsigned long long)e->offset, shown, e->location.at,
                    (unsigned long long)o->out->files[i].size);
    o->out->taken[i] = true;
    m->file = (uint32_t)i;
    m->offset = e->offset;
    return model_index_add(o->out->index, m, o->err);
}

/* ---- a tensor ---- */

static cistern_status read_field(formats_onnx *o, formats_protobuf *p, const formats_field *f, tensor *t)
{
    formats_protobuf entry;

    switch (f->number) {
    case TENSOR_DIMS:
        return formats_protobuf_numbers(p, f, t->dims, MODEL_RANK_MAX, &t->rank);
    case TENSOR_DATA_TYPE:
        return formats_protobuf_number(p, f, &t->type);
    case TENSOR_SEGMENT:
        return FAIL(o, f->at, "a tensor in segments, which this version does not read");
    case TENSOR_NAME:
        return formats_protobuf_text(p, f, &t->name);
    case TENSOR_EXTERNAL:
        TRY(formats_protobuf_enter(p, f, &entry));
        return read_external(o, &entry, &t->external);
    case TENSOR_LOCATION:
        return formats_protobuf_number(p, f, &t->where);
    case TENSOR_FLOAT_DATA:
    case TENSOR_INT32_DATA:
    case TENSOR_INT64_DATA:
    case TENSOR_DOUBLE_DATA:
    case TENSOR_RAW_DATA:
        t->has_elements = t->has_elements || f->wire != FORMATS_WIRE_BYTES || f->value > 0;
        return CISTERN_OK;
    default:
        return CISTERN_OK;
    }
}

static cistern_status add_tensor(formats_onnx *o, const formats_protobuf *message, const tensor *t,
                                 const char *name, size_t *out_number)
{
    formats_values v = {.message = *message, .raw = TENSOR_RAW_DATA, .file = o->number};
    model_tensor m = {.name = name, .rank = (uint32_t)t->rank};
    uint64_t bytes;
    size_t row = 0;

    while (row < TYPES && types[row].type != t->type)
        row++;
    if (row == TYPES) {
        o->left_out++;
        return CISTERN_OK;
    }
    m.dtype = types[row].dtype;
    v.field = types[row].field;
    v.width = types[row].width;
    memcpy(m.shape, t->dims, sizeof m.shape);
    if (t->where != LOCATION_EXTERNAL)
        return formats_values_add(&v, &m, o->out, out_number);
    if (!formats_values_strides(&m, &bytes))
        return FAIL(o, t->at, "tensor '%s' has a shape whose size overflows", name);
    size_t number = model_index_count(o->out->index);
    TRY(add_external(o, t, &m, bytes));
    *out_number = number;
    return CISTERN_OK;
}

/* Names of PyTorch modules are not bound as such: the graph says what a tensor is, after batch norms were folded into
 * convolutions, say. So they step aside for the views. */
static void put_name(formats_text name, char *out)
{
    static const char *const bound[] = {"features.", "classifier.", "pre_logits.", "head.fc."};
    bool aside = false;

    memcpy(out, name.at, name.len);
    out[name.len] = 0;
    for (size_t i = 0; i < sizeof bound / sizeof bound[0]; i++)
        aside = aside || strstr(out, bound[i]);
    if (aside)
        memcpy(out + name.len, ASIDE, sizeof ASIDE);
}

cistern_status formats_onnx_tensor(formats_onnx *o, const formats_protobuf *message, formats_text name)
{
    formats_protobuf p = *message;
    tensor t = {.at = p.pos};
    char text[MODEL_NAME_MAX + sizeof ASIDE];
    formats_node node;
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        TRY(read_field(o, &p, &f, &t));
    }
    if (name.len)
        t.name = name;
    if (t.name.len == 0 || t.name.len > MODEL_NAME_MAX || memchr(t.name.at, 0, t.name.len))
        return FAIL(o, t.at, "a tensor's name has %zu bytes, or a zero among them; 1 to %d allowed",
                    t.name.len, MODEL_NAME_MAX);
    put_name(t.name, text);
    formats_node_init(&node);
    node.op = FORMATS_OP_CONSTANT;
    node.name = t.name;
    TRY(add_tensor(o, message, &t, text, &node.tensor));
    return formats_graph_add(o->graph, &node, o->err);
}
