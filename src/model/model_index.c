/* The tensor index in memory and as bytes.
 *
 * Stored form, little endian, no padding:
 *   8 bytes "CISTIDX2"; u32 family; u32 tensors; u32 files; u32 notes; u32 length of kind; u32 head;
 *   f64 epsilon of batch norm (0: the family's); u64 size of each file; kind; each note: u32 length, bytes;
 *   each tensor: u32 dtype, u32 file, u32 rank, u32 length of name, u64 offset, u64 shape[rank], u64 stride[rank], name.
 * Where the file says something of its input, model_said.c's bytes follow. Nothing else may. Decoding goes through model_index_add, so that stored bytes are trusted no more than a file.
 */
#include "model_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base_cursor.h"
#include "base_mem.h"
#include "model_said.h"

#define INDEX_MAGIC       "CISTIDX2"
#define INDEX_MAGIC_LEN   8
#define INDEX_KIND_MAX    64 /* bytes */
#define INDEX_NOTES_MAX   16
#define INDEX_NOTE_MAX    256 /* bytes */
/* Slots looked at for one name. At half load honest names take some dozens; 65,536 chosen ones would take minutes. */
#define INDEX_PROBES_MAX  1024
#define INDEX_EPSILON_MAX 1.0 /* frameworks' defaults are 1e-5 and 1e-3 */

struct model_index {
    uint64_t *file_sizes;
    size_t file_count;
    model_tensor *tensors;
    size_t count, capacity;
    uint32_t *slots; /* open addressing over names: number + 1, or 0; slot_count is a power of two */
    size_t slot_count;
    char kind[INDEX_KIND_MAX];
    model_family family;
    model_head head;
    double epsilon; /* 0: the family's */
    model_said said;
    char notes[INDEX_NOTES_MAX][INDEX_NOTE_MAX];
    size_t note_count;
};

const char *model_family_text(model_family family)
{
    switch (family) {
#define MODEL_FAMILY_CASE(name, value, text)                                                                 \
    case MODEL_FAMILY_##name:                                                                                \
        return text;
        MODEL_FAMILY_MAP(MODEL_FAMILY_CASE)
#undef MODEL_FAMILY_CASE
    }
    return "unknown";
}

double model_family_epsilon(model_family family)
{
    switch (family) {
    case MODEL_FAMILY_KERAS:      /* keras.layers.BatchNormalization */
    case MODEL_FAMILY_TENSORFLOW: /* tf.keras; tf.contrib.layers.batch_norm, which slim uses */
        return 1e-3;
    case MODEL_FAMILY_TORCH: /* torch.nn.BatchNorm2d */
    case MODEL_FAMILY_ONNX:  /* the operator BatchNormalization */
    case MODEL_FAMILY_CAFFE: /* BatchNormParameter */
    case MODEL_FAMILY_MXNET: /* gluon.nn.BatchNorm */
    case MODEL_FAMILY_UNKNOWN:
        return 1e-5;
    }
    return 1e-5;
}

const char *model_head_text(model_head head)
{
    switch (head) {
#define MODEL_HEAD_CASE(name, value, text)                                                                   \
    case MODEL_HEAD_##name:                                                                                  \
        return text;
        MODEL_HEAD_MAP(MODEL_HEAD_CASE)
#undef MODEL_HEAD_CASE
    }
    return "unknown";
}

model_head model_head_parse(const char *text)
{
#define MODEL_HEAD_TRY(name, value, its_text)                                                                \
    if (text && strcmp(text, its_text) == 0)                                                                 \
        return MODEL_HEAD_##name;
    MODEL_HEAD_MAP(MODEL_HEAD_TRY)
#undef MODEL_HEAD_TRY
    return MODEL_HEAD_UNKNOWN;
}

/* FNV-1a. Names come from a file, which can choose them to collide: see INDEX_PROBES_MAX. */
static size_t name_hash(const char *name)
{
    uint64_t h = 1469598103934665603ull;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211ull;
    return (size_t)(h ^ h >> 32);
}

/* Length of the UTF-8 sequence that starts here, 0 if it is none (overlong, surrogate, above U+10FFFF). */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80             ? 1
               : (p[0] & 0xe0) == 0xc0 ? 2
               : (p[0] & 0xf0) == 0xe0 ? 3
               : (p[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    uint32_t code;
    if (n < 2 || n > left)
        return n == 1 ? 1 : 0;
    code = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return n;
}

static bool name_valid(const char *name)
{
    size_t len = strnlen(name, MODEL_NAME_MAX + 1);
    if (len == 0 || len > MODEL_NAME_MAX)
        return false;
    for (size_t i = 0; i < len;) {
        const uint8_t *p = (const uint8_t *)name + i;
        size_t n = utf8_length(p, len - i);
        if (n == 0 || p[0] < 0x20 || p[0] == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0))
            return false;
        i += n;
    }
    return true;
}

cistern_status model_index_new(const uint64_t *file_sizes, size_t file_count, model_index **out,
                               cistern_error *err)
{
    model_index *index = NULL;
    cistern_status st;
    if (file_count == 0 || file_count > MODEL_FILES_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "%zu files, from 1 to %d allowed", file_count,
                         MODEL_FILES_MAX);
    st = base_calloc(1, sizeof *index, &index, err);
    if (st != CISTERN_OK)
        return st;
    st = base_calloc(file_count, sizeof *file_sizes, &index->file_sizes, err);
    if (st != CISTERN_OK) {
        model_index_free(index);
        return st;
    }
    memcpy(index->file_sizes, file_sizes, file_count * sizeof *file_sizes);
    index->file_count = file_count;
    *out = index;
    return CISTERN_OK;
}

cistern_status model_index_add_file(model_index *index, uint64_t size, uint32_t *out_number,
                                    cistern_error *err)
{
    uint64_t *sizes = NULL;
    cistern_status st;
    if (index->file_count >= MODEL_FILES_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "more than %d files, those of decoded tensors included",
                         MODEL_FILES_MAX);
    st = base_calloc(index->file_count + 1, sizeof *sizes, &sizes, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(sizes, index->file_sizes, index->file_count * sizeof *sizes);
    free(index->file_sizes);
    index->file_sizes = sizes;
    sizes[index->file_count] = size;
    *out_number = (uint32_t)index->file_count++;
    return CISTERN_OK;
}

void model_index_free(model_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++)
        free((void *)(uintptr_t)index->tensors[i].name);
    free(index->tensors);
    free(index->slots);
    free(index->file_sizes);
    free(index);
}

static size_t slot_of(const model_index *index, const char *name)
{
    size_t slot = name_hash(name) & (index->slot_count - 1);
    while (index->slots[slot] != 0 && strcmp(index->tensors[index->slots[slot] - 1].name, name) != 0)
        slot = (slot + 1) & (index->slot_count - 1);
    return slot;
}

/* Whether the place of a new name is absurdly far from where its hash puts it. */
static bool crowded(const model_index *index, const char *name)
{
    size_t first = name_hash(name) & (index->slot_count - 1);
    size_t probes = 0;
    while (probes <= INDEX_PROBES_MAX && index->slots[(first + probes) & (index->slot_count - 1)] != 0)
        probes++;
    return probes > INDEX_PROBES_MAX;
}

static cistern_status index_grow(model_index *index, cistern_error *err)
{
    size_t capacity = index->capacity ? index->capacity * 2 : 64;
    model_tensor *tensors = NULL;
    uint32_t *slots = NULL;
    cistern_status st = base_calloc(capacity, sizeof *tensors, &tensors, err);
    if (st == CISTERN_OK)
        st = base_calloc(capacity * 2, sizeof *slots, &slots, err);
    if (st != CISTERN_OK) {
        free(tensors);
        return st;
    }
    if (index->count)
        memcpy(tensors, index->tensors, index->count * sizeof *tensors);
    free(index->tensors);
    free(index->slots);
    index->tensors = tensors;
    index->slots = slots;
    index->capacity = capacity;
    index->slot_count = capacity * 2;
    for (size_t i = 0; i < index->count; i++)
        slots[slot_of(index, tensors[i].name)] = (uint32_t)i + 1;
    return CISTERN_OK;
}

static cistern_status tensor_check(const model_index *index, const model_tensor *t, cistern_error *err)
{
    uint64_t extent, end, count;
    if (!name_valid(t->name))
        return base_fail(err, CISTERN_UNREADABLE,
                         "a tensor's name is empty, longer than %d bytes, or not plain UTF-8 text",
                         MODEL_NAME_MAX);
    if (model_dtype_bytes(t->dtype) == 0)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': element type %d is not known", t->name,
                         (int)t->dtype);
    if (t->rank > MODEL_RANK_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': %u dimensions, at most %d allowed", t->name,
                         t->rank, MODEL_RANK_MAX);
    if (t->file >= index->file_count)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': is in file %u of %zu", t->name, t->file,
                         index->file_count);
    if (!model_tensor_count(t, &count) || !model_tensor_extent(t, &extent) ||
        !base_add_u64(t->offset, extent, &end) || end > index->file_sizes[t->file])
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': reaches beyond the file's %llu bytes",
                         t->name, (unsigned long long)index->file_sizes[t->file]);
    return CISTERN_OK;
}

cistern_status model_index_settle_file(model_index *index, uint32_t file, uint64_t shift, uint64_t size,
                                       cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    assert(file < index->file_count);
    index->file_sizes[file] = size;
    for (size_t i = 0; i < index->count && st == CISTERN_OK; i++) {
        model_tensor *t = &index->tensors[i];
        if (t->file != file)
            continue;
        if (!base_add_u64(t->offset, shift, &t->offset))
            return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': its place overflows", t->name);
        st = tensor_check(index, t, err);
    }
    return st;
}

cistern_status model_index_add(model_index *index, const model_tensor *t, cistern_error *err)
{
    model_tensor *kept;
    char *name = NULL;
    cistern_status st = tensor_check(index, t, err);
    if (st != CISTERN_OK)
        return st;
    if (index->count >= MODEL_TENSORS_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "more than %d tensors", MODEL_TENSORS_MAX);
    if (index->count == index->capacity && (st = index_grow(index, err)) != CISTERN_OK)
        return st;
    if (crowded(index, t->name))
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': names chosen to slow down its reader",
                         t->name);
    if (index->slots[slot_of(index, t->name)] != 0)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s' is there twice", t->name);
    st = base_strdup(t->name, &name, err);
    if (st != CISTERN_OK)
        return st;
    kept = &index->tensors[index->count];
    *kept = *t;
    kept->name = name;
    for (uint32_t d = t->rank; d < MODEL_RANK_MAX; d++)
        kept->shape[d] = kept->stride[d] = 0;
    index->count++;
    index->slots[slot_of(index, name)] = (uint32_t)index->count;
    return CISTERN_OK;
}

cistern_status model_index_reshape(model_index *index, size_t i, uint32_t rank, const uint64_t *shape,
                                   const uint64_t *stride, cistern_error *err)
{
    model_tensor t;
    cistern_status st;
    assert(i < index->count && rank <= MODEL_RANK_MAX);
    t = index->tensors[i];
    t.rank = rank;
    memset(t.shape, 0, sizeof t.shape);
    memset(t.stride, 0, sizeof t.stride);
    memcpy(t.shape, shape, rank * sizeof shape[0]);
    memcpy(t.stride, stride, rank * sizeof stride[0]);
    st = tensor_check(index, &t, err);
    if (st == CISTERN_OK)
        index->tensors[i] = t;
    return st;
}

cistern_status model_index_set_kind(model_index *index, const char *kind, model_family family,
                                    cistern_error *err)
{
    if (strlen(kind) >= INDEX_KIND_MAX)
        return base_fail(err, CISTERN_UNEXPECTED, "kind '%s' is longer than %d bytes", kind,
                         INDEX_KIND_MAX - 1);
    memset(index->kind, 0, sizeof index->kind);
    memcpy(index->kind, kind, strlen(kind));
    index->family = family;
    return CISTERN_OK;
}

cistern_status model_index_set_epsilon(model_index *index, double epsilon, cistern_error *err)
{
    if (!(epsilon > 0 && epsilon <= INDEX_EPSILON_MAX))
        return base_fail(err, CISTERN_UNREADABLE, "batch norm adds %g to the variance; above 0 to %g allowed",
                         epsilon, INDEX_EPSILON_MAX);
    index->epsilon = epsilon;
    return CISTERN_OK;
}

cistern_status model_index_set_said(model_index *index, const model_said *said, cistern_error *err)
{
    if (!model_said_valid(said))
        return base_fail(err, CISTERN_UNREADABLE,
                         "it says of its input what no picture can be prepared with");
    index->said = *said;
    return CISTERN_OK;
}

void model_index_set_head(model_index *index, model_head head)
{
    index->head = head;
}

void model_index_note(model_index *index, const char *note)
{
    size_t n = strnlen(note, INDEX_NOTE_MAX - 1);
    if (index->note_count == INDEX_NOTES_MAX)
        return;
    memcpy(index->notes[index->note_count], note, n);
    index->notes[index->note_count++][n] = 0;
}

size_t model_index_count(const model_index *index)
{
    return index->count;
}

const model_tensor *model_index_peek(const model_index *index, size_t i)
{
    assert(i < index->count);
    return &index->tensors[i];
}

const model_tensor *model_index_find(const model_index *index, const char *name)
{
    uint32_t number;
    if (index->slot_count == 0)
        return NULL;
    number = index->slots[slot_of(index, name)];
    return number ? &index->tensors[number - 1] : NULL;
}

const char *model_index_kind(const model_index *index)
{
    return index->kind;
}

model_family model_index_family(const model_index *index)
{
    return index->family;
}

double model_index_epsilon(const model_index *index)
{
    return index->epsilon > 0 ? index->epsilon : model_family_epsilon(index->family);
}

bool model_index_says_epsilon(const model_index *index)
{
    return index->epsilon > 0;
}

const model_said *model_index_said(const model_index *index)
{
    return &index->said;
}

model_head model_index_head(const model_index *index)
{
    return index->head;
}

size_t model_index_note_count(const model_index *index)
{
    return index->note_count;
}

const char *model_index_note_peek(const model_index *index, size_t i)
{
    assert(i < index->note_count);
    return index->notes[i];
}

size_t model_index_file_count(const model_index *index)
{
    return index->file_count;
}

uint64_t model_index_file_size(const model_index *index, size_t file)
{
    assert(file < index->file_count);
    return index->file_sizes[file];
}

static cistern_status put_u32(base_buf *out, size_t value, cistern_error *err)
{
    uint32_t v = (uint32_t)value;
    return base_buf_put(out, &v, sizeof v, err);
}

static cistern_status put_text(base_buf *out, const char *text, cistern_error *err)
{
    cistern_status st = put_u32(out, strlen(text), err);
    return st == CISTERN_OK ? base_buf_put(out, text, strlen(text), err) : st;
}

static cistern_status encode_tensor(const model_tensor *t, base_buf *out, cistern_error *err)
{
    uint32_t head[4] = {(uint32_t)t->dtype, t->file, t->rank, (uint32_t)strlen(t->name)};
    cistern_status st = base_buf_put(out, head, sizeof head, err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, &t->offset, sizeof t->offset, err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, t->shape, t->rank * sizeof t->shape[0], err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, t->stride, t->rank * sizeof t->stride[0], err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, t->name, strlen(t->name), err);
    return st;
}

cistern_status model_index_encode(const model_index *index, base_buf *out, cistern_error *err)
{
    cistern_status st = base_buf_put(out, INDEX_MAGIC, INDEX_MAGIC_LEN, err);
    size_t head[6] = {(size_t)index->family, index->count,        index->file_count,
                      index->note_count,     strlen(index->kind), (size_t)index->head};
    for (size_t i = 0; i < 6 && st == CISTERN_OK; i++)
        st = put_u32(out, head[i], err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, &index->epsilon, sizeof index->epsilon, err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, index->file_sizes, index->file_count * sizeof index->file_sizes[0], err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, index->kind, strlen(index->kind), err);
    for (size_t i = 0; i < index->note_count && st == CISTERN_OK; i++)
        st = put_text(out, index->notes[i], err);
    for (size_t i = 0; i < index->count && st == CISTERN_OK; i++)
        st = encode_tensor(&index->tensors[i], out, err);
    if (st == CISTERN_OK && model_said_something(&index->said))
        st = model_said_encode(&index->said, out, err);
    return st;
}

/* The decoder's own trouble with bytes, as opposed to what model_index_add finds wrong. */
static cistern_status bad_bytes(const base_cursor *c, cistern_error *err, const char *what)
{
    return base_fail_at(err, CISTERN_DAMAGED, c->pos, "tensor index: %s", what);
}

/* A short text of the index (kind, note) into out of `size` bytes. */
static bool take_text(base_cursor *c, uint32_t len, char *out, size_t size)
{
    const uint8_t *bytes;
    if (len >= size || !base_cursor_take(c, len, &bytes) || memchr(bytes, 0, len))
        return false;
    memcpy(out, bytes, len);
    out[len] = 0;
    return true;
}

static cistern_status decode_tensor(base_cursor *c, model_index *index, cistern_error *err)
{
    model_tensor t = {0};
    char name[MODEL_NAME_MAX + 1];
    uint32_t dtype, name_len;
    cistern_status st;
    if (!base_cursor_u32(c, &dtype) || !base_cursor_u32(c, &t.file) || !base_cursor_u32(c, &t.rank) ||
        !base_cursor_u32(c, &name_len) || !base_cursor_u64(c, &t.offset))
        return bad_bytes(c, err, "ends within a tensor");
    if (t.rank > MODEL_RANK_MAX)
        return bad_bytes(c, err, "a tensor has too many dimensions");
    for (uint32_t d = 0; d < t.rank; d++) {
        if (!base_cursor_u64(c, &t.shape[d]))
            return bad_bytes(c, err, "ends within a shape");
    }
    for (uint32_t d = 0; d < t.rank; d++) {
        if (!base_cursor_u64(c, &t.stride[d]))
            return bad_bytes(c, err, "ends within strides");
    }
    if (!take_text(c, name_len, name, sizeof name))
        return bad_bytes(c, err, "a name is cut or too long");
    t.dtype = (model_dtype)dtype;
    t.name = name;
    st = model_index_add(index, &t, err);
    if (st == CISTERN_UNREADABLE) {
        if (err)
            err->status = CISTERN_DAMAGED;
        st = CISTERN_DAMAGED;
    }
    return st == CISTERN_OK ? st : base_frame(err, st, "tensor index");
}

typedef struct index_head {
    uint32_t family, count, files, notes, kind_len, head;
    double epsilon;
} index_head;

/* Whether the values are some that this release writes. */
static bool head_valid(const index_head *h)
{
    bool family = h->family == MODEL_FAMILY_UNKNOWN ||
                  strcmp(model_family_text((model_family)h->family), "unknown") != 0;
    bool head = h->head == MODEL_HEAD_UNKNOWN || strcmp(model_head_text((model_head)h->head), "unknown") != 0;
    return family && head && h->epsilon >= 0 && h->epsilon <= INDEX_EPSILON_MAX;
}

static cistern_status decode_head(base_cursor *c, const uint64_t *file_sizes, size_t file_count,
                                  index_head *h, cistern_error *err)
{
    const uint8_t *magic;
    uint64_t epsilon;
    if (!base_cursor_take(c, INDEX_MAGIC_LEN, &magic) || memcmp(magic, INDEX_MAGIC, INDEX_MAGIC_LEN) != 0)
        return bad_bytes(c, err, "does not begin with " INDEX_MAGIC);
    if (!base_cursor_u32(c, &h->family) || !base_cursor_u32(c, &h->count) || !base_cursor_u32(c, &h->files) ||
        !base_cursor_u32(c, &h->notes) || !base_cursor_u32(c, &h->kind_len) ||
        !base_cursor_u32(c, &h->head) || !base_cursor_u64(c, &epsilon))
        return bad_bytes(c, err, "ends within its head");
    memcpy(&h->epsilon, &epsilon, sizeof epsilon);
    if (!head_valid(h))
        return bad_bytes(c, err, "has a family, head or epsilon that is not known");
    if (h->files != file_count || h->count > MODEL_TENSORS_MAX || h->notes > INDEX_NOTES_MAX)
        return bad_bytes(c, err, "counts are not those of this version");
    for (size_t i = 0; i < file_count; i++) {
        uint64_t size;
        if (!base_cursor_u64(c, &size) || size != file_sizes[i])
            return bad_bytes(c, err, "was made for files of other sizes");
    }
    return CISTERN_OK;
}

static cistern_status decode_texts(base_cursor *c, const index_head *h, model_index *index,
                                   cistern_error *err)
{
    if (!take_text(c, h->kind_len, index->kind, sizeof index->kind))
        return bad_bytes(c, err, "the kind is cut or too long");
    index->family = (model_family)h->family;
    index->head = (model_head)h->head;
    index->epsilon = h->epsilon;
    for (uint32_t i = 0; i < h->notes; i++) {
        uint32_t len;
        if (!base_cursor_u32(c, &len) || !take_text(c, len, index->notes[i], INDEX_NOTE_MAX))
            return bad_bytes(c, err, "a note is cut or too long");
        index->note_count++;
    }
    return CISTERN_OK;
}

cistern_status model_index_decode(const void *bytes, size_t n, const uint64_t *file_sizes, size_t file_count,
                                  model_index **out, cistern_error *err)
{
    model_index *index = NULL;
    base_cursor c;
    index_head h;
    cistern_status st;
    base_cursor_init(&c, bytes, n);
    st = decode_head(&c, file_sizes, file_count, &h, err);
    if (st == CISTERN_OK)
        st = model_index_new(file_sizes, file_count, &index, err);
    if (st == CISTERN_OK)
        st = decode_texts(&c, &h, index, err);
    for (uint32_t i = 0; st == CISTERN_OK && i < h.count; i++)
        st = decode_tensor(&c, index, err);
    if (st == CISTERN_OK && base_cursor_left(&c) != 0 && !model_said_decode(&c, &index->said))
        st = bad_bytes(&c, err, "what it says of its input is cut or out of range");
    if (st == CISTERN_OK && base_cursor_left(&c) != 0)
        st = bad_bytes(&c, err, "bytes follow its end");
    if (st != CISTERN_OK) {
        model_index_free(index);
        return st;
    }
    *out = index;
    return CISTERN_OK;
}
