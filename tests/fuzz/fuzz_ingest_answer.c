/* Any bytes as the import program's answer: an index over one or two files of the sizes that it says itself (others are
 * refused at once), or an error that a reader can have. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "priv/ingest_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZES_AT (INGEST_ANSWER_HEADER + 40u) /* bytes before the files' sizes: src/model/model_index.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sizes[2] = {4096, 4096};
    if (size > SIZES_AT)
        memcpy(sizes, data + SIZES_AT, size - SIZES_AT < sizeof sizes ? size - SIZES_AT : sizeof sizes);
    for (size_t files = 1; files <= 2; files++) {
        model_index *index = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status status = ingest_answer_read(data, size, sizes, files, &index, &err);
        if ((status == CISTERN_OK) != (index != NULL) || status != err.status)
            abort();
        model_index_free(index);
    }
    return 0;
}
