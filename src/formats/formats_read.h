/* Weight files -> tensor index. The bytes are hostile: nothing in them is ever executed, no file is opened. */
#ifndef FORMATS_READ_H
#define FORMATS_READ_H

#include "model_index.h"

/** One file of a version, in memory (usually mapped) for the length of the call. */
typedef struct formats_file {
    const char
        *path; /* relative to the version: messages, and what other files of it call this one; a kind is told
                            by content, never by name */
    const uint8_t *data; /* NULL only if size is 0 */
    uint64_t size;       /* bytes */
} formats_file;

/** Where decoded tensors go: bytes in their order, from the first on. */
typedef struct formats_sink {
    cistern_status (*put)(void *user, const void *bytes, size_t n, cistern_error *err);
    void *user;
} formats_sink;

/**
 * Read the files of a version into one index.
 *
 * Kinds: PyTorch's zip (.pth since 1.6), PyTorch's legacy stream (0.1.10 to 1.5, protocols 2 to 5), safetensors,
 * Keras .h5, .weights.h5 and .keras, ONNX, TensorFlow's frozen graphs and checkpoints (SavedModels), lists of safetensors
 * shards. Files may say what is in others (external data, shards): among these files only, nothing is opened.
 * @param files  `count` of them, borrowed; a tensor's `file` is its place in this array.
 * @param sink   gets what does not lie whole and plain in the files (compressed, in pieces, mirrored), as one file of
 *               safetensors' layout; then the index has one file more than `count`. NULL: such a file is UNREADABLE.
 * @param out    owned by the caller: model_index_free().
 * @retval UNREADABLE  not such a file, damaged, beyond a limit, or a pickle that asks for code; says which byte.
 * @retval USAGE       no files. @retval NO_MEMORY
 * Threads: any, on any files. Memory: bounded by named limits (formats_limits.h); some 2 MiB for a VGG.
 */
cistern_status formats_read(const formats_file *files, size_t count, const formats_sink *sink,
                            model_index **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
