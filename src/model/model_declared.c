/* Declared facts over an index.
 *
 * Invariants
 *  1. Only strides and shapes of one view change, never bytes; what is declared twice is the same as once.
 */
#include "model_declared.h"

#include "model_vgg.h"

bool model_declared_any(const model_facts *facts)
{
    return facts->epsilon_source == MODEL_FACT_FLAG || facts->data_format != MODEL_DATA_FORMAT_UNKNOWN;
}

/* Elements from one input of a matrix's row to the next, in the order in which they were numbered. */
static uint64_t input_step(const model_tensor *t)
{
    uint64_t step = t->stride[1];
    for (uint32_t d = 2; d < t->rank; d++)
        step = t->stride[d] < step ? t->stride[d] : step;
    return step;
}

/* [out, C, y, x] over rows whose inputs were numbered in the declared order. */
static cistern_status renumber(model_index *index, const model_vgg_match *match, model_data_format format,
                               cistern_error *err)
{
    const model_tensor *t = match->linear_weight[0];
    const uint64_t side = MODEL_VGG_POOLED_SIDE, c = match->channels[match->vgg->conv_count - 1],
                   step = input_step(t);
    const uint64_t shape[4] = {t->shape[0], c, side, side};
    const uint64_t first[4] = {t->stride[0], step * side * side, step * side, step},
                   last[4] = {t->stride[0], step, step * c * side, step * c};
    for (size_t i = 0; i < model_index_count(index); i++) {
        if (model_index_peek(index, i) == t)
            return model_index_reshape(index, i, 4, shape, format == MODEL_CHANNELS_FIRST ? first : last,
                                       err);
    }
    return base_fail(err, CISTERN_UNEXPECTED, "the first linear layer is not in its own index");
}

cistern_status model_declared_apply(const model_facts *facts, model_index *index, cistern_error *err)
{
    model_vgg_match match;
    cistern_status st = CISTERN_OK;
    if (facts->epsilon_source == MODEL_FACT_FLAG)
        st = model_index_set_epsilon(index, facts->epsilon, err);
    if (st != CISTERN_OK || facts->data_format == MODEL_DATA_FORMAT_UNKNOWN)
        return st;
    st = model_vgg_match_index(index, NULL, &match, err);
    if (st != CISTERN_OK)
        return base_frame(err, st, "--data-format");
    if (!match.has_head)
        return base_fail(err, CISTERN_USAGE,
                         "--data-format says how the first linear layer's inputs are numbered; "
                         "these weights have none");
    return renumber(index, &match, facts->data_format, err);
}
