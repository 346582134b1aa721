/* PyTorch's legacy stream: five pickles (magic number, protocol version, system, object, storage keys), then for each
 * key, in that list's order, a 64-bit element count and the storage's bytes.
 *
 * Invariants
 *  1. Keys in the list and storages in the object are the same set; each key occurs once.
 *  2. Each count is the one in the object, and the bytes are all there. What follows the last storage is noted.
 * Torch's own files of this kind pad nothing: payloads lie at any alignment.
 * Source: torch/serialization.py (_legacy_load, _legacy_save); at::Storage's _set_from_file.
 */
#include "priv/formats_container.h"

#include "base_mem.h"
#include "priv/formats_state.h"

#define PROTOCOL_VERSION 1001

static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                  0x20, 0x6a, 0xa8, 0x50, 0x19}; /* little endian */

typedef struct stream {
    const formats_file *file;
    uint64_t at;               /* byte of the file where the next part begins */
    formats_storage **storage; /* sorted by key */
    size_t count;
    cistern_error *err;
} stream;

static cistern_status next_pickle(stream *s, formats_pickle **out)
{
    cistern_status st =
        formats_pickle_run(s->file->data + s->at, (size_t)(s->file->size - s->at), s->at, out, s->err);

    if (!st)
        s->at += formats_pickle_length(*out);
    return st;
}

static const formats_value *root_of(const formats_pickle *p)
{
    return formats_pickle_value(p, p->root);
}

static bool is_magic(const formats_value *v)
{
    return v->kind == FORMATS_LONG && v->count == sizeof magic &&
           memcmp(v->u.bytes, magic, sizeof magic) == 0;
}

static bool is_version(const formats_value *v)
{
    return v->kind == FORMATS_INT && v->u.integer == PROTOCOL_VERSION;
}

static cistern_status read_magic(stream *s)
{
    formats_pickle *p;
    cistern_status st = next_pickle(s, &p);

    if (st)
        return st;
    if (!is_magic(root_of(p)))
        st = formats_pickle_check_names(p, s->err);
    if (!st && !is_magic(root_of(p)))
        st = base_fail(s->err, CISTERN_UNREADABLE,
                       "a pickle that torch.save did not write (it begins with %s, not "
                       "with PyTorch's magic number)",
                       formats_pickle_kind_text(root_of(p)));
    formats_pickle_free(p);
    return st;
}

static cistern_status read_version(stream *s)
{
    uint64_t at = s->at;
    formats_pickle *p;
    cistern_status st = next_pickle(s, &p);

    if (st)
        return st;
    if (!is_version(root_of(p)))
        st = base_fail_at(s->err, CISTERN_UNREADABLE, at, "not version %d of PyTorch's stream format",
                          PROTOCOL_VERSION);
    formats_pickle_free(p);
    return st;
}

static cistern_status read_system(stream *s)
{
    uint64_t at = s->at;
    formats_pickle *p;
    cistern_status st = next_pickle(s, &p);

    if (st)
        return st;
    const formats_value *little = formats_pickle_lookup(p, root_of(p), "little_endian");
    if (!little || little->kind != FORMATS_BOOL)
        st = base_fail_at(s->err, CISTERN_UNREADABLE, at, "PyTorch's stream does not say its byte order");
    else if (!little->u.integer)
        st =
            base_fail_at(s->err, CISTERN_UNREADABLE, at, "big-endian file: only little-endian ones are read");
    formats_pickle_free(p);
    return st;
}

/* ---- storages ---- */

static int compare_key(const formats_storage *s, const uint8_t *key, size_t n)
{
    int order = memcmp(s->key, key, s->key_len < n ? s->key_len : n);

    return order ? order : (s->key_len < n ? -1 : s->key_len > n);
}

/* The first mention of a storage in the sorted list; its equals follow it. s->count: none. */
static size_t find_storage(const stream *s, const uint8_t *key, size_t n)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_key(s->storage[mid], key, n) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->count && compare_key(s->storage[low], key, n) == 0 ? low : s->count;
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* The block of one storage at s->at: all its mentions get their place. */
static cistern_status read_block(stream *s, const formats_value *key)
{
    uint64_t left = s->file->size - s->at;
    int n = (int)key->count;
    const char *text = (const char *)key->u.bytes;
    size_t i = find_storage(s, key->u.bytes, key->count);

    if (i == s->count)
        return base_fail_at(s->err, CISTERN_UNREADABLE, s->at,
                            "storage '%.*s' is listed, but no tensor uses it", n < 60 ? n : 60, text);
    formats_storage *first = s->storage[i];
    if (first->data_offset)
        return base_fail_at(s->err, CISTERN_UNREADABLE, s->at, "storage '%.*s' is listed twice", n, text);
    if (left < 8)
        return base_fail_at(s->err, CISTERN_UNREADABLE, s->at,
                            "cut short: storage '%.*s' begins here, the file ends", n, text);
    uint64_t numel = le64(s->file->data + s->at);
    if (numel != first->numel)
        return base_fail_at(s->err, CISTERN_UNREADABLE, s->at,
                            "storage '%.*s' has %lld elements here, %llu where it is used", n, text,
                            (long long)numel, (unsigned long long)first->numel);
    if (left - 8 < first->bytes)
        return base_fail_at(s->err, CISTERN_UNREADABLE, s->at + 8,
                            "cut short: storage '%.*s' needs %llu bytes here, the file has %llu", n, text,
                            (unsigned long long)first->bytes, (unsigned long long)(left - 8));
    for (; i < s->count && compare_key(s->storage[i], key->u.bytes, key->count) == 0; i++)
        s->storage[i]->data_offset = s->at + 8;
    s->at += 8 + first->bytes;
    return CISTERN_OK;
}

static cistern_status read_blocks(stream *s, const formats_pickle *keys, uint64_t keys_at)
{
    const formats_value *list = root_of(keys);

    if (list->kind != FORMATS_LIST)
        return base_fail_at(s->err, CISTERN_UNREADABLE, keys_at, "PyTorch's list of storages is %s",
                            formats_pickle_kind_text(list));
    for (uint32_t c = list->u.cells.first; c; c = formats_pickle_cell(keys, c)->next) {
        const formats_value *key = formats_pickle_value(keys, formats_pickle_cell(keys, c)->value);
        if (key->kind != FORMATS_STRING)
            return base_fail_at(s->err, CISTERN_UNREADABLE, keys_at, "a storage's key is %s, not a string",
                                formats_pickle_kind_text(key));
        cistern_status st = read_block(s, key);
        if (st)
            return st;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!s->storage[i]->data_offset)
            return base_fail_at(s->err, CISTERN_UNREADABLE, s->storage[i]->at,
                                "storage '%.*s' is used, but not in the file", (int)s->storage[i]->key_len,
                                (const char *)s->storage[i]->key);
    }
    return CISTERN_OK;
}

static void note_rest(const stream *s, model_index *index)
{
    char note[96];
    uint64_t rest = s->file->size - s->at;

    if (!rest)
        return;
    (void)snprintf(note, sizeof note, "%llu bytes after the last storage ignored", (unsigned long long)rest);
    model_index_note(index, note);
}

cistern_status formats_legacy_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err)
{
    stream s = {.file = file, .err = err};
    formats_pickle *object = NULL, *keys = NULL;
    uint64_t keys_at;
    cistern_status st;

    if ((st = read_magic(&s)) || (st = read_version(&s)) || (st = read_system(&s)) ||
        (st = next_pickle(&s, &object)))
        goto out;
    keys_at = s.at;
    if ((st = next_pickle(&s, &keys)) || (st = formats_state_storages(object, &s.storage, &s.count, err)) ||
        (st = read_blocks(&s, keys, keys_at)) || (st = formats_state_add(object, number, out->index, err)))
        goto out;
    note_rest(&s, out->index);
out:
    free(s.storage);
    formats_pickle_free(keys);
    formats_pickle_free(object);
    return st;
}
