/* Which reader a file's first bytes call for.
 *
 * Invariants
 *  1. A kind is told by content, never by name; at most one reader sees a file, and no other is tried when it fails.
 *  2. All files of a version share one index; names are unique over all of them.
 *  3. Readers only list what must be decoded; it is written when every file was read.
 *  4. Files that say what is in others are read before those, lists that are checked against what was read after them.
 *     Beside weights may lie texts and a SavedModel's descriptions; any other file that nobody reads is refused.
 */
#include "formats_read.h"

#include <stdio.h>
#include <string.h>
#include "base_mem.h"
#include "priv/formats_container.h"
#include "priv/formats_tensorflow.h"

/* When a reader has its turn. */
typedef enum turn { TURN_INDEXES = 0, TURN_LEADS, TURN_WEIGHTS, TURN_LISTS, TURNS } turn;

typedef struct reader {
    const char *kind; /* NULL: it reads no tensors */
    model_family family;
    cistern_status (*read)(const formats_file *file, uint32_t number, formats_output *out,
                           cistern_error *err);
    turn turn;
} reader;

static const reader zip = {"PyTorch zip", MODEL_FAMILY_TORCH, formats_pth_read, TURN_WEIGHTS};
static const reader legacy = {"PyTorch legacy stream", MODEL_FAMILY_TORCH, formats_legacy_read, TURN_WEIGHTS};
static const reader safetensors = {"safetensors", MODEL_FAMILY_TORCH, formats_safetensors_read, TURN_WEIGHTS};
static const reader keras = {"Keras HDF5", MODEL_FAMILY_KERAS, formats_keras_read, TURN_WEIGHTS};
static const reader shards = {NULL, MODEL_FAMILY_UNKNOWN, formats_shards_read, TURN_LISTS};
static const reader onnx = {"ONNX", MODEL_FAMILY_ONNX, formats_onnx_read, TURN_LEADS};
static const reader graph = {"TensorFlow graph", MODEL_FAMILY_TENSORFLOW, formats_tensorflow_read,
                             TURN_WEIGHTS};
static const reader bundle = {"TensorFlow checkpoint", MODEL_FAMILY_TENSORFLOW, formats_bundle_read,
                              TURN_INDEXES};
static const reader saved_model = {NULL, MODEL_FAMILY_UNKNOWN, formats_saved_model_read, TURN_LISTS};

static const reader *reader_for_message(const formats_file *file)
{
    switch (formats_message_of(file)) {
    case FORMATS_MESSAGE_ONNX:
        return &onnx;
    case FORMATS_MESSAGE_SAVED_MODEL:
        return &saved_model;
    case FORMATS_MESSAGE_GRAPH:
        return &graph;
    case FORMATS_MESSAGE_METADATA:
    case FORMATS_MESSAGE_NONE:
        break;
    }
    return NULL;
}

static const reader *reader_for(const formats_file *file)
{
    const uint8_t *p = file->data;

    if (file->size >= 4 && memcmp(p, "PK\x03\x04", 4) == 0)
        return &zip; /* a .keras too: its members tell */
    if (file->size >= 8 && memcmp(p, "\x89HDF\r\n\x1a\n", 8) == 0)
        return &keras;
    /* A pickle's PROTO; the third byte is an opcode, never 0, which a safetensors header's length has there. */
    if (file->size >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && p[2] != 0)
        return &legacy;
    if (file->size >= 9 && p[8] == '{')
        return &safetensors;
    if (formats_bundle_is(file))
        return &bundle;
    return formats_shards_is(file) ? &shards : reader_for_message(file);
}

/* Everything was read; what does not lie plain is written. A lone file is named when that fails. */
static cistern_status write_decoded(formats_output *out, const formats_sink *sink, cistern_error *err)
{
    cistern_status st = formats_decoded_write(out->decoded, out->index, sink, err);

    return st && out->file_count == 1 ? base_frame(err, st, "%s", out->files[0].path) : st;
}

void formats_left_out_note(formats_output *out, uint64_t count)
{
    char note[96];

    (void)snprintf(note, sizeof note, "%llu tensor%s of types that are not read %s left out",
                   (unsigned long long)count, count == 1 ? "" : "s", count == 1 ? "was" : "were");
    if (count)
        model_index_note(out->index, note);
}

/* What is known of the whole version so far. */
typedef struct progress {
    const char *kind;
    model_family family;
} progress;

static cistern_status read_one(const reader *r, uint32_t number, formats_output *out, progress *all,
                               cistern_error *err)
{
    const formats_file *file = &out->files[number];
    cistern_status st;

    out->kind = r->kind;
    out->family = r->family;
    st = r->read(file, number, out, err);
    if (st)
        return base_frame(err, st, "%s", file->path);
    if (!out->kind)
        return CISTERN_OK;
    all->family = !all->kind || all->family == out->family ? out->family : MODEL_FAMILY_UNKNOWN;
    all->kind = !all->kind || strcmp(all->kind, out->kind) == 0 ? out->kind : "several kinds";
    return CISTERN_OK;
}

/* A file that no reader wants. */
static cistern_status judge_rest(const formats_file *file, const progress *all, cistern_error *err)
{
    cistern_status st;

    if (all->kind &&
        (formats_other_is_document(file) || formats_message_of(file) == FORMATS_MESSAGE_METADATA))
        return CISTERN_OK;
    st = formats_other_refuse(file, err);
    return base_frame(err, st, "%s", file->path);
}

static cistern_status read_all(formats_output *out, cistern_error *err)
{
    progress all = {NULL, MODEL_FAMILY_UNKNOWN};
    cistern_status st = CISTERN_OK;

    for (int t = 0; t < TURNS; t++) {
        for (size_t i = 0; i < out->file_count && !st; i++) {
            const reader *r = out->taken[i] ? NULL : reader_for(&out->files[i]);
            if (r && (int)r->turn == t)
                st = read_one(r, (uint32_t)i, out, &all, err);
        }
    }
    for (size_t i = 0; i < out->file_count && !st; i++) {
        if (!out->taken[i] && !reader_for(&out->files[i]))
            st = judge_rest(&out->files[i], &all, err);
    }
    if (!st && out->waiting) /* nobody looked at what seemed to be the description */
        st = formats_variables_emit(out, out->first_variable, err);
    if (!st && !all.kind)
        return base_fail(err, CISTERN_UNREADABLE, "none of the %zu files holds weights", out->file_count);
    if (!st)
        st = model_index_set_said(out->index, &out->said, err);
    return st ? st : model_index_set_kind(out->index, all.kind, all.family, err);
}

cistern_status formats_read(const formats_file *files, size_t count, const formats_sink *sink,
                            model_index **out, cistern_error *err)
{
    uint64_t *sizes = NULL;
    formats_output o = {.files = files, .file_count = count};
    cistern_status st;

    if (count == 0 || count > MODEL_FILES_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu files to read, 1 to %d are allowed", count,
                         MODEL_FILES_MAX);
    if ((st = base_calloc(count, sizeof *sizes, &sizes, err)))
        return st;
    for (size_t i = 0; i < count; i++)
        sizes[i] = files[i].size;
    if (!(st = base_calloc(count, sizeof *o.taken, &o.taken, err)) &&
        !(st = model_index_new(sizes, count, &o.index, err)) &&
        !(st = formats_decoded_new(&o.decoded, err)) && !(st = read_all(&o, err)) &&
        !(st = write_decoded(&o, sink, err))) {
        *out = o.index;
        o.index = NULL;
    }
    formats_decoded_free(o.decoded);
    model_index_free(o.index);
    free(o.taken);
    free(sizes);
    return st;
}
