/* PyTorch's zip kind: `<root>/data.pkl` describes tensors, `<root>/data/<key>` are their storages.
 *
 * Invariants
 *  1. <root> comes from the one member that ends in "/data.pkl"; a storage is looked up by its exact name.
 *  2. A storage's member has exactly the bytes that the pickle says.
 *  3. Storages that a zip tool compressed are decoded, each once, however often it is mentioned.
 *  4. CRC-32 is checked of data.pkl and the small records. Not of stored storages: it would cost 0.6 of hashing the file once
 *     more (measured: 2.4 GB/s against SHA-256's 1.4), and the bytes are bound to a SHA-256 anyway.
 * Source: torch/serialization.py (_load), caffe2/serialize/inline_container.cc.
 */
#include "priv/formats_container.h"

#include "base_mem.h"
#include "priv/formats_inflate.h"
#include "priv/formats_state.h"
#include "priv/formats_zip.h"

#define PICKLE_NAME    "/data.pkl"
#define BYTE_ORDER_MAX 64u /* bytes of a compressed record that says "little" */

#define NAME_SHOWN 80u /* bytes of a name in messages */

typedef struct archive {
    formats_zip zip;
    const uint8_t *root; /* borrowed from the member's name; without a slash at its end */
    size_t root_len;
    const formats_zip_member *pickle;
    cistern_error *err;
} archive;

static bool ends_in(const formats_zip_member *m, const char *end)
{
    size_t n = strlen(end);

    return m->name_len >= n && memcmp(m->name + m->name_len - n, end, n) == 0;
}

/* A member below the root, or NULL. */
static const formats_zip_member *record(const archive *a, const char *kind, const uint8_t *key,
                                        size_t key_len)
{
    uint8_t name[FORMATS_ZIP_NAME_MAX];
    size_t kind_len = strlen(kind);

    if (a->root_len + kind_len + key_len > sizeof name)
        return NULL;
    memcpy(name, a->root, a->root_len);
    memcpy(name + a->root_len, kind, kind_len);
    if (key_len)
        memcpy(name + a->root_len + kind_len, key, key_len);
    return formats_zip_find(&a->zip, name, a->root_len + kind_len + key_len);
}

/* Whether a member's name is one that weight files have. */
static bool is_weights(const formats_zip_member *m)
{
    static const char *const ends[] = {".pth",  ".pt",    ".bin", ".safetensors", ".h5",
                                       ".hdf5", ".keras", ".pb",  ".onnx"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends_in(m, ends[i]))
            return true;
    }
    return false;
}

/* What a zip file without data.pkl is, as far as its members tell. */
static cistern_status not_pytorch(const archive *a)
{
    static const char plain[] = "a zip file, but PyTorch did not write it (no data.pkl inside)";
    const char *what = plain;
    const formats_zip_member *weights = NULL;

    for (size_t i = 0; i < a->zip.count; i++) {
        if (!weights && is_weights(&a->zip.member[i]))
            weights = &a->zip.member[i];
        if (ends_in(&a->zip.member[i], ".npy"))
            what = "a NumPy .npz file, which this version does not read";
        else if (ends_in(&a->zip.member[i], "/model.weights.h5"))
            what = "a zip file with the members of a Keras .keras file in a directory: zip them without it";
    }
    if (what == plain && weights)
        return base_fail(a->err, CISTERN_UNREADABLE, "%s; it holds '%.*s': unpack it first, with unzip",
                         plain, (int)(weights->name_len < NAME_SHOWN ? weights->name_len : NAME_SHOWN),
                         (const char *)weights->name);
    return base_fail(a->err, CISTERN_UNREADABLE, "%s", what);
}

static cistern_status find_pickle(archive *a)
{
    for (size_t i = 0; i < a->zip.count; i++) {
        const formats_zip_member *m = &a->zip.member[i];
        if (!ends_in(m, PICKLE_NAME))
            continue;
        if (a->pickle)
            return base_fail_at(a->err, CISTERN_UNREADABLE, m->header,
                                "the zip file has two pickles, '%.*s' and '%.*s'", (int)a->pickle->name_len,
                                (const char *)a->pickle->name, (int)m->name_len, (const char *)m->name);
        a->pickle = m;
    }
    if (!a->pickle)
        return not_pytorch(a);
    a->root = a->pickle->name;
    a->root_len = a->pickle->name_len - strlen(PICKLE_NAME);
    if (record(a, "/constants.pkl", NULL, 0))
        return base_fail_at(
            a->err, CISTERN_UNREADABLE, a->pickle->header,
            "a TorchScript file (it holds code, which is never run): load it with torch.jit.load and "
            "save its state_dict() with torch.save");
    return CISTERN_OK;
}

/* `byteorder` (since PyTorch 2.1) must say little; older files have none and were little. */
static cistern_status check_byte_order(const archive *a)
{
    const formats_zip_member *m = record(a, "/byteorder", NULL, 0);
    const uint8_t *text;
    uint8_t *owned = NULL;

    if (!m)
        return CISTERN_OK;
    cistern_status st = formats_inflate_member(&a->zip, m, BYTE_ORDER_MAX, &text, &owned, a->err);
    if (!st && (m->size != 6 || memcmp(text, "little", 6) != 0))
        st = base_fail_at(a->err, CISTERN_UNREADABLE, m->data, "byte order '%.*s', only 'little' is read",
                          (int)(m->size < 16 ? m->size : 16), (const char *)text);
    free(owned);
    return st;
}

/* Where one storage lies; of a compressed one, where it will. */
static cistern_status place_storage(const archive *a, formats_storage *s, formats_output *out)
{
    const formats_zip_member *m = record(a, "/data/", s->key, s->key_len);

    if (!m)
        return base_fail_at(a->err, CISTERN_UNREADABLE, s->at, "storage '%.*s' is not in the zip file",
                            (int)s->key_len, (const char *)s->key);
    if (m->size != s->bytes)
        return base_fail_at(a->err, CISTERN_UNREADABLE, s->at,
                            "storage '%.*s' has %llu elements of %u bytes, but its zip member has %llu bytes",
                            (int)s->key_len, (const char *)s->key, (unsigned long long)s->numel, s->element,
                            (unsigned long long)m->size);
    s->data_offset = m->data;
    if (m->method == 0)
        return CISTERN_OK;
    formats_inflate inflate = formats_inflate_of(&a->zip, m);
    formats_payload payload = {m->size, formats_inflate_write, &inflate, sizeof inflate};
    formats_place place;
    cistern_status st = formats_decoded_add_payload(out->decoded, out->index, &payload, &place, a->err);
    if (!st) {
        s->decoded = true;
        s->file = place.file;
        s->data_offset = place.offset;
    }
    return st;
}

/* Find the member of each storage; mentions of one storage follow each other. */
static cistern_status place_storages(const archive *a, formats_storage *const *storage, size_t count,
                                     formats_output *out)
{
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; !st && i < count; i++) {
        formats_storage *s = storage[i];
        const formats_storage *before = i ? storage[i - 1] : NULL;
        if (before && before->key_len == s->key_len && memcmp(before->key, s->key, s->key_len) == 0) {
            s->data_offset = before->data_offset;
            s->decoded = before->decoded;
            s->file = before->file;
        } else {
            st = place_storage(a, s, out);
        }
    }
    return st;
}

static cistern_status read_pickle(const archive *a, uint32_t number, formats_output *out)
{
    const uint8_t *bytes;
    uint8_t *owned = NULL;
    formats_pickle *pickle = NULL;
    formats_storage **storage = NULL;
    size_t count;
    cistern_status st;

    if ((st = formats_inflate_member(&a->zip, a->pickle, FORMATS_UNPACKED_MAX, &bytes, &owned, a->err)) ||
        (st = formats_pickle_run(bytes, (size_t)a->pickle->size, a->pickle->data, &pickle, a->err)) ||
        (st = formats_state_storages(pickle, &storage, &count, a->err)) ||
        (st = place_storages(a, storage, count, out)))
        goto out;
    st = formats_state_add(pickle, number, out->index, a->err);
out:
    free(storage);
    formats_pickle_free(pickle);
    free(owned);
    return st;
}

cistern_status formats_pth_read(const formats_file *file, uint32_t number, formats_output *out,
                                cistern_error *err)
{
    archive a = {.err = err};
    cistern_status st = formats_zip_open(file->data, file->size, &a.zip, err);

    if (st)
        return st;
    const formats_zip_member *keras =
        formats_zip_find(&a.zip, (const uint8_t *)FORMATS_KERAS_MEMBER, strlen(FORMATS_KERAS_MEMBER));
    if (keras)
        st = formats_keras_read_member(file, &a.zip, keras, number, out, err);
    else if (!(st = find_pickle(&a)) && !(st = check_byte_order(&a)))
        st = read_pickle(&a, number, out);
    formats_zip_clear(&a.zip);
    return st;
}
