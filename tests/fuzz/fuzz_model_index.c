/* Any bytes as a stored index over one or two files of the sizes that it says itself (others are refused at once): decoded,
 * and then encoded to the same bytes; or refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "model_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_again(const model_index *index, const uint8_t *data, size_t size)
{
    base_buf again;
    base_buf_init(&again, MODEL_INDEX_BYTES_MAX);
    if (model_index_encode(index, &again, NULL) != CISTERN_OK || again.len != size ||
        memcmp(again.data, data, size) != 0) {
        abort();
    }
    base_buf_clear(&again);
}

#define SIZES_AT 40u /* bytes before the files' sizes: src/model/model_index.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sizes[2] = {4096, 4096};
    if (size > SIZES_AT)
        memcpy(sizes, data + SIZES_AT, size - SIZES_AT < sizeof sizes ? size - SIZES_AT : sizeof sizes);
    for (size_t files = 1; files <= 2; files++) {
        model_index *index = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status status = model_index_decode(data, size, sizes, files, &index, &err);
        if (status == CISTERN_OK) {
            encode_again(index, data, size);
        } else if ((status != CISTERN_DAMAGED && status != CISTERN_UNREADABLE) || index || err.text[0] == 0) {
            abort();
        }
        model_index_free(index);
    }
    return 0;
}
