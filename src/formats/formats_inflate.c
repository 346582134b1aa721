/* Inflating zip members: in pieces into the decoded file, or whole into memory where they are small.
 *
 * Invariants
 *  1. A member gives exactly the bytes and the CRC-32 that the directory says, or UNREADABLE.
 *  2. Memory: one piece, or the maximum that the caller allows.
 */
#include "priv/formats_inflate.h"

#include <stdlib.h>
#include <zlib.h>
#include "base_mem.h"

#define PIECE   65536u       /* bytes that come out at once */
#define FEED    (1u << 30)   /* bytes that zlib is given at once; it counts in 32 bits */
#define NO_WRAP (-MAX_WBITS) /* raw deflate, as zip stores it */

/* Where inflated bytes go. */
typedef struct target {
    formats_writer *writer; /* or */
    uint8_t *memory;
    uint64_t done;
} target;

formats_inflate formats_inflate_of(const formats_zip *zip, const formats_zip_member *m)
{
    return (formats_inflate){zip->bytes + m->data, m->packed, m->size, m->data, m->crc};
}

static cistern_status put(target *t, const uint8_t *bytes, size_t n, cistern_error *err)
{
    if (t->memory)
        memcpy(t->memory + t->done, bytes, n);
    t->done += n;
    return t->writer ? formats_writer_put(t->writer, bytes, n, err) : CISTERN_OK;
}

static cistern_status broken(const formats_inflate *f, uint64_t done, cistern_error *err)
{
    return base_fail_at(
        err, CISTERN_UNREADABLE, f->at,
        "a compressed zip member gives %llu bytes and not the %llu that its directory says, or "
        "others: the file is damaged",
        (unsigned long long)done, (unsigned long long)f->size);
}

static void feed(const formats_inflate *f, z_stream *z, uint64_t *fed)
{
    uint64_t left = f->packed_size - *fed;

    if (z->avail_in || !left)
        return;
    z->next_in = (z_const Bytef *)(uintptr_t)(f->packed + *fed);
    z->avail_in = (uInt)(left < FEED ? left : FEED);
    *fed += z->avail_in;
}

static cistern_status run(const formats_inflate *f, z_stream *z, uint8_t *piece, target *t,
                          cistern_error *err)
{
    uint64_t fed = 0;
    uLong crc = crc32_z(0, NULL, 0);
    int state = Z_OK;

    while (state != Z_STREAM_END) {
        feed(f, z, &fed);
        z->next_out = piece;
        z->avail_out = PIECE;
        state = inflate(z, Z_NO_FLUSH);
        size_t n = PIECE - z->avail_out;
        if (state == Z_MEM_ERROR)
            return base_fail_memory(err, 0);
        if ((state != Z_OK && state != Z_STREAM_END) || n > f->size - t->done ||
            (!n && state == Z_OK && !z->avail_in))
            return broken(f, t->done + n, err);
        crc = crc32_z(crc, piece, n);
        cistern_status st = put(t, piece, n, err);
        if (st)
            return st;
    }
    if (t->done != f->size || (uint32_t)crc != f->crc)
        return broken(f, t->done, err);
    return CISTERN_OK;
}

static cistern_status inflate_to(const formats_inflate *f, target *t, cistern_error *err)
{
    z_stream z = {0};
    uint8_t *piece;
    cistern_status st = base_calloc(1, PIECE, &piece, err);

    if (st)
        return st;
    if (inflateInit2(&z, NO_WRAP) != Z_OK) {
        free(piece);
        return base_fail_memory(err, 0);
    }
    st = run(f, &z, piece, t, err);
    (void)inflateEnd(&z);
    free(piece);
    return st;
}

cistern_status formats_inflate_write(const void *what, formats_writer *w, cistern_error *err)
{
    formats_inflate f;
    target t = {.writer = w};

    memcpy(&f, what, sizeof f);
    return inflate_to(&f, &t, err);
}

cistern_status formats_inflate_member(const formats_zip *zip, const formats_zip_member *m, uint64_t max,
                                      const uint8_t **out, uint8_t **out_owned, cistern_error *err)
{
    formats_inflate f = formats_inflate_of(zip, m);
    target t = {0};
    cistern_status st;

    *out_owned = NULL;
    if (m->method == 0)
        return formats_zip_payload(zip, m, out, err);
    if (m->size > max)
        return base_fail_at(err, CISTERN_UNREADABLE, m->header,
                            "zip member '%.*s' is compressed and unpacks to %llu bytes, at most %llu allowed",
                            (int)m->name_len, (const char *)m->name, (unsigned long long)m->size,
                            (unsigned long long)max);
    if ((st = base_calloc(1, (size_t)m->size + 1, &t.memory, err)))
        return st;
    if ((st = inflate_to(&f, &t, err))) {
        free(t.memory);
        return st;
    }
    *out = *out_owned = t.memory;
    return CISTERN_OK;
}
