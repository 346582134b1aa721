/* HDF5 files made by hand: version-1 object headers with link messages, which needs no B-trees, unless a test wants them. */
#ifndef HDF5_FORGE_H
#define HDF5_FORGE_H

#include "weight_forge.h"

#define HDF5_ROOT_AT 64u /* bytes: where the superblock says where the root is */
#define HDF5_END_AT  40u

/* Messages of one object, before it is written. */
typedef struct hdf5_object {
    forge messages;
    unsigned count;
} hdf5_object;

/* A superblock of version 0; root and end come with hdf5_finish. */
static inline void hdf5_begin(forge *f)
{
    FORGE(f, "\x89HDF\r\n\x1a\n");
    forge_zeros(f, 88);
    forge_set_le(f, 13, 8, 1);
    forge_set_le(f, 14, 8, 1);
}

static inline void hdf5_finish(forge *f, uint64_t root)
{
    forge_set_le(f, HDF5_ROOT_AT, root, 8);
    forge_set_le(f, HDF5_END_AT, f->len, 8);
}

static inline void hdf5_message(hdf5_object *o, unsigned type, const void *bytes, size_t n)
{
    forge_le(&o->messages, type, 2);
    forge_le(&o->messages, n, 2);
    forge_zeros(&o->messages, 4);
    forge_put(&o->messages, bytes, n);
    o->count++;
}

static inline void hdf5_link(hdf5_object *o, const char *name, uint64_t address)
{
    forge m = {0};

    FORGE(&m, "\x01\x00");
    forge_le(&m, strlen(name), 1);
    forge_put(&m, name, strlen(name));
    forge_le(&m, address, 8);
    hdf5_message(o, 0x06, m.data, m.len);
    forge_free(&m);
}

/* An attribute of `count` texts of `width` bytes each. */
static inline void hdf5_texts(hdf5_object *o, const char *name, const void *texts, size_t count,
                              unsigned width)
{
    forge m = {0};

    FORGE(&m, "\x02\x00");
    forge_le(&m, strlen(name) + 1, 2);
    forge_le(&m, 8, 2);  /* datatype */
    forge_le(&m, 12, 2); /* dataspace */
    forge_put(&m, name, strlen(name) + 1);
    FORGE(&m, "\x13\0\0\0");
    forge_le(&m, width, 4);
    FORGE(&m, "\x02\x01\0\x01");
    forge_le(&m, count, 8);
    forge_put(&m, texts, count * width);
    hdf5_message(o, 0x0c, m.data, m.len);
    forge_free(&m);
}

/* Write the object; returns its address. Its messages are freed. */
static inline uint64_t hdf5_put(forge *f, hdf5_object *o)
{
    uint64_t address = f->len;

    FORGE(f, "\x01\x00");
    forge_le(f, o->count, 2);
    forge_le(f, 1, 4);
    forge_le(f, o->messages.len, 4);
    forge_zeros(f, 4);
    forge_put(f, o->messages.data, o->messages.len);
    forge_free(&o->messages);
    o->count = 0;
    return address;
}

/* Type and space of an F32 dataset. */
static inline void hdf5_floats(hdf5_object *o, const uint64_t *shape, unsigned rank)
{
    forge m = {0};

    FORGE(&m, "\x11\x20\x1f\0\x04\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0");
    hdf5_message(o, 0x03, m.data, m.len);
    forge_free(&m);
    FORGE(&m, "\x02");
    forge_le(&m, rank, 1);
    FORGE(&m, "\0\x01");
    for (unsigned i = 0; i < rank; i++)
        forge_le(&m, shape[i], 8);
    hdf5_message(o, 0x01, m.data, m.len);
    forge_free(&m);
}

/* A contiguous F32 dataset at `address`. */
static inline uint64_t hdf5_dataset(forge *f, const uint64_t *shape, unsigned rank, uint64_t address)
{
    hdf5_object o = {.count = 0};
    forge m = {0};
    uint64_t bytes = 4;

    hdf5_floats(&o, shape, rank);
    for (unsigned i = 0; i < rank; i++)
        bytes *= shape[i];
    FORGE(&m, "\x03\x01");
    forge_le(&m, address, 8);
    forge_le(&m, bytes, 8);
    hdf5_message(&o, 0x08, m.data, m.len);
    forge_free(&m);
    return hdf5_put(f, &o);
}

/* A chunked one, without filters, whose index is at `tree`. */
static inline uint64_t hdf5_chunked(forge *f, const uint64_t *shape, const uint64_t *chunk, unsigned rank,
                                    uint64_t tree)
{
    hdf5_object o = {.count = 0};
    forge m = {0};

    hdf5_floats(&o, shape, rank);
    FORGE(&m, "\x03\x02");
    forge_le(&m, rank + 1, 1);
    forge_le(&m, tree, 8);
    for (unsigned i = 0; i < rank; i++)
        forge_le(&m, chunk[i], 4);
    forge_le(&m, 4, 4);
    hdf5_message(&o, 0x08, m.data, m.len);
    forge_free(&m);
    return hdf5_put(f, &o);
}

/* The head of a B-tree node; entries follow. @param kind  0: of a group, 1: of chunks */
static inline uint64_t hdf5_node(forge *f, unsigned kind, unsigned level, unsigned entries)
{
    uint64_t address = f->len;

    FORGE(f, "TREE");
    forge_le(f, kind, 1);
    forge_le(f, level, 1);
    forge_le(f, entries, 2);
    forge_zeros(f, 16);
    return address;
}

/* A chunk's key, and its place. */
static inline void hdf5_chunk(forge *f, uint32_t bytes, const uint64_t *offset, unsigned rank,
                              uint64_t address)
{
    forge_le(f, bytes, 4);
    forge_le(f, 0, 4);
    for (unsigned i = 0; i < rank; i++)
        forge_le(f, offset ? offset[i] : 0, 8);
    forge_le(f, 0, 8);
    forge_le(f, address, 8);
}

/* The key behind a node's last chunk. */
static inline void hdf5_last_key(forge *f, unsigned rank)
{
    forge_zeros(f, 8 + 8 * (rank + 1));
}

#endif
