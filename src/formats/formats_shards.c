/* model.safetensors.index.json: which shard has which tensor.
 *
 *   {"metadata": {…}, "weight_map": {"features.0.weight": "model-00001-of-00002.safetensors", …}}
 *
 * The shards are read as the files they are; this list is held against what was read.
 *
 * Invariants
 *  1. File names are bare: the shards lie beside the list. Nothing is opened.
 *  2. Every tensor of the list is in the file that it says, every tensor of those files in the list.
 * Source: huggingface/transformers, SAFE_WEIGHTS_INDEX_NAME.
 */
#include <string.h>
#include "base_json.h"
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_container.h"

#define NAME_SHOWN 80 /* bytes of a name in messages */
#define SPACE      " \t\r\n"

typedef struct list {
    const formats_file *file;
    const formats_output *out;
    bool *listed; /* of each file: some tensor is said to be in it */
    cistern_error *err;
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

static cistern_status check_tensor(const list *l, const char *name, const char *shard)
{
    if (!is_bare(shard))
        return base_fail(l->err, CISTERN_UNREADABLE,
                         "tensor '%.*s' is in '%.*s', which is not the bare name of a file beside this list",
                         NAME_SHOWN, name, NAME_SHOWN, shard);
    size_t i = find_beside(l, shard);
    if (i == SIZE_MAX)
        return base_fail(
            l->err, CISTERN_UNREADABLE,
            "tensor '%.*s' is in the shard '%.*s', which is not here: give all shards together with "
            "this list (cistern add DIR --as NAME)",
            NAME_SHOWN, name, NAME_SHOWN, shard);
    const model_tensor *t = model_index_find(l->out->index, name);
    if (!t || t->file != i)
        return base_fail(l->err, CISTERN_UNREADABLE,
                         "tensor '%.*s' is not in the shard '%.*s' as this list says", NAME_SHOWN, name,
                         NAME_SHOWN, shard);
    l->listed[i] = true;
    return CISTERN_OK;
}

/* What is in a shard but in no list. */
static cistern_status check_rest(const list *l, const json_t *map)
{
    for (size_t i = 0; i < model_index_count(l->out->index); i++) {
        const model_tensor *t = model_index_peek(l->out->index, i);
        if (t->file < l->out->file_count && l->listed[t->file] && !json_object_get(map, t->name))
            return base_fail(l->err, CISTERN_UNREADABLE,
                             "tensor '%s' is in the shard '%s', but not in this list", t->name,
                             l->out->files[t->file].path);
    }
    return CISTERN_OK;
}

static cistern_status check_list(const list *l, const json_t *root)
{
    json_t *map = json_object_get(root, "weight_map"), *value;
    const char *name;
    cistern_status st = CISTERN_OK;

    if (!json_is_object(map))
        return base_fail(l->err, CISTERN_UNREADABLE, "its weight_map is no object");
    json_object_foreach(map, name, value)
    {
        if (st)
            break;
        st = json_is_string(value)
                 ? check_tensor(l, name, json_string_value(value))
                 : base_fail(l->err, CISTERN_UNREADABLE, "tensor '%.*s' has no file's name in weight_map",
                             NAME_SHOWN, name);
    }
    return st ? st : check_rest(l, map);
}

cistern_status formats_shards_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err)
{
    list l = {.file = file, .out = out, .err = err};
    json_t *root = NULL;
    cistern_status st =
        base_json_parse(file->data, (size_t)file->size, BASE_JSON_REALS, "the list of shards", &root, err);

    (void)number;
    if (st == CISTERN_DAMAGED)
        st = base_fail(err, CISTERN_UNREADABLE,
                       "a list of shards that is no JSON object, or says a name twice");
    if (!st)
        st = base_calloc(out->file_count, sizeof *l.listed, &l.listed, err);
    if (!st)
        st = check_list(&l, root);
    free(l.listed);
    json_decref(root);
    return st;
}
