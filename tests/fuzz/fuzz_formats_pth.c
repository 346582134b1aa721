/* Any bytes as a file: read into an index whose every tensor lies inside the file, or UNREADABLE with a message. */
#include <stdint.h>
#include <stdlib.h>
#include "formats_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const model_index *index, size_t size)
{
    for (size_t i = 0; i < model_index_count(index); i++) {
        const model_tensor *t = model_index_peek(index, i);
        uint64_t extent;
        if (!model_tensor_extent(t, &extent) || t->offset > size || extent > size - t->offset) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    formats_file file = {.path = "w", .data = data, .size = size};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = formats_read(&file, 1, NULL, &index, &err);
    if (status == CISTERN_OK) {
        check(index, size);
    } else if (status != CISTERN_UNREADABLE || index != NULL || err.text[0] == 0) {
        abort();
    }
    model_index_free(index);
    return 0;
}
