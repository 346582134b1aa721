/* The chain of a VGG in a graph: from an end back to the picture, then forward layer by layer.
 *
 *   picture -> (conv -> [bias] -> [batch norm] -> ReLU -> [max pool]) … -> reshape -> (linear -> [bias] -> [ReLU]) …
 *           -> [softmax]
 *
 * Invariants
 *  1. Every node between the two ends is known, and does what a VGG does there: kernels of 3x3 at every point with a
 *     border of 1, poolings of 2x2, a ReLU behind every layer but the last.
 *  2. A bias or batch norm belongs to the layer right before it.
 * It does not: compute constants, follow branches, look into subgraphs.
 */
#include "priv/formats_graph.h"
#include "priv/formats_average.h"
#include "priv/formats_prelude.h"
#include "priv/formats_spelled.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base_json.h"
#include "base_mem.h"
#include "model_vgg.h"
#include "formats_limits.h"

#define TEXT_MAX  64 /* bytes of a name that a note shows */
#define POOLED_BY 32 /* five poolings by 2 */

typedef struct chain {
    const formats_graph *g;
    formats_output *out;
    const model_index *index; /* out's */
    cistern_status status;    /* of adding to it */
    cistern_error *err;
    const formats_node *node[FORMATS_CHAIN_MAX]; /* from the end to the picture */
    size_t count, convs;
    formats_layer *layers;
    size_t layer_count;
    formats_layer *last; /* the layer that a bias or batch norm would belong to; NULL: none */
    bool activated;      /* a ReLU came after the last convolution or linear layer */
    bool channels_last, flat, softmax;
    size_t linears, pools;
    formats_prelude prelude; /* until the first convolution */
    formats_average average; /* between the last pooling and the first linear layer */
    formats_text picture;    /* name of what comes in */
    char why[256];
} chain;

static bool refuse(chain *c, const formats_node *n, const char *fmt, ...) CISTERN_PRINTF(3, 4);
static bool refuse(chain *c, const formats_node *n, const char *fmt, ...)
{
    va_list args;
    int used = snprintf(c->why, sizeof c->why,
                        "'%.*s' (%.*s): ", (int)(n->name.len < TEXT_MAX ? n->name.len : TEXT_MAX), n->name.at,
                        (int)(n->type.len < TEXT_MAX ? n->type.len : TEXT_MAX), n->type.at);

    va_start(args, fmt);
    (void)vsnprintf(c->why + used, sizeof c->why - (size_t)used, fmt, args);
    va_end(args);
    return false;
}

/* ---- constants ---- */

static const formats_node *producer(const formats_graph *g, formats_text name)
{
    size_t i = formats_graph_find(g, name);

    return i == SIZE_MAX ? NULL : formats_graph_get(g, i);
}

/* The constant behind an input, through nodes that leave it as it is, or (*transposed) exchange its two axes, or, of a
 * vector, reshape it: its elements stay in their order. */
static const formats_node *constant(const formats_graph *g, formats_text name, bool vector, bool *transposed)
{
    const formats_node *n = producer(g, name);

    *transposed = false;
    for (unsigned steps = 0; n && steps < FORMATS_CHAIN_MAX; steps++) {
        if (n->op == FORMATS_OP_CONSTANT)
            return n;
        bool exchange = n->op == FORMATS_OP_TRANSPOSE &&
                        (n->perms == 0 || (n->perms == 2 && n->perm[0] == 1 && n->perm[1] == 0));
        if (n->op != FORMATS_OP_PASS && !exchange && !(vector && n->op == FORMATS_OP_RESHAPE))
            return NULL;
        *transposed ^= exchange;
        n = n->inputs ? producer(g, n->input[0]) : NULL;
    }
    return NULL;
}

/* The tensor behind input i of a node; NULL: none that is constant, whole, in the index, and of this rank. */
static const model_tensor *tensor_at(const chain *c, const formats_node *n, uint32_t i, uint32_t rank,
                                     size_t *out)
{
    bool transposed;
    const formats_node *found = i < n->inputs ? constant(c->g, n->input[i], rank == 1, &transposed) : NULL;

    if (!found || transposed || found->tensor == FORMATS_NO_TENSOR ||
        model_index_peek(c->index, found->tensor)->rank != rank)
        return NULL;
    *out = found->tensor;
    return model_index_peek(c->index, found->tensor);
}

static bool has_input(const formats_node *n, uint32_t i)
{
    return i < n->inputs && n->input[i].len > 0;
}

/* ---- back from an end ---- */

/* Whole numbers are cast before they are added to a picture. */
static bool is_constant(const chain *c, formats_text name, bool vector)
{
    bool transposed;
    const formats_node *cast = formats_graph_behind(c->g, name);

    if (constant(c->g, name, vector, &transposed))
        return true;
    return cast && cast->op == FORMATS_OP_CAST && cast->inputs &&
           constant(c->g, cast->input[0], false, &transposed);
}

/* Which input the picture comes through; FORMATS_GRAPH_INPUTS: two do, or none. */
static uint32_t data_input(const chain *c, const formats_node *n)
{
    if (n->op != FORMATS_OP_ADD && n->op != FORMATS_OP_MATMUL && n->op != FORMATS_OP_MULTIPLY &&
        n->op != FORMATS_OP_SUBTRACT && n->op != FORMATS_OP_DIVIDE)
        return n->inputs ? 0 : FORMATS_GRAPH_INPUTS;
    if (n->inputs < 2)
        return FORMATS_GRAPH_INPUTS;
    bool vector = n->op == FORMATS_OP_ADD;
    bool first = is_constant(c, n->input[0], vector), second = is_constant(c, n->input[1], vector);
    return first == second ? FORMATS_GRAPH_INPUTS : first ? 1 : 0;
}

static bool trace(chain *c, const formats_node *n)
{
    formats_spelled spelled;

    c->count = c->convs = 0;
    c->why[0] = 0;
    while (n) {
        if (c->count == FORMATS_CHAIN_MAX)
            return refuse(c, n, "more than %u operators in a row", FORMATS_CHAIN_MAX);
        c->node[c->count++] = n;
        c->convs += n->op == FORMATS_OP_CONV;
        c->picture = n->name;
        if (n->op == FORMATS_OP_INPUT)
            return true;
        if (n->op == FORMATS_OP_OTHER || n->op == FORMATS_OP_RSQRT)
            return refuse(c, n, "an operator that a VGG has not");
        if (n->op == FORMATS_OP_ADD && formats_spelled_match(c->g, c->out, n, &spelled)) {
            n = producer(c->g, spelled.x);
            continue;
        }
        uint32_t i = data_input(c, n);
        if (i == FORMATS_GRAPH_INPUTS)
            return refuse(c, n, "joins two branches, or works on a constant");
        c->picture = n->input[i];
        n = producer(c->g, n->input[i]); /* none: an input of the graph that is no node */
    }
    return true;
}

/* ---- forward ---- */

/* A layer begins: what came before it must be complete. */
static bool begin_layer(chain *c, const formats_node *n, formats_layer_op op)
{
    static const formats_layer nothing = FORMATS_LAYER_INIT;

    if (c->softmax)
        return refuse(c, n, "a layer behind a softmax");
    if (c->layer_count && !c->activated)
        return refuse(c, n, "no ReLU before it");
    c->last = &c->layers[c->layer_count++];
    *c->last = nothing;
    c->last->op = op;
    c->activated = op == FORMATS_LAYER_POOL;
    return true;
}

static bool all(const uint32_t *values, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++) {
        if (values[i] != value)
            return false;
    }
    return true;
}

/* A border of (kernel - 1) / 2 for 3x3 kernels; none for those that are linear layers in disguise. */
static bool conv_fits(const formats_node *n, bool small)
{
    bool padded = n->padding == FORMATS_PADDING_EXPLICIT ? all(n->pad, 4, small ? 1 : 0)
                  : small                                ? n->padding == FORMATS_PADDING_SAME
                                                         : n->padding == FORMATS_PADDING_VALID;

    return padded && all(n->stride, 2, 1) && all(n->dilation, 2, 1) && n->groups == 1;
}

/* A slice of 1x1 needs no border, whatever it is called. */
static bool is_pointwise(const formats_node *n, const uint64_t *side)
{
    return side[0] == 1 && side[1] == 1 && n->padding != FORMATS_PADDING_EXPLICIT;
}

/* The first convolution begins: what came before it is a way to prepare pictures. */
static bool end_prelude(chain *c, const formats_node *n)
{
    const char *why;

    if (c->layer_count)
        return true;
    if (!formats_prelude_channels(&c->prelude,
                                  n->channels_last ? FORMATS_CHANNELS_LAST : FORMATS_CHANNELS_FIRST))
        return refuse(c, n, "the picture's channels are not where it looks for them");
    why = formats_prelude_end(&c->prelude, c->out);
    return why ? refuse(c, n, "%s", why) : true;
}

static bool take_conv(chain *c, const formats_node *n)
{
    size_t weight, bias = FORMATS_NO_TENSOR;
    const model_tensor *w = tensor_at(c, n, 1, 4, &weight);

    if (!w)
        return refuse(c, n, "its weight is no constant of 4 dimensions");
    const uint64_t *side = n->axes == FORMATS_AXES_HWIO ? w->shape : w->shape + 2;
    bool small = side[0] == 3 && side[1] == 3;
    formats_node plain = *n;
    if (is_pointwise(n, side))
        plain.padding = FORMATS_PADDING_VALID;
    if (!conv_fits(&plain, small))
        return refuse(c, n, "its stride, border, dilation or groups are not a VGG's");
    if (has_input(n, 2) && !tensor_at(c, n, 2, 1, &bias))
        return refuse(c, n, "its bias is no constant of 1 dimension");
    if (!end_prelude(c, n) || !begin_layer(c, n, FORMATS_LAYER_CONV))
        return false;
    c->last->axes = n->axes;
    c->last->weight = weight;
    c->last->bias = bias;
    c->channels_last = n->channels_last;
    c->linears += !small;
    return true;
}

/* A product with a matrix of means: one half of an adaptive pooling. */
static bool take_average(chain *c, const formats_node *n)
{
    uint32_t data = data_input(c, n);
    size_t matrix;
    const model_tensor *t = data < 2 ? tensor_at(c, n, 1 - data, 2, &matrix) : NULL;
    const char *why = !t || n->transposed[0] || n->transposed[1] || n->scaled || c->channels_last
                          ? "works on what was not flattened"
                          : formats_average_take(&c->average, c->out, t, data == 0);

    return why ? refuse(c, n, "%s", why) : true;
}

static bool take_matmul(chain *c, const formats_node *n)
{
    size_t bias = FORMATS_NO_TENSOR;
    bool transposed = false;
    if (!c->flat && c->pools == MODEL_VGG_POOLS && !c->linears)
        return take_average(c, n);
    const formats_node *weight = n->inputs > 1 ? constant(c->g, n->input[1], false, &transposed) : NULL;

    if (!weight || weight->tensor == FORMATS_NO_TENSOR ||
        model_index_peek(c->index, weight->tensor)->rank != 2)
        return refuse(c, n, "its second input is no constant of 2 dimensions");
    if (n->transposed[0] || n->scaled)
        return refuse(c, n, "its first input is transposed, or its result scaled");
    if (!c->flat)
        return refuse(c, n, "works on what was not flattened");
    if (has_input(n, 2) && !tensor_at(c, n, 2, 1, &bias))
        return refuse(c, n, "its bias is no constant of 1 dimension");
    if (!begin_layer(c, n, FORMATS_LAYER_LINEAR))
        return false;
    c->last->axes = transposed != n->transposed[1] ? FORMATS_AXES_OUT_IN : FORMATS_AXES_IN_OUT;
    c->last->flatten = c->channels_last ? FORMATS_FLATTEN_HWC : FORMATS_FLATTEN_CHW;
    c->last->weight = weight->tensor;
    c->last->bias = bias;
    c->linears++;
    return true;
}

static bool begin_norm(chain *c, const formats_node *n)
{
    if (!c->last || c->last->op != FORMATS_LAYER_CONV)
        return refuse(c, n, "a batch norm where a VGG has none");
    c->activated = true; /* what it belongs to needs no ReLU in between */
    return begin_layer(c, n, FORMATS_LAYER_BATCH_NORM);
}

/* The number that somebody wrote: graphs hold 32 bits of it, and 1e-5 as such is 9.99999975e-06. */
static double as_written(double epsilon)
{
    char text[32];
    double value;

    base_float_text((float)epsilon, text);
    return base_double_parse(text, &value) ? value : epsilon;
}

static bool take_spelled(chain *c, const formats_node *n, const formats_spelled *spelled)
{
    if (!begin_norm(c, n))
        return false;
    c->status = formats_spelled_layer(c->out, n, spelled, c->last, c->err);
    c->last->epsilon = as_written(c->last->epsilon);
    return c->status == CISTERN_OK;
}

static bool take_norm(chain *c, const formats_node *n)
{
    size_t t[FORMATS_GRAPH_INPUTS];

    for (uint32_t i = 1; i < FORMATS_GRAPH_INPUTS; i++) {
        if (!tensor_at(c, n, i, 1, &t[i]))
            return refuse(c, n, "its input %u is no constant of 1 dimension", i);
    }
    if (!begin_norm(c, n))
        return false;
    c->last->gamma = t[1];
    c->last->beta = t[2];
    c->last->mean = t[3];
    c->last->var = t[4];
    c->last->epsilon = as_written(n->epsilon);
    return true;
}

/* A sum of one number per channel, which lies where the channels are last. */
static bool take_add(chain *c, const formats_node *n)
{
    formats_spelled spelled;
    size_t bias;

    if (formats_spelled_match(c->g, c->out, n, &spelled))
        return take_spelled(c, n, &spelled);
    if (!tensor_at(c, n, 1 - data_input(c, n), 1, &bias))
        return refuse(c, n, "adds something else than a constant of 1 dimension");
    if (!c->last || c->last->bias != FORMATS_NO_TENSOR ||
        !(c->last->op == FORMATS_LAYER_LINEAR || (c->last->op == FORMATS_LAYER_CONV && n->channels_last)))
        return refuse(c, n, "a sum where a VGG has none");
    c->last->bias = bias;
    return true;
}

static bool take_relu(chain *c, const formats_node *n)
{
    if (!c->last)
        return refuse(c, n, "a ReLU where a VGG has none");
    c->last = NULL;
    c->activated = true;
    return true;
}

/* Rows and columns of the picture that comes in; 0: not said. */
static const uint64_t *picture_size(const chain *c)
{
    static const uint64_t unknown[4] = {0};
    const uint64_t *size = formats_graph_picture(c->g, c->picture);
    bool last = size && size[3] == 3;

    return !size || (!last && size[1] != 3) ? unknown : last ? size + 1 : size + 2;
}

static bool take_pool(chain *c, const formats_node *n)
{
    bool padded = n->padding == FORMATS_PADDING_EXPLICIT && !all(n->pad, 4, 0);

    const uint64_t *size = picture_size(c);
    bool uneven = n->padding == FORMATS_PADDING_SAME && (size[0] % POOLED_BY || size[1] % POOLED_BY);

    if (uneven)
        return refuse(c, n, "a border that its picture of %llux%llu makes a difference to",
                      (unsigned long long)size[0], (unsigned long long)size[1]);
    if (!all(n->kernel, 2, 2) || !all(n->stride, 2, 2) || !all(n->dilation, 2, 1) || padded)
        return refuse(c, n, "its size, stride or border is not a VGG's");
    if (!begin_layer(c, n, FORMATS_LAYER_POOL))
        return false;
    c->last = NULL;
    c->pools++;
    c->channels_last = n->channels_last;
    return true;
}

static bool take_transpose(chain *c, const formats_node *n)
{
    static const uint32_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2};

    if (c->flat || n->perms != 4)
        return refuse(c, n, "exchanges axes where a VGG does not");
    if (!c->channels_last && memcmp(n->perm, to_last, sizeof to_last) == 0)
        c->channels_last = true;
    else if (c->channels_last && memcmp(n->perm, to_first, sizeof to_first) == 0)
        c->channels_last = false;
    else
        return refuse(c, n, "exchanges axes in a way that is not known");
    return true;
}

static bool take_softmax(chain *c, const formats_node *n)
{
    if (!c->linears || c->activated || c->softmax)
        return refuse(c, n, "a softmax that does not follow a linear layer");
    c->softmax = true;
    c->last = NULL;
    return true;
}

/* One output for each 7x7, whatever the picture's size: k x k pixels for each, or one. */
static bool take_mean(chain *c, const formats_node *n)
{
    uint32_t k = n->kernel[0];
    bool padded = n->padding == FORMATS_PADDING_EXPLICIT && !all(n->pad, 4, 0);
    const uint64_t *size = picture_size(c);

    if (k == 1 && all(n->kernel, 2, 1) && all(n->stride, 2, 1))
        return true;
    if (c->flat || c->pools != MODEL_VGG_POOLS || k == 0 || k > 64 || padded || !all(n->kernel, 2, k) ||
        !all(n->stride, 2, k))
        return refuse(c, n, "an average where a VGG has none");
    for (size_t i = 0; i < 2; i++) {
        if (size[i] / POOLED_BY != (uint64_t)MODEL_VGG_POOLED_SIDE * k)
            return refuse(
                c, n, "an average of %ux%u, which is no adaptive pooling to 7x7 of a picture of %llux%llu", k,
                k, (unsigned long long)size[0], (unsigned long long)size[1]);
    }
    return true;
}

static bool take_reshape(chain *c, const formats_node *n)
{
    if (!c->layer_count)
        return refuse(c, n, "gives the picture another shape");
    if (formats_average_half(&c->average))
        return refuse(c, n, "follows half an adaptive pooling");
    c->flat = true;
    return true;
}

static bool take_before(chain *c, const formats_node *n)
{
    const char *why = formats_prelude_take(&c->prelude, c->g, c->out, n);

    return why ? refuse(c, n, "%s", why) : true;
}

static bool take(chain *c, const formats_node *n)
{
    if (!c->layer_count && n->op != FORMATS_OP_CONV)
        return take_before(c, n);
    switch (n->op) {
    case FORMATS_OP_CONV:
        return take_conv(c, n);
    case FORMATS_OP_MATMUL:
        return take_matmul(c, n);
    case FORMATS_OP_ADD:
        return take_add(c, n);
    case FORMATS_OP_BATCH_NORM:
        return take_norm(c, n);
    case FORMATS_OP_RELU:
        return take_relu(c, n);
    case FORMATS_OP_MAX_POOL:
        return take_pool(c, n);
    case FORMATS_OP_AVERAGE_POOL:
        return take_mean(c, n);
    case FORMATS_OP_TRANSPOSE:
        return take_transpose(c, n);
    case FORMATS_OP_SOFTMAX:
        return take_softmax(c, n);
    case FORMATS_OP_RESHAPE:
        return take_reshape(c, n);
    case FORMATS_OP_PASS:
    case FORMATS_OP_INPUT:
        return true;
    case FORMATS_OP_CONSTANT:
    case FORMATS_OP_MULTIPLY:
    case FORMATS_OP_SUBTRACT:
    case FORMATS_OP_DIVIDE:
    case FORMATS_OP_CAST:
    case FORMATS_OP_GATHER:
    case FORMATS_OP_GATHER_ND:
    case FORMATS_OP_REVERSE:
    case FORMATS_OP_SLICE:
    case FORMATS_OP_STRIDED_SLICE:
    case FORMATS_OP_RSQRT:
    case FORMATS_OP_OTHER:
        break;
    }
    return refuse(c, n, "an operator that a VGG has not");
}

static bool walk(chain *c)
{
    for (size_t i = c->count; i-- > 0;) {
        if (!take(c, c->node[i]))
            return false;
    }
    if (c->linears && c->activated)
        return refuse(c, c->node[0], "a ReLU behind the last linear layer");
    return true;
}

/* ---- ends ---- */

/* Marks what is used by another node. */
static void mark_used(const formats_graph *g, uint8_t *used)
{
    for (size_t i = 0; i < formats_graph_count(g); i++) {
        const formats_node *n = formats_graph_get(g, i);
        for (uint32_t k = 0; k < n->inputs; k++) {
            size_t found = formats_graph_find(g, n->input[k]);
            if (found != SIZE_MAX)
                used[found] = 1;
        }
    }
}

/* The chain of the first end that is one of convolutions; *out_found false: none, and c->why is of the one with most. */
static void find_end(chain *c, const uint8_t *used, bool *out_found)
{
    char why[sizeof c->why] = "no convolutions in a row";
    size_t best = 0, tried = 0;
    const formats_node *said = formats_graph_said_end(c->g);

    *out_found = false;
    if (said) {
        *out_found = trace(c, said) && c->convs > 0;
        if (!*out_found && !c->why[0])
            memcpy(c->why, why, sizeof why);
        return;
    }
    for (size_t i = 0; i < formats_graph_count(c->g) && tried < FORMATS_ENDS_MAX; i++) {
        const formats_node *n = formats_graph_get(c->g, i);
        if (used[i] || n->op == FORMATS_OP_CONSTANT || n->op == FORMATS_OP_INPUT)
            continue;
        tried++;
        *out_found = trace(c, n) && c->convs > 0;
        if (*out_found)
            return;
        if (c->why[0] && c->convs >= best) {
            best = c->convs;
            memcpy(why, c->why, sizeof why);
        }
    }
    memcpy(c->why, why, sizeof why);
}

/* The size that the graph was made for, where it says one that a VGG can have. */
static void take_size(const chain *c, formats_output *out)
{
    const uint64_t *size = picture_size(c);

    if (size[0] < POOLED_BY || size[1] < POOLED_BY || size[0] > MODEL_SAID_SIDE_MAX ||
        size[1] > MODEL_SAID_SIDE_MAX)
        return;
    out->said.height = (uint32_t)size[0];
    out->said.width = (uint32_t)size[1];
}

static cistern_status emit(chain *c, formats_output *out, cistern_error *err)
{
    cistern_status st = base_calloc(c->count + 1, sizeof *c->layers, &c->layers, err);

    if (st)
        return st;
    c->err = err;
    if (!walk(c)) {
        st = c->status;
    } else {
        st = formats_layers_emit(out, c->layers, c->layer_count, err);
        take_size(c, out);
        if (c->linears)
            model_index_set_head(out->index, c->softmax ? MODEL_HEAD_PROBABILITIES : MODEL_HEAD_LOGITS);
    }
    free(c->layers);
    return st;
}

cistern_status formats_graph_layers(const formats_graph *g, formats_output *out, cistern_error *err)
{
    chain c = {.g = g, .out = out, .index = out->index, .prelude = FORMATS_PRELUDE_INIT};
    size_t n = formats_graph_count(g);
    uint8_t *used = NULL;
    char note[sizeof c.why + 64];
    bool found;
    cistern_status st = base_calloc(n ? n : 1, 1, &used, err);

    if (st)
        return st;
    mark_used(g, used);
    find_end(&c, used, &found);
    free(used);
    if (found)
        st = emit(&c, out, err);
    if (!st && c.why[0]) {
        (void)snprintf(note, sizeof note, "not laid out as a VGG: %s", c.why);
        model_index_note(out->index, note);
    }
    return st;
}

cistern_status formats_graph_end(formats_graph *g, formats_output *out, uint64_t left_out, cistern_error *err)
{
    cistern_status st;

    formats_left_out_note(out, left_out);
    st = formats_graph_settle(g, err);
    return st ? st : formats_graph_layers(g, out, err);
}
