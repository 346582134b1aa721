/* Elements of tensors as numbers: see model_values.h. */
#include "model_values.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define STEP 512 /* elements at a time: 4 KiB as doubles */

/* Axes that lie behind each other in memory become one; axes of one element go. */
static void collapse(model_values *v)
{
    uint32_t kept = 0;

    for (uint32_t d = 0; d < v->rank; d++) {
        if (v->shape[d] == 1)
            continue;
        if (kept && v->stride[kept - 1] == v->stride[d] * v->shape[d]) {
            v->shape[kept - 1] *= v->shape[d];
            v->stride[kept - 1] = v->stride[d];
            continue;
        }
        v->shape[kept] = v->shape[d];
        v->stride[kept++] = v->stride[d];
    }
    v->rank = kept;
}

static void take(model_values *v, const model_tensor *t, const uint8_t *data)
{
    bool fits;

    *v = (model_values){.data = data, .dtype = t->dtype, .rank = t->rank};
    memcpy(v->shape, t->shape, t->rank * sizeof t->shape[0]);
    memcpy(v->stride, t->stride, t->rank * sizeof t->stride[0]);
    fits = model_tensor_count(t, &v->count);
    assert(fits); /* the index has no other */
    (void)fits;
}

void model_values_init(model_values *v, const model_tensor *t, const uint8_t *data)
{
    take(v, t, data);
    collapse(v);
}

void model_values_init_any(model_values *v, const model_tensor *t, const uint8_t *data)
{
    take(v, t, data);
    for (uint32_t i = 1; i < v->rank; i++) { /* largest step first */
        for (uint32_t d = i; d > 0 && v->stride[d - 1] < v->stride[d]; d--) {
            uint64_t shape = v->shape[d], stride = v->stride[d];
            v->shape[d] = v->shape[d - 1];
            v->stride[d] = v->stride[d - 1];
            v->shape[d - 1] = shape;
            v->stride[d - 1] = stride;
        }
    }
    collapse(v);
}

const uint8_t *model_values_plain(const model_values *v)
{
    return v->rank == 0 || (v->rank == 1 && v->stride[0] == 1) ? v->data : NULL;
}

/* Elements from `number` on that lie at equal distances: where they begin, how many, the step. */
static const uint8_t *run_at(const model_values *v, uint64_t number, uint64_t *out_run, uint64_t *out_step)
{
    uint64_t place = 0;

    *out_run = 1;
    *out_step = 1;
    for (uint32_t d = v->rank; d-- > 0;) {
        uint64_t i = number % v->shape[d];
        number /= v->shape[d];
        place += i * v->stride[d];
        if (d + 1 == v->rank) {
            *out_run = v->shape[d] - i;
            *out_step = v->stride[d];
        }
    }
    return v->data + place * model_dtype_bytes(v->dtype);
}

#define COPY_AS(bytes)                                                                                       \
    for (size_t i = 0; i < n; i++)                                                                           \
        memcpy(to + i * (bytes), from + i * step * (bytes), (bytes));

static void copy_run(const uint8_t *from, uint64_t step, size_t bytes, size_t n, uint8_t *to)
{
    if (step == 1) {
        memcpy(to, from, n * bytes);
        return;
    }
    switch (bytes) {
    case 8:
        COPY_AS(8)
        break;
    case 4:
        COPY_AS(4)
        break;
    case 2:
        COPY_AS(2)
        break;
    default:
        COPY_AS(1)
        break;
    }
}

void model_values_gather(const model_values *v, uint64_t from, size_t n, void *out)
{
    size_t bytes = model_dtype_bytes(v->dtype);
    uint8_t *to = out;

    while (n > 0) {
        uint64_t run, step;
        const uint8_t *at = run_at(v, from, &run, &step);
        size_t now = run < n ? (size_t)run : n;
        copy_run(at, step, bytes, now, to);
        to += now * bytes;
        from += now;
        n -= now;
    }
}

void model_values_read(const model_values *v, uint64_t from, size_t n, double *out)
{
    uint8_t raw[STEP * 8];
    size_t bytes = model_dtype_bytes(v->dtype);

    while (n > 0) {
        size_t now = n < STEP ? n : STEP;
        model_values_gather(v, from, now, raw);
        if (v->dtype == MODEL_F32) { /* nearly always */
            for (size_t i = 0; i < now; i++) {
                float value;
                memcpy(&value, raw + i * sizeof value, sizeof value);
                out[i] = (double)value;
            }
        } else {
            for (size_t i = 0; i < now; i++)
                out[i] = model_dtype_get(v->dtype, raw + i * bytes);
        }
        out += now;
        from += now;
        n -= now;
    }
}

void model_values_stats(const model_values *v, uint64_t from, uint64_t n, model_stats *add)
{
    double x[STEP];

    while (n > 0) {
        size_t now = n < STEP ? (size_t)n : STEP;
        model_values_read(v, from, now, x);
        for (size_t i = 0; i < now; i++) {
            if (isnan(x[i])) {
                add->nans++;
                continue;
            }
            add->minimum = x[i] < add->minimum ? x[i] : add->minimum;
            add->maximum = x[i] > add->maximum ? x[i] : add->maximum;
            add->infinities += isinf(x[i]) != 0;
            add->sum += x[i];
        }
        add->count += now;
        from += now;
        n -= now;
    }
}

void model_stats_merge(model_stats *into, const model_stats *from)
{
    into->count += from->count;
    into->nans += from->nans;
    into->infinities += from->infinities;
    into->minimum = from->minimum < into->minimum ? from->minimum : into->minimum;
    into->maximum = from->maximum > into->maximum ? from->maximum : into->maximum;
    into->sum += from->sum;
}

static void compare_one(double a, double b, uint64_t at, model_difference *add)
{
    double magnitude = fabs(a), apart = fabs(a - b);

    if (magnitude > add->largest)
        add->largest = magnitude;
    if (a == b || (isnan(a) && isnan(b)))
        return;
    add->differing++;
    if (isnan(a) || isnan(b))
        add->one_nan++;
    else if (apart > add->max_absolute) {
        add->max_absolute = apart;
        add->at = at;
    }
}

void model_values_compare(const model_values *a, double add_a, const model_values *b, double add_b,
                          uint64_t from, uint64_t n, model_difference *add)
{
    double x[STEP], y[STEP];

    while (n > 0) {
        size_t now = n < STEP ? (size_t)n : STEP;
        model_values_read(a, from, now, x);
        model_values_read(b, from, now, y);
        for (size_t i = 0; i < now; i++)
            compare_one(x[i] + add_a, y[i] + add_b, from + i, add);
        add->count += now;
        from += now;
        n -= now;
    }
}

void model_difference_merge(model_difference *into, const model_difference *from)
{
    into->count += from->count;
    into->differing += from->differing;
    into->one_nan += from->one_nan;
    into->largest = from->largest > into->largest ? from->largest : into->largest;
    if (from->max_absolute > into->max_absolute) {
        into->max_absolute = from->max_absolute;
        into->at = from->at;
    }
}
