/* The VGG family as data, and finding one of them among a file's tensors.
 *
 * The numbers follow torchvision's make_layers(): every convolution is followed by a ReLU (and, with batch norm, by the
 * normalisation before it), and a pooling follows the last convolution of each of the five stages.
 *
 * A match is exact: every tensor of the architecture is there with a shape that fits its neighbours, and no further
 * "features.<N>.weight" is. Widths are free: channels and hidden units are read from the shapes. The classifier is there
 * whole or not at all (files for transfer learning).
 */
#include "model_vgg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(n)                                                                                                 \
    {                                                                                                        \
        n, false, -1                                                                                         \
    }
#define CP(n, p)                                                                                             \
    {                                                                                                        \
        n, true, p                                                                                           \
    }

static const model_vgg vgg_table[] = {
    {"vgg11", false, 8, {CP(0, 2), CP(3, 5), C(6), CP(8, 10), C(11), CP(13, 15), C(16), CP(18, 20)}},
    {"vgg11_bn", true, 8, {CP(0, 3), CP(4, 7), C(8), CP(11, 14), C(15), CP(18, 21), C(22), CP(25, 28)}},
    {"vgg13",
     false,
     10,
     {C(0), CP(2, 4), C(5), CP(7, 9), C(10), CP(12, 14), C(15), CP(17, 19), C(20), CP(22, 24)}},
    {"vgg13_bn",
     true,
     10,
     {C(0), CP(3, 6), C(7), CP(10, 13), C(14), CP(17, 20), C(21), CP(24, 27), C(28), CP(31, 34)}},
    {"vgg16",
     false,
     13,
     {C(0), CP(2, 4), C(5), CP(7, 9), C(10), C(12), CP(14, 16), C(17), C(19), CP(21, 23), C(24), C(26),
      CP(28, 30)}},
    {"vgg16_bn",
     true,
     13,
     {C(0), CP(3, 6), C(7), CP(10, 13), C(14), C(17), CP(20, 23), C(24), C(27), CP(30, 33), C(34), C(37),
      CP(40, 43)}},
    {"vgg19",
     false,
     16,
     {C(0), CP(2, 4), C(5), CP(7, 9), C(10), C(12), C(14), CP(16, 18), C(19), C(21), C(23), CP(25, 27), C(28),
      C(30), C(32), CP(34, 36)}},
    {"vgg19_bn",
     true,
     16,
     {C(0), CP(3, 6), C(7), CP(10, 13), C(14), C(17), C(20), CP(23, 26), C(27), C(30), C(33), CP(36, 39),
      C(40), C(43), C(46), CP(49, 52)}},
};
#define VGG_COUNT (sizeof vgg_table / sizeof vgg_table[0])

/* The classifier's layers in torchvision's vgg.py and in timm's, whose numbers are the same as 1x1 and 7x7 convolutions. */
#define LINEAR_NAMINGS 2
static const char *const linear_names[LINEAR_NAMINGS][MODEL_VGG_LINEARS] = {
    {"classifier.0", "classifier.3", "classifier.6"},
    {"pre_logits.fc1", "pre_logits.fc2", "head.fc"},
};

size_t model_vgg_count(void)
{
    return VGG_COUNT;
}

const model_vgg *model_vgg_peek(size_t i)
{
    return i < VGG_COUNT ? &vgg_table[i] : NULL;
}

const model_vgg *model_vgg_find(const char *name)
{
    for (size_t i = 0; i < VGG_COUNT; i++) {
        if (strcmp(vgg_table[i].name, name) == 0)
            return &vgg_table[i];
    }
    return NULL;
}

#define ANY 0 /* in an expected shape: free */

/* One attempt at one architecture: what was bound, how much did not fit, and the first such thing in words. */
typedef struct vgg_attempt {
    const model_index *index;
    model_vgg_match match;
    unsigned problems;
    char first[640];
} vgg_attempt;

static void problem(vgg_attempt *a, const char *fmt, ...) CISTERN_PRINTF(2, 3);
static void problem(vgg_attempt *a, const char *fmt, ...)
{
    va_list args;
    if (a->problems++ > 0)
        return;
    va_start(args, fmt);
    vsnprintf(a->first, sizeof a->first, fmt, args);
    va_end(args);
}

static void expected_text(const uint64_t *shape, uint32_t rank, char *out, size_t size)
{
    size_t used = 0;
    for (uint32_t d = 0; d < rank && used < size; d++) {
        int n = shape[d] == ANY ? snprintf(out + used, size - used, "%sany", d == 0 ? "[" : ", ")
                                : snprintf(out + used, size - used, "%s%llu", d == 0 ? "[" : ", ",
                                           (unsigned long long)shape[d]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size)
        snprintf(out + used, size - used, "]");
}

#define FULL_NAME_MAX (MODEL_NAME_MAX + 64) /* bytes: a prefix and a part */

/* The tensor <prefix><part>, or NULL; its name to `name` of FULL_NAME_MAX bytes. */
static const model_tensor *find(const vgg_attempt *a, const char *part, char *name)
{
    snprintf(name, FULL_NAME_MAX, "%.*s%s", (int)a->match.prefix_len, a->match.prefix, part);
    return model_index_find(a->index, name);
}

/* The tensor <prefix><part>, which must have this shape; NULL (and a problem noted) when it has not. */
static const model_tensor *bind(vgg_attempt *a, const char *part, const uint64_t *shape, uint32_t rank)
{
    char name[FULL_NAME_MAX], want[128], have[256];
    const model_tensor *t = find(a, part, name);
    bool fits;
    expected_text(shape, rank, want, sizeof want);
    if (!t) {
        problem(a, "tensor '%s' is missing (expected shape %s)", name, want);
        return NULL;
    }
    fits = t->rank == rank;
    for (uint32_t d = 0; fits && d < rank; d++)
        fits = shape[d] == ANY ? t->shape[d] > 0 : t->shape[d] == shape[d];
    if (fits)
        return t;
    model_tensor_shape_text(t, have, sizeof have);
    problem(a, "tensor '%s': shape %s, expected %s", name, have, want);
    return NULL;
}

static const model_tensor *bind_feature(vgg_attempt *a, int number, const char *what, const uint64_t *shape,
                                        uint32_t rank)
{
    char part[64];
    snprintf(part, sizeof part, "features.%d.%s", number, what);
    return bind(a, part, shape, rank);
}

static void bind_conv(vgg_attempt *a, int i, uint64_t in_channels)
{
    model_vgg_match *m = &a->match;
    int number = m->vgg->conv[i].feature;
    uint64_t weight_shape[4] = {ANY, in_channels, 3, 3}, channels[1] = {ANY};
    m->conv_weight[i] = bind_feature(a, number, "weight", weight_shape, 4);
    m->channels[i] = m->conv_weight[i] ? m->conv_weight[i]->shape[0] : ANY;
    channels[0] = m->channels[i];
    m->conv_bias[i] = bind_feature(a, number, "bias", channels, 1);
    if (!m->vgg->batch_norm)
        return;
    m->bn_weight[i] = bind_feature(a, number + 1, "weight", channels, 1);
    m->bn_bias[i] = bind_feature(a, number + 1, "bias", channels, 1);
    m->bn_mean[i] = bind_feature(a, number + 1, "running_mean", channels, 1);
    m->bn_var[i] = bind_feature(a, number + 1, "running_var", channels, 1);
}

/* How many of the classifier's weights are there under one way of naming them. */
static int count_linears(const vgg_attempt *a, int naming)
{
    char part[64], name[FULL_NAME_MAX];
    int count = 0;
    for (int i = 0; i < MODEL_VGG_LINEARS; i++) {
        snprintf(part, sizeof part, "%s.weight", linear_names[naming][i]);
        count += find(a, part, name) != NULL;
        snprintf(part, sizeof part, "%s.bias", linear_names[naming][i]);
        count += find(a, part, name) != NULL;
    }
    return count;
}

/* One layer; each of its `inputs` channels brings side x side numbers. */
static void bind_linear(vgg_attempt *a, int i, int naming, uint64_t inputs, uint64_t side)
{
    char part[64], name[FULL_NAME_MAX];
    uint64_t as_rows[2] = {ANY, inputs * side * side}, as_conv[4] = {ANY, inputs, side, side},
             outputs[1] = {ANY};
    model_vgg_match *m = &a->match;
    const model_tensor *found;
    snprintf(part, sizeof part, "%s.weight", linear_names[naming][i]);
    found = find(a, part, name);
    m->linear_weight[i] = found && found->rank == 4 ? bind(a, part, as_conv, 4) : bind(a, part, as_rows, 2);
    outputs[0] = m->linear_weight[i] ? m->linear_weight[i]->shape[0] : ANY;
    snprintf(part, sizeof part, "%s.bias", linear_names[naming][i]);
    m->linear_bias[i] = bind(a, part, outputs, 1);
    if (i < 2)
        m->hidden[i] = outputs[0];
    else
        m->classes = outputs[0];
}

/* The three layers, or nothing when the file has none of them. */
static void bind_head(vgg_attempt *a, uint64_t channels)
{
    int naming = count_linears(a, 0) < count_linears(a, 1);
    model_vgg_match *m = &a->match;
    m->has_head = count_linears(a, naming) > 0;
    if (!m->has_head)
        return;
    bind_linear(a, 0, naming, channels, MODEL_VGG_POOLED_SIDE);
    bind_linear(a, 1, naming, m->hidden[0], 1);
    bind_linear(a, 2, naming, m->hidden[1], 1);
}

/* Whether "features.<number>.weight" belongs to this architecture. */
static bool owns_feature(const model_vgg *vgg, long number)
{
    for (int i = 0; i < vgg->conv_count; i++) {
        if (number == vgg->conv[i].feature || (vgg->batch_norm && number == vgg->conv[i].feature + 1))
            return true;
    }
    return false;
}

/* A deeper network holds the tensors of a shallower one only by accident; what is left over says so. */
static void find_left_over(vgg_attempt *a)
{
    for (size_t i = 0; i < model_index_count(a->index); i++) {
        const char *name = model_index_peek(a->index, i)->name;
        char *end;
        long number;
        if (strncmp(name, a->match.prefix, a->match.prefix_len) != 0)
            continue;
        name += a->match.prefix_len;
        if (strncmp(name, "features.", 9) != 0)
            continue;
        number = strtol(name + 9, &end, 10);
        if (end == name + 9 || strcmp(end, ".weight") != 0 || owns_feature(a->match.vgg, number))
            continue;
        problem(a, "tensor '%s' has no place in it", model_index_peek(a->index, i)->name);
    }
}

static void attempt(vgg_attempt *a, const model_index *index, const model_vgg *vgg, const char *prefix,
                    size_t prefix_len)
{
    uint64_t channels = 3; /* R, G, B */
    memset(a, 0, sizeof *a);
    a->index = index;
    a->match.vgg = vgg;
    a->match.epsilon = model_index_epsilon(index);
    a->match.prefix = prefix;
    a->match.prefix_len = prefix_len;
    for (int i = 0; i < vgg->conv_count; i++) {
        bind_conv(a, i, channels);
        channels = a->match.channels[i];
    }
    bind_head(a, channels);
    find_left_over(a);
}

/* What stands before "features.0.weight": of several such names the shortest. "" when there is none. */
static void find_prefix(const model_index *index, const char **out, size_t *out_len)
{
    static const char anchor[] = "features.0.weight";
    bool found = false;
    *out = "";
    *out_len = 0;
    for (size_t i = 0; i < model_index_count(index); i++) {
        const char *name = model_index_peek(index, i)->name;
        size_t len = strlen(name), before = len - (sizeof anchor - 1);
        if (len < sizeof anchor - 1 || strcmp(name + before, anchor) != 0)
            continue;
        if ((before == 0 || name[before - 1] == '.') && (!found || before < *out_len)) {
            *out = name;
            *out_len = before;
            found = true;
        }
    }
}

static cistern_status no_match(const vgg_attempt *a, bool asked, cistern_error *err)
{
    char more[48] = "";
    if (a->problems > 1)
        snprintf(more, sizeof more, " (and %u more that do not fit)", a->problems - 1);
    return base_fail(err, CISTERN_UNREADABLE, asked ? "not a %s: %s%s" : "not a VGG; nearest is %s: %s%s",
                     a->match.vgg->name, a->first, more);
}

cistern_status model_vgg_match_index(const model_index *index, const char *architecture, model_vgg_match *out,
                                     cistern_error *err)
{
    vgg_attempt best, next;
    const char *prefix;
    size_t prefix_len;
    bool asked = architecture && architecture[0];
    const model_vgg *only = asked ? model_vgg_find(architecture) : NULL;
    if (asked && !only)
        return base_fail(err, CISTERN_UNREADABLE,
                         "architecture '%s' is not one that can be run: vgg11, vgg13, vgg16, "
                         "vgg19, each also with _bn",
                         architecture);
    find_prefix(index, &prefix, &prefix_len);
    attempt(&best, index, only ? only : &vgg_table[0], prefix, prefix_len);
    for (size_t i = 1; !only && i < VGG_COUNT; i++) {
        attempt(&next, index, &vgg_table[i], prefix, prefix_len);
        if (next.problems < best.problems)
            best = next;
    }
    if (best.problems > 0)
        return no_match(&best, asked, err);
    *out = best.match;
    return CISTERN_OK;
}
