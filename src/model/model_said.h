/* What a weight file itself says of the pictures it wants and of its classes: its graph, its configuration, its metadata. */
#ifndef MODEL_SAID_H
#define MODEL_SAID_H

#include "base_buf.h"
#include "base_cursor.h"
#include "model_preprocess.h"

#define MODEL_SAID_LABEL_SET_MAX 32 /* bytes, with the zero */
#define MODEL_SAID_SIDE_MAX      65536u

/** All zero: it says nothing. */
typedef struct model_said {
    uint32_t height, width; /* pixels of the input; 0: not said */
    bool normalised;        /* mean, std, colour and scale of `how` are said */
    bool resized; /* how it comes to its size is said: all other fields of `how` but height and width */
    model_preprocess how;
    char preset[MODEL_PRESET_MAX]; /* that `how` is known by; "": none */
    char label_set[MODEL_SAID_LABEL_SET_MAX];
} model_said;

bool model_said_something(const model_said *said);
/** Whether every number is one that a picture can be prepared with: finite, deviations above 0, sides in range. */
bool model_said_valid(const model_said *said);
/** Replace in `how` what is said. Where only the size is, a resize of the short side follows it in proportion. */
void model_said_apply(const model_said *said, model_preprocess *how);

/** The stored form, part of a tensor index (docs/store-format.md). */
cistern_status model_said_encode(const model_said *said, base_buf *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** From bytes of any source. false: cut, or not valid. */
bool model_said_decode(base_cursor *c, model_said *out);

#endif
