/* Any bytes as a Keras file: read into an index whose every tensor lies inside the file or inside what was decoded, which
 * has exactly the size that the index says; or UNREADABLE with a message. */
#include <stdint.h>
#include <stdlib.h>
#include "formats_read.h"

#define DECODED_MAX (64u << 20) /* bytes; a few hundred chunks unpack to more, which only takes time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static cistern_status count_bytes(void *user, const void *bytes, size_t n, cistern_error *err)
{
    uint64_t *total = user;
    (void)bytes;
    *total += n;
    if (*total > DECODED_MAX) {
        if (err)
            *err = (cistern_error){.status = CISTERN_UNREADABLE, .text = "enough"};
        return CISTERN_UNREADABLE;
    }
    return CISTERN_OK;
}

static void check(const model_index *index, size_t size, uint64_t decoded)
{
    size_t files = model_index_file_count(index);
    if (files != (decoded ? 2u : 1u) || (decoded && model_index_file_size(index, 1) != decoded)) {
        abort();
    }
    for (size_t i = 0; i < model_index_count(index); i++) {
        const model_tensor *t = model_index_peek(index, i);
        uint64_t extent, room = t->file == 0 ? size : decoded;
        if (t->file >= files || !model_tensor_extent(t, &extent) || t->offset > room ||
            extent > room - t->offset) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t decoded = 0;
    formats_file file = {.path = "w", .data = data, .size = size};
    formats_sink sink = {count_bytes, &decoded};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = formats_read(&file, 1, &sink, &index, &err);
    if (status == CISTERN_OK) {
        check(index, size, decoded);
    } else if (status != CISTERN_UNREADABLE || index != NULL || err.text[0] == 0) {
        abort();
    }
    model_index_free(index);
    return 0;
}
