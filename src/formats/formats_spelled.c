/* Batch norms that are spelled out.
 *
 *   factor = rsqrt(variance + epsilon) * gamma
 *   y = x * factor + (beta - mean * factor)          a frozen graph of Keras 3
 *   y = x * constant + constant                      the same after tf2onnx computed what is constant
 *
 * Invariants
 *  1. Every operand is a constant vector, epsilon a constant number; both uses of the factor are one node. Any other sum
 *     is no batch norm.
 *  2. A folded one is a batch norm of mean 0 and variance 1, with an epsilon that is lost beside 1.
 */
#include "priv/formats_spelled.h"

#include <stdio.h>
#include <string.h>
#include "formats_limits.h"

#define LOST_EPSILON 1e-30 /* added to 1 */

/* The constant behind a name; NULL: none that is in the index. */
static const model_tensor *constant(const formats_graph *g, const formats_output *out, formats_text name,
                                    size_t *number)
{
    const formats_node *n = formats_graph_behind(g, name);

    if (!n || n->op != FORMATS_OP_CONSTANT || n->tensor == FORMATS_NO_TENSOR)
        return NULL;
    *number = n->tensor;
    return model_index_peek(out->index, n->tensor);
}

static bool vector(const formats_graph *g, const formats_output *out, formats_text name, size_t *number)
{
    const model_tensor *t = constant(g, out, name, number);

    return t && t->rank == 1;
}

/* A constant of one F32 that lies in a file. */
static bool number_of(const formats_graph *g, const formats_output *out, formats_text name, double *value)
{
    size_t number;
    const model_tensor *t = constant(g, out, name, &number);
    uint64_t count;

    if (!t || !model_tensor_count(t, &count) || count != 1 || t->dtype != MODEL_F32 ||
        t->file >= out->file_count)
        return false;
    *value = model_dtype_get(t->dtype, out->files[t->file].data + t->offset);
    return true;
}

static const formats_node *behind(const formats_graph *g, const formats_node *n, uint32_t i, formats_op op)
{
    const formats_node *found = i < n->inputs ? formats_graph_behind(g, n->input[i]) : NULL;

    return found && found->op == op && found->inputs >= (op == FORMATS_OP_RSQRT ? 1u : 2u) ? found : NULL;
}

/* rsqrt(variance + epsilon) * gamma */
static bool match_factor(const formats_graph *g, const formats_output *out, const formats_node *factor,
                         formats_spelled *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        const formats_node *root = behind(g, factor, i, FORMATS_OP_RSQRT);
        const formats_node *sum = root ? behind(g, root, 0, FORMATS_OP_ADD) : NULL;
        if (!sum || !vector(g, out, factor->input[1 - i], &s->gamma))
            continue;
        for (uint32_t k = 0; k < 2; k++) {
            if (vector(g, out, sum->input[k], &s->var) && number_of(g, out, sum->input[1 - k], &s->epsilon))
                return s->epsilon > 0;
        }
    }
    return false;
}

/* beta - mean * factor */
static bool match_rest(const formats_graph *g, const formats_output *out, const formats_node *rest,
                       const formats_node *factor, formats_spelled *s)
{
    const formats_node *product = behind(g, rest, 1, FORMATS_OP_MULTIPLY);

    if (!product || !vector(g, out, rest->input[0], &s->beta))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        if (formats_graph_behind(g, product->input[i]) == factor &&
            vector(g, out, product->input[1 - i], &s->mean))
            return true;
    }
    return false;
}

static bool match_whole(const formats_graph *g, const formats_output *out, const formats_node *product,
                        const formats_node *rest, formats_spelled *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        const formats_node *factor = behind(g, product, i, FORMATS_OP_MULTIPLY);
        s->x = product->input[1 - i];
        if (factor && match_factor(g, out, factor, s) && match_rest(g, out, rest, factor, s))
            return true;
    }
    return false;
}

/* [1, channels, 1, 1] */
static bool per_channel(const model_tensor *t)
{
    return t && t->rank == 4 && t->shape[0] == 1 && t->shape[2] == 1 && t->shape[3] == 1;
}

static bool match_folded(const formats_graph *g, const formats_output *out, const formats_node *product,
                         formats_text rest, formats_spelled *s)
{
    s->folded = per_channel(constant(g, out, rest, &s->beta));
    for (uint32_t i = 0; s->folded && i < 2; i++) {
        s->x = product->input[1 - i];
        if (per_channel(constant(g, out, product->input[i], &s->gamma)))
            return true;
    }
    return false;
}

bool formats_spelled_match(const formats_graph *g, const formats_output *out, const formats_node *add,
                           formats_spelled *found)
{
    for (uint32_t i = 0; add->inputs == 2 && i < 2; i++) {
        const formats_node *product = behind(g, add, i, FORMATS_OP_MULTIPLY);
        const formats_node *rest = behind(g, add, 1 - i, FORMATS_OP_SUBTRACT);
        *found = (formats_spelled){.gamma = FORMATS_NO_TENSOR};
        if (product && rest && match_whole(g, out, product, rest, found))
            return true;
        if (product && !rest && match_folded(g, out, product, add->input[1 - i], found))
            return true;
    }
    return false;
}

/* ---- the layer ---- */

/* "<name of the sum>:<what>"; false: too long, or no text. */
static bool put_name(const formats_node *add, const char *what, char *out)
{
    if (add->name.len + 16 > MODEL_NAME_MAX || memchr(add->name.at, 0, add->name.len))
        return false;
    (void)snprintf(out, MODEL_NAME_MAX + 1, "%.*s:%s", (int)add->name.len, add->name.at, what);
    return true;
}

/* The same bytes as a vector. */
static cistern_status add_vector(formats_output *out, const formats_node *add, const char *what,
                                 size_t *tensor, cistern_error *err)
{
    char name[MODEL_NAME_MAX + 1];
    model_tensor t = *model_index_peek(out->index, *tensor);
    size_t number = model_index_count(out->index);

    if (!put_name(add, what, name))
        return base_fail(err, CISTERN_UNREADABLE, "a node's name is too long, or holds a zero");
    t.name = name;
    t.shape[0] = t.shape[1];
    t.stride[0] = t.stride[1];
    t.rank = 1;
    *tensor = number;
    return model_index_add(out->index, &t, err);
}

static cistern_status add_constant(formats_output *out, const formats_node *add, const char *what, uint64_t n,
                                   float value, size_t *tensor, cistern_error *err)
{
    char name[MODEL_NAME_MAX + 1];
    model_tensor t = {.name = name, .dtype = MODEL_F32, .rank = 1, .shape = {n}};

    if (!put_name(add, what, name))
        return base_fail(err, CISTERN_UNREADABLE, "a node's name is too long, or holds a zero");
    *tensor = model_index_count(out->index);
    return formats_decoded_constant(out->decoded, out->index, &t, value, err);
}

cistern_status formats_spelled_layer(formats_output *out, const formats_node *add, const formats_spelled *s,
                                     formats_layer *layer, cistern_error *err)
{
    uint64_t n = model_index_peek(out->index, s->gamma)->shape[1];
    cistern_status st;

    layer->gamma = s->gamma;
    layer->beta = s->beta;
    layer->mean = s->mean;
    layer->var = s->var;
    layer->epsilon = s->folded ? LOST_EPSILON : s->epsilon;
    if (!s->folded)
        return CISTERN_OK;
    if ((st = add_vector(out, add, "gamma", &layer->gamma, err)) ||
        (st = add_vector(out, add, "beta", &layer->beta, err)) ||
        (st = add_constant(out, add, "mean", n, 0, &layer->mean, err)))
        return st;
    return add_constant(out, add, "variance", n, 1, &layer->var, err);
}
