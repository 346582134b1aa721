/* Which reader a file's first bytes call for.
 *
 * Invariants
 *  1. A kind is told by content, never by name; exactly one reader sees a file, and no other is tried when it fails.
 *  2. All files of a version share one index; names are unique over all of them.
 */
#include "formats_read.h"

#include <string.h>
#include "base_mem.h"
#include "priv/formats_container.h"

typedef struct reader {
    const char *kind;
    cistern_status (*read)(const formats_file *file, uint32_t number, model_index *index, cistern_error *err);
} reader;

static const reader zip = {"PyTorch zip", formats_pth_read};
static const reader legacy = {"PyTorch legacy stream", formats_legacy_read};
static const reader safetensors = {"safetensors", formats_safetensors_read};

static const reader *reader_for(const formats_file *file)
{
    const uint8_t *p = file->data;

    if (file->size >= 4 && memcmp(p, "PK\x03\x04", 4) == 0)
        return &zip;
    /* A pickle's PROTO; the third byte is an opcode, never 0, which a safetensors header's length has there. */
    if (file->size >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && p[2] != 0)
        return &legacy;
    if (file->size >= 9 && p[8] == '{')
        return &safetensors;
    return NULL;
}

static cistern_status read_one(const formats_file *file, uint32_t number, model_index *index,
                               const reader **out, cistern_error *err)
{
    const reader *r = reader_for(file);
    cistern_status st = r ? r->read(file, number, index, err) : formats_other_refuse(file, err);

    if (st)
        return base_frame(err, st, "%s", file->path);
    *out = r;
    return CISTERN_OK;
}

static cistern_status read_all(const formats_file *files, size_t count, model_index *index,
                               cistern_error *err)
{
    const reader *first = NULL, *r = NULL;
    bool mixed = false;

    for (size_t i = 0; i < count; i++) {
        cistern_status st = read_one(&files[i], (uint32_t)i, index, &r, err);
        if (st)
            return st;
        mixed = mixed || (first && first != r);
        first = first ? first : r;
    }
    return model_index_set_kind(index, mixed ? "several kinds" : first->kind, MODEL_FAMILY_TORCH, err);
}

cistern_status formats_read(const formats_file *files, size_t count, model_index **out, cistern_error *err)
{
    uint64_t *sizes = NULL;
    model_index *index = NULL;
    cistern_status st;

    if (count == 0 || count > MODEL_FILES_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu files to read, 1 to %d are allowed", count,
                         MODEL_FILES_MAX);
    if ((st = base_calloc(count, sizeof *sizes, &sizes, err)))
        return st;
    for (size_t i = 0; i < count; i++)
        sizes[i] = files[i].size;
    if (!(st = model_index_new(sizes, count, &index, err)) && !(st = read_all(files, count, index, err))) {
        *out = index;
        index = NULL;
    }
    model_index_free(index);
    free(sizes);
    return st;
}
