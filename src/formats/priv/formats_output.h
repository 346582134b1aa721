/* What the readers of a version's files fill. */
#ifndef FORMATS_OUTPUT_H
#define FORMATS_OUTPUT_H

#include "formats_read.h"
#include "priv/formats_decoded.h"

typedef struct formats_output {
    const formats_file *files; /* of the version */
    size_t file_count;
    bool *taken; /* of each file: another one says what is in it, so that no reader looks at it by itself */
    model_index *index;
    formats_decoded *decoded; /* tensors that must be written out: not plain where they lie */
    const char *kind;         /* as the reader's row says; a reader that knows better sets it, to a literal */
    model_family family;      /* the same */
} formats_output;

#endif
