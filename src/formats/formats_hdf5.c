/* HDF5: superblock and object headers (specification II.A, IV.A).
 *
 * Invariants
 *  1. Offsets and lengths have 8 bytes, the base address is 0: what every weight file has. Others are refused.
 *  2. A header's continuations are queued, at most FORMATS_HDF5_BLOCKS_MAX of them.
 * It does not: compare the checksums of version-2 structures; the bytes are bound to a SHA-256 anyway.
 */
#include "priv/formats_hdf5.h"

#include <string.h>

#define SIGNATURE      "\x89HDF\r\n\x1a\n"
#define SIGNATURE_LEN  8u
#define OLD_SUPERBLOCK 96u /* bytes, of version 0; 4 more of version 1 */
#define NEW_SUPERBLOCK 48u
#define OLD_PREFIX     16u /* bytes before the messages of a version-1 header, padding included */

cistern_status formats_hdf5_take(formats_hdf5 *h, uint64_t at, uint64_t n, const char *what,
                                 const uint8_t **out)
{
    if (at > h->size || n > h->size - at)
        return base_fail_at(h->err, CISTERN_UNREADABLE, at < h->size ? h->origin + at : h->origin + h->size,
                            "%s at address %llu of %llu bytes reaches beyond the file's %llu", what,
                            (unsigned long long)at, (unsigned long long)n, (unsigned long long)h->size);
    if (n + 16 > h->work)
        return FORMATS_HDF5_FAIL(h, at, "its structures go on for more than %llu bytes: do they form a loop?",
                                 (unsigned long long)FORMATS_HDF5_WORK_MAX);
    h->work -= n + 16; /* a structure costs something even when it is short */
    *out = h->bytes + at;
    return CISTERN_OK;
}

/* ---- superblock ---- */

static cistern_status check_widths(formats_hdf5 *h, const uint8_t *widths, uint64_t at)
{
    if (widths[0] == 8 && widths[1] == 8)
        return CISTERN_OK;
    return FORMATS_HDF5_FAIL(h, at, "addresses of %u and lengths of %u bytes, 8 and 8 are read", widths[0],
                             widths[1]);
}

/* Base address, then the end of the file. */
static cistern_status check_extent(formats_hdf5 *h, uint64_t base, uint64_t base_at, uint64_t end,
                                   uint64_t end_at)
{
    if (base != 0)
        return FORMATS_HDF5_FAIL(h, base_at, "a base address of %llu, 0 is read", (unsigned long long)base);
    if (end > h->size)
        return FORMATS_HDF5_FAIL(h, end_at,
                                 "the file says that it has %llu bytes, but has %llu: it is cut short",
                                 (unsigned long long)end, (unsigned long long)h->size);
    return CISTERN_OK;
}

static cistern_status read_old_superblock(formats_hdf5 *h, unsigned version)
{
    const uint8_t *p;
    uint64_t base = version == 0 ? 24 : 28;
    cistern_status st =
        formats_hdf5_take(h, 0, OLD_SUPERBLOCK + (version == 0 ? 0 : 4), "the superblock", &p);

    if (st || (st = check_widths(h, p + 13, 13)))
        return st;
    h->root = formats_hdf5_le(p + base + 40, 8);
    return check_extent(h, formats_hdf5_le(p + base, 8), base, formats_hdf5_le(p + base + 16, 8), base + 16);
}

static cistern_status read_new_superblock(formats_hdf5 *h)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(h, 0, NEW_SUPERBLOCK, "the superblock", &p);

    if (st || (st = check_widths(h, p + 9, 9)))
        return st;
    h->root = formats_hdf5_le(p + 36, 8);
    return check_extent(h, formats_hdf5_le(p + 12, 8), 12, formats_hdf5_le(p + 28, 8), 28);
}

cistern_status formats_hdf5_open(const uint8_t *bytes, uint64_t size, uint64_t origin, formats_hdf5 *out,
                                 cistern_error *err)
{
    formats_hdf5 h = {
        .bytes = bytes, .size = size, .origin = origin, .work = FORMATS_HDF5_WORK_MAX, .err = err};
    cistern_status st;

    if (size < SIGNATURE_LEN + 1 || memcmp(bytes, SIGNATURE, SIGNATURE_LEN) != 0)
        return FORMATS_HDF5_FAIL(&h, 0, "not an HDF5 file, or cut short");
    unsigned version = bytes[SIGNATURE_LEN];
    if (version > 3)
        return FORMATS_HDF5_FAIL(&h, SIGNATURE_LEN, "an HDF5 superblock of version %u, 0 to 3 are read",
                                 version);
    st = version < 2 ? read_old_superblock(&h, version) : read_new_superblock(&h);
    if (!st)
        *out = h;
    return st;
}

/* ---- object headers ---- */

typedef struct block {
    uint64_t at, size;
} block;

/* A header being read: its blocks, and how its messages are written. */
typedef struct header {
    formats_hdf5 *h;
    uint64_t address;
    bool new_form;  /* version 2 */
    bool numbered;  /* messages have a creation order */
    uint64_t limit; /* messages still announced; of version 1 only */
    block blocks[FORMATS_HDF5_BLOCKS_MAX];
    size_t count;
    formats_hdf5_message_fn fn;
    void *user;
} header;

static cistern_status add_block(header *o, uint64_t at, uint64_t size, uint64_t where)
{
    if (o->count == FORMATS_HDF5_BLOCKS_MAX)
        return FORMATS_HDF5_FAIL(o->h, where,
                                 "the object header at address %llu goes on in more than %u blocks: a loop?",
                                 (unsigned long long)o->address, FORMATS_HDF5_BLOCKS_MAX);
    o->blocks[o->count++] = (block){at, size};
    return CISTERN_OK;
}

/* "OCHK", messages, checksum. */
static cistern_status add_continuation(header *o, const formats_hdf5_message *m)
{
    const uint8_t *p;

    if (m->size < 16)
        return FORMATS_HDF5_FAIL(o->h, m->at, "a continuation of %zu bytes, 16 are needed", m->size);
    uint64_t at = formats_hdf5_le(m->data, 8), size = formats_hdf5_le(m->data + 8, 8);
    if (!o->new_form)
        return add_block(o, at, size, m->at);
    cistern_status st = formats_hdf5_take(o->h, at, 8, "an object header's continuation", &p);
    if (st)
        return st;
    if (memcmp(p, "OCHK", 4) != 0 || size < 8)
        return FORMATS_HDF5_FAIL(o->h, at, "no continuation of an object header where one should be");
    return add_block(o, at + 4, size - 8, m->at);
}

/* The message at p of a block; *used is what it takes. False: only padding is left. */
static bool next_message(const header *o, const uint8_t *p, uint64_t left, formats_hdf5_message *m,
                         size_t *used)
{
    size_t prefix = !o->new_form ? 8 : o->numbered ? 6 : 4;

    if (left < prefix)
        return false;
    m->type = (uint32_t)formats_hdf5_le(p, o->new_form ? 1 : 2);
    m->size = (size_t)formats_hdf5_le(p + (o->new_form ? 1 : 2), 2);
    m->shared = (p[o->new_form ? 3 : 4] & 2) != 0;
    m->data = p + prefix;
    *used = prefix + m->size;
    return true;
}

static cistern_status read_block(header *o, const block *b)
{
    const uint8_t *p;
    formats_hdf5_message m = {0};
    size_t used = 0;
    cistern_status st = formats_hdf5_take(o->h, b->at, b->size, "an object header's block", &p);

    for (uint64_t at = 0; !st && at < b->size && o->limit; at += used) {
        if (!next_message(o, p + at, b->size - at, &m, &used))
            break;
        m.at = b->at + at + (used - m.size);
        if (used > b->size - at)
            return FORMATS_HDF5_FAIL(
                o->h, m.at, "a message of %zu bytes reaches beyond its object header's block", m.size);
        o->limit -= o->new_form ? 0 : 1;
        if (m.type == FORMATS_HDF5_CONTINUATION)
            st = add_continuation(o, &m);
        else if (m.type != FORMATS_HDF5_NIL)
            st = o->fn(o->h, o->user, &m);
    }
    return st;
}

static cistern_status begin_old(header *o)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(o->h, o->address, OLD_PREFIX, "an object header", &p);

    if (st)
        return st;
    if (p[0] != 1)
        return FORMATS_HDF5_FAIL(o->h, o->address, "no object header where one should be");
    o->limit = formats_hdf5_le(p + 2, 2);
    return add_block(o, o->address + OLD_PREFIX, formats_hdf5_le(p + 8, 4), o->address);
}

static cistern_status begin_new(header *o)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(o->h, o->address, 6, "an object header", &p);

    if (st)
        return st;
    unsigned flags = p[5], width = 1u << (flags & 3);
    uint64_t before = 6u + (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u);
    if (p[4] != 2)
        return FORMATS_HDF5_FAIL(o->h, o->address + 4, "an object header of version %u, 1 and 2 are read",
                                 p[4]);
    if ((st = formats_hdf5_take(o->h, o->address + before, width, "an object header", &p)))
        return st;
    o->new_form = true;
    o->numbered = (flags & 4) != 0;
    o->limit = 1;
    return add_block(o, o->address + before + width, formats_hdf5_le(p, width), o->address);
}

cistern_status formats_hdf5_messages(formats_hdf5 *h, uint64_t address, formats_hdf5_message_fn fn,
                                     void *user)
{
    header o = {.h = h, .address = address, .fn = fn, .user = user};
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(h, address, 4, "an object header", &p);

    if (!st)
        st = memcmp(p, "OHDR", 4) == 0 ? begin_new(&o) : begin_old(&o);
    for (size_t i = 0; !st && i < o.count; i++)
        st = read_block(&o, &o.blocks[i]);
    return st;
}
