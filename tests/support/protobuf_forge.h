/* Protocol buffers, ONNX models, TensorFlow graphs and checkpoints made by hand, each to be wrong in one way. */
#ifndef PROTOBUF_FORGE_H
#define PROTOBUF_FORGE_H

#include "weight_forge.h"

/* ---- fields ---- */

static inline void pb_varint(forge *f, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        forge_put(f, &byte, 1);
        value >>= 7;
    } while (value);
}

static inline void pb_tag(forge *f, uint32_t number, unsigned wire)
{
    pb_varint(f, (uint64_t)number << 3 | wire);
}

static inline void pb_number(forge *f, uint32_t number, uint64_t value)
{
    pb_tag(f, number, 0);
    pb_varint(f, value);
}

static inline void pb_float(forge *f, uint32_t number, float value)
{
    pb_tag(f, number, 5);
    forge_put(f, &value, sizeof value);
}

static inline void pb_bytes(forge *f, uint32_t number, const void *bytes, size_t n)
{
    pb_tag(f, number, 2);
    pb_varint(f, n);
    forge_put(f, bytes, n);
}

static inline void pb_text(forge *f, uint32_t number, const char *text)
{
    pb_bytes(f, number, text, strlen(text));
}

/* A message, which is freed. */
static inline void pb_message(forge *f, uint32_t number, forge *inner)
{
    pb_bytes(f, number, inner->data, inner->len);
    forge_free(inner);
}

/* ---- ONNX ---- */

enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT64 = 7, ONNX_STRING = 8, ONNX_HALF = 10, ONNX_DOUBLE = 11 };

/* A TensorProto's head: dims, type, name. */
static inline forge onnx_head(const char *name, uint64_t type, const uint64_t *dims, size_t rank)
{
    forge t = {0};

    for (size_t i = 0; i < rank; i++)
        pb_number(&t, 1, dims[i]);
    pb_number(&t, 2, type);
    if (name)
        pb_text(&t, 8, name);
    return t;
}

/* The same with `bytes` zeros as raw_data. */
static inline forge onnx_raw(const char *name, uint64_t type, const uint64_t *dims, size_t rank, size_t bytes)
{
    forge t = onnx_head(name, type, dims, rank);
    void *zeros = calloc(bytes + 1, 1);

    pb_bytes(&t, 9, zeros, bytes);
    free(zeros);
    return t;
}

/* ModelProto around a graph, which is freed. */
static inline forge onnx_model(forge *graph)
{
    forge m = {0};

    pb_number(&m, 1, 8);
    pb_text(&m, 2, "test");
    pb_message(&m, 7, graph);
    return m;
}

/* A model of one initializer, which is freed. */
static inline forge onnx_of(forge *tensor)
{
    forge graph = {0};

    pb_message(&graph, 5, tensor);
    return onnx_model(&graph);
}

static inline void onnx_external(forge *tensor, const char *key, const char *value)
{
    forge entry = {0};

    pb_text(&entry, 1, key);
    pb_text(&entry, 2, value);
    pb_message(tensor, 13, &entry);
}

/* ---- TensorFlow ---- */

static inline forge tf_shape(const uint64_t *dims, size_t rank)
{
    forge shape = {0};

    for (size_t i = 0; i < rank; i++) {
        forge dim = {0};
        pb_number(&dim, 1, dims[i]);
        pb_message(&shape, 2, &dim);
    }
    return shape;
}

/* A TensorProto's head: dtype and shape. */
static inline forge tf_head(uint64_t type, const uint64_t *dims, size_t rank)
{
    forge t = {0}, shape = tf_shape(dims, rank);

    pb_number(&t, 1, type);
    pb_message(&t, 2, &shape);
    return t;
}

/* A Const node; the tensor is freed. */
static inline void tf_const(forge *graph, const char *name, forge *tensor)
{
    forge node = {0}, entry = {0}, value = {0};

    pb_text(&node, 1, name);
    pb_text(&node, 2, "Const");
    pb_message(&value, 8, tensor);
    pb_text(&entry, 1, "value");
    pb_message(&entry, 2, &value);
    pb_message(&node, 5, &entry);
    pb_message(graph, 1, &node);
}

/* ---- tables ---- */

static inline uint32_t crc32c(const uint8_t *bytes, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* Close the block that began at `at`: restarts, compression, checksum. Returns its size. */
static inline size_t table_close(forge *f, size_t at, uint32_t restarts, uint8_t compression)
{
    forge_le(f, 0, 4);
    forge_le(f, restarts, 4);
    size_t size = f->len - at;
    forge_put(f, &compression, 1);
    uint32_t crc = crc32c(f->data + at, size + 1);
    forge_le(f, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
    return size;
}

static inline void table_entry(forge *f, size_t shared, const char *key, const void *value, size_t n)
{
    pb_varint(f, shared);
    pb_varint(f, strlen(key));
    pb_varint(f, n);
    forge_put(f, key, strlen(key));
    forge_put(f, value, n);
}

/* An index block that names one data block, an empty metaindex block, the footer. */
static inline void table_finish(forge *f, uint64_t offset, uint64_t size)
{
    forge handle = {0}, footer = {0};
    size_t meta = f->len, meta_size = table_close(f, meta, 1, 0), index = f->len;

    pb_varint(&handle, offset);
    pb_varint(&handle, size);
    table_entry(f, 0, "~", handle.data, handle.len);
    size_t index_size = table_close(f, index, 1, 0);
    pb_varint(&footer, meta);
    pb_varint(&footer, meta_size);
    pb_varint(&footer, index);
    pb_varint(&footer, index_size);
    forge_zeros(&footer, 40 - footer.len);
    FORGE(&footer, "\x57\xfb\x80\x8b\x24\x75\x47\xdb");
    forge_put(f, footer.data, footer.len);
    forge_free(&footer);
    forge_free(&handle);
}

/* BundleHeaderProto */
static inline forge bundle_header(uint64_t shards, uint64_t endianness)
{
    forge h = {0};

    pb_number(&h, 1, shards);
    if (endianness)
        pb_number(&h, 2, endianness);
    return h;
}

/* BundleEntryProto of a vector of `n` floats. */
static inline forge bundle_entry(uint64_t n, uint64_t shard, uint64_t offset, uint64_t size)
{
    forge e = {0}, shape = tf_shape(&n, 1);

    pb_number(&e, 1, 1);
    pb_message(&e, 2, &shape);
    pb_number(&e, 3, shard);
    pb_number(&e, 4, offset);
    pb_number(&e, 5, size);
    return e;
}

/* A checkpoint's index with one tensor "w"; both messages are freed. */
static inline forge bundle_make(forge *header, forge *entry)
{
    forge f = {0};

    table_entry(&f, 0, "", header->data, header->len);
    table_entry(&f, 0, "w", entry->data, entry->len);
    size_t size = table_close(&f, 0, 1, 0);
    table_finish(&f, 0, size);
    forge_free(header);
    forge_free(entry);
    return f;
}

#endif
