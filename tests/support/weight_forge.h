/* Weight files made by hand, byte by byte, so that each can be wrong in exactly one way. */
#ifndef WEIGHT_FORGE_H
#define WEIGHT_FORGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- bytes that grow ---- */

typedef struct forge {
    uint8_t *data;
    size_t len, capacity;
} forge;

static inline void forge_put(forge *f, const void *bytes, size_t n)
{
    if (f->len + n > f->capacity) {
        f->capacity = (f->len + n) * 2 + 64;
        f->data = realloc(f->data, f->capacity);
        if (!f->data)
            abort();
    }
    if (n)
        memcpy(f->data + f->len, bytes, n);
    f->len += n;
}

static inline void forge_le(forge *f, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t b = (uint8_t)(value >> (8 * i));
        forge_put(f, &b, 1);
    }
}

static inline void forge_set_le(forge *f, size_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        f->data[at + i] = (uint8_t)(value >> (8 * i));
}

static inline void forge_zeros(forge *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        forge_put(f, "", 1);
}

static inline void forge_free(forge *f)
{
    free(f->data);
    *f = (forge){0};
}

/* A string literal that may hold zeros. */
#define FORGE(f, literal) forge_put(f, literal, sizeof(literal) - 1)

/* ---- pickle opcodes ---- */

static inline void pickle_text(forge *f, const char *text)
{
    FORGE(f, "X");
    forge_le(f, strlen(text), 4);
    forge_put(f, text, strlen(text));
}

static inline void pickle_int(forge *f, int64_t value)
{
    FORGE(f, "\x8a\x08");
    forge_le(f, (uint64_t)value, 8);
}

static inline void pickle_global(forge *f, const char *module, const char *name)
{
    FORGE(f, "c");
    forge_put(f, module, strlen(module));
    FORGE(f, "\n");
    forge_put(f, name, strlen(name));
    FORGE(f, "\n");
}

/* ('storage', torch.<type>, key, 'cpu', numel) as a persistent id; the stream kind adds None. */
static inline void pickle_storage(forge *f, const char *type, const char *key, int64_t numel, bool stream)
{
    FORGE(f, "(");
    pickle_text(f, "storage");
    pickle_global(f, "torch", type);
    pickle_text(f, key);
    pickle_text(f, "cpu");
    pickle_int(f, numel);
    if (stream)
        FORGE(f, "N");
    FORGE(f, "tQ");
}

typedef struct forge_tensor {
    const char *name, *type, *key;
    int64_t numel, offset; /* elements */
    int rank;
    int64_t size[10], stride[10];
} forge_tensor;

static inline void pickle_tensor(forge *f, const forge_tensor *t, bool stream)
{
    pickle_global(f, "torch._utils", "_rebuild_tensor_v2");
    FORGE(f, "(");
    pickle_storage(f, t->type, t->key, t->numel, stream);
    pickle_int(f, t->offset);
    FORGE(f, "(");
    for (int i = 0; i < t->rank; i++)
        pickle_int(f, t->size[i]);
    FORGE(f, "t(");
    for (int i = 0; i < t->rank; i++)
        pickle_int(f, t->stride[i]);
    FORGE(f, "t\x89}tR");
}

/* A dict of tensors, protocol 2. */
static inline void pickle_state(forge *f, const forge_tensor *t, size_t n, bool stream)
{
    FORGE(f, "\x80\x02}");
    for (size_t i = 0; i < n; i++) {
        pickle_text(f, t[i].name);
        pickle_tensor(f, &t[i], stream);
        FORGE(f, "s");
    }
    FORGE(f, ".");
}

/* ---- zip ---- */

/* One member, and how to be wrong about it: fields of zero mean "as is right". */
typedef struct forge_member {
    const char *name;
    size_t name_len; /* 0: strlen(name) */
    const void *data;
    size_t size;
    const char *local_name; /* another name in the local header, of the same length */
    uint16_t method, flags, local_method, local_flags;
    uint32_t crc_xor;  /* spoils the CRC-32 */
    uint32_t size_add; /* makes the central sizes wrong */
    uint32_t local_size_add;
    int64_t header;    /* > 0: the place of the local header, plus one; nothing is written there */
    bool plain;        /* sizes and CRC in the local header, no data descriptor flag */
    const void *extra; /* of the central header */
    size_t extra_len;
} forge_member;

static inline size_t member_name_len(const forge_member *m)
{
    return m->name_len ? m->name_len : strlen(m->name);
}

static inline uint32_t member_crc(const forge_member *m)
{
    return (uint32_t)crc32_z(0, m->data, m->size) ^ m->crc_xor;
}

static inline uint16_t member_flags(const forge_member *m)
{
    return (uint16_t)(m->flags | (m->plain ? 0x800 : 0x808));
}

static inline void zip_local(forge *f, const forge_member *m)
{
    size_t n = member_name_len(m);
    uint32_t size = m->plain ? (uint32_t)m->size + m->local_size_add : m->local_size_add;

    forge_le(f, 0x04034b50, 4);
    forge_le(f, 0, 2);
    forge_le(f, (uint16_t)(member_flags(m) ^ m->local_flags), 2);
    forge_le(f, (uint16_t)(m->method ^ m->local_method), 2);
    forge_le(f, 0, 4);
    forge_le(f, m->plain ? member_crc(m) : 0, 4);
    forge_le(f, size, 4);
    forge_le(f, size, 4);
    forge_le(f, n, 2);
    size_t pad = (64 - (f->len + 2 + n + 4) % 64) % 64; /* as PyTorch pads, with an extra field "FB" */
    forge_le(f, 4 + pad, 2);
    forge_put(f, m->local_name ? m->local_name : m->name, n);
    FORGE(f, "FB");
    forge_le(f, pad, 2);
    for (size_t i = 0; i < pad; i++)
        FORGE(f, "Z");
    forge_put(f, m->data, m->size);
}

static inline void zip_central(forge *f, const forge_member *m, size_t header)
{
    size_t n = member_name_len(m);

    forge_le(f, 0x02014b50, 4);
    forge_le(f, 0, 4);
    forge_le(f, member_flags(m), 2);
    forge_le(f, m->method, 2);
    forge_le(f, 0, 4);
    forge_le(f, member_crc(m), 4);
    forge_le(f, (uint32_t)m->size + m->size_add, 4);
    forge_le(f, (uint32_t)m->size + m->size_add, 4);
    forge_le(f, n, 2);
    forge_le(f, m->extra_len, 2);
    forge_zeros(f, 10);
    forge_le(f, m->header ? (uint64_t)(m->header - 1) : header, 4);
    forge_put(f, m->name, n);
    forge_put(f, m->extra, m->extra_len);
}

/* Where the parts of a forged zip lie, for further damage. */
typedef struct forge_zip {
    size_t header[16]; /* of each member */
    size_t directory, end64, locator, end;
} forge_zip;

static inline forge_zip zip_make(forge *f, const forge_member *m, size_t n)
{
    forge_zip z = {{0}, 0, 0, 0, 0};

    for (size_t i = 0; i < n; i++) {
        z.header[i] = f->len;
        if (!m[i].header)
            zip_local(f, &m[i]);
    }
    z.directory = f->len;
    for (size_t i = 0; i < n; i++)
        zip_central(f, &m[i], z.header[i]);
    z.end64 = f->len;
    forge_le(f, 0x06064b50, 4);
    forge_le(f, 44, 8);
    forge_zeros(f, 12);
    forge_le(f, n, 8);
    forge_le(f, n, 8);
    forge_le(f, z.end64 - z.directory, 8);
    forge_le(f, z.directory, 8);
    z.locator = f->len;
    forge_le(f, 0x07064b50, 4);
    forge_le(f, 0, 4);
    forge_le(f, z.end64, 8);
    forge_le(f, 1, 4);
    z.end = f->len;
    forge_le(f, 0x06054b50, 4);
    forge_zeros(f, 4);
    forge_le(f, n, 2);
    forge_le(f, n, 2);
    forge_le(f, z.end64 - z.directory, 4);
    forge_le(f, z.directory, 4);
    forge_le(f, 0, 2);
    return z;
}

/* A zip .pth of one pickle and one storage '0' of `bytes` bytes. */
static inline forge_zip pth_make(forge *f, const forge *pickle, size_t bytes)
{
    void *zeros = calloc(bytes + 1, 1);
    forge_member m[] = {{.name = "a/data.pkl", .data = pickle->data, .size = pickle->len},
                        {.name = "a/data/0", .data = zeros, .size = bytes},
                        {.name = "a/version", .data = "3\n", .size = 2}};
    forge_zip z = zip_make(f, m, 3);

    free(zeros);
    return z;
}

/* ---- the legacy stream ---- */

/* The three pickles before the object. */
static inline void stream_start(forge *f, bool little)
{
    FORGE(f, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
    FORGE(f, "\x80\x02M\xe9\x03.");
    FORGE(f, "\x80\x02}");
    pickle_text(f, "little_endian");
    if (little)
        FORGE(f, "\x88s.");
    else
        FORGE(f, "\x89s.");
}

static inline void stream_keys(forge *f, const char *const *keys, size_t n)
{
    FORGE(f, "\x80\x02](");
    for (size_t i = 0; i < n; i++)
        pickle_text(f, keys[i]);
    FORGE(f, "e.");
}

/* ---- safetensors ---- */

static inline void safetensors_make(forge *f, const char *header, size_t data)
{
    forge_le(f, strlen(header), 8);
    forge_put(f, header, strlen(header));
    forge_zeros(f, data);
}

#endif
