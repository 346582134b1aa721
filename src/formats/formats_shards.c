/* model.safetensors.index.json: which shard has which tensor.
 *
 *   {"metadata": {…}, "weight_map": {"features.0.weight": "model-00001-of-00002.safetensors", …}}
 *
 * The shards are read as the files they are; this list is held against what was read.
 *
 * Invariants
 *  1. File names are bare: the shards lie beside the list. Nothing is opened.
 *  2. Every tensor of the list is in the file that it says, every tensor of those files in the list, once.
 * Source: huggingface/transformers, SAFE_WEIGHTS_INDEX_NAME.
 */
#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_container.h"
#include "priv/formats_header.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(l, at, ...) base_fail_at((l)->h.err, CISTERN_UNREADABLE, at, __VA_ARGS__)

#define NAME_SHOWN 80  /* bytes of a name in messages */
#define FILE_MAX   255 /* bytes of a file's name */
#define KEY_MAX    64  /* bytes of a key of the list itself */
#define SPACE      " \t\r\n"

typedef struct list {
    formats_header h;
    const formats_file *file;
    const formats_output *out;
    bool *tensor; /* of each in the index: it is in the list */
    bool *listed; /* of each file: some tensor is said to be in it */
    bool has_map;
} list;

bool formats_shards_is(const formats_file *file)
{
    static const char key[] = "\"weight_map\"";
    uint64_t at = 0;

    while (at < file->size && at < 64 && file->data[at] && strchr(SPACE, file->data[at]))
        at++;
    if (at == file->size || file->data[at] != '{' || file->size > FORMATS_SHARD_LIST_MAX)
        return false;
    for (; file->size - at >= sizeof key - 1; at++) {
        if (memcmp(file->data + at, key, sizeof key - 1) == 0)
            return true;
    }
    return false;
}

static bool is_bare(const char *name)
{
    return name[0] && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* The file of this name beside the list; SIZE_MAX: none. */
static size_t find_beside(const list *l, const char *name)
{
    const char *slash = strrchr(l->file->path, '/');
    size_t dir = slash ? (size_t)(slash + 1 - l->file->path) : 0;

    for (size_t i = 0; i < l->out->file_count; i++) {
        const char *path = l->out->files[i].path;
        if (strncmp(path, l->file->path, dir) == 0 && strcmp(path + dir, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

static cistern_status check_tensor(list *l, const char *name, const char *shard, uint64_t at)
{
    const model_index *index = l->out->index;

    if (!is_bare(shard))
        return FAIL(l, at,
                    "tensor '%.*s' is in '%.*s', which is not the bare name of a file beside this list",
                    NAME_SHOWN, name, NAME_SHOWN, shard);
    size_t i = find_beside(l, shard);
    if (i == SIZE_MAX)
        return FAIL(
            l, at,
            "tensor '%.*s' is in the shard '%.*s', which is not here: give all shards together with this "
            "list (cistern add DIR --as NAME)",
            NAME_SHOWN, name, NAME_SHOWN, shard);
    const model_tensor *t = model_index_find(index, name);
    if (!t || t->file != i)
        return FAIL(l, at, "tensor '%.*s' is not in the shard '%.*s' as this list says", NAME_SHOWN, name,
                    NAME_SHOWN, shard);
    size_t number = (size_t)(t - model_index_peek(index, 0));
    if (l->tensor[number])
        return FAIL(l, at, "tensor '%.*s' is in this list twice", NAME_SHOWN, name);
    l->tensor[number] = true;
    l->listed[i] = true;
    return CISTERN_OK;
}

/* "weight_map": {"tensor": "file", …} */
static cistern_status read_map(list *l)
{
    char name[MODEL_NAME_MAX + 1], shard[FILE_MAX + 1];

    l->has_map = true;
    TRY(formats_header_expect(&l->h, '{'));
    if (formats_header_try(&l->h, '}'))
        return CISTERN_OK;
    do {
        uint64_t at = formats_header_at(&l->h);
        TRY(formats_header_string(&l->h, name, MODEL_NAME_MAX));
        TRY(formats_header_expect(&l->h, ':'));
        TRY(formats_header_string(&l->h, shard, FILE_MAX));
        TRY(check_tensor(l, name, shard, at));
    } while (formats_header_try(&l->h, ','));
    return formats_header_expect(&l->h, '}');
}

/* Any value but an array: what is known of metadata has none. An object's members are read, one level deep. */
static cistern_status skip_plain(list *l)
{
    uint64_t at = formats_header_at(&l->h);
    size_t begin = l->h.pos;

    if (l->h.pos < l->h.len && l->h.bytes[l->h.pos] == '"')
        return formats_header_string(&l->h, NULL, 0);
    while (l->h.pos < l->h.len && l->h.bytes[l->h.pos] &&
           strchr("+-.0123456789aeflnrstuE", l->h.bytes[l->h.pos]))
        l->h.pos++;
    return l->h.pos > begin ? CISTERN_OK : FAIL(l, at, "neither a text nor a number in the list of shards");
}

static cistern_status skip_metadata(list *l)
{
    if (!formats_header_try(&l->h, '{'))
        return skip_plain(l);
    if (formats_header_try(&l->h, '}'))
        return CISTERN_OK;
    do {
        TRY(formats_header_string(&l->h, NULL, 0));
        TRY(formats_header_expect(&l->h, ':'));
        TRY(skip_plain(l));
    } while (formats_header_try(&l->h, ','));
    return formats_header_expect(&l->h, '}');
}

static cistern_status read_list(list *l)
{
    char key[KEY_MAX + 1];

    TRY(formats_header_expect(&l->h, '{'));
    do {
        uint64_t at = formats_header_at(&l->h);
        TRY(formats_header_string(&l->h, key, KEY_MAX));
        TRY(formats_header_expect(&l->h, ':'));
        if (strcmp(key, "weight_map") != 0)
            TRY(skip_metadata(l));
        else if (l->has_map)
            return FAIL(l, at, "a list of shards with two weight_maps");
        else
            TRY(read_map(l));
    } while (formats_header_try(&l->h, ','));
    TRY(formats_header_expect(&l->h, '}'));
    return formats_header_end(&l->h);
}

/* What is in a shard but in no list. */
static cistern_status check_rest(const list *l)
{
    for (size_t i = 0; i < model_index_count(l->out->index); i++) {
        const model_tensor *t = model_index_peek(l->out->index, i);
        if (t->file < l->out->file_count && l->listed[t->file] && !l->tensor[i])
            return base_fail(l->h.err, CISTERN_UNREADABLE,
                             "tensor '%s' is in the shard '%s', but not in this list", t->name,
                             l->out->files[t->file].path);
    }
    return CISTERN_OK;
}

cistern_status formats_shards_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err)
{
    list l = {.h = {.bytes = file->data, .len = (size_t)file->size, .err = err}, .file = file, .out = out};
    cistern_status st = base_calloc(out->file_count, sizeof *l.listed, &l.listed, err);

    (void)number;
    if (!st)
        st = base_calloc(model_index_count(out->index) + 1, sizeof *l.tensor, &l.tensor, err);
    if (!st)
        st = read_list(&l);
    if (!st)
        st = check_rest(&l);
    free(l.listed);
    free(l.tensor);
    return st;
}
