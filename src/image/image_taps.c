/* Resize filters and their integer weights. Sums and products are in Pillow's order, so that the last bit
 * agrees. */
#include "priv/image_taps.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "base_mem.h"

#define PI 3.14159265358979323846

/* Keys' cubic with a = -1/2, the value Pillow chose. Source: R. G. Keys, 1981. */
#define CUBIC_A (-0.5)

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double cubic(double x)
{
    x = fabs(x);
    if (x < 1.0) {
        return ((CUBIC_A + 2.0) * x - (CUBIC_A + 3.0)) * x * x + 1.0;
    }
    if (x < 2.0) {
        return (((x - 5.0) * x + 8.0) * x - 4.0) * CUBIC_A;
    }
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) {
        return 1.0;
    }
    x *= PI;
    return sin(x) / x;
}

static double lanczos3(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x >= 1.0) {
        return 0.0;
    }
    return sinc(x) * ((double)0.54f + (double)0.46f * cos(x * PI)); /* floats: Pillow's rounding */
}

typedef struct filter {
    double (*at)(double);
    double support; /* source pixels to either side at scale 1 */
} filter;

static filter filter_of(model_interpolation kind)
{
    switch (kind) {
    case MODEL_BILINEAR:
        return (filter){triangle, 1.0};
    case MODEL_BICUBIC:
        return (filter){cubic, 2.0};
    case MODEL_LANCZOS:
        return (filter){lanczos3, 3.0};
    case MODEL_BOX:
        return (filter){box, 0.5};
    case MODEL_HAMMING:
        return (filter){hamming, 1.0};
    case MODEL_NEAREST:
        break;
    }
    assert(kind != MODEL_NEAREST); /* it has no weights */
    return (filter){triangle, 1.0};
}

/* A share of one as an integer, halves away from zero. */
static int32_t fixed_point(double share)
{
    double scaled = share * (double)(1 << IMAGE_TAPS_BITS);
    return (int32_t)(share < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

/* The weights of one output into `weight`; `shares` is scratch of the same length. */
static void taps_of_output(const filter *f, double scale, double stretch, uint32_t in, uint32_t output,
                           image_taps *taps, uint32_t i, double *shares)
{
    double support = f->support * stretch;
    double centre = (output + 0.5) * scale;
    double low = centre - support + 0.5;
    double high = centre + support + 0.5;
    uint32_t first = low < 0.0 ? 0 : (uint32_t)low;
    uint32_t end = high > (double)in ? in : (uint32_t)high;
    uint32_t count = end - first;
    double sum = 0.0;
    double shrink = 1.0 / stretch;

    for (uint32_t t = 0; t < count; t++) {
        shares[t] = f->at(((double)(t + first) - centre + 0.5) * shrink);
        sum += shares[t];
    }
    for (uint32_t t = 0; t < count; t++) {
        taps->weight[i * taps->stride + t] = fixed_point(sum != 0.0 ? shares[t] / sum : shares[t]);
    }
    taps->first[i] = first;
    taps->count[i] = count;
}

cistern_status image_taps_new(uint32_t in, uint32_t out, uint32_t from, uint32_t n, model_interpolation kind,
                              image_taps *taps, cistern_error *err)
{
    assert(in > 0 && n > 0 && from + n <= out);
    filter f = filter_of(kind);
    double scale = (double)in / (double)out;
    double stretch = scale < 1.0 ? 1.0 : scale;
    double most = ceil(f.support * stretch) * 2.0 + 1.0;
    image_taps made = IMAGE_TAPS_INIT;
    double *shares = NULL;
    size_t weights = 0;

    made.stride = most < (double)in ? (size_t)most : in;
    made.n = n;
    cistern_status status = CISTERN_OK;
    if (!base_mul_size(made.stride, n, &weights)) {
        status = base_fail_memory(err, SIZE_MAX);
        goto out;
    }
    if ((status = base_calloc(n, sizeof *made.first, &made.first, err)) != CISTERN_OK ||
        (status = base_calloc(n, sizeof *made.count, &made.count, err)) != CISTERN_OK ||
        (status = base_calloc(weights, sizeof *made.weight, &made.weight, err)) != CISTERN_OK ||
        (status = base_calloc(made.stride, sizeof *shares, &shares, err)) != CISTERN_OK) {
        goto out;
    }
    for (uint32_t i = 0; i < n; i++) {
        taps_of_output(&f, scale, stretch, in, from + i, &made, i, shares);
    }
    *taps = made;
    made = (image_taps)IMAGE_TAPS_INIT;
out:
    free(shares);
    image_taps_clear(&made);
    return status;
}

void image_taps_clear(image_taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
    free(taps->low);
    free(taps->high);
    *taps = (image_taps)IMAGE_TAPS_INIT;
}

cistern_status image_taps_split(image_taps *taps, cistern_error *err)
{
    int16_t *low = NULL, *high = NULL;
    size_t stride = (taps->stride + 3) / 4 * 4, weights = 0;
    cistern_status status =
        base_mul_size(stride, taps->n, &weights) ? CISTERN_OK : base_fail_memory(err, SIZE_MAX);
    if (status == CISTERN_OK) {
        status = base_calloc(weights, sizeof *low, &low, err);
    }
    if (status == CISTERN_OK) {
        status = base_calloc(weights, sizeof *high, &high, err);
    }
    if (status != CISTERN_OK) {
        free(low);
        return status;
    }
    for (size_t i = 0; i < taps->n; i++) {
        for (size_t t = 0; t < taps->count[i]; t++) {
            int32_t weight = taps->weight[i * taps->stride + t];
            int16_t rest = (int16_t)(uint16_t)((uint32_t)weight & 0xffff);
            low[i * stride + t] = rest;
            high[i * stride + t] = (int16_t)(uint16_t)(((uint32_t)weight - (uint32_t)rest) >> 16);
        }
    }
    taps->low = low;
    taps->high = high;
    taps->split_stride = stride;
    return CISTERN_OK;
}

void image_taps_nearest(uint32_t in, uint32_t out, uint32_t from, uint32_t n, uint32_t *sources)
{
    assert(in > 0 && from + n <= out);
    double step = (double)in / (double)out;
    double at = step * 0.5; /* added up, not multiplied: Pillow's rounding */
    for (uint32_t i = 0; i < from + n; i++) {
        if (i >= from) {
            uint32_t source = (uint32_t)at;
            sources[i - from] = source < in ? source : in - 1;
        }
        at += step;
    }
}
