/* What an ONNX model says of its input: the size in its graph, and the metadata that this program writes.
 *
 * Source: onnx/onnx.proto (ValueInfoProto, TypeProto, StringStringEntryProto); docs/formats/written.md.
 */
#include "priv/formats_onnx.h"

#include <string.h>
#include "base_json.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)

enum { INFO_NAME = 1, INFO_TYPE = 2, TYPE_TENSOR = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

enum { PREPROCESSING = 0, COLOUR, SCALE, MEAN, STD, LABELS, RESIZE, INTERPOLATION };
static const char *const keys[FORMATS_ONNX_METADATA] = {
    [PREPROCESSING] = "preprocessing",
    [COLOUR] = "colour",
    [SCALE] = "scale",
    [MEAN] = "mean",
    [STD] = "std",
    [LABELS] = "labels",
    [RESIZE] = "resize",
    [INTERPOLATION] = "interpolation",
};

#define TEXT_MAX 96 /* bytes of a value, with the zero */

/* ---- the graph's inputs ---- */

/* The message in the last field of this number; *out_found false: there is none. */
static cistern_status enter_last(const formats_protobuf *message, uint32_t number, formats_protobuf *out,
                                 bool *out_found)
{
    formats_protobuf p = *message;
    formats_field f;
    bool more;

    *out_found = false;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != number || f.wire != FORMATS_WIRE_BYTES)
            continue;
        TRY(formats_protobuf_enter(&p, &f, out));
        *out_found = true;
    }
}

/* A dimension's value; 0: it has none, or only a name. */
static cistern_status read_dim(formats_protobuf *p, uint64_t *out)
{
    formats_field f;
    bool more;

    *out = 0;
    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == DIM_VALUE && f.wire == FORMATS_WIRE_VARINT)
            *out = f.value;
    }
}

static cistern_status read_shape(formats_protobuf *p, uint64_t size[4], size_t *rank)
{
    formats_protobuf dim;
    formats_field f;
    uint64_t value;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != SHAPE_DIM || f.wire != FORMATS_WIRE_BYTES)
            continue;
        TRY(formats_protobuf_enter(p, &f, &dim));
        TRY(read_dim(&dim, &value));
        if (*rank < 4)
            size[*rank] = value;
        ++*rank;
    }
}

cistern_status formats_onnx_input(formats_onnx *o, const formats_protobuf *message)
{
    static const uint32_t path[] = {INFO_TYPE, TYPE_TENSOR, TENSOR_SHAPE};
    formats_protobuf p = *message, at = *message, inner;
    formats_text name = {0};
    uint64_t size[4] = {0};
    size_t rank = 0;
    formats_field f;
    bool more, found = true;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number == INFO_NAME)
            TRY(formats_protobuf_text(&p, &f, &name));
    }
    for (size_t i = 0; found && i < sizeof path / sizeof path[0]; i++) {
        TRY(enter_last(&at, path[i], &inner, &found));
        at = found ? inner : at;
    }
    if (found)
        TRY(read_shape(&at, size, &rank));
    if (rank == 4 && name.len)
        formats_graph_add_picture(o->graph, name, size);
    return CISTERN_OK;
}

/* ---- metadata ---- */

cistern_status formats_onnx_metadata(formats_onnx *o, const formats_protobuf *message)
{
    formats_protobuf p = *message;
    formats_text key = {0}, value = {0};
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number == ENTRY_KEY)
            TRY(formats_protobuf_text(&p, &f, &key));
        if (f.number == ENTRY_VALUE)
            TRY(formats_protobuf_text(&p, &f, &value));
    }
    for (size_t i = 0; i < FORMATS_ONNX_METADATA; i++) {
        if (formats_text_is(key, keys[i]))
            o->metadata[i] = value;
    }
    return CISTERN_OK;
}

/* A value as text with a zero behind it; false: not said, or too long. */
static bool text_of(const formats_onnx *o, size_t which, char out[TEXT_MAX])
{
    formats_text t = o->metadata[which];

    if (t.len == 0 || t.len >= TEXT_MAX || memchr(t.at, 0, t.len))
        return false;
    memcpy(out, t.at, t.len);
    out[t.len] = 0;
    return true;
}

/* Numbers with a space between each two. */
static bool numbers_of(char *text, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *space = strchr(text, ' ');
        if ((space != NULL) != (i + 1 < n))
            return false;
        if (space)
            *space = 0;
        if (!base_double_parse(text, &out[i]))
            return false;
        text = space ? space + 1 : text;
    }
    return true;
}

static bool take_normalised(const formats_onnx *o, model_preprocess *how)
{
    char text[TEXT_MAX];
    double mean[3], std[3];

    if (!text_of(o, COLOUR, text) || !model_colour_parse(text, &how->colour) || !text_of(o, SCALE, text) ||
        !model_scale_parse(text, &how->scale) || !text_of(o, MEAN, text) || !numbers_of(text, mean, 3) ||
        !text_of(o, STD, text) || !numbers_of(text, std, 3))
        return false;
    for (size_t i = 0; i < 3; i++) {
        how->mean[i] = (float)mean[i];
        how->std[i] = (float)std[i];
    }
    return true;
}

static bool side_of(double value, uint32_t *out)
{
    if (!(value >= 0 && value <= MODEL_SAID_SIDE_MAX))
        return false;
    *out = (uint32_t)value;
    return true;
}

/* "short 256" or "squash 224 224", and "bilinear pillow". */
static bool take_resized(const formats_onnx *o, model_preprocess *how)
{
    char text[TEXT_MAX], *space;
    double sides[2] = {0, 0};

    if (!text_of(o, INTERPOLATION, text) || !(space = strchr(text, ' ')))
        return false;
    *space = 0;
    if (!model_interpolation_parse(text, &how->interpolation) ||
        !model_sampling_parse(space + 1, &how->sampling))
        return false;
    if (!text_of(o, RESIZE, text) || !(space = strchr(text, ' ')))
        return false;
    *space = 0;
    if (!model_resize_parse(text, &how->resize))
        return false;
    if (how->resize == MODEL_RESIZE_SHORT)
        return numbers_of(space + 1, sides, 1) && side_of(sides[0], &how->resize_short);
    return numbers_of(space + 1, sides, 2) && side_of(sides[0], &how->resize_height) &&
           side_of(sides[1], &how->resize_width);
}

void formats_onnx_take_metadata(formats_onnx *o)
{
    model_said said = o->out->said;
    char text[TEXT_MAX];

    if (!formats_text_is(o->producer, "cistern") || said.normalised)
        return;
    said.normalised = take_normalised(o, &said.how);
    said.resized = said.normalised && take_resized(o, &said.how);
    if (!said.normalised)
        said.how = o->out->said.how;
    if (text_of(o, PREPROCESSING, text) && strlen(text) < sizeof said.preset)
        memcpy(said.preset, text, strlen(text) + 1);
    if (text_of(o, LABELS, text) && strlen(text) < sizeof said.label_set)
        memcpy(said.label_set, text, strlen(text) + 1);
    if (model_said_valid(&said))
        o->out->said = said;
}
