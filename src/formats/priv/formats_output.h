/* What the readers of a version's files fill. */
#ifndef FORMATS_OUTPUT_H
#define FORMATS_OUTPUT_H

#include "formats_read.h"
#include "model_said.h"
#include "priv/formats_decoded.h"

typedef struct formats_output {
    const formats_file *files; /* of the version */
    size_t file_count;
    bool *taken; /* of each file: another one says what is in it, so that no reader looks at it by itself */
    model_index *index;
    formats_decoded *decoded; /* tensors that must be written out: not plain where they lie */
    const char *kind;         /* as the reader's row says; a reader that knows better sets it, to a literal */
    model_family family;      /* the same */
    model_said said;          /* of its input and its classes, by the file itself */
    bool waiting;             /* variables whose layers a SavedModel's graph will tell */
    size_t first_variable;    /* their first tensor */
} formats_output;

/** A note of how many tensors were left out because of their type; none of none. */
void formats_left_out_note(formats_output *out, uint64_t count);

#endif
