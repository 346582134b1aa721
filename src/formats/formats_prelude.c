/* Normalisation inside a graph or a configuration. See the header.
 *
 * Invariants
 *  1. Whatever is not followed exactly is refused: a picture that is prepared twice, or not at all, gives wrong
 *     predictions of the right shape.
 *  2. Only channels are told apart; a constant for each pixel is refused.
 * Whether pixels run to 1 or to 255 is not said by arithmetic. A mean or deviation above FORMATS_PIXEL_ONE means 255: on
 * pictures from 0 to 1 it would be out of their range.
 */
#include "priv/formats_prelude.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "priv/formats_constant.h"

#define PIXEL_ONE 1.5  /* the largest mean or deviation on pictures from 0 to 1; 0.5 is usual, 1 means none */
#define SAME      1e-6 /* of a factor: constants are f32 */

void formats_prelude_affine(formats_prelude *p, const double *factor, const double *offset, size_t n)
{
    for (size_t i = 0; i < 3; i++) {
        double f = factor[n == 3 ? i : 0], o = offset[n == 3 ? i : 0];
        p->factor[i] *= f;
        p->offset[i] = p->offset[i] * f + o;
    }
    p->arithmetic = true;
}

void formats_prelude_turn(formats_prelude *p)
{
    double f = p->factor[0], o = p->offset[0];

    p->factor[0] = p->factor[2];
    p->factor[2] = f;
    p->offset[0] = p->offset[2];
    p->offset[2] = o;
    p->turned = !p->turned;
}

bool formats_prelude_channels(formats_prelude *p, formats_channels where)
{
    if (p->channels == FORMATS_CHANNELS_UNKNOWN)
        p->channels = where;
    return p->channels == where;
}

/* ---- constants ---- */

static const model_tensor *tensor_of(const formats_graph *g, const formats_output *out, formats_text name)
{
    const formats_node *n = formats_graph_behind(g, name);

    return n && n->op == FORMATS_OP_CONSTANT && n->tensor != FORMATS_NO_TENSOR
               ? model_index_peek(out->index, n->tensor)
               : NULL;
}

static bool is_whole(const model_tensor *t)
{
    return t->dtype == MODEL_I64 || t->dtype == MODEL_I32 || t->dtype == MODEL_I16 || t->dtype == MODEL_I8 ||
           t->dtype == MODEL_U8;
}

/* A number to compute with: also whole ones that are cast to the picture's type. */
static const model_tensor *number_of(const formats_graph *g, const formats_output *out, formats_text name)
{
    const formats_node *n = formats_graph_behind(g, name);
    const model_tensor *t;

    if (!n || n->op != FORMATS_OP_CAST || !n->inputs)
        return tensor_of(g, out, name);
    t = tensor_of(g, out, n->input[0]);
    return t && is_whole(t) ? t : NULL;
}

/* A few whole numbers; how many, 0: there are none. */
static size_t integers(const formats_graph *g, const formats_output *out, const formats_node *n, uint32_t i,
                       double values[4])
{
    const model_tensor *t = i < n->inputs ? tensor_of(g, out, n->input[i]) : NULL;

    return t && t->rank <= 1 ? formats_constant_read(out, t, values, 4) : 0;
}

/* Whether a constant of three numbers has them along the channels. */
static bool along_channels(formats_prelude *p, const model_tensor *t, bool knows)
{
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t behind = t->rank - 1 - d;
        if (t->shape[d] != 3)
            continue;
        if (knows && t->rank == 1)
            return true;
        return behind == 0   ? formats_prelude_channels(p, FORMATS_CHANNELS_LAST)
               : behind == 2 ? formats_prelude_channels(p, FORMATS_CHANNELS_FIRST)
                             : false;
    }
    return false;
}

/* ---- operators ---- */

static const char *take_arithmetic(formats_prelude *p, const formats_graph *g, const formats_output *out,
                                   const formats_node *n)
{
    static const double ones[3] = {1, 1, 1}, zeros[3] = {0, 0, 0};
    const model_tensor *a = n->inputs == 2 ? number_of(g, out, n->input[0]) : NULL,
                       *b = n->inputs == 2 ? number_of(g, out, n->input[1]) : NULL;
    const model_tensor *t = a ? a : b;
    double c[3], negative[3], inverse[3];
    size_t count = t && !(a && b) && t->rank <= 4 ? formats_constant_read(out, t, c, 3) : 0;

    if (count != 1 && (count != 3 || !along_channels(p, t, formats_text_is(n->type, "BiasAdd"))))
        return "arithmetic on the picture with something else than a number for each channel";
    for (size_t i = 0; i < count; i++) {
        negative[i] = -c[i];
        inverse[i] = 1 / c[i];
    }
    if (n->op == FORMATS_OP_ADD)
        formats_prelude_affine(p, ones, c, count);
    else if (n->op == FORMATS_OP_MULTIPLY)
        formats_prelude_affine(p, c, zeros, count);
    else if (n->op == FORMATS_OP_SUBTRACT && b)
        formats_prelude_affine(p, ones, negative, count);
    else if (n->op == FORMATS_OP_DIVIDE && b)
        formats_prelude_affine(p, inverse, zeros, count);
    else
        return "the picture is subtracted from a constant, or divides one";
    return NULL;
}

static bool axis_is_channels(formats_prelude *p, double axis)
{
    double a = axis < 0 ? axis + 4 : axis;

    return (a > 0.5 && a < 1.5)   ? formats_prelude_channels(p, FORMATS_CHANNELS_FIRST)
           : (a > 2.5 && a < 3.5) ? formats_prelude_channels(p, FORMATS_CHANNELS_LAST)
                                  : false;
}

/* Gather(x, [2, 1, 0]): ONNX has the axis as an attribute, TensorFlow as third input. */
static bool gather_turns(formats_prelude *p, const formats_graph *g, const formats_output *out,
                         const formats_node *n)
{
    double order[4], axis[4] = {n->axis};

    if (integers(g, out, n, 1, order) != 3 || fabs(order[0] - 2) + fabs(order[1] - 1) + fabs(order[2]) > 0)
        return false;
    if (n->inputs > 2 && integers(g, out, n, 2, axis) != 1)
        return false;
    return axis_is_channels(p, axis[0]);
}

/* PyTorch's x[:, [2, 1, 0]]: GatherND(x, [[2], [1], [0]]) with the channels in front. */
static bool points_turn(const formats_prelude *p, const formats_graph *g, const formats_output *out,
                        const formats_node *n)
{
    const model_tensor *t = n->inputs == 2 ? tensor_of(g, out, n->input[1]) : NULL;
    double order[4];

    return p->channels == FORMATS_CHANNELS_OUTER && n->axis == 0 && t && t->rank == 2 && t->shape[0] == 3 &&
           t->shape[1] == 1 && is_whole(t) && formats_constant_read(out, t, order, 4) == 3 &&
           !(fabs(order[0] - 2) + fabs(order[1] - 1) + fabs(order[2]) > 0);
}

static bool reverse_turns(formats_prelude *p, const formats_graph *g, const formats_output *out,
                          const formats_node *n)
{
    double axis[4];

    return integers(g, out, n, 1, axis) == 1 && axis_is_channels(p, axis[0]);
}

/* ONNX: Slice(x, starts, ends, axes, steps), from the last (-1, or beyond) down past the first. */
static bool slice_turns(formats_prelude *p, const formats_graph *g, const formats_output *out,
                        const formats_node *n)
{
    double start[4], end[4], axis[4], step[4];

    if (n->inputs != 5 || integers(g, out, n, 1, start) != 1 || integers(g, out, n, 2, end) != 1 ||
        integers(g, out, n, 3, axis) != 1 || integers(g, out, n, 4, step) != 1)
        return false;
    bool whole = (start[0] >= 2 || fabs(start[0] + 1) < 0.5) && end[0] <= -4 && fabs(step[0] + 1) < 0.5;
    return whole && axis_is_channels(p, axis[0]);
}

/* TensorFlow: x[..., ::-1], x[:, :, :, ::-1] and such; all bounds left open. */
static bool strided_slice_turns(formats_prelude *p, const formats_graph *g, const formats_output *out,
                                const formats_node *n)
{
    double step[4];
    size_t count = integers(g, out, n, 3, step), axis = 0;
    uint32_t open = n->mask[0] & n->mask[1]; /* of begin and of end */
    bool turned = false, beyond = false;

    if (!count || n->mask[3] || n->mask[4])
        return false;
    for (size_t i = 0; i < count; i++) {
        if (n->mask[2] >> i & 1) {
            beyond = true;
            continue;
        }
        axis = beyond ? 4 - (count - i) : i;
        if (!(open >> i & 1) || fabs(fabs(step[i]) - 1) > 0)
            return false;
        if (step[i] > 0)
            continue;
        if (turned || !axis_is_channels(p, (double)axis))
            return false;
        turned = true;
    }
    return turned;
}

static const char *take_turn(formats_prelude *p, const formats_graph *g, const formats_output *out,
                             const formats_node *n)
{
    bool turns = n->op == FORMATS_OP_GATHER          ? gather_turns(p, g, out, n)
                 : n->op == FORMATS_OP_GATHER_ND     ? points_turn(p, g, out, n)
                 : n->op == FORMATS_OP_REVERSE       ? reverse_turns(p, g, out, n)
                 : n->op == FORMATS_OP_SLICE         ? slice_turns(p, g, out, n)
                 : n->op == FORMATS_OP_STRIDED_SLICE ? strided_slice_turns(p, g, out, n)
                                                     : false;

    if (!turns)
        return "takes something else of the picture than its channels in the opposite order";
    formats_prelude_turn(p);
    return NULL;
}

static const char *take_transpose(formats_prelude *p, const formats_node *n)
{
    static const uint32_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2}, outer[4] = {1, 0, 2, 3};

    if (n->perms == 4 && memcmp(n->perm, outer, sizeof outer) == 0) {
        bool back = p->channels == FORMATS_CHANNELS_OUTER;
        if (!back && !formats_prelude_channels(p, FORMATS_CHANNELS_FIRST))
            return "exchanges the picture's axes in a way that is not known";
        p->channels = back ? FORMATS_CHANNELS_FIRST : FORMATS_CHANNELS_OUTER;
        return NULL;
    }
    bool first = n->perms == 4 && memcmp(n->perm, to_first, sizeof to_first) == 0,
         last = n->perms == 4 && memcmp(n->perm, to_last, sizeof to_last) == 0;

    if (!(first || last) ||
        !formats_prelude_channels(p, first ? FORMATS_CHANNELS_LAST : FORMATS_CHANNELS_FIRST))
        return "exchanges the picture's axes in a way that is not known";
    p->channels = first ? FORMATS_CHANNELS_FIRST : FORMATS_CHANNELS_LAST;
    return NULL;
}

const char *formats_prelude_take(formats_prelude *p, const formats_graph *g, const formats_output *out,
                                 const formats_node *n)
{
    switch (n->op) {
    case FORMATS_OP_ADD:
    case FORMATS_OP_SUBTRACT:
    case FORMATS_OP_MULTIPLY:
    case FORMATS_OP_DIVIDE:
        return take_arithmetic(p, g, out, n);
    case FORMATS_OP_GATHER:
    case FORMATS_OP_GATHER_ND:
    case FORMATS_OP_REVERSE:
    case FORMATS_OP_SLICE:
    case FORMATS_OP_STRIDED_SLICE:
        return take_turn(p, g, out, n);
    case FORMATS_OP_TRANSPOSE:
        return take_transpose(p, n);
    case FORMATS_OP_PASS:
    case FORMATS_OP_CAST: /* of bytes or of other numbers: what it becomes is computed with */
    case FORMATS_OP_INPUT:
        return NULL;
    case FORMATS_OP_OTHER:
    case FORMATS_OP_CONSTANT:
    case FORMATS_OP_CONV:
    case FORMATS_OP_BATCH_NORM:
    case FORMATS_OP_RELU:
    case FORMATS_OP_MAX_POOL:
    case FORMATS_OP_AVERAGE_POOL:
    case FORMATS_OP_RESHAPE:
    case FORMATS_OP_MATMUL:
    case FORMATS_OP_SOFTMAX:
    case FORMATS_OP_RSQRT:
        break;
    }
    return "an operator that is not known in front of the first convolution";
}

/* ---- what it means ---- */

/* Red's mean is ImageNet's largest, blue's its smallest. Where means do not tell, what is turned round was red first. */
static model_colour colour_of(const formats_prelude *p, const double mean[3])
{
    if (mean[0] < mean[1] && mean[1] < mean[2])
        return MODEL_BGR;
    if (mean[0] > mean[1] && mean[1] > mean[2])
        return MODEL_RGB;
    return p->turned ? MODEL_BGR : MODEL_RGB;
}

static void tell(formats_output *out, const model_preprocess *how)
{
    char note[240];

    (void)snprintf(note, sizeof note,
                   "it normalises its pictures itself; the same is done before it here: %s first, from 0 to "
                   "%s, mean %g %g %g, std %g %g %g",
                   how->colour == MODEL_BGR ? "blue" : "red", model_scale_text(how->scale),
                   (double)how->mean[0], (double)how->mean[1], (double)how->mean[2], (double)how->std[0],
                   (double)how->std[1], (double)how->std[2]);
    model_index_note(out->index, note);
}

const char *formats_prelude_end(const formats_prelude *p, formats_output *out)
{
    double mean[3], most = 0;
    bool nothing = true;
    model_said said = out->said;

    for (size_t i = 0; i < 3; i++) {
        double f = p->factor[i];
        if (!(f > 0) || !isfinite(f) || !isfinite(p->offset[i]))
            return "the picture is multiplied with what is not above 0";
        nothing = nothing && fabs(f - 1) < SAME && fabs(p->offset[i]) < SAME;
        mean[i] = 0 - p->offset[i] / f; /* and no -0 */
        most = fmax(most, fmax(fabs(mean[i]), 1 / f));
        said.how.mean[i] = (float)mean[i];
        said.how.std[i] = (float)(1 / f);
    }
    if (nothing)
        return p->turned
                   ? "turns the channels round without saying what the picture's mean is: whether red or "
                     "blue comes first cannot be told"
                   : NULL;
    said.how.colour = colour_of(p, mean);
    said.how.scale = most > PIXEL_ONE ? MODEL_SCALE_255 : MODEL_SCALE_1;
    said.normalised = true;
    if (!model_said_valid(&said))
        return "the picture is normalised with numbers that are out of range";
    out->said = said;
    tell(out, &said.how);
    return NULL;
}
