/* Any bytes as the import program's answer: an index over one file of 2^40 bytes, or an error that a reader can have. */
#include <stdint.h>
#include <stdlib.h>
#include "priv/ingest_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t file = (uint64_t)1 << 40;
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = ingest_answer_read(data, size, &file, 1, &index, &err);
    if ((status == CISTERN_OK) != (index != NULL) || status != err.status) {
        abort();
    }
    model_index_free(index);
    return 0;
}
