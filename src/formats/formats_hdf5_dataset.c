/* HDF5 datasets: where and how their elements lie (specification IV.A.2.b, d, h, i, l).
 *
 * Invariants
 *  1. Whatever is accepted here can be unpacked or pointed to; everything else is refused by the name of the feature.
 */
#include "priv/formats_hdf5.h"

#include <string.h>
#include "base_mem.h"

#define FILTER_DEFLATE 1u
#define FILTER_SHUFFLE 2u

typedef enum layout_class {
    LAYOUT_COMPACT = 0,
    LAYOUT_CONTIGUOUS = 1,
    LAYOUT_CHUNKED = 2,
    LAYOUT_VIRTUAL = 3,
} layout_class;

typedef struct reading {
    formats_hdf5_dataset *d;
    bool has_type, has_space, has_layout;
    unsigned rank_of_chunk; /* with the element's own dimension */
    uint32_t chunk_element;
    uint64_t at; /* of the layout message */
} reading;

#define UNREAD ", which this version does not read; save the file again with h5py's defaults"

/* ---- layout ---- */

static cistern_status read_chunking(formats_hdf5 *h, reading *r, const uint8_t *p, size_t n, unsigned rank)
{
    formats_hdf5_dataset *d = r->d;

    if (rank < 2 || rank > MODEL_RANK_MAX + 1 || n < rank * (size_t)4)
        return FORMATS_HDF5_FAIL(h, r->at, "chunks of %u dimensions, 2 to %d are read", rank,
                                 MODEL_RANK_MAX + 1);
    for (unsigned i = 0; i + 1 < rank; i++)
        d->chunk[i] = formats_hdf5_le(p + i * (size_t)4, 4);
    r->chunk_element = (uint32_t)formats_hdf5_le(p + (rank - 1) * (size_t)4, 4);
    r->rank_of_chunk = rank;
    d->chunked = true;
    return CISTERN_OK;
}

/* Version 3: class, then what it needs. */
static cistern_status read_layout3(formats_hdf5 *h, reading *r, const formats_hdf5_message *m)
{
    const uint8_t *p = m->data;
    formats_hdf5_dataset *d = r->d;

    switch (p[1]) {
    case LAYOUT_COMPACT:
        if (m->size < 4)
            break;
        d->size = formats_hdf5_le(p + 2, 2);
        d->address = m->at + 4;
        if (d->size > m->size - 4)
            break;
        return CISTERN_OK;
    case LAYOUT_CONTIGUOUS:
        if (m->size < 18)
            break;
        d->address = formats_hdf5_le(p + 2, 8);
        d->size = formats_hdf5_le(p + 10, 8);
        return CISTERN_OK;
    case LAYOUT_CHUNKED:
        if (m->size < 11)
            break;
        d->address = formats_hdf5_le(p + 3, 8);
        return read_chunking(h, r, p + 11, m->size - 11, p[2]);
    case LAYOUT_VIRTUAL:
        return FORMATS_HDF5_FAIL(h, m->at,
                                 "a virtual dataset, whose bytes are in other files and never followed");
    default:
        return FORMATS_HDF5_FAIL(h, m->at, "a dataset of layout class %u" UNREAD, p[1]);
    }
    return FORMATS_HDF5_FAIL(h, m->at, "a dataset's layout message that is cut");
}

static cistern_status read_layout(formats_hdf5 *h, reading *r, const formats_hdf5_message *m)
{
    if (m->size < 8)
        return FORMATS_HDF5_FAIL(h, m->at, "a dataset's layout message that is cut");
    r->has_layout = true;
    r->at = m->at;
    if (m->data[0] == 4 && (m->data[1] == LAYOUT_CONTIGUOUS || m->data[1] == LAYOUT_COMPACT))
        return read_layout3(h, r, m); /* the same there */
    if (m->data[0] == 4 && m->data[1] == LAYOUT_CHUNKED)
        return FORMATS_HDF5_FAIL(h, m->at,
                                 "chunks with an index of HDF5 1.10 (written with libver='latest')" UNREAD);
    if (m->data[0] == 4 && m->data[1] == LAYOUT_VIRTUAL)
        return read_layout3(h, r, m);
    if (m->data[0] == 3)
        return read_layout3(h, r, m);
    return FORMATS_HDF5_FAIL(h, m->at, "a dataset with a layout of version %u" UNREAD, m->data[0]);
}

/* ---- filters ---- */

static cistern_status take_filter(formats_hdf5 *h, formats_hdf5_dataset *d, unsigned id, unsigned number,
                                  uint64_t at)
{
    static const char *const names[] = {"none", "deflate", "shuffle",    "fletcher32",
                                        "szip", "nbit",    "scaleoffset"};

    if (id == FILTER_SHUFFLE && !d->shuffled && !d->deflated) {
        d->shuffled = true;
        d->shuffle_bit = number;
        return CISTERN_OK;
    }
    if (id == FILTER_DEFLATE && !d->deflated) {
        d->deflated = true;
        d->deflate_bit = number;
        return CISTERN_OK;
    }
    return FORMATS_HDF5_FAIL(h, at, "filter %u (%s) at place %u; shuffle, then deflate are read", id,
                             id < sizeof names / sizeof names[0] ? names[id] : "of a plugin", number + 1);
}

/* Version 1 has 8 bytes of head and pads names and odd numbers of values; version 2 has names of plugins only. */
static cistern_status read_filters(formats_hdf5 *h, formats_hdf5_dataset *d, const formats_hdf5_message *m)
{
    const uint8_t *p = m->data;
    unsigned version = m->size >= 2 ? p[0] : 0, count = m->size >= 2 ? p[1] : 0;
    size_t at = version == 1 ? 8 : 2;

    if (version != 1 && version != 2)
        return FORMATS_HDF5_FAIL(h, m->at, "a filter pipeline of version %u, 1 and 2 are read", version);
    for (unsigned i = 0; i < count; i++) {
        if (at > m->size || m->size - at < 8)
            return FORMATS_HDF5_FAIL(h, m->at, "a filter pipeline that is cut");
        unsigned id = (unsigned)formats_hdf5_le(p + at, 2);
        bool named = version == 1 || id >= 256;
        size_t name = named ? (size_t)formats_hdf5_le(p + at + 2, 2) : 0;
        size_t values = (size_t)formats_hdf5_le(p + at + (named ? 6 : 4), 2);
        cistern_status st = take_filter(h, d, id, i, m->at + at);
        if (st)
            return st;
        at += (named ? 8u : 6u) + (version == 1 ? (name + 7) / 8 * 8 : name) + values * 4;
        at += version == 1 && values % 2 ? 4u : 0u;
    }
    return CISTERN_OK;
}

/* ---- the whole ---- */

static cistern_status dataset_message(formats_hdf5 *h, void *user, const formats_hdf5_message *m)
{
    reading *r = user;

    if (m->shared && (m->type == FORMATS_HDF5_DATATYPE || m->type == FORMATS_HDF5_DATASPACE ||
                      m->type == FORMATS_HDF5_FILTERS))
        return FORMATS_HDF5_FAIL(h, m->at, "a dataset with a shared type, space or filter pipeline" UNREAD);
    switch (m->type) {
    case FORMATS_HDF5_DATATYPE:
        r->has_type = true;
        return formats_hdf5_type_read(h, m->data, m->size, m->at, &r->d->type);
    case FORMATS_HDF5_DATASPACE:
        r->has_space = true;
        return formats_hdf5_space_read(h, m->data, m->size, m->at, &r->d->space);
    case FORMATS_HDF5_LAYOUT:
        return read_layout(h, r, m);
    case FORMATS_HDF5_FILTERS:
        return read_filters(h, r->d, m);
    case FORMATS_HDF5_EXTERNAL:
        return FORMATS_HDF5_FAIL(h, m->at, "a dataset with external storage, which is never followed");
    default:
        return CISTERN_OK;
    }
}

static cistern_status count_elements(formats_hdf5 *h, reading *r, uint64_t *bytes)
{
    formats_hdf5_dataset *d = r->d;

    d->elements = d->space.null ? 0 : 1;
    for (uint32_t i = 0; i < d->space.rank; i++) {
        if (!base_mul_u64(d->elements, d->space.shape[i], &d->elements))
            return FORMATS_HDF5_FAIL(h, r->at, "a dataset whose number of elements overflows");
    }
    if (!base_mul_u64(d->elements, d->type.size, bytes))
        return FORMATS_HDF5_FAIL(h, r->at, "a dataset whose size overflows");
    return CISTERN_OK;
}

static cistern_status check_chunks(formats_hdf5 *h, const reading *r)
{
    formats_hdf5_dataset *d = r->d;
    uint64_t bytes;

    if (r->rank_of_chunk != d->space.rank + 1 || r->chunk_element != d->type.size)
        return FORMATS_HDF5_FAIL(
            h, r->at, "chunks of %u dimensions and %u bytes per element for a dataset of %u and %u",
            r->rank_of_chunk - 1, r->chunk_element, d->space.rank, d->type.size);
    d->chunk_elements = 1;
    for (uint32_t i = 0; i < d->space.rank; i++) {
        if (!base_mul_u64(d->chunk_elements, d->chunk[i], &d->chunk_elements))
            d->chunk_elements = UINT64_MAX;
    }
    if (d->chunk_elements == 0 || !base_mul_u64(d->chunk_elements, d->type.size, &bytes) ||
        bytes > FORMATS_HDF5_CHUNK_MAX)
        return FORMATS_HDF5_FAIL(h, r->at, "chunks of %llu elements, 1 to %u bytes are allowed",
                                 (unsigned long long)d->chunk_elements, FORMATS_HDF5_CHUNK_MAX);
    return CISTERN_OK;
}

static cistern_status check_contiguous(formats_hdf5 *h, const reading *r, uint64_t bytes)
{
    const formats_hdf5_dataset *d = r->d;

    if (d->shuffled || d->deflated)
        return FORMATS_HDF5_FAIL(h, r->at, "a dataset with filters that is not in chunks");
    if (d->size < bytes)
        return FORMATS_HDF5_FAIL(h, r->at, "a dataset of %llu bytes, but its shape takes %llu",
                                 (unsigned long long)d->size, (unsigned long long)bytes);
    if (bytes && (d->address > h->size || bytes > h->size - d->address))
        return FORMATS_HDF5_FAIL(
            h, r->at, "a dataset at address %llu of %llu bytes reaches beyond the file's %llu",
            (unsigned long long)d->address, (unsigned long long)bytes, (unsigned long long)h->size);
    return CISTERN_OK;
}

cistern_status formats_hdf5_dataset_read(formats_hdf5 *h, uint64_t object, formats_hdf5_dataset *out,
                                         bool *out_is)
{
    formats_hdf5_dataset d = {0};
    reading r = {.d = &d};
    uint64_t bytes;
    cistern_status st = formats_hdf5_messages(h, object, dataset_message, &r);

    if (st)
        return st;
    *out_is = r.has_type && r.has_space && r.has_layout;
    if (!*out_is)
        return CISTERN_OK;
    d.file = *h;
    if ((st = count_elements(h, &r, &bytes)))
        return st;
    if (bytes && d.address == FORMATS_HDF5_UNDEFINED)
        return FORMATS_HDF5_FAIL(h, r.at,
                                 "a dataset without bytes (unallocated): nothing was ever written to it");
    st = d.chunked ? check_chunks(h, &r) : check_contiguous(h, &r, bytes);
    if (!st)
        *out = d;
    return st;
}

bool formats_hdf5_dataset_plain(const formats_hdf5_dataset *d)
{
    return !d->chunked && d->turn == FORMATS_HDF5_TURN_NONE && !(d->type.big_endian && d->type.size > 1);
}
