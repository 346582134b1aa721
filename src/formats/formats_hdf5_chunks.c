/* Unpacking datasets: chunks, filters, byte order, turned kernels (specification III.A.1; filters: HDF5 library's
 * H5Zdeflate.c and H5Zshuffle.c describe what deflate and shuffle do to a chunk).
 *
 * A dataset is written band by band: all chunks that begin in the same rows (index 0) are unpacked side by side, then the
 * band's rows are in order. A contiguous one is cut into bands of about a mebibyte.
 *
 * Invariants
 *  1. Every chunk of the grid is there exactly once; a missing one is refused, never filled.
 *  2. Memory: one band, one chunk twice, 24 bytes per chunk.
 */
#include "priv/formats_hdf5.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base_mem.h"

#define NODE_HEAD  24u
#define CONTIGUOUS (1u << 20) /* bytes of a contiguous dataset's band, about */

typedef struct chunk {
    uint64_t number; /* in the grid, row by row */
    uint64_t at;
    uint32_t size; /* bytes in the file */
    uint32_t mask; /* filters that were left out */
} chunk;

typedef struct unpacking {
    formats_hdf5_dataset d; /* whose file counts the work */
    uint64_t row;           /* bytes of one row: all but axis 0 */
    uint64_t rows;          /* of axis 0 */
    uint64_t band_rows;
    uint8_t *band;
    uint64_t grid[MODEL_RANK_MAX]; /* chunks along each axis */
    uint64_t per_band;             /* chunks of one band */
    chunk *chunks;
    size_t count, total;
    uint8_t *raw, *plain; /* a chunk inflated, and in order */
} unpacking;

#define FAIL(u, at, ...) FORMATS_HDF5_FAIL(&(u)->d.file, at, __VA_ARGS__)

/* ---- the index of chunks ---- */

static size_t key_bytes(const unpacking *u)
{
    return 8 + ((size_t)u->d.space.rank + 1) * 8;
}

static cistern_status add_chunk(unpacking *u, const uint8_t *key, uint64_t at, uint64_t child)
{
    chunk c = {.at = child,
               .size = (uint32_t)formats_hdf5_le(key, 4),
               .mask = (uint32_t)formats_hdf5_le(key + 4, 4)};

    for (uint32_t i = 0; i < u->d.space.rank; i++) {
        uint64_t offset = formats_hdf5_le(key + 8 + i * (size_t)8, 8);
        if (offset % u->d.chunk[i] || offset >= u->d.space.shape[i])
            return FAIL(u, at, "a chunk that begins at %llu of axis %u, which has %llu in chunks of %llu",
                        (unsigned long long)offset, i, (unsigned long long)u->d.space.shape[i],
                        (unsigned long long)u->d.chunk[i]);
        c.number = c.number * u->grid[i] + offset / u->d.chunk[i];
    }
    if (u->count == u->total)
        return FAIL(u, at, "more than the %zu chunks that the dataset takes", u->total);
    u->chunks[u->count++] = c;
    return CISTERN_OK;
}

typedef struct level {
    const uint8_t *entries; /* key, child, key, child …, key */
    uint64_t at;            /* of entries */
    unsigned level, count, next;
} level;

static cistern_status enter_node(unpacking *u, uint64_t at, unsigned above, level *out)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(&u->d.file, at, NODE_HEAD, "a B-tree node of chunks", &p);

    if (st)
        return st;
    if (memcmp(p, "TREE", 4) != 0 || p[4] != 1)
        return FAIL(u, at, "no B-tree node of chunks where a dataset should have one");
    if (above ? p[5] != above - 1 : p[5] >= FORMATS_HDF5_DEPTH_MAX)
        return FAIL(u, at, "a B-tree node of chunks of level %u where it should be %s%u: a loop?", p[5],
                    above ? "" : "below ", above ? above - 1 : FORMATS_HDF5_DEPTH_MAX);
    *out = (level){.at = at + NODE_HEAD, .level = p[5], .count = (unsigned)formats_hdf5_le(p + 6, 2)};
    return formats_hdf5_take(&u->d.file, out->at, out->count * (uint64_t)(key_bytes(u) + 8) + key_bytes(u),
                             "a B-tree node of chunks", &out->entries);
}

static cistern_status walk_chunks(unpacking *u)
{
    level stack[FORMATS_HDF5_DEPTH_MAX];
    size_t depth = 1, step = key_bytes(u) + 8;
    cistern_status st = enter_node(u, u->d.address, 0, &stack[0]);

    while (!st && depth) {
        level *top = &stack[depth - 1];
        if (top->next == top->count) {
            depth--;
            continue;
        }
        size_t at = top->next++ * step;
        uint64_t child = formats_hdf5_le(top->entries + at + step - 8, 8);
        if (top->level == 0)
            st = add_chunk(u, top->entries + at, top->at + at, child);
        else
            st = enter_node(u, child, top->level, &stack[depth++]);
    }
    return st;
}

static int by_number(const void *a, const void *b)
{
    const chunk *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static cistern_status index_chunks(unpacking *u)
{
    uint64_t total = 1;

    u->per_band = 1;
    for (uint32_t i = 0; i < u->d.space.rank; i++) {
        u->grid[i] = (u->d.space.shape[i] - 1) / u->d.chunk[i] + 1;
        if (!base_mul_u64(total, u->grid[i], &total) || total > FORMATS_HDF5_CHUNKS_MAX)
            return FAIL(u, u->d.address, "a dataset of more than %u chunks", FORMATS_HDF5_CHUNKS_MAX);
        u->per_band *= i ? u->grid[i] : 1;
    }
    u->total = (size_t)total;
    cistern_status st = base_calloc(u->total, sizeof *u->chunks, &u->chunks, u->d.file.err);
    if (!st)
        st = walk_chunks(u);
    if (st)
        return st;
    qsort(u->chunks, u->count, sizeof *u->chunks, by_number);
    for (size_t i = 0; i < u->total; i++) {
        if (i >= u->count || u->chunks[i].number != i)
            return FAIL(u, u->d.address, "chunk %zu of %zu is not there (unallocated), or there twice", i,
                        u->total);
    }
    return CISTERN_OK;
}

/* ---- one chunk ---- */

static cistern_status inflate_chunk(unpacking *u, const chunk *c, const uint8_t *packed, size_t bytes)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)packed, .avail_in = c->size};

    if (inflateInit(&z) != Z_OK)
        return base_fail_memory(u->d.file.err, 0);
    z.next_out = u->raw;
    z.avail_out = (uInt)bytes;
    int end = inflate(&z, Z_FINISH);
    (void)inflateEnd(&z);
    if (end == Z_MEM_ERROR)
        return base_fail_memory(u->d.file.err, 0);
    if (end != Z_STREAM_END || z.total_out != bytes)
        return FAIL(u, c->at, "a compressed chunk does not unpack to the %zu bytes that it must have", bytes);
    return CISTERN_OK;
}

/* First bytes of all elements, then second bytes … back to element by element. */
static void unshuffle(const uint8_t *from, uint8_t *to, size_t bytes, size_t width)
{
    size_t n = bytes / width;

    for (size_t b = 0; b < width; b++) {
        for (size_t i = 0; i < n; i++)
            to[i * width + b] = from[b * n + i];
    }
}

/* The chunk's elements in order; *out borrowed. */
static cistern_status load_chunk(unpacking *u, const chunk *c, const uint8_t **out)
{
    const formats_hdf5_dataset *d = &u->d;
    size_t bytes = (size_t)(d->chunk_elements * d->type.size);
    const uint8_t *p;
    cistern_status st;

    if (c->at > d->file.size || c->size > d->file.size - c->at)
        return FAIL(u, c->at < d->file.size ? c->at : d->file.size,
                    "a chunk of %u bytes reaches beyond the file", c->size);
    p = d->file.bytes + c->at;
    if (d->deflated && !(c->mask >> d->deflate_bit & 1)) {
        if ((st = inflate_chunk(u, c, p, bytes)))
            return st;
        p = u->raw;
    } else if (c->size != bytes) {
        return FAIL(u, c->at, "a chunk of %u bytes, %zu are needed", c->size, bytes);
    }
    if (d->shuffled && !(c->mask >> d->shuffle_bit & 1)) {
        unshuffle(p, u->plain, bytes, d->type.size);
        p = u->plain;
    }
    *out = p;
    return CISTERN_OK;
}

/* Copy the part of a chunk that lies inside the dataset to its place in the band. */
static void place_chunk(unpacking *u, const chunk *c, const uint8_t *p)
{
    const formats_hdf5_dataset *d = &u->d;
    uint32_t rank = d->space.rank, last = rank - 1;
    uint64_t start[MODEL_RANK_MAX], here[MODEL_RANK_MAX] = {0}, n[MODEL_RANK_MAX], number = c->number;

    for (uint32_t i = rank; i-- > 0;) {
        start[i] = number % u->grid[i] * d->chunk[i];
        number /= u->grid[i];
        n[i] = d->space.shape[i] - start[i] < d->chunk[i] ? d->space.shape[i] - start[i] : d->chunk[i];
    }
    uint64_t band_start = start[0] - start[0] % u->band_rows;
    for (;;) { /* one run along the last axis */
        uint64_t from = 0, to = 0;
        for (uint32_t i = 0; i < rank; i++) {
            from = from * d->chunk[i] + (i == last ? 0 : here[i]);
            to = to * d->space.shape[i] + start[i] + (i == last ? 0 : here[i]) - (i == 0 ? band_start : 0);
        }
        memcpy(u->band + to * d->type.size, p + from * d->type.size, (size_t)(n[last] * d->type.size));
        uint32_t i = last;
        while (i > 0 && ++here[i - 1] == n[i - 1])
            here[--i] = 0;
        if (i == 0)
            return;
    }
}

/* ---- bands ---- */

static cistern_status fill_band(unpacking *u, uint64_t first_row)
{
    uint64_t rows = u->rows - first_row < u->band_rows ? u->rows - first_row : u->band_rows;
    cistern_status st = CISTERN_OK;

    if (!u->d.chunked) {
        memcpy(u->band, u->d.file.bytes + u->d.address + first_row * u->row, (size_t)(rows * u->row));
        return CISTERN_OK;
    }
    uint64_t begin = first_row / u->d.chunk[0] * u->per_band,
             end = ((first_row + rows - 1) / u->d.chunk[0] + 1) * u->per_band;
    for (uint64_t i = begin; !st && i < end; i++) {
        const uint8_t *p;
        st = load_chunk(u, &u->chunks[i], &p);
        if (!st)
            place_chunk(u, &u->chunks[i], p);
    }
    return st;
}

static void swap_bytes(uint8_t *p, size_t bytes, size_t width)
{
    for (size_t at = 0; at < bytes; at += width) {
        for (size_t i = 0; i < width / 2; i++) {
            uint8_t keep = p[at + i];
            p[at + i] = p[at + width - 1 - i];
            p[at + width - 1 - i] = keep;
        }
    }
}

/* Reverse the order of `count` blocks of `block` bytes. */
static void reverse_blocks(uint8_t *p, size_t count, size_t block)
{
    for (size_t i = 0; i < count / 2; i++) {
        uint8_t *a = p + i * block, *b = p + (count - 1 - i) * block;
        for (size_t k = 0; k < block; k++) {
            uint8_t keep = a[k];
            a[k] = b[k];
            b[k] = keep;
        }
    }
}

/* A turn by 180 degrees reverses y and x at once: the order of all y * x elements (or blocks of in * out). */
static void turn_band(const unpacking *u, size_t bytes)
{
    const formats_hdf5_dataset *d = &u->d;
    const uint64_t *shape = d->space.shape;

    if (d->turn == FORMATS_HDF5_TURN_FIRST)
        reverse_blocks(u->band, (size_t)(shape[0] * shape[1]), (size_t)(shape[2] * shape[3] * d->type.size));
    size_t plane = (size_t)(shape[2] * shape[3] * d->type.size);
    for (size_t at = 0; d->turn == FORMATS_HDF5_TURN_LAST && at < bytes; at += plane)
        reverse_blocks(u->band + at, (size_t)(shape[2] * shape[3]), d->type.size);
}

static cistern_status choose_band(unpacking *u)
{
    const formats_hdf5_dataset *d = &u->d;
    uint64_t bytes;

    u->rows = d->space.rank ? d->space.shape[0] : 1;
    u->row = d->elements / u->rows * d->type.size;
    u->band_rows = d->chunked ? d->chunk[0] : u->row >= CONTIGUOUS ? 1 : CONTIGUOUS / u->row;
    if (d->turn == FORMATS_HDF5_TURN_FIRST)
        u->band_rows = (u->rows - 1) / u->band_rows * u->band_rows + u->band_rows; /* all at once */
    if (!base_mul_u64(u->band_rows < u->rows ? u->band_rows : u->rows, u->row, &bytes) ||
        bytes > FORMATS_HDF5_BAND_MAX)
        return FAIL(u, d->address == FORMATS_HDF5_UNDEFINED ? 0 : d->address,
                    "chunks side by side take %llu bytes, at most %u allowed: save the file again with "
                    "smaller chunks",
                    (unsigned long long)bytes, FORMATS_HDF5_BAND_MAX);
    return base_calloc(1, (size_t)bytes, &u->band, d->file.err);
}

static cistern_status begin(unpacking *u)
{
    size_t bytes = (size_t)(u->d.chunk_elements * u->d.type.size);
    cistern_status st = choose_band(u);

    if (!st && u->d.chunked)
        st = index_chunks(u);
    if (!st && u->d.deflated)
        st = base_calloc(1, bytes, &u->raw, u->d.file.err);
    if (!st && u->d.shuffled)
        st = base_calloc(1, bytes, &u->plain, u->d.file.err);
    return st;
}

static cistern_status write_bands(unpacking *u, formats_writer *w, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    for (uint64_t row = 0; !st && row < u->rows; row += u->band_rows) {
        uint64_t rows = u->rows - row < u->band_rows ? u->rows - row : u->band_rows;
        size_t bytes = (size_t)(rows * u->row);
        if ((st = fill_band(u, row)))
            break;
        if (u->d.type.big_endian)
            swap_bytes(u->band, bytes, u->d.type.size);
        if (u->d.turn != FORMATS_HDF5_TURN_NONE)
            turn_band(u, bytes);
        st = formats_writer_put(w, u->band, bytes, err);
    }
    return st;
}

cistern_status formats_hdf5_decode(const void *dataset, formats_writer *w, cistern_error *err)
{
    unpacking u = {0};

    memcpy(&u.d, dataset, sizeof u.d);
    u.d.file.err = err;
    if (u.d.elements == 0)
        return CISTERN_OK;
    cistern_status st = begin(&u);
    if (!st)
        st = write_bands(&u, w, err);
    free(u.band);
    free(u.raw);
    free(u.plain);
    free(u.chunks);
    return st;
}
