/* TensorFlow checkpoints of format V2: <prefix>.index names the tensors, <prefix>.data-NNNNN-of-NNNNN hold their bytes.
 *
 * Invariants
 *  1. The data files are those of the version whose paths begin with the index's own, and as many as the header says;
 *     nothing is opened.
 *  2. A tensor has exactly the bytes of its shape, inside its file. Texts and resources are skipped, tensors in slices
 *     refused.
 * It does not: test the tensors' own checksums (it would read every byte of a file that is used where it lies, and the
 * version's SHA-256 covers the same bytes from then on: docs/DECISIONS.md), read format V1.
 * Source: tensorflow/core/protobuf/tensor_bundle.proto, core/util/tensor_bundle/tensor_bundle.cc.
 */
#include <stdio.h>
#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_container.h"
#include "priv/formats_sstable.h"
#include "priv/formats_tensorflow.h"
#include "priv/formats_values.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(b, at, ...) base_fail_at((b)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

enum { HEADER_SHARDS = 1, HEADER_ENDIANNESS = 2 };
enum {
    ENTRY_DTYPE = 1,
    ENTRY_SHAPE = 2,
    ENTRY_SHARD = 3,
    ENTRY_OFFSET = 4,
    ENTRY_SIZE = 5,
    ENTRY_SLICES = 7
};

enum { DT_STRING = 7, DT_RESOURCE = 20, DT_VARIANT = 21 };

#define SUFFIX     ".index"
#define SUFFIX_LEN 6u

typedef struct bundle {
    const formats_file *file;
    formats_output *out;
    uint64_t shards; /* 0: the header was not met yet */
    uint32_t *shard; /* number of the file that holds it */
    uint64_t left_out;
    cistern_error *err;
} bundle;

static cistern_status find_shard(bundle *b, uint64_t number)
{
    size_t prefix = strlen(b->file->path) - SUFFIX_LEN;
    char name[64];

    (void)snprintf(name, sizeof name, ".data-%05u-of-%05u", (unsigned)number, (unsigned)b->shards);
    for (size_t i = 0; i < b->out->file_count; i++) {
        const char *path = b->out->files[i].path;
        if (strncmp(path, b->file->path, prefix) == 0 && strcmp(path + prefix, name) == 0) {
            b->shard[number] = (uint32_t)i;
            b->out->taken[i] = true;
            return CISTERN_OK;
        }
    }
    return base_fail(b->err, CISTERN_UNREADABLE,
                     "its tensors are in '%.*s%s', which is not here: give the whole directory "
                     "(cistern add DIR --as NAME)",
                     (int)prefix, b->file->path, name);
}

static cistern_status read_header(bundle *b, const uint8_t *bytes, uint64_t begin, uint64_t end)
{
    uint64_t shards = 0, endianness = 0;
    size_t path = strlen(b->file->path);
    formats_protobuf p;
    formats_field f;
    bool more;

    formats_protobuf_init(&p, bytes, begin, end, b->err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number == HEADER_SHARDS && f.wire == FORMATS_WIRE_BYTES)
            return FAIL(b, f.at,
                        "a TensorFlow checkpoint of the old format V1, which this version does not read");
        if (f.number == HEADER_SHARDS)
            TRY(formats_protobuf_number(&p, &f, &shards));
        if (f.number == HEADER_ENDIANNESS)
            TRY(formats_protobuf_number(&p, &f, &endianness));
    }
    if (endianness != 0)
        return FAIL(b, begin, "byte order %llu (big-endian), only little-endian is read",
                    (unsigned long long)endianness);
    if (shards == 0 || shards > FORMATS_SHARDS_MAX)
        return FAIL(b, begin, "%llu data files, from 1 to %u allowed", (unsigned long long)shards,
                    FORMATS_SHARDS_MAX);
    if (path < SUFFIX_LEN || strcmp(b->file->path + path - SUFFIX_LEN, SUFFIX) != 0)
        return base_fail(b->err, CISTERN_UNREADABLE,
                         "the index of a TensorFlow checkpoint whose name does not end in " SUFFIX
                         ": the names of its data files follow from it");
    TRY(base_calloc((size_t)shards, sizeof *b->shard, &b->shard, b->err));
    b->shards = shards;
    for (uint64_t i = 0; i < shards; i++)
        TRY(find_shard(b, i));
    return CISTERN_OK;
}

typedef struct entry {
    uint64_t type, shard, offset, size;
    model_tensor t;
} entry;

static cistern_status read_entry(bundle *b, const uint8_t *bytes, uint64_t begin, uint64_t end, entry *e)
{
    formats_protobuf p, shape;
    formats_field f;
    bool more;

    formats_protobuf_init(&p, bytes, begin, end, b->err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == ENTRY_DTYPE)
            TRY(formats_protobuf_number(&p, &f, &e->type));
        else if (f.number == ENTRY_SHARD)
            TRY(formats_protobuf_number(&p, &f, &e->shard));
        else if (f.number == ENTRY_OFFSET)
            TRY(formats_protobuf_number(&p, &f, &e->offset));
        else if (f.number == ENTRY_SIZE)
            TRY(formats_protobuf_number(&p, &f, &e->size));
        else if (f.number == ENTRY_SLICES)
            return FAIL(b, f.at, "tensor '%s' is stored in slices, which this version does not read",
                        e->t.name);
        else if (f.number == ENTRY_SHAPE) {
            TRY(formats_protobuf_enter(&p, &f, &shape));
            TRY(formats_tensorflow_shape(&shape, &e->t));
        }
    }
}

/* That the bytes are there; also of what is not listed, so that a file that was cut short is told. */
static cistern_status place_entry(bundle *b, entry *e, uint64_t at)
{
    uint64_t end;

    if (e->shard >= b->shards)
        return FAIL(b, at, "tensor '%s' is in data file %llu of %llu", e->t.name,
                    (unsigned long long)e->shard, (unsigned long long)b->shards);
    e->t.file = b->shard[e->shard];
    e->t.offset = e->offset;
    const formats_file *file = &b->out->files[e->t.file];
    if (!base_add_u64(e->offset, e->size, &end) || end > file->size)
        return FAIL(b, at, "tensor '%s' is at byte %llu of %s, beyond the end of its %llu bytes", e->t.name,
                    (unsigned long long)e->offset, file->path, (unsigned long long)file->size);
    return CISTERN_OK;
}

static cistern_status add_entry(bundle *b, entry *e, uint64_t at)
{
    uint64_t bytes;

    if (!formats_values_strides(&e->t, &bytes))
        return FAIL(b, at, "tensor '%s' has a shape whose size overflows", e->t.name);
    if (bytes != e->size)
        return FAIL(b, at, "tensor '%s' has %llu bytes, but its shape takes %llu", e->t.name,
                    (unsigned long long)e->size, (unsigned long long)bytes);
    return model_index_add(b->out->index, &e->t, b->err);
}

static cistern_status take_row(void *user, formats_text key, const uint8_t *bytes, uint64_t begin,
                               uint64_t end, cistern_error *err)
{
    bundle *b = user;
    char name[MODEL_NAME_MAX + 1];
    entry e = {.t.name = name};

    (void)err; /* b->err is the same */
    if (key.len == 0)
        return read_header(b, bytes, begin, end);
    if (!b->shards)
        return FAIL(b, begin, "tensors without a header before them");
    if (key.len > MODEL_NAME_MAX || memchr(key.at, 0, key.len))
        return FAIL(b, begin, "a tensor's name has %zu bytes, or a zero among them; at most %d allowed",
                    key.len, MODEL_NAME_MAX);
    memcpy(name, key.at, key.len);
    name[key.len] = 0;
    TRY(read_entry(b, bytes, begin, end, &e));
    TRY(place_entry(b, &e, begin));
    if (!formats_tensorflow_dtype(e.type, &e.t.dtype)) {
        b->left_out +=
            e.type != DT_STRING && e.type != DT_RESOURCE && e.type != DT_VARIANT; /* which no model needs */
        return CISTERN_OK;
    }
    return add_entry(b, &e, begin);
}

bool formats_bundle_is(const formats_file *file)
{
    return formats_sstable_is(file);
}

/* Keras names variables by the layers that hold them, slim and its like by scopes. */
static model_family family_of(const model_index *index, size_t first)
{
    for (size_t i = first; i < model_index_count(index); i++) {
        if (strstr(model_index_peek(index, i)->name, "/.ATTRIBUTES/VARIABLE_VALUE"))
            return MODEL_FAMILY_KERAS;
    }
    return MODEL_FAMILY_TENSORFLOW;
}

/* Whether there is one description of a SavedModel, and one checkpoint that it can belong to. */
static bool has_graph(const formats_output *out)
{
    size_t graphs = 0, bundles = 0;

    for (size_t i = 0; i < out->file_count; i++) {
        if (out->taken[i]) /* weights are any bytes */
            continue;
        graphs += formats_message_of(&out->files[i]) == FORMATS_MESSAGE_SAVED_MODEL;
        bundles += formats_bundle_is(&out->files[i]);
    }
    return graphs == 1 && bundles == 1;
}

cistern_status formats_bundle_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err)
{
    bundle b = {.file = file, .out = out, .err = err};
    size_t first = model_index_count(out->index);
    cistern_status st = formats_sstable_each(file, take_row, &b, err);

    (void)number; /* the index holds no tensors itself */
    free(b.shard);
    if (st)
        return st;
    if (!b.shards)
        return base_fail(err, CISTERN_UNREADABLE,
                         "a table that is no TensorFlow checkpoint: it has no header");
    if (model_index_count(out->index) == first)
        return base_fail(err, CISTERN_UNREADABLE, "a TensorFlow checkpoint that holds no tensors");
    out->family = family_of(out->index, first);
    formats_left_out_note(out, b.left_out);
    if (has_graph(out)) {
        out->waiting = true; /* formats_saved_model.c goes by it */
        out->first_variable = first;
        return CISTERN_OK;
    }
    return formats_variables_emit(out, first, err);
}
