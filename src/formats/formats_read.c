/* Which reader a file's first bytes call for.
 *
 * Invariants
 *  1. A kind is told by content, never by name; exactly one reader sees a file, and no other is tried when it fails.
 *  2. All files of a version share one index; names are unique over all of them.
 *  3. Readers only list what must be decoded; it is written when every file was read.
 */
#include "formats_read.h"

#include <string.h>
#include "base_mem.h"
#include "priv/formats_container.h"

typedef struct reader {
    const char *kind;
    model_family family;
    cistern_status (*read)(const formats_file *file, uint32_t number, formats_output *out,
                           cistern_error *err);
} reader;

static const reader zip = {"PyTorch zip", MODEL_FAMILY_TORCH, formats_pth_read};
static const reader legacy = {"PyTorch legacy stream", MODEL_FAMILY_TORCH, formats_legacy_read};
static const reader safetensors = {"safetensors", MODEL_FAMILY_TORCH, formats_safetensors_read};
static const reader keras = {"Keras HDF5", MODEL_FAMILY_KERAS, formats_keras_read};
static const reader keras_zip = {"Keras .keras", MODEL_FAMILY_KERAS, formats_keras_read_zip};

static const reader *reader_for(const formats_file *file)
{
    const uint8_t *p = file->data;

    if (file->size >= 4 && memcmp(p, "PK\x03\x04", 4) == 0)
        return formats_keras_is_zip(file) ? &keras_zip : &zip;
    if (file->size >= 8 && memcmp(p, "\x89HDF\r\n\x1a\n", 8) == 0)
        return &keras;
    /* A pickle's PROTO; the third byte is an opcode, never 0, which a safetensors header's length has there. */
    if (file->size >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && p[2] != 0)
        return &legacy;
    if (file->size >= 9 && p[8] == '{')
        return &safetensors;
    return NULL;
}

static cistern_status read_one(const formats_file *file, uint32_t number, formats_output *out,
                               cistern_error *err)
{
    const reader *r = reader_for(file);
    cistern_status st;

    if (r) {
        out->kind = r->kind;
        out->family = r->family;
    }
    st = r ? r->read(file, number, out, err) : formats_other_refuse(file, err);
    return st ? base_frame(err, st, "%s", file->path) : st;
}

static cistern_status read_all(const formats_file *files, size_t count, formats_output *out,
                               cistern_error *err)
{
    const char *kind = NULL;
    model_family family = MODEL_FAMILY_UNKNOWN;

    for (size_t i = 0; i < count; i++) {
        cistern_status st = read_one(&files[i], (uint32_t)i, out, err);
        if (st)
            return st;
        kind = !kind || strcmp(kind, out->kind) == 0 ? out->kind : "several kinds";
        family = i == 0 || family == out->family ? out->family : MODEL_FAMILY_UNKNOWN;
    }
    return model_index_set_kind(out->index, kind, family, err);
}

cistern_status formats_read(const formats_file *files, size_t count, const formats_sink *sink,
                            model_index **out, cistern_error *err)
{
    uint64_t *sizes = NULL;
    formats_output o = {0};
    cistern_status st;

    if (count == 0 || count > MODEL_FILES_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu files to read, 1 to %d are allowed", count,
                         MODEL_FILES_MAX);
    if ((st = base_calloc(count, sizeof *sizes, &sizes, err)))
        return st;
    for (size_t i = 0; i < count; i++)
        sizes[i] = files[i].size;
    if (!(st = model_index_new(sizes, count, &o.index, err)) &&
        !(st = formats_decoded_new(&o.decoded, err)) && !(st = read_all(files, count, &o, err)) &&
        !(st = formats_decoded_write(o.decoded, o.index, sink, err))) {
        *out = o.index;
        o.index = NULL;
    }
    formats_decoded_free(o.decoded);
    model_index_free(o.index);
    free(sizes);
    return st;
}
