/* The pickle machine: reads one pickle and keeps what it made as plain data.
 *
 * It knows opcodes of protocols 2 to 5 that can build numbers, strings, tuples, lists, dicts, sets and tensors, and a
 * closed list of names (formats_global.h). A name is turned into a number of that list; "calling" it is a switch over
 * the number. There is no other way to run anything, and no option to add one. A name outside the list may stand for the
 * class of an object that a whole saved module is made of: the object becomes a record of its state.
 */
#ifndef FORMATS_PICKLE_H
#define FORMATS_PICKLE_H

#include "base_cursor.h"
#include "formats_limits.h"
#include "model_tensor.h"
#include "priv/formats_pool.h"

typedef enum formats_kind {
    FORMATS_NONE = 1,
    FORMATS_BOOL,   /* u.integer */
    FORMATS_INT,    /* u.integer */
    FORMATS_LONG,   /* an integer of more than 8 bytes: u.bytes, `count` of them, little endian */
    FORMATS_REAL,   /* u.real */
    FORMATS_STRING, /* u.bytes, `count` of them; not checked to be UTF-8 */
    FORMATS_BYTES,  /* the same */
    FORMATS_TUPLE,  /* `count` cells from u.cells.first */
    FORMATS_LIST,
    FORMATS_SET,
    FORMATS_DICT,    /* cells have keys */
    FORMATS_GLOBAL,  /* u.number: an allowed name */
    FORMATS_STORAGE, /* u.number in storages */
    FORMATS_TENSOR,  /* u.number in views */
    FORMATS_OPAQUE,  /* something allowed whose content is of no interest */
    FORMATS_CLASS,   /* u.number in classes: a name that is not allowed, so far only mentioned */
    FORMATS_RECORD, /* what stands for an object of such a class: u.number is the dict of its state, 0: none */
} formats_kind;

typedef struct formats_value {
    uint8_t kind;   /* formats_kind */
    uint32_t count; /* bytes or members */
    union {
        int64_t integer;
        double real;
        const uint8_t *bytes; /* borrowed from the pickle */
        struct {
            uint32_t first, last; /* cells; 0: none */
        } cells;
        uint32_t number;
    } u;
} formats_value;

typedef struct formats_cell {
    uint32_t key; /* a value; 0 outside of dicts */
    uint32_t value;
    uint32_t next; /* a cell; 0: the last */
} formats_cell;

/** A mention of a storage (torch.FloatStorage …): a persistent id. */
typedef struct formats_storage {
    const uint8_t *key; /* its name, `key_len` bytes, borrowed from the pickle */
    uint32_t key_len;
    uint32_t element;     /* bytes of one of its elements; 1 when it is untyped */
    model_dtype dtype;    /* 0 when it is untyped */
    bool viewed;          /* view_start and view_size say something (files of PyTorch before 0.4) */
    uint64_t numel;       /* elements of the whole storage */
    uint64_t bytes;       /* numel * element */
    uint64_t view_start;  /* bytes from the storage's start */
    uint64_t view_size;   /* bytes */
    uint64_t at;          /* byte of the file where it is mentioned */
    uint64_t data_offset; /* byte of the file where the storage begins: set by the container's reader */
    bool decoded;         /* it is not in this file but in number `file`: the same */
    uint32_t file;
} formats_storage;

/** A tensor: a view of a storage, already checked to lie inside it. */
typedef struct formats_view {
    uint32_t storage; /* in storages */
    model_dtype dtype;
    uint32_t rank;
    uint64_t shape[MODEL_RANK_MAX];
    uint64_t stride[MODEL_RANK_MAX]; /* elements */
    uint64_t start;                  /* bytes from the start of the storage (or of its view) */
} formats_view;

/** A name outside the closed list, borrowed from the pickle. It can be in the way or name a record, never be called. */
typedef struct formats_class {
    const uint8_t *module, *name;
    uint32_t module_len, name_len;
    uint64_t at; /* byte of the file where it is mentioned */
} formats_class;

typedef struct formats_pickle {
    base_cursor in;
    uint64_t origin; /* byte of the file where the pickle begins */
    size_t op_at;    /* byte of the pickle where the current opcode begins */
    formats_pool values, cells, storages, views, classes;
    uint32_t *stack, depth, stack_capacity;
    uint32_t mark[FORMATS_MARKS_MAX], mark_count; /* stack depths */
    uint32_t *memo, memo_count, memo_capacity;
    uint32_t root; /* the value left by STOP */
    cistern_error *err;
} formats_pickle;

/**
 * Run one pickle, from its PROTO to its STOP; what follows is not looked at.
 * @param bytes   borrowed until formats_pickle_free(): strings stay where they are.
 * @param origin  byte of the file where `bytes` begins, for messages.
 * @param out     owned by the caller.
 * @retval UNREADABLE  with the byte of the opcode at fault.
 */
cistern_status formats_pickle_run(const uint8_t *bytes, size_t n, uint64_t origin, formats_pickle **out,
                                  cistern_error *err) CISTERN_MUST_CHECK;
void formats_pickle_free(formats_pickle *p);

/** Bytes that the pickle took, its STOP included. */
size_t formats_pickle_length(const formats_pickle *p);
const formats_value *formats_pickle_value(const formats_pickle *p, uint32_t value);
const formats_cell *formats_pickle_cell(const formats_pickle *p, uint32_t cell);
/** The value under a text key of a dict, the last one if it was set twice; NULL: none, or not a dict. */
const formats_value *formats_pickle_lookup(const formats_pickle *p, const formats_value *dict,
                                           const char *key);
bool formats_pickle_text_is(const formats_value *v, const char *text);
/** OK, or UNREADABLE if any name outside the closed list is mentioned: for a pickle that is of no other use. */
cistern_status formats_pickle_check_names(const formats_pickle *p, cistern_error *err) CISTERN_MUST_CHECK;
/** "a dict", "None" …: for messages. */
const char *formats_pickle_kind_text(const formats_value *v);

/* For the files of the machine itself. */
#define FORMATS_PICKLE_FAIL(p, ...)                                                                          \
    base_fail_at((p)->err, CISTERN_UNREADABLE, (p)->origin + (p)->op_at, __VA_ARGS__)
cistern_status formats_pickle_new_value(formats_pickle *p, formats_kind kind,
                                        uint32_t *out) CISTERN_MUST_CHECK;
cistern_status formats_pickle_append(formats_pickle *p, uint32_t container, uint32_t key,
                                     uint32_t value) CISTERN_MUST_CHECK;
/** Refuse a pickle for a name outside the closed list, by its number in classes. */
cistern_status formats_pickle_fail_class(const formats_pickle *p, uint32_t number, cistern_error *err);

#endif
