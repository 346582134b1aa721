/* Any bytes as a safetensors header: put before data of a length that is taken from the last two bytes, so that a change
 * of the header alone can still be a good file. Read into an index inside the file, or UNREADABLE. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "formats_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const model_index *index, size_t size)
{
    for (size_t i = 0; i < model_index_count(index); i++) {
        const model_tensor *t = model_index_peek(index, i);
        uint64_t extent;
        if (!model_tensor_plain(t) || !model_tensor_extent(t, &extent) || t->offset > size ||
            extent > size - t->offset) {
            abort();
        }
    }
}

static void read_file(const uint8_t *bytes, size_t size)
{
    formats_file file = {.path = "w", .data = bytes, .size = size};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = formats_read(&file, 1, NULL, &index, &err);
    if (status == CISTERN_OK) {
        check(index, size);
    } else if (status != CISTERN_UNREADABLE || index != NULL || err.text[0] == 0) {
        abort();
    }
    model_index_free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t header = size - 2, body = (size_t)data[size - 2] | (size_t)data[size - 1] << 8;
    uint8_t *file = calloc(8 + header + body, 1);
    if (!file) {
        return 0;
    }
    for (unsigned i = 0; i < 8; i++) {
        file[i] = (uint8_t)((uint64_t)header >> (8 * i));
    }
    memcpy(file + 8, data, header);
    read_file(file, 8 + header + body);
    free(file);
    return 0;
}
