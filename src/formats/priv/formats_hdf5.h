/* HDF5, as far as weight files use it: groups, attributes, datasets. A reader of its own, over bytes in memory.
 *
 * Invariants
 *  1. Every structure is taken through formats_hdf5_take(): inside the window, and paid for from a fixed amount of work.
 *     So loops in the file end, whatever they go through.
 *  2. Nothing is followed out of the file: external storage, external and soft links, virtual datasets are refused by name.
 *  3. Depth never depends on the call stack.
 * Source: HDF5 File Format Specification 3.0 (section numbers in the .c files).
 */
#ifndef FORMATS_HDF5_H
#define FORMATS_HDF5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base_error.h"
#include "formats_limits.h"
#include "model_tensor.h"
#include "priv/formats_decoded.h"

#define FORMATS_HDF5_UNDEFINED UINT64_MAX /* an address that is none */

/** An open file, or a file inside another. */
typedef struct formats_hdf5 {
    const uint8_t *bytes; /* the window, borrowed */
    uint64_t size;
    uint64_t origin; /* byte of the whole file where the window begins */
    uint64_t root;   /* address of the root group's object header */
    uint64_t work;   /* bytes of structures that may still be looked at */
    cistern_error *err;
} formats_hdf5;

/** @param origin  for messages and for places of tensors. @retval UNREADABLE */
cistern_status formats_hdf5_open(const uint8_t *bytes, uint64_t size, uint64_t origin, formats_hdf5 *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** `n` bytes at an address, called `what` in the message. */
cistern_status formats_hdf5_take(formats_hdf5 *h, uint64_t at, uint64_t n, const char *what,
                                 const uint8_t **out) CISTERN_MUST_CHECK;
#define FORMATS_HDF5_FAIL(h, at, ...)                                                                        \
    base_fail_at((h)->err, CISTERN_UNREADABLE, (h)->origin + (at), __VA_ARGS__)

static inline uint64_t formats_hdf5_le(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* ---- object headers ---- */

typedef enum formats_hdf5_message_type {
    FORMATS_HDF5_NIL = 0x00,
    FORMATS_HDF5_DATASPACE = 0x01,
    FORMATS_HDF5_LINK_INFO = 0x02,
    FORMATS_HDF5_DATATYPE = 0x03,
    FORMATS_HDF5_LINK = 0x06,
    FORMATS_HDF5_EXTERNAL = 0x07,
    FORMATS_HDF5_LAYOUT = 0x08,
    FORMATS_HDF5_FILTERS = 0x0b,
    FORMATS_HDF5_ATTRIBUTE = 0x0c,
    FORMATS_HDF5_CONTINUATION = 0x10,
    FORMATS_HDF5_SYMBOL_TABLE = 0x11,
    FORMATS_HDF5_ATTRIBUTE_INFO = 0x15,
} formats_hdf5_message_type;

typedef struct formats_hdf5_message {
    uint32_t type; /* formats_hdf5_message_type, or one that is of no interest */
    bool shared;   /* its content is elsewhere */
    const uint8_t *data;
    size_t size;
    uint64_t at; /* address of data */
} formats_hdf5_message;

typedef cistern_status (*formats_hdf5_message_fn)(formats_hdf5 *h, void *user, const formats_hdf5_message *m);

/** Call fn for each message of the object header at an address, in its order, continuations included. */
cistern_status formats_hdf5_messages(formats_hdf5 *h, uint64_t address, formats_hdf5_message_fn fn,
                                     void *user) CISTERN_MUST_CHECK;

/* ---- groups ---- */

typedef struct formats_hdf5_link {
    const uint8_t *name; /* `len` bytes, borrowed */
    size_t len;
    uint64_t address; /* of the object header; UNDEFINED: `other` says what it is instead */
    uint64_t at;      /* where the link stands */
    const char *other;
} formats_hdf5_link;

typedef struct formats_hdf5_links {
    formats_hdf5_link *link; /* by name */
    size_t count, capacity;
} formats_hdf5_links;

/** The members of a group; of an object that is no group: none. @param out  zeroed; formats_hdf5_links_clear(). */
cistern_status formats_hdf5_list(formats_hdf5 *h, uint64_t address,
                                 formats_hdf5_links *out) CISTERN_MUST_CHECK;
void formats_hdf5_links_clear(formats_hdf5_links *links);
/** NULL: none of that name. */
const formats_hdf5_link *formats_hdf5_find(const formats_hdf5_links *links, const void *name, size_t len);
/** Its object. @retval UNREADABLE  it leads out of the group's tree: a soft or external link */
cistern_status formats_hdf5_follow(formats_hdf5 *h, const formats_hdf5_link *link,
                                   uint64_t *out) CISTERN_MUST_CHECK;
/** The object at a path of names from a group on. *out UNDEFINED: there is none. */
cistern_status formats_hdf5_path(formats_hdf5 *h, uint64_t group, const void *path, size_t len,
                                 uint64_t *out) CISTERN_MUST_CHECK;

/* ---- types and spaces ---- */

typedef enum formats_hdf5_class {
    FORMATS_HDF5_FIXED = 0,
    FORMATS_HDF5_FLOAT = 1,
    FORMATS_HDF5_STRING = 3,
    FORMATS_HDF5_OPAQUE = 5,
    FORMATS_HDF5_VARIABLE = 9, /* of any element type */
} formats_hdf5_class;

typedef struct formats_hdf5_type {
    unsigned class_number; /* formats_hdf5_class, or another */
    uint32_t size;         /* bytes of an element */
    bool big_endian;
    bool text;         /* of FORMATS_HDF5_VARIABLE: a string */
    model_dtype dtype; /* 0: none of those that tensors have */
} formats_hdf5_type;

cistern_status formats_hdf5_type_read(formats_hdf5 *h, const uint8_t *p, size_t n, uint64_t at,
                                      formats_hdf5_type *out) CISTERN_MUST_CHECK;

typedef struct formats_hdf5_space {
    uint32_t rank; /* 0: a scalar */
    uint64_t shape[MODEL_RANK_MAX];
    bool null; /* no elements at all */
} formats_hdf5_space;

cistern_status formats_hdf5_space_read(formats_hdf5 *h, const uint8_t *p, size_t n, uint64_t at,
                                       formats_hdf5_space *out) CISTERN_MUST_CHECK;

/* ---- attributes that hold texts ---- */

typedef struct formats_hdf5_text {
    const uint8_t *bytes; /* borrowed; no zero behind it */
    size_t len;
} formats_hdf5_text;

typedef struct formats_hdf5_texts {
    formats_hdf5_text *text;
    size_t count, capacity;
} formats_hdf5_texts;

/**
 * Append the texts of an attribute, of fixed or variable length.
 * @param out_found  false: no such attribute.
 * @retval UNREADABLE  its elements are no texts
 */
cistern_status formats_hdf5_texts_read(formats_hdf5 *h, uint64_t object, const char *name,
                                       formats_hdf5_texts *out, bool *out_found) CISTERN_MUST_CHECK;
void formats_hdf5_texts_clear(formats_hdf5_texts *texts);

/* ---- datasets ---- */

/** What to do with a convolution's kernel besides unpacking it: Theano's convolution turns it by 180 degrees. */
typedef enum formats_hdf5_turn {
    FORMATS_HDF5_TURN_NONE = 0,
    FORMATS_HDF5_TURN_FIRST, /* axes 0 and 1 are y and x */
    FORMATS_HDF5_TURN_LAST,  /* axes 2 and 3 are */
} formats_hdf5_turn;

/** Where and how a dataset lies. Holds no memory: a copy is as good. */
typedef struct formats_hdf5_dataset {
    formats_hdf5 file;
    formats_hdf5_type type;
    formats_hdf5_space space;
    uint64_t elements;
    uint64_t address, size; /* of the contiguous bytes; of chunks: the index's address */
    bool chunked;
    uint64_t chunk[MODEL_RANK_MAX];
    uint64_t chunk_elements;
    bool shuffled, deflated;
    unsigned shuffle_bit, deflate_bit; /* their numbers in the pipeline, for a chunk's mask */
    formats_hdf5_turn turn;
} formats_hdf5_dataset;

/** @param out_is  false: the object is no dataset. */
cistern_status formats_hdf5_dataset_read(formats_hdf5 *h, uint64_t object, formats_hdf5_dataset *out,
                                         bool *out_is) CISTERN_MUST_CHECK;
/** Whether its bytes are those of the tensor. */
bool formats_hdf5_dataset_plain(const formats_hdf5_dataset *d);
/** A formats_decode_fn over a formats_hdf5_dataset. */
cistern_status formats_hdf5_decode(const void *dataset, formats_writer *w,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
